"""The help pages (usage, options in panels, examples; for 80 columns) and the guides."""

import inspect
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbpam_cli.output.console import Console

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

WIDEST = 100


def print_help(ctx: Any) -> None:
    """The page of the command that `ctx` (Typer's) is for, to stdout."""
    console: Console = ctx.find_root().obj
    rich = console.rich_stdout
    rich.width = min(rich.width, WIDEST)
    for part in _page(ctx):
        rich.print(part)


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


def _page(ctx: Any) -> "Iterator[RenderableType]":
    from rich.text import Text

    text, _, examples = inspect.cleandoc(ctx.command.help or "").partition("Examples:")
    first, _, rest = text.strip().partition("\n\n")
    yield Text.assemble(("Usage: ", "bold"), " ".join([ctx.command_path, *_usage(ctx)]))
    yield Text(f"\n{' '.join(first.split())}\n")
    if rest:
        yield Text("\n\n".join(" ".join(part.split()) for part in rest.split("\n\n")) + "\n")
    for title, rows in _panels(ctx).items():
        yield _panel(title, rows)
    if examples:
        yield Text.assemble(("\nExamples:", "bold"), examples.rstrip())
    if ctx.parent is None:
        topics = ", ".join(find_guides())
        yield Text.assemble(("\nGuides: ", "bold"), f"sbpam help TOPIC, with {topics}")


def _usage(ctx: Any) -> "Iterator[str]":
    if any(one.param_type_name == "option" for one in ctx.command.get_params(ctx)):
        yield "[OPTIONS]"
    for parameter in ctx.command.params:
        if parameter.param_type_name == "argument":
            yield parameter.metavar
    if hasattr(ctx.command, "list_commands"):
        yield "[COMMAND] ..."


def _panels(ctx: Any) -> dict[str, list[tuple[str, str]]]:
    """What is before the name and what it means, by the title of the panel."""
    from sbpam_cli.commands.options import EVERYWHERE

    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    if hasattr(ctx.command, "list_commands"):
        for name in ctx.command.list_commands(ctx):
            words = ctx.command.get_command(ctx, name).help or ""
            found[ctx.command.panels.get(name, "Commands")].append(
                (name, " ".join(words.partition("\n\n")[0].split()))
            )
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
    if EVERYWHERE in found:
        found[EVERYWHERE] = found.pop(EVERYWHERE)
    return found


def _panel(title: str, rows: list[tuple[str, str]]) -> "RenderableType":
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(style="bold cyan", ratio=2)
    grid.add_column(ratio=5)
    for name, words in rows:
        grid.add_row(Text(name), Text(words))
    return Panel(grid, title=title, title_align="left", border_style="dim")
