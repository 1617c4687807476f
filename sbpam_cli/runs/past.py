"""The journal's runs: listed, shown, forgotten."""

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from sbpam_cli.jobs.rows import batch_rows
from sbpam_cli.journal.journal import Journal, open_journal
from sbpam_cli.journal.records import Run, RunCounts
from sbpam_cli.models import JobSummary, ScanStatus, sum_status
from sbpam_cli.wording import counted, utc

if TYPE_CHECKING:
    from sbpam_cli.output.context import Context

Row = tuple[object, ...]


def write_runs(ctx: "Context") -> None:
    """A row for each run, newest first."""
    with closing(open_journal(ctx.services)) as journal:
        _write(ctx, journal, journal.runs())


def write_run(ctx: "Context", name: str) -> None:
    """A run's row, its batches on stderr, its jobs in the envelope. Raises UsageError."""
    with closing(open_journal(ctx.services)) as journal:
        run = journal.find_run(name)
        _write(ctx, journal, [run])
        batches = journal.batches(run.run_id)
    ctx.outcome.run, ctx.outcome.server, ctx.outcome.profile = run.run_id, run.server, run.profile
    for batch in batches:
        if batch.job_id is not None:
            status = sum_status(None, [row.status for row in batch_rows(batch)])
            ctx.outcome.jobs = [
                *ctx.outcome.jobs,
                JobSummary(batch.job_id, status, len(batch.names)),
            ]
        sent = f" sent {utc(batch.sent_at)}" if batch.sent_at is not None else ""
        job = f" job {batch.job_id}" if batch.job_id is not None else ""
        why = f": {batch.reason}" if batch.reason and batch.state != "accepted" else ""
        hosts = counted(len(batch.names), "host")
        ctx.console.note(f"batch {batch.number}: {hosts} {batch.state}{sent}{job}{why}")


def prune_runs(ctx: "Context", age_s: float) -> None:
    """Forgets finished runs that began longer ago."""
    with closing(open_journal(ctx.services)) as journal:
        removed = journal.prune(ctx.services.clock.now() - age_s)
    ctx.console.note(f"{counted(removed, 'run')} forgotten")


def _write(ctx: "Context", journal: Journal, runs: Sequence[Run]) -> None:
    counts, rows = journal.counts(), []
    for run in runs:
        count = counts.get(run.run_id, RunCounts())
        state = "unfinished" if count.unknown or count.open else "finished"
        # Those of other runs are theirs to settle; here they were not sent.
        unknown = count.unknown + sum(
            aside.status is ScanStatus.OUTCOME_UNKNOWN for aside in run.aside
        )
        rows.append(
            (
                *(run.run_id, state, utc(run.started), run.hosts, count.accepted, count.failed),
                *(unknown, run.server, run.credential_id),
            )
        )
    ctx.printer.write(rows)
    ctx.outcome.next_step = _step_after(rows)


def _step_after(rows: Sequence[Row]) -> str:
    """Newest first: what is unfinished is continued, what is finished is looked at."""
    if not rows:
        return "`sbpam schedule --credential ID hosts.txt` starts the first run"
    for run_id, state, *_ in rows:
        if state == "unfinished":
            return f"`sbpam resume {run_id}` finishes the newest unfinished run"
    return f"`sbpam status {rows[0][0]}` shows its hosts"
