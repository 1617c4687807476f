"""Makes what is made from the program: completions, README tables, pictures.

    python tests/support/regenerate.py [completions] [readme] [pictures]

Without arguments all three. Pictures need tmux and Chromium. Tests fail where a file is not
what this would make.
"""

import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Run as a script: beside it is `site.py`, which must not pass for Python's own.
if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from support.command_tree import PROGRAM, all_commands, default_of, is_shared, names_of, value_of
from support.programs import BIN, ROOT
from typer._completion_shared import get_completion_script

from sbpam_cli.commands.completing import COMPLETION_VARIABLE

README = ROOT / "README.md"
PICTURES = ROOT / "tests" / "pictures"
COMPLETIONS = {
    "bash": ROOT / "completions" / "sbpam.bash",
    "zsh": ROOT / "completions" / "_sbpam",
    "fish": ROOT / "completions" / "sbpam.fish",
    "powershell": ROOT / "completions" / "sbpam.ps1",
}
COLUMNS, LINES = 110, 40
_OPTIONS = "<!-- options -->\n", "<!-- end of options -->"
_PROOF = "<!-- proof -->\n", "<!-- end of proof -->"

# Found by its name, the file is run for the first TAB itself, not only to define.
_ZSH_FIRST_TAB = """
if [ "$funcstack[1]" = "_sbpam" ]; then
  _sbpam_completion
fi
"""


def completion_script(shell: str) -> str:
    """What `sbpam --show-completion` prints in that shell, as a file to install."""
    script = get_completion_script(prog_name="sbpam", complete_var=COMPLETION_VARIABLE, shell=shell)
    return script + "\n" + (_ZSH_FIRST_TAB if shell == "zsh" else "")


def write_completions() -> None:
    for shell, path in COMPLETIONS.items():
        path.write_text(completion_script(shell), encoding="utf-8", newline="\n")


def readme_as_made(text: str) -> str:
    """The README with the program's commands and options, and the newest figures of the proof."""
    text = _between(text, _OPTIONS, "".join(option_sections()))
    return _between(text, _PROOF, proof_section())


def _between(text: str, marks: tuple[str, str], made: str) -> str:
    before, rest = text.split(marks[0], 1)
    _, after = rest.split(marks[1], 1)
    return f"{before}{marks[0]}\n{made}{marks[1]}{after}"


def proof_section() -> str:
    """What the last counts and the last full run of kills found."""
    counted = json.loads((ROOT / "tests" / "torture" / "RESULTS.json").read_text())
    kills = json.loads((ROOT / "tests" / "processes" / "RESULTS.json").read_text())
    calls, failing = kills["system_calls"], kills["failing_calls"]
    moments = kills["random_moments"]
    return f"""\
- `tests/torture` fails every call through a seam once, in each way it can fail, and then resumes to
  the end: more than {counted["in all"]:,} cases, {counted["each time"]:,} of them in each run of \
the tests.
- `tests/processes/full.py` kills the real process from outside. Last full run ({kills["date"]}, \
seed {kills["seed"]}):
  {calls["kills"]} kills at {calls["points"]} writes, syncs, sends and receives \
({calls["not_reached"]} points were not reached again),
  {failing["points"]} writes and syncs that failed, {moments["kills"]} kills at random moments of \
{moments["rounds"]} runs of
  {moments["hosts"]:,} hosts; {calls["failures"] + failing["failures"] + moments["failures"]} \
violations, {kills["seconds"]} s.

"""


def option_sections() -> Iterator[str]:
    """What every command takes, then a section for each command."""
    commands = all_commands()
    shared = [p for p in commands["sbpam schedule"].params if is_shared(p)]
    yield f"On every command:\n\n{_table(shared)}\n"
    for path, command in commands.items():
        if path == PROGRAM:
            continue
        yield f"### {path}\n\n{' '.join(command.help.split())}\n\n"
        if own := [p for p in command.params if not is_shared(p)]:
            yield f"{_table(own)}\n"


def _table(parameters: list[Any]) -> str:
    rows = ["| option | what it does | default |", "|---|---|---|"]
    for parameter in parameters:
        spelling = f"{names_of(parameter)} {value_of(parameter)}".strip().replace("|", "\\|")
        default = f"`{default_of(parameter)}`".replace("``", "")
        row = f"| `{spelling}` | {parameter.help or ''} | {default} |"
        rows.append(row.replace("  |", " |"))
    return "\n".join(rows) + "\n"


def write_readme() -> None:
    text = README.read_text(encoding="utf-8")
    README.write_text(readme_as_made(text), encoding="utf-8", newline="\n")


def take_pictures() -> None:
    """Pictures of a real terminal in which `sbpam demo` runs."""
    from support.tmux import Tmux

    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="sbpam-", ignore_cleanup_errors=True) as folder:
        environ = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": folder, "LANG": "C.UTF-8"}
        terminal = Tmux(Path(folder), COLUMNS, LINES, environ, "bash --norc --noprofile")
        try:
            terminal.type("sbpam demo", "Enter")
            for name, wanted in (("following", r" ✗ Failed|✗ \d+ Failed"), ("demo", r"\n\$ *\Z")):
                terminal.wait_for(wanted)
                _picture(name, terminal.screen(colours=True).rstrip("\n"))
        finally:
            terminal.close()


def take_report_picture() -> None:
    """The page of a report, as a browser shows its beginning."""
    from playwright.sync_api import sync_playwright
    from support.clock import MovedClock
    from support.example_run import record_example
    from support.programs import find_program
    from support.site import PrivateProgram

    with tempfile.TemporaryDirectory(prefix="sbpam-") as folder, sync_playwright() as playwright:
        program = PrivateProgram(Path(folder), MovedClock())
        record_example(program, 480)
        page = Path(folder) / "report.html"
        page.write_text(program("report", "--offline").out, encoding="utf-8")
        browser = playwright.chromium.launch(
            executable_path=find_program("chromium"), args=["--no-sandbox"]
        )
        shown = browser.new_page(viewport={"width": 1280, "height": 1040})
        shown.goto(page.as_uri())
        shown.screenshot(path=PICTURES / "report.png")
        browser.close()


def _picture(name: str, screen: str) -> None:
    import io

    from rich.ansi import AnsiDecoder
    from rich.console import Console

    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    # One decoder: tmux lets a colour go on in the next line.
    for text in AnsiDecoder().decode(screen.removesuffix("$").rstrip()):
        # Gaps are pieces of their own: some viewers drop spaces that begin a piece.
        text.highlight_regex(" {2,}", "not blink")
        console.print(text, soft_wrap=True)
    svg = console.export_svg(title="sbpam demo", unique_id=f"sbpam-{name}")
    # A picture in a README fetches nothing.
    svg = re.sub(r"@font-face \{.*?\}\n", "", svg, flags=re.DOTALL)
    (PICTURES / f"{name}.svg").write_text(svg, encoding="utf-8", newline="\n")


def main(wanted: list[str]) -> None:
    makers = {
        "completions": [write_completions],
        "readme": [write_readme],
        "pictures": [take_pictures, take_report_picture],
    }
    for name in wanted or list(makers):
        for make in makers[name]:
            make()


if __name__ == "__main__":
    main(sys.argv[1:])
