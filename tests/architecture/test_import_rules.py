"""The rules of the house, read from the syntax trees: who imports whom, names, sizes."""

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest
from support.left_out import LEFT_OUT

import sbpam_cli

PACKAGE = Path(sbpam_cli.__file__).parent

FLOORS = (
    ("__main__",),
    ("main",),
    ("commands",),
    ("runs", "report"),
    ("jobs", "lookups", "doctor"),
    ("signin",),
    ("nps", "settings", "journal", "output"),
    ("system", "hosts", "outcome"),
    ("models", "errors", "names", "wording"),
)
"""Rooms, from the top; one imports what stands on its own floor or below."""

SANDBOX_IMPORTS = {"errors", "models", "names"}
SANDBOX_IMPORTERS = {"commands/demo", "commands/sandbox"}

OWNERS = {
    "typer": ("commands", "main"),
    "rich": ("output", "commands/help"),
    "httpx": ("nps",),
    "httpcore": ("nps", "system/services"),
    "truststore": ("nps",),
    "keyring": ("settings/keyring",),
    "sqlite3": ("system/services", "journal"),
    "platformdirs": ("system", "settings"),
    "pyotp": ("signin", "sandbox"),
    "tomli_w": ("settings",),
    "trustme": ("sandbox",),
    "jinja2": ("report",),
    "time": ("system/clock",),
    "random": ("system/services", "sandbox"),
}
"""Which rooms or files may import these at all."""

HEAVY = (
    *("asyncio", "concurrent", "cryptography", "csv", "email", "http.client", "http.cookiejar"),
    *("http.server", "httpcore", "httpx", "jinja2", "keyring", "logging", "msgspec"),
    *("multiprocessing", "platformdirs", "pyotp", "rich", "sqlite3", "ssl", "subprocess"),
    *("tempfile", "tomli_w", "tomllib", "trustme", "truststore", "unittest", "urllib.request"),
)
"""Never imported when a module is; functions import them."""

OUTSIDE_WORLD: dict[str, set[str]] = {
    "os.environ": {"system/services"},
    "os.getenv": set(),
    "sys.stdin": {"system/services"},
    # `--version` and the last flush need no services.
    "sys.stdout": {"system/services", "main", "__main__"},
    "sys.stderr": {"system/services", "__main__"},
    "sys.argv": {"main"},
    "datetime.now": set(),
    "datetime.utcnow": set(),
    "date.today": set(),
    "sys.exit": set(),
    "os._exit": {"system/services", "__main__"},
    "print": set(),
    "input": set(),
}
"""Which files may touch these."""

ACTING = {"open", "Path", "getenv", "Console", "connect", "Thread", "system_services", "exit"}
"""Calls that no module makes when it is imported."""

FORBIDDEN_NAMES = {
    *("utils", "util", "helpers", "helper", "common", "manager", "misc", "tools"),
    *("gate", "crowding", "verdicts", "followed", "exchange", "shapes", "picture"),
}
ESCAPE_SEQUENCE = r"(?i)(\\x1b|\\033|\\u001b|\\N\{ESCAPE\}|\x1b)\["
LONGEST_FILE = 400
MOST_PARAMETERS = 6


class Imported(NamedTuple):
    """module: what is imported. at_import_time: outside functions. for_types: TYPE_CHECKING."""

    importer: str
    line: int
    module: str
    at_import_time: bool
    for_types: bool

    def __str__(self) -> str:
        return f"{self.importer}.py:{self.line} imports {self.module}"


@cache
def trees() -> dict[str, ast.Module]:
    """Every file of the package, as `settings/keyring`."""
    return {
        path.relative_to(PACKAGE).with_suffix("").as_posix(): ast.parse(path.read_text("utf-8"))
        for path in sorted(PACKAGE.rglob("*.py"))
    }


@cache
def all_imports() -> list[Imported]:
    def visit(name: str, node: ast.AST, at_once: bool, for_types: bool) -> Iterator[Imported]:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for module in _modules(node):
                yield Imported(name, node.lineno, module, at_once, for_types)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for_types = True
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from visit(name, child, at_once and not inside, for_types)

    return [one for name, tree in trees().items() for one in visit(name, tree, True, False)]


