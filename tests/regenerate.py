"""Makes what is made from the program: completion scripts, README tables, pictures.

    python tests/regenerate.py [completions] [readme] [pictures]

Without arguments all three. Pictures need tmux. Tests fail where a file is not
what this would make.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer
from typer.completion import get_completion_script

from sbpam_cli.commands.app import COMMANDS, Common, build_program
from sbpam_cli.commands.completing import COMPLETION_VARIABLE

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
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


def readme_with_options(text: str) -> str:
    """The README with its tables of options as the program has them."""
    for name, table in option_tables():
        begin, end = f"<!-- options of {name} -->\n", "<!-- end of options -->"
        assert begin in text, f"the README has no place for {name}"
        before, rest = text.split(begin, 1)
        _, after = rest.split(end, 1)
        text = f"{before}{begin}\n{table}\n{end}{after}"
    return text


def option_tables() -> Iterator[tuple[str, str]]:
    """A table for the options that every command has, and one for each command's own."""
    program = build_program()
    with program.make_context("sbpam", [], resilient_parsing=True) as context:
        shared = [
            parameter
            for parameter in _command(program, context, COMMANDS[0]).params
            if parameter.name in Common.__dataclass_fields__
        ]
        yield "every command", _table(shared)
        for name in COMMANDS:
            own = [
                parameter
                for parameter in _command(program, context, name).params
                if parameter.name not in Common.__dataclass_fields__
            ]
            yield name, _table(own)


def _command(program: Any, context: typer.Context, name: str) -> Any:
    return program.get_command(context, name)


def _table(parameters: list[Any]) -> str:
    rows = ["| option | what it does | default |", "|---|---|---|"]
    for parameter in parameters:
        words = parameter.help or ""
        default = "" if parameter.default in (None, False) else f"`{parameter.default}`"
        rows.append(f"| `{_spelling(parameter)}` | {words} | {default} |".replace("  |", " |"))
    return "\n".join(rows) + "\n" if parameters else "No options of its own.\n"


def _spelling(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return str(parameter.metavar).replace("|", "\\|")
    names = ", ".join(sorted(parameter.opts, key=len))
    if parameter.is_flag:
        return names
    choices = getattr(parameter.type, "choices", None)
    value = parameter.metavar or ("\\|".join(choices) if choices else "TEXT")
    return f"{names} {value}".replace("\\|", "|").replace("|", "\\|")


def write_readme() -> None:
    text = README.read_text(encoding="utf-8")
    README.write_text(readme_with_options(text), encoding="utf-8", newline="\n")


def take_pictures() -> None:
    """Pictures of a real terminal in which `sbpam demo` runs."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="sbpam-", ignore_cleanup_errors=True) as folder:
        environ = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": folder,
            "TMUX_TMPDIR": folder,
            "LANG": "C.UTF-8",
        }

        def tmux(*arguments: str) -> str:
            done = subprocess.run(
                ["tmux", "-f", "/dev/null", *arguments],
                env=environ,
                check=True,
                capture_output=True,
                encoding="utf-8",
            )
            return done.stdout

        size = ["-x", str(COLUMNS), "-y", str(LINES)]
        tmux("new-session", "-d", *size, "PS1='$ ' bash --norc --noprofile")
        try:
            tmux("send-keys", "sbpam demo", "Enter")
            _picture("following", _screen(tmux, r" ✗ Failed|✗ \d+ Failed"))
            _picture("demo", _screen(tmux, r"\n\$ *$"))
        finally:
            tmux("kill-server")


def _screen(tmux: Callable[..., str], wanted: str) -> str:
    """The screen, with its colours, once it shows what is wanted."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if re.search(wanted, tmux("capture-pane", "-p").rstrip("\n")):
            return tmux("capture-pane", "-p", "-e").rstrip("\n")
        time.sleep(0.1)
    raise SystemExit(f"the screen never showed {wanted}: " + tmux("capture-pane", "-p"))


def _picture(name: str, screen: str) -> None:
    import io

    from rich.console import Console
    from rich.text import Text

    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    for line in screen.removesuffix("$").rstrip().split("\n"):
        text = Text.from_ansi(line)
        # Gaps are pieces of their own: some viewers drop spaces that begin a piece.
        text.highlight_regex(" {2,}", "not blink")
        console.print(text, soft_wrap=True)
    svg = console.export_svg(title="sbpam demo", unique_id=f"sbpam-{name}")
    # A picture in a README fetches nothing.
    svg = re.sub(r"@font-face \{.*?\}\n", "", svg, flags=re.DOTALL)
    (PICTURES / f"{name}.svg").write_text(svg, encoding="utf-8", newline="\n")


def main(wanted: list[str]) -> None:
    makers = {"completions": write_completions, "readme": write_readme, "pictures": take_pictures}
    for name in wanted or list(makers):
        makers[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
