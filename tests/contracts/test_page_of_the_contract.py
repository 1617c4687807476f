"""`cli.md` beside this file is what users were promised: the program has that, and no more."""

import re
from collections import defaultdict
from pathlib import Path

from support.command_tree import all_commands

from sbpam_cli.commands.app import PANELS
from sbpam_cli.commands.help import find_guides
from sbpam_cli.errors import ExitCode, SbpamError
from sbpam_cli.models import FORMS, ScanStatus
from sbpam_cli.output import columns
from sbpam_cli.settings.environment import SECRET_NAMES, variable_of

PAGE = (Path(__file__).parent / "cli.md").read_text(encoding="utf-8")
FOLLOWING = "--wait --watch --timeout --interval"
ALSO = {
    "resume": f"{FOLLOWING} --full",
    "rescan": f"{FOLLOWING} --full",
    "cancel": FOLLOWING,
    "schedule": "--full",
    "status": "--full --wait",
    "runs": "--since --limit",
    "config list": "",
    "config get": "",
    "config set": "",
    "config unset": "",
}
"""What other parts of the page promise of a command."""
OF_OTHERS = {"schedule --list", "schedule --only", "--help"}
"""What a command's part of the page says of another program or command."""
NOT_ON_THE_PAGE = {
    "login --credential",  # a setting of the profile, as `config set` has it
    # The embedded server's own.
    *("demo --scan-duration", "sandbox --scan-duration", "sandbox --port", "sandbox --seed"),
    *("sandbox --failing", "sandbox --token-life"),
}
ROW_SETS = {
    "runs": columns.RUNS,
    "runs show": columns.BATCHES,
    "cancel": columns.CANCEL,
    "config list": columns.SETTINGS,
    "credentials": columns.CREDENTIALS,
    "doctor": columns.DOCTOR,
    "whoami": columns.WHOAMI,
}


def section(title: str) -> str:
    [text] = re.findall(rf"^##+ {title}\n(.*?)(?=^##|\Z)", PAGE, re.M | re.S)
    return str(text)


def options_in(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))


def promised() -> set[str]:
    """`command` and `command --option`, as the page has them."""
    found = defaultdict(set, {name: set(words.split()) for name, words in ALSO.items()})
    overview = section("Commands")
    for spans, words in re.findall(r"^\| (`.+?`) \| (.+) \|$", overview.replace("\\|", "/"), re.M):
        names = []
        for span in re.findall("`(?:sbpam )?(.+?)`", spans):
            [name] = re.findall("^[a-z]+(?: [a-z]+)*", span)
            names.append(name)
            found[name] |= options_in(span)
        found[names[0]] |= options_in(words)
    for title in re.findall("^### (.+)$", PAGE, re.M):
        names = re.findall("`(.+?)`", title)
        text = section(title)
        for name in names:
            own = re.findall(rf"^`{name}.*$", text, re.M) if len(names) > 1 else [text]
            found[name] |= options_in("\n".join(own))
    [everywhere] = re.findall(r"Options that make sense on several commands \((.+?)\)", PAGE)
    [program] = re.findall("^`-V`.*$", PAGE, re.M)
    told = {f"{name} {option}" for name in found for option in found[name] | options_in(everywhere)}
    return {*found, *told, *options_in(program)} - OF_OTHERS


def present() -> set[str]:
    found = set()
    for path, command in all_commands().items():
        name = path.removeprefix("sbpam").strip()
        options = {option for one in command.params for option in one.opts if option[:2] == "--"}
        found |= {name, *(f"{name} {option}".strip() for option in options)} - {""}
    return found


def test_the_commands_and_options_are_those_of_the_page() -> None:
    page, program = promised(), present()
    assert len(page) > 150
    assert sorted(page - program) == []
    assert sorted(program - page - NOT_ON_THE_PAGE) == []


def test_the_panels_and_topics_are_those_of_the_page() -> None:
    [line] = re.findall(r"^Help groups commands \((.+?)\)", PAGE, re.M)
    groups = re.findall(r"\*(.+?)\*: ([a-z, ]+)", line)
    assert [title for title, _ in groups] == [*PANELS]
    for title, names in groups:
        assert set(names.strip().split(", ")) == set(PANELS[title])
    [topics] = re.findall("with the topics (.+?):", PAGE)
    assert set(re.findall("`(.+?)`", topics)) == set(find_guides())


def test_the_columns_are_those_of_the_page() -> None:
    output = section("Output")
    [hosts] = re.findall("(?m)^- Columns of host rows, in this order, .+?: `(.+?)`", output)
    assert columns.HOSTS[1:3] == (tuple(hosts.split()), ("host_id",))
    [others] = re.findall("^  Others: (.+)$", output, re.M)
    told = {name: text.split() for name, text in re.findall("`([a-z ]+?)`: `([a-z_ ]+?)`", others)}
    assert told == {name: [*row_set.columns] for name, row_set in ROW_SETS.items()}


def test_codes_statuses_forms_and_variables_are_those_of_the_page() -> None:
    cells = re.findall(r"^\| ([\d, ]+) \|", section("Exit codes"), re.M)
    assert {int(code) for cell in cells for code in cell.split(",")} == {*ExitCode}
    output = section("Output")
    [statuses] = re.findall("`status` is a server status (.+?)\n- ", output, re.S)
    named = re.findall("[A-Z][A-Za-z]+", " ".join(re.findall("`(.+?)`", statuses)))
    assert named == [*ScanStatus]
    [forms] = re.findall(r"`--output (\S+?)`", output)
    assert forms.split("|") == [*FORMS]
    [codes] = re.findall(r"`errors\[\].code`: `(.+?)`", output)
    assert {error.code for error in _below(SbpamError)} == {*codes.split()}
    environment = section("Environment")
    [secrets] = re.findall("the secrets `(.+?)`", environment)
    named = re.findall(r"SBPAM_\w+", secrets)
    assert {variable_of(name) for name in SECRET_NAMES} == {*named}


def _below(kind: type[SbpamError]) -> list[type[SbpamError]]:
    return [kind, *(one for sub in kind.__subclasses__() for one in _below(sub))]
