"""`sbpam runs`: the journal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from sbpam_cli.commands.app import Common, with_common
from sbpam_cli.commands.completing import complete_runs
from sbpam_cli.commands.durations import parse_duration
from sbpam_cli.commands.mistakes import NamedGroup
from sbpam_cli.wording import counted

if TYPE_CHECKING:
    from sbpam_cli.journal.journal import Journal
    from sbpam_cli.journal.records import Run
    from sbpam_cli.outcome import Outcome
    from sbpam_cli.output.console import Console
    from sbpam_cli.output.context import Context
    from sbpam_cli.system.services import Services

runs = typer.Typer(
    name="runs",
    cls=NamedGroup,
    help="Lists past runs, newest first.",
    subcommand_metavar="[COMMAND] [ARGS]...",
    invoke_without_command=True,
    add_completion=False,
)


@runs.callback()
@with_common
def list_runs(ctx: typer.Context, *, common: Common) -> int:
    """Lists past runs, newest first."""
    if ctx.invoked_subcommand is not None:
        return 0
    return _show(ctx.obj, common, None)


@runs.command("show")
@with_common
def show(
    ctx: typer.Context,
    *,
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN", help="A run, or the beginning of its id.", autocompletion=complete_runs
        ),
    ],
    common: Common,
) -> int:
    """Shows one run, its batches and jobs."""
    return _show(ctx.obj, common, run)


@runs.command("prune")
@with_common
def prune(
    ctx: typer.Context,
    *,
    older_than: Annotated[
        str, typer.Option(metavar="TIME", help="Forget those that began longer ago, e.g. 90d.")
    ],
    common: Common,
) -> int:
    """Forgets old runs; unfinished ones stay."""
    from sbpam_cli.commands.present import present
    from sbpam_cli.journal.journal import open_journal
    from sbpam_cli.output.columns import RUNS

    services = ctx.obj
    age_s = parse_duration(older_than, "--older-than")

    def body(context: "Context") -> None:
        journal = open_journal(services)
        removed = journal.prune(services.clock.now() - age_s)
        journal.close()
        context.console.note(f"{counted(removed, 'run')} forgotten")

    return present(services, common, "runs", RUNS, body)


def _show(services: "Services", common: Common, name: str | None) -> int:
    from sbpam_cli.commands.present import present
    from sbpam_cli.journal.journal import open_journal
    from sbpam_cli.output.columns import RUNS

    def body(context: "Context") -> None:
        console, outcome = context.console, context.outcome
        journal = open_journal(services)
        try:
            chosen = journal.runs() if name is None else [journal.find_run(name)]
            rows = run_rows(journal, chosen)
            context.printer.write(rows)
            outcome.next_step = _step_after(rows)
            if name is not None:
                _describe(journal, chosen[0], console, outcome)
        finally:
            journal.close()

    return present(services, common, "runs", RUNS, body)


def run_rows(journal: "Journal", chosen: "Sequence[Run]") -> list[tuple[object, ...]]:
    """A row a run: `run state started hosts accepted failed unknown server credential`."""
    from sbpam_cli.models import ScanStatus
    from sbpam_cli.wording import utc

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
    from sbpam_cli.wording import utc

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
