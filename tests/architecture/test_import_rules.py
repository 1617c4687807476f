"""Who may import whom, read from the syntax trees, and what the program loads when it starts."""

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

import sbpam_cli

PACKAGE = Path(sbpam_cli.__file__).parent

ABOVE = {
    "models": (),
    "errors": (),
    "wording": (),
    "services": ("errors",),
    "nps": ("errors", "models", "services"),
    "storage": ("errors", "models", "wording", "services"),
    "signin": ("errors", "models", "services", "nps", "storage"),
    "work": ("errors", "models", "wording", "services", "nps", "storage", "signin"),
    "output": ("errors", "models", "wording", "services"),
    "sandbox": ("errors", "models"),
    "commands": (
        *("errors", "models", "wording", "services", "nps", "storage", "signin", "work"),
        *("output", "sandbox"),
    ),
    "main": ("errors", "services", "commands", "output"),
    "__main__": ("main",),
}
"""What each layer may import, itself aside."""

MADE_BY_SERVICES = {"sbpam_cli.system.files", "sbpam_cli.system.threads"}
"""Files and threads are of the outside world too: `services` makes the real ones, when asked."""

OWNERS = {
    "typer": ("commands", "main"),
    "rich": ("output",),
    "httpx": ("nps",),
    "httpcore": ("nps", "services"),
    "truststore": ("nps",),
    "keyring": ("services", "storage/vault"),
    "sqlite3": ("services", "storage"),
    "platformdirs": ("services",),
    "pyotp": ("signin", "sandbox"),
    "tomli_w": ("storage",),
    "trustme": ("sandbox",),
    "jinja2": ("output",),
    "time": ("services",),
    "random": ("services", "sandbox"),
}
"""Which parts of the package may import these at all."""

HEAVY = (
    *("asyncio", "concurrent", "cryptography", "csv", "email", "http.client", "http.cookiejar"),
    *("http.server", "httpcore", "httpx", "jinja2", "keyring", "logging", "msgspec"),
    *("multiprocessing",),
    *("platformdirs", "pyotp", "rich", "sqlite3", "ssl", "subprocess", "tempfile", "tomli_w"),
    *("tomllib", "trustme", "truststore", "unittest", "urllib.request"),
)
"""Never imported when a module is; functions import them."""


class Imported(NamedTuple):
    """module: what is imported. at_import_time: outside functions. for_types: TYPE_CHECKING."""

    where: Path
    line: int
    module: str
    at_import_time: bool
    for_types: bool

    @property
    def importer(self) -> str:
        """`storage/vault` for `sbpam_cli/storage/vault.py`."""
        return self.where.relative_to(PACKAGE).with_suffix("").as_posix()

    def __str__(self) -> str:
        return f"{self.importer}.py:{self.line} imports {self.module}"


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imports_of(path: Path) -> Iterator[Imported]:
    def visit(node: ast.AST, at_import_time: bool, for_types: bool) -> Iterator[Imported]:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for module in _modules(node):
                yield Imported(path, node.lineno, module, at_import_time, for_types)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for_types = True
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, at_import_time and not inside, for_types)

    yield from visit(tree_of(path), True, False)


