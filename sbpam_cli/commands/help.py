"""The help pages (usage, options in panels, examples; for 80 columns) and the guides."""

import inspect
from collections import defaultdict
from pathlib import Path
from typing import Any

from sbpam_cli.output.console import Console

WIDEST = 100


def find_guides() -> dict[str, Path]:
    folder = Path(__file__).parents[1] / "guides"
    return {path.stem: path for path in sorted(folder.glob("*.md"))}


def print_guide(console: Console, guide: Path) -> None:
    """Rendered on a terminal, as it is in a pipe."""
    text = guide.read_text(encoding="utf-8")
    if console.services.stdout_is_terminal():
        from rich.markdown import Markdown

        console.rich_stdout.width = min(console.rich_stdout.width, WIDEST)
        console.rich_stdout.print(Markdown(text))
    else:
        console.write(text)


def print_help(ctx: Any) -> None:
    """The page of the command that `ctx` (Typer's) is for, to stdout."""
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    rich = ctx.find_root().obj.rich_stdout
    rich.width = min(rich.width, WIDEST)
    usage = [ctx.command_path, "[OPTIONS]"]
    usage += [one.metavar for one in ctx.command.params if one.param_type_name == "argument"]
    usage += ["[COMMAND] ..."] * hasattr(ctx.command, "list_commands")
    text, _, examples = inspect.cleandoc(ctx.command.help or "").partition("Examples:")
    rich.print(Text.assemble(("Usage: ", "bold"), " ".join(usage), "\n"))
    for paragraph in _paragraphs(text):
        rich.print(Text(f"{paragraph}\n"))
    for title, rows in _panels(ctx).items():
        grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
        grid.add_column(style="bold cyan", ratio=2)
        grid.add_column(ratio=5)
        for name, words in rows:
            grid.add_row(Text(name), Text(words))
        rich.print(Panel(grid, title=title, title_align="left", border_style="dim"))
    if examples:
        rich.print(Text.assemble(("\nExamples:", "bold"), examples.rstrip()))
    if ctx.parent is None:
        topics = ", ".join(find_guides())
        rich.print(Text.assemble(("\nGuides: ", "bold"), f"sbpam help TOPIC, with {topics}"))


def _paragraphs(text: str) -> list[str]:
    return [" ".join(part.split()) for part in text.strip().split("\n\n")]


def _panels(ctx: Any) -> dict[str, list[tuple[str, str]]]:
    """What is before the name and what it means, by the title of the panel."""
    from sbpam_cli.commands.options import EVERYWHERE

    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    if hasattr(ctx.command, "list_commands"):
        for name in ctx.command.list_commands(ctx):
            words = _paragraphs(ctx.command.get_command(ctx, name).help or "")[0]
            found[ctx.command.panels.get(name, "Commands")].append((name, words))
    for parameter in ctx.command.get_params(ctx):
        if parameter.param_type_name == "argument":
            found["Arguments"].append((parameter.metavar, parameter.help))
        else:
            own = EVERYWHERE if parameter.name == "help" and EVERYWHERE in found else "Options"
            names, words = ", ".join(sorted(parameter.opts, key=len)), parameter.help
            if not parameter.is_flag:
                names += f" {parameter.metavar}"
                words += f" (default: {parameter.default})" if parameter.show_default else ""
            found[parameter.rich_help_panel or own].append((names, words))
    return found
