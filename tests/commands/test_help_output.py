"""Help and version: what every page has, and streams that cannot take it."""

import os
import re
from pathlib import Path

import pytest
from rich.cells import cell_len
from support.command_tree import all_commands, calls_in, parse_call
from support.programs import shell
from support.screen import colourless
from support.site import Program
from support.tables import crossed

import sbpam_cli

PATHS = [path.split()[1:] for path in all_commands()]
GUIDES = sorted((Path(sbpam_cli.__file__).parent / "guides").glob("*.md"))
ODD = ["0", "1", "40", "-5", "x", "²", "9" * 30, ""]


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_a_page_fits_80_columns_and_ends_with_examples(program: Program, path: list[str]) -> None:
    ended = program(*path, "--help")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"Usage: {' '.join(['sbpam', *path])} [OPTIONS]")
    assert max(map(cell_len, ended.out.splitlines())) <= 80
    assert not re.search(r"<\w+>|x<=|x>=|\[default|\[required|INTEGER|TEXT\b(?!\])", ended.out)
    for option in all_commands()[" ".join(["sbpam", *path])].params:
        for name in option.opts if option.param_type_name == "option" else ():
            assert f" {name}" in ended.out
    examples = ended.out.partition("\nExamples:\n")[2].partition("\n\n")[0]
    assert len(re.findall("(?m)^ +sbpam ", examples)) in (2, 3)
    calls = calls_in(examples)
    for words in calls:
        assert parse_call(words) != "sbpam"
    # The pages that one is sent to are the same.
    assert program("help", *path).out == ended.out == program(*path, "-h").out


def test_the_program_alone_shows_its_help(program: Program) -> None:
    ended = program()
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == program("--help").out == program("help", "help").out
    panels = re.findall("(?m)^╭─ (.+?) ─", ended.out)
    assert panels == ["Scan", "Look up", "Set up", "Recover", "Try", "Options"]


@pytest.mark.parametrize("topic", [path.stem for path in GUIDES])
def test_a_guide_is_rendered_on_a_terminal_and_plain_in_a_pipe(
    program: Program, topic: str
) -> None:
    [guide] = [path.read_text(encoding="utf-8") for path in GUIDES if path.stem == topic]
    assert program("help", topic).out == guide
    shown = program("help", topic, terminal=True, env={"COLUMNS": "80", "NO_COLOR": "1"}).out
    assert max(map(cell_len, shown.splitlines())) <= 80
    assert "\n## " not in shown
    assert topic in program("help").out


@pytest.mark.parametrize(
    ("value", "variable"), crossed(ODD, ["COLUMNS", "LINES", "TERMINAL_WIDTH"])
)
def test_odd_sizes(program: Program, value: str, variable: str) -> None:
    for arguments in (["schedule", "--help"], ["runs", "-o", "table"], ["nonsense"]):
        ended = program(*arguments, terminal=True, env={variable: value})
        assert ended.code == (2 if arguments == ["nonsense"] else 0)
        assert ended.out or arguments[0] in ("runs", "nonsense")


def test_colours_of_help(program: Program) -> None:
    pages = [program("login", "--help", terminal=True, env=env) for env in ({}, {"NO_COLOR": "1"})]
    assert "\x1b[" in pages[0].out
    assert "\x1b" not in pages[1].out
    assert colourless(pages[0].out) == pages[1].out


def test_version(program: Program) -> None:
    assert re.fullmatch(r"sbpam \d+\.\d+\.\d+\n", program("-V").out)
    assert shell('"$0" --version').stdout == program("-V").out


on_posix = pytest.mark.skipif(os.name != "posix", reason="shells and /dev/full")


@on_posix
@pytest.mark.parametrize("asked", ["schedule --help", "--version"])
def test_reader_that_left(asked: str) -> None:
    ended = shell(f'exec 3> >(exec true); wait $!; "$0" {asked} >&3; echo "$?"')
    assert (ended.stdout, ended.stderr) == ("141\n", "")


@on_posix
@pytest.mark.parametrize(
    ("asked", "target"), crossed(["--help", "--version", "runs -o json"], ["/dev/full", "&-"])
)
def test_stdout_that_takes_nothing(asked: str, target: str, tmp_path: Path) -> None:
    if target == "/dev/full" and not Path(target).exists():
        pytest.skip("no /dev/full")
    ended = shell(f'"$0" {asked} >{target}', environ={"SBPAM_STATE_HOME": str(tmp_path / "state")})
    assert ended.returncode == 1
    reason = "not writable" if target == "&-" else "No space left on device"
    assert ended.stderr == (
        f"sbpam: stdout could not be written\n  {reason}\n"
        "  → see that what it goes to is open and has room\n"
    )