def _modules(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (name.name for name in node.names)
    elif node.level:
        yield "." * node.level + (node.module or "")
    elif node.module == "sbpam_cli":
        yield from (f"sbpam_cli.{name.name}" for name in node.names)
    else:
        yield node.module or ""


@cache
def all_imports() -> list[Imported]:
    return [imported for path in sources() for imported in imports_of(path)]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def layer_of(name: str) -> str:
    """`storage` for `sbpam_cli.settings.keyring`, and for `storage/vault`."""
    return name.removeprefix("sbpam_cli").replace(".", "/").strip("/").partition("/")[0]


def is_of(module: str, library: str) -> bool:
    return module == library or module.startswith(f"{library}.")


def _is_made_when_asked(imported: Imported) -> bool:
    later = imported.for_types or not imported.at_import_time
    return later and imported.module in MADE_BY_SERVICES


def test_layers_are_imported_one_way() -> None:
    wrong = [
        str(imported)
        for imported in all_imports()
        if imported.module.startswith("sbpam_cli.")
        and (target := layer_of(imported.module)) != "__version__"
        and (own := layer_of(imported.importer)) != target
        and target not in ABOVE[own]
        and not (own == "services" and _is_made_when_asked(imported))
    ]

    assert wrong == []


def test_every_layer_is_known() -> None:
    found = {layer_of(path.relative_to(PACKAGE).with_suffix("").as_posix()) for path in sources()}

    assert found - {"__init__"} == set(ABOVE)


def test_only_the_commands_for_it_import_the_sandbox() -> None:
    importers = {
        imported.importer
        for imported in all_imports()
        if layer_of(imported.module) == "sandbox" and layer_of(imported.importer) != "sandbox"
    }

    assert importers == {"commands/demo", "commands/sandbox"}


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_is_imported_by_its_owners_alone(library: str) -> None:
    wrong = [
        str(imported)
        for imported in all_imports()
        if is_of(imported.module, library)
        and not imported.for_types
        and not any(
            imported.importer == owner or layer_of(imported.importer) == owner
            for owner in OWNERS[library]
        )
    ]

    assert wrong == []


def test_heavy_libraries_are_imported_inside_functions() -> None:
    wrong = [
        str(imported)
        for imported in all_imports()
        if imported.at_import_time
        and not imported.for_types
        and any(is_of(imported.module, heavy) for heavy in HEAVY)
    ]

    assert wrong == []


def test_imports_are_absolute() -> None:
    assert [str(i) for i in all_imports() if i.module.startswith(".")] == []


OUTSIDE_WORLD: dict[str, Callable[[str], bool]] = {
    "os.environ": lambda where: where == "services",
    "os.getenv": lambda where: where == "services",
    "sys.stdin": lambda where: where == "services",
    # `--version` and the last flush need no services.
    "sys.stdout": lambda where: where in ("services", "main", "__main__"),
    "sys.stderr": lambda where: where in ("services", "__main__"),
    "sys.argv": lambda where: where == "main",
    "datetime.now": lambda where: False,
    "datetime.utcnow": lambda where: False,
    "date.today": lambda where: False,
    "sys.exit": lambda where: False,
    "os._exit": lambda where: where in ("services", "__main__"),
    "print": lambda where: False,
    "input": lambda where: False,
}


@pytest.mark.parametrize("name", OUTSIDE_WORLD)
def test_the_outside_world_is_touched_by_services_alone(name: str) -> None:
    wrong = []
    for path in sources():
        where = path.relative_to(PACKAGE).with_suffix("").as_posix()
        for node in ast.walk(tree_of(path)):
            if (
                isinstance(node, ast.Attribute | ast.Name)
                and ast.unparse(node) == name
                and not OUTSIDE_WORLD[name](where)
            ):
                wrong.append(f"{where}.py:{node.lineno}")

    assert wrong == []


def test_no_module_does_anything_when_imported() -> None:
    """Calls at module level build values; none opens, reads, looks for or starts anything."""
    acting = {"open", "Path", "getenv", "Console", "connect", "Thread", "system_services", "exit"}
    wrong = []
    for path in sources():
        tree = tree_of(path)
        for statement in tree.body:
            if isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.If):
                continue
            for node in ast.walk(statement):
                if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in acting:
                    wrong.append(f"{path.name}:{node.lineno}")

    assert wrong == []


def test_no_file_is_named_for_nothing() -> None:
    empty = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "tools"}

    assert [path.name for path in sources() if path.stem in empty] == []


def test_a_help_page_loads_little() -> None:
    program = (
        "import sys, io\n"
        "from sbpam_cli.main import main\n"
        "sys.stdout = io.StringIO()\ncode = main(['--help'])\nsys.stdout = sys.__stdout__\n"
        "print(code, *sys.modules)"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True
    )
    code, *modules = done.stdout.split()

    assert code == "0"
    loaded = {"httpx", "httpcore", "keyring", "sqlite3", "ssl", "cryptography"} & set(modules)
    assert loaded == set()