def _modules(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (name.name for name in node.names)
    elif node.level:
        yield "." * node.level + (node.module or "")
    else:
        module = (node.module or "").replace(".", "/")
        for name in node.names:
            inner = f"{module}/{name.name}".removeprefix("sbpam_cli/")
            yield inner.replace("/", ".") if inner in trees() else node.module or ""


def room_of(name: str) -> str:
    """`settings` for `settings/keyring` and for `sbpam_cli.settings.keyring`."""
    return name.removeprefix("sbpam_cli").replace(".", "/").strip("/").partition("/")[0]


def inner_imports() -> Iterator[tuple[Imported, str]]:
    """Imports of files of the package, with the name of the file."""
    for imported in all_imports():
        name = imported.module.removeprefix("sbpam_cli.").replace(".", "/")
        if name in trees():
            yield imported, name


def is_of(module: str, library: str) -> bool:
    return module == library or module.startswith(f"{library}.")


def upward_imports() -> Iterator[str]:
    floors = {room: number for number, floor in enumerate(FLOORS) for room in floor}
    for imported, name in inner_imports():
        own, target = room_of(imported.importer), room_of(name)
        if "sandbox" in (own, target):
            allowed = own == target or target in SANDBOX_IMPORTS
            if not (allowed or imported.importer in SANDBOX_IMPORTERS):
                yield str(imported)
        elif floors[target] < floors[own]:
            yield str(imported)


def circles_of_files() -> Iterator[str]:
    return _circles((imported.importer, name) for imported, name in inner_imports())


def circles_of_rooms() -> Iterator[str]:
    return _circles(
        (room_of(imported.importer), room_of(name)) for imported, name in inner_imports()
    )


def _circles(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    """The first circle of what imports itself by way of others."""
    graph = TopologicalSorter[str]()
    for importer, name in pairs:
        if importer != name:
            graph.add(importer, name)
    try:
        graph.prepare()
    except CycleError as error:
        yield " is imported by ".join(error.args[1])


def libraries_outside_their_rooms() -> Iterator[str]:
    for imported in all_imports():
        for library, owners in OWNERS.items():
            own = {imported.importer, room_of(imported.importer)}
            if is_of(imported.module, library) and not imported.for_types and not own & {*owners}:
                yield str(imported)


def heavy_imports() -> Iterator[str]:
    for imported in all_imports():
        at_once = imported.at_import_time and not imported.for_types
        if at_once and any(is_of(imported.module, heavy) for heavy in HEAVY):
            yield str(imported)


def relative_imports() -> Iterator[str]:
    return (str(imported) for imported in all_imports() if imported.module.startswith("."))


def outside_world() -> Iterator[str]:
    for name, tree in trees().items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Attribute | ast.Name):
                continue
            what = ast.unparse(node)
            if name not in OUTSIDE_WORLD.get(what, {name}):
                yield f"{name}.py:{node.lineno} touches {what}"


def acting_modules() -> Iterator[str]:
    """Calls at module level build values; none opens, reads, looks for or starts anything."""
    for name, tree in trees().items():
        for statement in tree.body:
            if isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.If):
                continue
            for node in ast.walk(statement):
                if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ACTING:
                    yield f"{name}.py:{node.lineno}"


def forbidden_names() -> Iterator[str]:
    return (name for name in trees() if name.rpartition("/")[2] in FORBIDDEN_NAMES)


def two_modules_of_one_name() -> Iterator[str]:
    # The files of `commands` bear the names of commands.
    names = Counter(
        name.rpartition("/")[2]
        for name in trees()
        if room_of(name) != "commands" or "/" not in name
    )
    return (name for name, count in names.items() if count > 1 and name != "__init__")


def two_classes_of_one_name() -> Iterator[str]:
    classes = Counter(
        node.name
        for tree in trees().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    )
    return (name for name, count in classes.items() if count > 1)


def long_files() -> Iterator[str]:
    for name in trees():
        count = (PACKAGE / f"{name}.py").read_text("utf-8").count("\n")
        if count > LONGEST_FILE:
            yield f"{name}.py has {count} lines"


def too_many_parameters() -> Iterator[str]:
    for name, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and not _is_command(node):
                given = node.args
                count = len([*given.posonlyargs, *given.args, *given.kwonlyargs])
                count += (given.vararg is not None) + (given.kwarg is not None)
                count -= [one.arg for one in given.args][:1] in (["self"], ["cls"])
                if count > MOST_PARAMETERS:
                    yield f"{name}.py:{node.lineno} {node.name} has {count} parameters"


def _is_command(function: ast.FunctionDef) -> bool:
    return any("with_common" in ast.unparse(one) for one in function.decorator_list)


def escape_sequences() -> Iterator[str]:
    for name in trees():
        text = (PACKAGE / f"{name}.py").read_text("utf-8")
        for found in re.finditer(ESCAPE_SEQUENCE, text):
            yield f"{name}.py:{text.count(chr(10), 0, found.start()) + 1}"


RULES: list[Callable[[], Iterable[str]]] = [
    *(upward_imports, circles_of_files, circles_of_rooms),
    *(libraries_outside_their_rooms, heavy_imports, relative_imports),
    *(outside_world, acting_modules, forbidden_names),
    *(two_modules_of_one_name, two_classes_of_one_name),
    *(long_files, too_many_parameters, escape_sequences),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_package_keeps_the_rule(rule: Callable[[], Iterable[str]]) -> None:
    assert list(rule()) == []


def test_what_windows_leaves_out_exists() -> None:
    root = PACKAGE.parent
    files = (root / "tests").rglob("test_*.py")
    names = re.findall(r"def (test_\w+)", "".join(path.read_text("utf-8") for path in files))
    gone = [
        part
        for part in LEFT_OUT
        if not (root / part).exists()
        and not any(name.startswith(part.strip(":").partition("[")[0]) for name in names)
    ]
    assert gone == []
