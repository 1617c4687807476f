import typer

from sbpam_cli.commands.app import Command, Group
from sbpam_cli.commands.completing import complete_runs
from sbpam_cli.commands.options import argument, duration, option, with_common
from sbpam_cli.output.columns import BATCHES, RUNS
from sbpam_cli.output.context import Context

runs = typer.Typer(name="runs", cls=Group, invoke_without_command=True, add_completion=False)


@runs.callback()
@with_common(RUNS)
def list_runs(
    ctx: Context,
    since: float | None = duration(None, "Only those begun within that time, e.g. 7d."),
    limit: int | None = option(None, "Only so many, the newest.", "N", min=1),
) -> None:
    """Lists past runs, newest first.

    Examples:
      sbpam runs --since 7d
      sbpam runs show 20261123-031502-7f3a
      sbpam runs prune --older-than 90d
    """
    from sbpam_cli.runs.past import write_runs

    write_runs(ctx, since, limit)


@runs.command("show", cls=Command)
@with_common(BATCHES)
def show(
    ctx: Context,
    run: str = argument(
        ..., "A run, or the beginning of its id.", "RUN", autocompletion=complete_runs
    ),
) -> None:
    """Shows the batches of a run, a row for each, and their jobs.

    Examples:
      sbpam runs show 20261123-031502-7f3a
      sbpam runs show 20261123 -o csv
    """
    from sbpam_cli.runs.past import write_run

    write_run(ctx, run)


@runs.command("prune", cls=Command)
@with_common(RUNS)
def prune(
    ctx: Context,
    older_than: float = duration(..., "Forget those that began longer ago, e.g. 90d."),
) -> None:
    """Forgets old runs; unfinished ones stay.

    Examples:
      sbpam runs prune --older-than 90d
      sbpam runs prune --older-than 12h
    """
    from sbpam_cli.runs.past import prune_runs

    prune_runs(ctx, older_than)
