"""Makes what is made from the program: completions, pictures.

    python tests/support/regenerate.py [completions] [pictures]

Without arguments both. Pictures need tmux and Chromium. Tests fail where a file is not
what this would make.
"""

import os
import re
import sys
import tempfile
from pathlib import Path

# Run as a script: beside it is `site.py`, which must not pass for Python's own.
if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from support.programs import BIN, ROOT
from typer._completion_shared import get_completion_script

from sbpam_cli.commands.completing import COMPLETION_VARIABLE

PICTURES = ROOT / "tests" / "pictures"
COMPLETIONS = {
    "bash": ROOT / "completions" / "sbpam.bash",
    "zsh": ROOT / "completions" / "_sbpam",
    "fish": ROOT / "completions" / "sbpam.fish",
    "powershell": ROOT / "completions" / "sbpam.ps1",
}
COLUMNS, LINES = 110, 40

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


def take_pictures() -> None:
    """Pictures of a real terminal in which `sbpam demo` runs."""
    from support.tmux import Tmux

    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="sbpam-", ignore_cleanup_errors=True) as folder:
        environ = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": folder, "LANG": "C.UTF-8"}
        terminal = Tmux(Path(folder), COLUMNS, LINES, environ, "bash --norc --noprofile")
        try:
            terminal.wait_for(r"^\$")
            terminal.type("sbpam demo", "Enter")
            for name, wanted in (("following", r" ✗ Failed|✗ \d+ Failed"), ("demo", r"\n\$\s*\Z")):
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
    from support.site import Program

    with tempfile.TemporaryDirectory(prefix="sbpam-") as folder, sync_playwright() as playwright:
        program = Program(Path(folder), MovedClock())
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


if __name__ == "__main__":
    wanted = sys.argv[1:] or ["completions", "pictures"]
    if "completions" in wanted:
        write_completions()
    if "pictures" in wanted:
        take_pictures()
        take_report_picture()
