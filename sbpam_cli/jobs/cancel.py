"""Asks the server to stop jobs. Ids are strict: beside the call sits one that wipes every table."""

from collections.abc import Sequence
from contextlib import closing
from typing import NamedTuple

from sbpam_cli.errors import (
    Interrupted,
    OptionError,
    SbpamError,
    ServerError,
    SignInError,
    UnreachableError,
    UsageError,
)
from sbpam_cli.jobs.follow import HELD, Follower, FollowLimits
from sbpam_cli.jobs.job import FollowedJob
from sbpam_cli.jobs.watching import following
from sbpam_cli.journal.journal import Journal
from sbpam_cli.journal.records import Run
from sbpam_cli.names import canonical_uuid
from sbpam_cli.nps.client import NpsClient
from sbpam_cli.nps.failures import NotFoundError
from sbpam_cli.output.context import Context
from sbpam_cli.signin.session import Site, find_target
from sbpam_cli.system.services import Services
from sbpam_cli.wording import counted

_REQUESTED, _ENDED = "stop requested", "had ended already"


class CancelRow(NamedTuple):
    """A job, and what became of the wish to stop it."""

    job_id: str
    status: str
    detail: str | None = None


def run_cancel(
    ctx: Context, names: Sequence[str], *, sure: bool, follow: FollowLimits | None
) -> list[CancelRow]:
    """A row a job. Raises OptionError and UsageError before anything is sent.

    names: jobs and runs. sure: nobody need be asked.
    """
    outcome = ctx.outcome
    jobs, run = _find_jobs(ctx.services, names)
    outcome.run = run.run_id if run is not None and len(names) == 1 else None
    target = find_target(ctx, run)
    if not (sure or ctx.can_ask):
        raise OptionError("nobody can be asked whether to stop the jobs", hint="add --yes")
    if not sure:
        ctx.agree(f"Ask {target.server} to stop {counted(len(jobs), 'job')}?")
    site = Site(ctx, target)
    with following(ctx, prints=False) as watching:
        # What ends the command for all of them ends it before the first.
        site.client.version()
        site.session.token()
        rows = _ask_all(ctx, site.client, jobs)
        outcome.partial = any(row.status not in (_REQUESTED, _ENDED) for row in rows)
        again = f"sbpam status {' '.join(names)}"
        outcome.next_step = f"`{again}` shows what became of them"
        requested = [FollowedJob(row.job_id, seen=True) for row in rows if row.status == _REQUESTED]
        if follow is None or not requested or outcome.errors:
            return rows
        try:
            Follower(ctx, site, f"{again} --watch", follow, watching).follow(requested)
        except SbpamError as error:
            outcome.errors.append(error)
    ends = {job.job_id: str(job.summary.status) for job in requested if job.is_over}
    return [row._replace(detail=ends.get(row.job_id, row.detail)) for row in rows]


def _ask_all(ctx: Context, client: NpsClient, jobs: Sequence[str]) -> list[CancelRow]:
    """A row a job; what would befall every other call too leaves the rest unasked."""
    rows: list[CancelRow] = []
    unknown: list[NotFoundError] = []
    for number, job_id in enumerate(jobs):
        try:
            rows.append(_ask(client, job_id))
        except NotFoundError as error:
            unknown.append(error)
            rows.append(CancelRow(job_id, "unknown", error.reason))
        except SbpamError as error:
            ctx.outcome.errors.append(error)
            unanswered = isinstance(error, Interrupted | UnreachableError)
            status = "no answer" if unanswered else "refused"
            rows.append(CancelRow(job_id, status, error.reason or error.message))
            if unanswered or isinstance(error, SignInError):
                return rows + [CancelRow(job, "not asked") for job in jobs[number + 1 :]]
    for missing in unknown:
        missing.hint = HELD
        if len(unknown) == len(jobs):
            ctx.outcome.errors.append(missing)
        else:
            ctx.console.warn(f"{missing.message}: {missing.reason}")
    return rows


def _ask(client: NpsClient, job_id: str) -> CancelRow:
    """Asks to stop a job; a server may refuse that, or not know it, because it has ended."""
    try:
        client.cancel(job_id)
    except (NotFoundError, ServerError):
        job = FollowedJob(job_id).see(client.job(job_id))
        if not job.is_over:
            raise
        return CancelRow(job_id, _ENDED, str(job.summary.status))
    return CancelRow(job_id, _REQUESTED)


def _find_jobs(services: Services, names: Sequence[str]) -> tuple[list[str], Run | None]:
    """The jobs that the arguments name, once each, and a run among them."""
    jobs: dict[str, None] = {}
    run: Run | None = None
    for name in names:
        job_id = canonical_uuid(name)
        if job_id is not None:
            jobs[job_id] = None
            continue
        with closing(Journal(services)) as journal:
            found = journal.find_run(name)
            batches = journal.batches(found.run_id)
        if run is not None and run.server != found.server:
            raise UsageError("the runs are of several servers", hint="cancel one at a time")
        run = found
        jobs.update((batch.job_id, None) for batch in batches if batch.job_id is not None)
    if not jobs:
        raise UsageError("the run has no job to stop", hint="`sbpam runs show RUN` shows it")
    return list(jobs), run
