"""The journal's runs: listed, shown, forgotten."""

from collections.abc import Mapping, Sequence
from contextlib import closing

from sbpam_cli.jobs.rows import job_summaries
from sbpam_cli.journal.journal import Journal
from sbpam_cli.journal.records import Run, RunCounts
from sbpam_cli.output.columns import Row
from sbpam_cli.output.context import Context
from sbpam_cli.wording import counted, utc


def write_runs(ctx: Context, since_s: float | None = None, limit: int | None = None) -> None:
    """A row for each run, newest first. since_s: those begun so long ago at most."""
    now = ctx.services.clock.now()
    with closing(Journal(ctx.services)) as journal:
        runs, counts = journal.runs(), journal.counts()
    if since_s is not None:
        # A run that begins in the future is not recent: some clock was wrong.
        runs = [run for run in runs if now - since_s <= run.started <= now]
    runs = runs[:limit]
    ctx.printer.write([_row(run, counts[run.run_id]) for run in runs])
    ctx.outcome.next_step = _step_after(runs, counts)


def write_run(ctx: Context, name: str) -> None:
    """A row for each batch of a run, its jobs in the envelope. Raises UsageError."""
    with closing(Journal(ctx.services)) as journal:
        run = journal.find_run(name)
        batches = journal.batches(run.run_id)
        counts = journal.counts()
    ctx.outcome.run, ctx.outcome.server, ctx.outcome.profile = run.run_id, run.server, run.profile
    ctx.outcome.jobs = job_summaries(batches)
    ctx.console.note(
        f"run {run.run_id}: {counted(run.hosts, 'host')} of {run.list_name or 'no list'} with"
        f" {run.account or run.credential_id} on {run.server}"
    )
    ctx.printer.write(
        (
            *(batch.number, batch.state, len(batch.names), batch.job_id),
            *(utc(at) if at is not None else None for at in (batch.sent_at, batch.accepted_at)),
            batch.reason if batch.state != "accepted" else None,
        )
        for batch in batches
    )
    ctx.outcome.next_step = _step_after([run], counts)


def prune_runs(ctx: Context, age_s: float) -> None:
    with closing(Journal(ctx.services)) as journal:
        removed = journal.prune(ctx.services.clock.now() - age_s)
    ctx.console.note(f"{counted(removed, 'run')} forgotten")


def _row(run: Run, count: RunCounts) -> Row:
    """Behind the columns: the hosts with a problem, and what a person knows the account by."""
    running = count.accepted - count.failed - count.complete
    problems = run.hosts - count.complete - running - count.skipped
    return (
        *(run.run_id, "unfinished" if count.unknown or count.open else "finished"),
        *(utc(run.started), run.hosts, count.accepted, count.failed),
        # Those of other runs are theirs to settle; here they were not sent.
        count.unknown + count.elsewhere,
        *(run.server, run.credential_id, run.list_name, run.account, count.complete, running),
        *(problems, run.account or run.credential_id),
    )


def _step_after(runs: Sequence[Run], counts: Mapping[str, RunCounts]) -> str:
    """Newest first: what is unfinished is continued, what is finished is looked at."""
    if not runs:
        return "`sbpam schedule --credential ID hosts.txt` starts the first run"
    for run in runs:
        if counts[run.run_id].unknown or counts[run.run_id].open:
            return f"`sbpam resume {run.run_id}` finishes the newest unfinished run"
    newest = runs[0].run_id
    if counts[newest].failed:
        return f"`sbpam rescan {newest}` scans again what did not succeed"
    return f"`sbpam status {newest}` shows its hosts"
