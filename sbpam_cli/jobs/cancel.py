"""Asks the server to stop jobs. Ids are strict: beside the call sits one that wipes every table."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from sbpam_cli.errors import (
    Interrupted,
    OptionError,
    SbpamError,
    SignInError,
    UnreachableError,
    UsageError,
)
from sbpam_cli.jobs.follow import HELD, POLLS_IN_FLIGHT, Follower, FollowLimits
from sbpam_cli.jobs.job import Followed
from sbpam_cli.jobs.status import target_of_run
from sbpam_cli.journal.journal import open_journal
from sbpam_cli.journal.records import Run
from sbpam_cli.models import Talk
from sbpam_cli.names import canonical_uuid
from sbpam_cli.nps.client import NotFoundError, NpsClient
from sbpam_cli.outcome import Outcome
from sbpam_cli.settings.profiles import ConnectionOptions, Target, resolve_target
from sbpam_cli.signin.session import open_site
from sbpam_cli.wording import counted

if TYPE_CHECKING:
    from sbpam_cli.output.context import Context
    from sbpam_cli.system.services import Services

ASKED = "asked to stop"


class CancelRow(NamedTuple):
    """A job, and what became of the wish to stop it."""

    job_id: str
    status: str
    detail: str | None


class CancelOptions(NamedTuple):
    """names: jobs and runs. sure: nobody need be asked."""

    connection: ConnectionOptions
    names: Sequence[str]
    sure: bool = False
    wait: bool = False
    follow: FollowLimits = FollowLimits()


def run_cancel(
    ctx: "Context",
    options: CancelOptions,
    progress: Callable[[Sequence[Followed]], None],
) -> list[CancelRow]:
    """A row a job. Raises OptionError and UsageError before anything is sent."""
    services, talk, outcome = ctx.services, ctx.console, ctx.outcome
    jobs, run = _jobs_of(services, options.names)
    if run is None:
        target = resolve_target(services, options.connection)
    else:
        target = target_of_run(services, options.connection, run)
    outcome.server, outcome.profile = target.server, target.profile
    if not options.sure:
        _make_sure(ctx, target, len(jobs))
    site = open_site(ctx, target)
    # What ends the command for all of them ends it before the first.
    site.client.version()
    site.session.token()
    rows, stopped = _ask_all(site.client, jobs, talk, outcome)
    asked = [row for row in rows if row.status == ASKED]
    outcome.partial = len(asked) < len(rows)
    if options.wait and asked and not stopped:
        followed = [Followed(row.job_id, seen=True) for row in asked]
        workers = services.workers(POLLS_IN_FLIGHT, services.clock)
        follower = Follower(services, site.client, workers, talk, options.follow, progress)
        try:
            follower.follow(followed)
        except SbpamError as error:
            outcome.errors.append(error)
        ended = {item.job_id: str(item.summary().status) for item in followed if item.is_over}
        rows = [row._replace(status=ended.get(row.job_id, row.status)) for row in rows]
    return rows


def _ask_all(
    client: NpsClient, jobs: Sequence[str], talk: Talk, outcome: Outcome
) -> tuple[list[CancelRow], bool]:
    """A row a job, and whether something stopped it that would befall every other call too."""
    rows: list[CancelRow] = []
    stopped = False
    for job_id in jobs:
        if stopped:
            rows.append(CancelRow(job_id, "not asked", None))
            continue
        try:
            client.cancel(job_id)
            rows.append(CancelRow(job_id, ASKED, None))
        except NotFoundError as error:
            if len(jobs) == 1:
                error.hint = HELD
                raise
            talk.warn(f"{error.message}: {error.reason}")
            rows.append(CancelRow(job_id, "unknown", error.reason))
        except SbpamError as error:
            outcome.errors.append(error)
            stopped = isinstance(error, Interrupted | SignInError | UnreachableError)
            unanswered = isinstance(error, Interrupted | UnreachableError)
            status = "no answer" if unanswered else "refused"
            rows.append(CancelRow(job_id, status, error.reason or error.message))
    return rows, stopped


def _jobs_of(services: "Services", names: Sequence[str]) -> tuple[list[str], Run | None]:
    """The jobs that the arguments name, once each, and a run among them."""
    jobs: dict[str, None] = {}
    run: Run | None = None
    for name in names:
        job_id = canonical_uuid(name)
        if job_id is not None:
            jobs[job_id] = None
            continue
        if not name.replace("-", "").isalnum() or not name.isascii():
            raise OptionError(
                f"neither a job's id nor a run: {name[:60]}", hint="a job's id is a UUID"
            )
        journal = open_journal(services)
        try:
            found = journal.find_run(name)
            batches = journal.batches(found.run_id, with_rows=False)
        finally:
            journal.close()
        if run is not None and run.server != found.server:
            raise UsageError("the runs are of several servers", hint="cancel one at a time")
        run = found
        jobs.update((batch.job_id, None) for batch in batches if batch.job_id is not None)
    if not jobs:
        raise UsageError("the run has no job to stop", hint="`sbpam runs show RUN` shows it")
    return list(jobs), run


def _make_sure(ctx: "Context", target: Target, jobs: int) -> None:
    if not ctx.can_ask:
        raise OptionError("nobody can be asked whether to stop the jobs", hint="say --yes")
    question = f"Ask {target.server} to stop {counted(jobs, 'job')}?"
    if not ctx.confirm(question):
        raise UsageError("not confirmed, nothing was asked", hint="--yes answers the question")
