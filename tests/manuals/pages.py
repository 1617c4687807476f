"""The manual pages, made from the program and, for what holds everywhere, the README."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from command_tree import PROGRAM, all_commands, default_of, is_shared, names_of, value_of
from manuals.examples import EXAMPLES
from manuals.roff import bold, heading, italic, item, markdown, paragraph, plain, spans
from programs import ROOT

import sbpam_cli

FOLDER = ROOT / "sbpam_cli" / "manuals"


def all_pages(dates: dict[str, str]) -> dict[str, str]:
    """Each page by its file's name. `dates`: of the last change, by file; today's without one."""
    commands = all_commands()
    titles = {path.replace(" ", "-"): path for path in commands if path.count(" ") < 2}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    pages = {}
    for title, path in titles.items():
        own = {name: one for name, one in commands.items() if f"{name} ".startswith(f"{path} ")}
        body = [*(_program if path == PROGRAM else _command)(own, readme)]
        others = [f"\\%{plain(other)}(1)" for other in titles if other != title]
        body += [heading("see also"), *paragraph(", ".join(others))]
        date = dates.get(f"{title}.1") or f"{datetime.now(UTC):%Y-%m-%d}"
        text = "\n".join([*_head(title, date), *body]) + "\n"
        # A section begins a paragraph by itself.
        pages[f"{title}.1"] = re.sub(r"^(\.S[HS] .*)\n\.PP$", r"\1", text, flags=re.MULTILINE)
    return pages


def date_of(page: str) -> str:
    """The date in a page's head; empty where there is none."""
    found = re.search(r'^\.TH \S+ 1 "([\d-]+)"', page, re.MULTILINE)
    return found[1] if found else ""


def write_manuals() -> None:
    """A page that says nothing new keeps its date."""
    old = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.1")}
    kept = all_pages({name: date_of(page) for name, page in old.items()})
    for name, page in all_pages({}).items():
        text = kept[name] if kept[name] == old.get(name) else page
        Path(FOLDER, name).write_text(text, encoding="utf-8", newline="\n")
    for name in old.keys() - kept.keys():
        Path(FOLDER, name).unlink()


def _head(title: str, date: str) -> Iterator[str]:
    yield '.\\" Made from the program by tests/regenerate.py manuals.'
    version = plain(f"{PROGRAM} {sbpam_cli.__version__}")
    yield f'.TH {plain(title.upper())} 1 "{date}" "{version}" "{PROGRAM} manual"'
    # Nothing is pulled apart, as left and right margins or hyphens would, that one may copy.
    yield from (".nh", ".ad l")


def _name(title: str, command: Any) -> Iterator[str]:
    sentence = re.split(r"[.;:](?:\s|$)", " ".join(command.help.split()))[0]
    yield heading("name")
    yield f"{plain(title)} \\- {plain(sentence[0].lower() + sentence[1:])}"


def _synopsis(commands: dict[str, Any]) -> Iterator[str]:
    yield heading("synopsis")
    for number, (path, command) in enumerate(commands.items()):
        with command.make_context(path, [], resilient_parsing=True) as context:
            pieces = " ".join(command.collect_usage_pieces(context))
        if getattr(command, "invoke_without_command", False):
            pieces = pieces.removesuffix(f" {command.subcommand_metavar}")
        yield from [".br"] * bool(number)
        yield f"{bold(path)} {italic(pieces)}"


def _program(commands: dict[str, Any], readme: str) -> Iterator[str]:
    program = commands[PROGRAM]
    top = {path: one for path, one in commands.items() if path.count(" ") == 1}
    yield from _name(PROGRAM, program)
    yield from _synopsis({PROGRAM: program})
    yield heading("description")
    yield from markdown(readme.split("\n\n")[1])
    yield heading("commands")
    for path, command in top.items():
        words = " ".join(command.help.split())
        yield from item(
            f"{bold(path)}", f"{spans(words)} See \\%{plain(path.replace(' ', '-'))}(1)."
        )
    yield heading("options")
    yield from _options(program, shared=False)
    yield heading("options of every command")
    yield from paragraph(plain("They stand after the command."))
    yield from _shared(next(iter(top.values())))
    yield from markdown(_durations(readme))
    for section in ("Output", "Exit codes", "Environment", "Files"):
        yield heading("exit status" if section == "Exit codes" else section)
        yield from markdown(_section(readme, section))
    yield from _examples(PROGRAM)


def _command(commands: dict[str, Any], readme: str) -> Iterator[str]:
    (path, command), *below = commands.items()
    yield from _name(path.replace(" ", "-"), command)
    yield from _synopsis(commands)
    yield heading("description")
    yield from markdown(_unwrapped(command.help))
    if any(not is_shared(one) for one in command.params):
        yield heading("options")
        yield from _options(command, shared=False)
    if below:
        yield heading("commands")
    for name, subcommand in below:
        yield f".SS {plain(name)}"
        yield from markdown(_unwrapped(subcommand.help))
        yield from _options(subcommand, shared=False)
    yield heading("options of every command")
    yield from _shared(command)
    every = [parameter for one in commands.values() for parameter in one.params]
    if any(parameter.metavar == "TIME" for parameter in every):
        yield from markdown(_durations(readme))
    if path == f"{PROGRAM} schedule":
        yield heading("lists of hosts")
        yield from markdown(_section(readme, "Lists of hosts"))
    yield heading("exit status")
    yield from markdown(_section(readme, "Exit codes"))
    yield heading("environment")
    yield from _environment(every, readme)
    yield heading("files")
    yield from markdown(_section(readme, "Files"))
    yield from _examples(path)


def _options(command: Any, *, shared: bool) -> Iterator[str]:
    for parameter in command.params:
        if is_shared(parameter) is shared:
            value = value_of(parameter)
            names = ", ".join(bold(name) for name in names_of(parameter).split(", "))
            if parameter.param_type_name == "argument":
                names = italic(names_of(parameter))
            default = default_of(parameter)
            words = parameter.help or ""
            if default or (parameter.required and value):
                words += f" Default: {default}." if default else " It must be given."
            yield from item(f"{names} {italic(value)}" if value else names, spans(words))


def _shared(command: Any) -> Iterator[str]:
    yield from _options(command, shared=True)
    yield from item(f"{bold('--help')}, {bold('-h')}", plain("Shows what the command takes."))


def _environment(parameters: list[Any], readme: str) -> Iterator[str]:
    """The variables that the options name, then where the others are."""
    named = {word for one in parameters for word in re.findall(r"SBPAM_\w+", one.help or "")}
    rows = re.findall(r"^\| `(SBPAM_\w+)` \| (.+) \|$", _section(readme, "Environment"), re.M)
    for variable, meaning in rows:
        if variable in named:
            yield from item(bold(variable), spans(meaning))
    yield from paragraph(spans(f"{PROGRAM}(1) has all others, among them those for secrets."))


def _examples(path: str) -> Iterator[str]:
    if path in EXAMPLES:
        yield heading("examples")
        yield from markdown(EXAMPLES[path])


def _section(readme: str, title: str) -> str:
    return readme.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def _durations(readme: str) -> str:
    found = re.search(r"^Durations are .*?(?=\n\n)", readme, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[0]


def _unwrapped(text: str) -> str:
    import inspect

    return inspect.cleandoc(text)
