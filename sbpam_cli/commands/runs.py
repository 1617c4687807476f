"""`sbpam runs`: the journal."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from sbpam_cli.commands.app import Command, Group
from sbpam_cli.commands.completing import complete_runs
from sbpam_cli.commands.options import Common, argument, duration, option, with_common

if TYPE_CHECKING:
    from sbpam_cli.output.columns import RowSet
    from sbpam_cli.output.context import Context

runs = typer.Typer(name="runs", cls=Group, invoke_without_command=True, add_completion=False)


@runs.callback()
@with_common
def list_runs(
    common: Common,
    since: float | None = duration(None, "Only those begun within that time, e.g. 7d."),
    limit: int | None = option(None, "Only so many, the newest.", "N", min=1),
) -> int:
    """Lists past runs, newest first.

    Examples:
      sbpam runs --since 7d
      sbpam runs show 20261123-031502-7f3a
      sbpam runs prune --older-than 90d
    """
    from sbpam_cli.runs.past import write_runs

    return _present(common, lambda ctx: write_runs(ctx, since, limit))


@runs.command("show", cls=Command)
@with_common
def show(
    common: Common,
    run: str = argument(
        ..., "A run, or the beginning of its id.", "RUN", autocompletion=complete_runs
    ),
) -> int:
    """Shows the batches of a run, a row for each, and their jobs.

    Examples:
      sbpam runs show 20261123-031502-7f3a
      sbpam runs show 20261123 -o csv
    """
    from sbpam_cli.output.columns import BATCHES
    from sbpam_cli.runs.past import write_run

    return _present(common, lambda ctx: write_run(ctx, run), BATCHES)


@runs.command("prune", cls=Command)
@with_common
def prune(
    common: Common,
    older_than: float = duration(..., "Forget those that began longer ago, e.g. 90d."),
) -> int:
    """Forgets old runs; unfinished ones stay.

    Examples:
      sbpam runs prune --older-than 90d
      sbpam runs prune --older-than 12h
    """
    from sbpam_cli.runs.past import prune_runs

    return _present(common, lambda ctx: prune_runs(ctx, older_than))


def _present(
    common: Common, body: "Callable[[Context], None]", row_set: "RowSet | None" = None
) -> int:
    from sbpam_cli.commands.present import present
    from sbpam_cli.output.columns import RUNS

    return present(common, "runs", row_set or RUNS, body)
