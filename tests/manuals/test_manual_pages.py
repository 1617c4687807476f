"""The manual pages: what the program has, without a warning, and safe to copy from."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from command_tree import PROGRAM, all_commands, calls_in, is_shared, names_of, parse_call
from hypothesis import given, settings
from hypothesis import strategies as st
from manuals.examples import EXAMPLES
from manuals.pages import FOLDER, all_pages, date_of
from manuals.roff import bold, example, italic, item, markdown, paragraph, plain
from programs import find_program

from sbpam_cli.commands.app import COMMANDS
from sbpam_cli.errors import ExitCode

PAGES = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
SECTIONS = ("NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "ENVIRONMENT", "FILES", "SEE ALSO")
HYPHEN = "\N{HYPHEN}"
Formatter = Callable[[str], str]
ENVIRON = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
HEAD = '.TH TEST 1 "2026-01-01" "test" "test"\n.SH NAME\ntest \\- a test\n.SH TEXT\n'


def show(page: str, *command: str) -> str:
    """What a formatter makes of a page, without overstriking; it must not complain."""
    done = subprocess.run(
        [find_program(command[0]), *command[1:]],
        input=page,
        env=ENVIRON,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return re.sub(r".\x08|\x1b\[[\d;]*m", "", done.stdout)


def by_groff(page: str) -> str:
    return show(page, "groff", "-ww", "-man", "-Tutf8", "-P-cbou", "-rLL=100n")


def by_mandoc(page: str) -> str:
    return show(page, "mandoc", "-Tutf8", "-Owidth=100")


def test_the_pages_are_what_the_program_makes() -> None:
    made = all_pages({name: date_of(page) for name, page in PAGES.items()})
    assert made == PAGES, "run: python tests/regenerate.py manuals"


def test_every_command_has_a_page_with_its_sections() -> None:
    assert PAGES.keys() == {"sbpam.1", *(f"sbpam-{name}.1" for name in COMMANDS)}
    for page in PAGES.values():
        assert [name for name in SECTIONS if f"\n.SH {name}\n" not in page] == []
    assert EXAMPLES.keys() >= {"sbpam", "sbpam login", "sbpam schedule", "sbpam status"}


def test_neither_mandoc_nor_groff_warns(tmp_path: Path) -> None:
    show("", "mandoc", "-Tlint", "-W", "warning", *(str(FOLDER / name) for name in PAGES))
    for name in PAGES:
        show("", "man", "--warnings", "-E", "UTF-8", "-l", str(FOLDER / name))
        assert show("", "lexgrog", str(FOLDER / name)).startswith(str(FOLDER / name))


@pytest.mark.parametrize("formatter", [by_groff, by_mandoc])
def test_every_option_can_be_copied(formatter: Formatter) -> None:
    for path, command in all_commands().items():
        name = "-".join(path.split()[:2])
        shown = formatter(PAGES[f"{name}.1"])
        for parameter in command.params:
            assert names_of(parameter) in shown, (path, parameter.name)
        assert [line for line in shown.splitlines() if HYPHEN in line] == [], "a hyphen of its own"
        for code in set(ExitCode):
            assert re.search(rf"\b{code}\b", shown)


def test_the_environment_of_a_command_is_what_its_options_name() -> None:
    for path, command in all_commands().items():
        if path.count(" ") == 1:
            section = PAGES[f"{path.replace(' ', '-')}.1"].split(".SH ENVIRONMENT\n")[1]
            listed = re.findall(r"^\\fB\\%(SBPAM_\w+)\\fR$", section.split(".SH")[0], re.M)
            named = re.findall(r"SBPAM_\w+", " ".join(p.help or "" for p in command.params))
            assert set(listed) == set(named)
            assert "SBPAM_SERVER" in listed


def test_the_examples_are_command_lines_that_the_program_takes() -> None:
    parsed: list[str] = []
    for path in EXAMPLES.keys() & all_commands().keys():
        code = "\n".join(re.findall(r"```\n(.*?)```", EXAMPLES[path], re.DOTALL))
        parsed += [parse_call(words) for words in calls_in(code)]
    assert len([name for name in parsed if name != PROGRAM]) >= 20


HOSTILE = [
    ".SH not a section",
    "'br not a break",
    "\\fBnot bold\\fR \\n(.s \\*[x] \\",
    "-- -o --no-input a-b",
    "''quoted'' \"twice\" `once` ^ ~ ~/.config | # %",
    "Zürich 東京 → ✗ e\u0301",
    "...",
    '.\\" not a comment',
    "\\(aq \\[u0041] \\e \\-",
]


def squeezed(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("formatter", [by_groff, by_mandoc])
def test_hostile_characters_are_shown_as_they_are(formatter: Formatter) -> None:
    for text in HOSTILE:
        for made in (paragraph(plain(text)), item(bold(text), italic(text)), example(text)):
            page = HEAD + "\n".join(made) + "\n"
            assert squeezed(text) in squeezed(formatter(page)), (text, made)


# No letters beyond Latin: what a terminal does with their widths is not ours.
_TEXTS = st.lists(
    st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=60)
    .map(squeezed)
    .filter(bool),
    min_size=1,
    max_size=30,
)


@settings(max_examples=15)
@given(_TEXTS)
def test_any_text_is_shown_as_it_is(texts: list[str]) -> None:
    page = HEAD + "".join("\n".join(paragraph(plain(text))) + "\n" for text in texts)
    page = page.replace(".SH TEXT\n.PP\n", ".SH TEXT\n")
    for formatter in (by_groff, by_mandoc):
        shown = re.split(r"\n{2,}", formatter(page).split("TEXT", 1)[1])
        assert [squeezed(part) for part in shown][: len(texts)] == texts


def test_the_little_markdown() -> None:
    made = "\n".join(
        markdown(
            "<!-- no -->\nA `b-c` **d** *e* [f](#g) 2 * 3.\n\n"
            "- one\n  more\n- two\n\n| a | b |\n|---|---|\n| `x\\|y` | z |\n\n"
            "| | m | n |\n|---|---|---|\n| t | 1 | 2 |\n\n```sh\n.if\n\n  x\n```\n"
        )
    )
    assert made.splitlines() == [
        ".PP",
        "A \\fB\\%b\\-c\\fR \\fB\\%d\\fR \\fI\\%e\\fR f 2 * 3.",
        *(".IP \\(bu 2", "one more", ".IP \\(bu 2", "two"),
        *(".TP", "\\fB\\%x|y\\fR", "z"),
        *(".TP", "t", "m: 1", ".br", "n: 2"),
        *(".PP", ".RS 4", ".EX", "\\&.if", "\\&", "  x", ".EE", ".RE"),
    ]


def test_shared_options_are_said_once_a_page() -> None:
    for path, command in all_commands().items():
        if path.count(" ") == 1:
            page = PAGES[f"{path.replace(' ', '-')}.1"]
            for parameter in filter(is_shared, command.params):
                tag = bold(names_of(parameter).split(", ")[0])
                assert len(re.findall(rf"^{re.escape(tag)}", page, re.MULTILINE)) == 1
