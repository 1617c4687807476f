"""`sbpam runs`: the journal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from sbpam_cli.commands.app import Command, Group
from sbpam_cli.commands.completing import complete_runs
from sbpam_cli.commands.options import Common, argument, duration, with_common
from sbpam_cli.wording import counted, utc

if TYPE_CHECKING:
    from sbpam_cli.journal.journal import Journal
    from sbpam_cli.journal.records import Run
    from sbpam_cli.outcome import Outcome
    from sbpam_cli.output.console import Console
    from sbpam_cli.output.context import Context

runs = typer.Typer(name="runs", cls=Group, invoke_without_command=True, add_completion=False)


@runs.callback()
@with_common
def list_runs(common: Common) -> int:
    """Lists past runs, newest first.

    Examples:
      sbpam runs
      sbpam runs show 20261123-031502-7f3a
      sbpam runs prune --older-than 90d
    """
    return _show(common, None)


@runs.command("show", cls=Command)
@with_common
def show(
    common: Common,
    run: str = argument(
        ..., "A run, or the beginning of its id.", "RUN", autocompletion=complete_runs
    ),
) -> int:
    """Shows one run, its batches and jobs.

    Examples:
      sbpam runs show 20261123-031502-7f3a
    """
    return _show(common, run)


@runs.command("prune", cls=Command)
@with_common
def prune(
    common: Common,
    older_than: float = duration(..., "Forget those that began longer ago, e.g. 90d."),
) -> int:
    """Forgets old runs; unfinished ones stay.

    Examples:
      sbpam runs prune --older-than 90d
    """
    from sbpam_cli.commands.present import present
    from sbpam_cli.journal.journal import open_journal
    from sbpam_cli.output.columns import RUNS

    def body(ctx: "Context") -> None:
        journal = open_journal(ctx.services)
        removed = journal.prune(ctx.services.clock.now() - older_than)
        journal.close()
        ctx.console.note(f"{counted(removed, 'run')} forgotten")

    return present(common, "runs", RUNS, body)


def _show(common: Common, name: str | None) -> int:
    from sbpam_cli.commands.present import present
    from sbpam_cli.journal.journal import open_journal
    from sbpam_cli.output.columns import RUNS

    def body(ctx: "Context") -> None:
        journal = open_journal(ctx.services)
        try:
            chosen = journal.runs() if name is None else [journal.find_run(name)]
            rows = run_rows(journal, chosen)
            ctx.printer.write(rows)
            ctx.outcome.next_step = _step_after(rows)
            if name is not None:
                _describe(journal, chosen[0], ctx.console, ctx.outcome)
        finally:
            journal.close()

    return present(common, "runs", RUNS, body)


def run_rows(journal: "Journal", chosen: "Sequence[Run]") -> list[tuple[object, ...]]:
    """A row a run: `run state started hosts accepted failed unknown server credential`."""
    from sbpam_cli.models import ScanStatus

    counts = journal.counts()
    rows: list[tuple[object, ...]] = []
    for run in chosen:
        count = counts.get(run.run_id)
        accepted, failed, unknown, left = count if count is not None else (0, 0, 0, 0)
        state = "unfinished" if unknown or left else "finished"
        # Those of other runs are theirs to settle; here they were not sent.
        unknown += sum(aside.status is ScanStatus.OUTCOME_UNKNOWN for aside in run.aside)
        rows.append(
            (
                *(run.run_id, state, utc(run.started), run.hosts, accepted, failed, unknown),
                *(run.server, run.credential_id),
            )
        )
    return rows


def _step_after(rows: "Sequence[tuple[object, ...]]") -> str | None:
    """Newest first: what is unfinished is gone on with, what is finished is looked at."""
    if not rows:
        return "`sbpam schedule --credential ID hosts.txt` starts the first run"
    unfinished = [run for run, state, *_ in rows if state == "unfinished"]
    if unfinished:
        return f"`sbpam resume {unfinished[0]}` finishes the newest unfinished run"
    return f"`sbpam status {rows[0][0]}` shows its hosts"


def _describe(journal: "Journal", run: "Run", console: "Console", outcome: "Outcome") -> None:
    """The batches of a run, for a person; their jobs in the JSON form."""
    from sbpam_cli.models import JobSummary, sum_status

    batches = journal.batches(run.run_id)
    outcome.run, outcome.server, outcome.profile = run.run_id, run.server, run.profile
    outcome.jobs = [
        JobSummary(b.job_id, sum_status(None, [r.status for r in b.rows or ()]), len(b.names))
        for b in batches
        if b.job_id is not None
    ]
    for batch in batches:
        sent = f" sent {utc(batch.sent_at)}" if batch.sent_at is not None else ""
        job = f" job {batch.job_id}" if batch.job_id is not None else ""
        why = f": {batch.reason}" if batch.reason and batch.state != "accepted" else ""
        hosts = counted(len(batch.names), "host")
        console.note(f"batch {batch.number}: {hosts} {batch.state}{sent}{job}{why}")
