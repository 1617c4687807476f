"""`resume`: finishes a run that was cut short, or finds out what became of it."""

from collections.abc import Sequence
from contextlib import closing
from typing import NamedTuple

from sbpam_cli.errors import UsageError
from sbpam_cli.jobs.follow import FollowLimits
from sbpam_cli.jobs.watching import Watching, following
from sbpam_cli.journal.journal import Journal
from sbpam_cli.journal.records import Batch, Run
from sbpam_cli.lookups.accounts import find_account, read_credential
from sbpam_cli.names import canonical_uuid
from sbpam_cli.output.context import Context
from sbpam_cli.runs.candidates import Names
from sbpam_cli.runs.run import Execution
from sbpam_cli.runs.send import lacks_second_look
from sbpam_cli.runs.state import RunState, SendLimits
from sbpam_cli.signin.session import Site, find_target, sign_in


class ResumeOptions(NamedTuple):
    """What `resume` was asked to do; `--help` has the words."""

    run: str | None = None
    accept: Sequence[str] = ()
    ruled_out: Sequence[str] = ()
    resend: bool = False
    limits: SendLimits = SendLimits()
    follow: FollowLimits | None = None


def run_resume(ctx: Context, options: ResumeOptions) -> None:
    """Settles and sends what a run left open; writes the rows of the whole run."""
    with closing(Journal(ctx.services)) as journal:
        named = options.run is not None
        run = journal.find_run(options.run or "") if named else journal.newest_unfinished_run()
        if run is None:
            ctx.console.note("no run is unfinished")
            return
        batches = journal.batches(run.run_id)
    with following(ctx) as watching:
        _Resuming(ctx, options, run, batches, watching).carry_out(options.follow)


class _Resuming(Execution):
    def __init__(
        self,
        ctx: Context,
        options: ResumeOptions,
        run: Run,
        batches: list[Batch],
        watching: Watching,
    ) -> None:
        super().__init__(ctx, run.server, run.digest, options.limits, watching)
        self._target = find_target(ctx, run)
        self._resend = options.resend
        self._accepted = [_job_id("--accept", text) for text in options.accept]
        self._ruled_out = frozenset(_job_id("--not", text) for text in options.ruled_out)
        self.adopt(run, batches)

    def prepare(self, journal: Journal) -> Site | None:
        ctx, run = self._ctx, self._run
        # Another command may have gone on with it until now.
        self._batches = journal.batches(run.run_id)
        if not any(b.state != "accepted" or lacks_second_look(b) for b in self._batches):
            ctx.console.note(f"run {run.run_id} is finished")
            if run.exit_code is None:
                self._record_end(journal)
            return None
        site = sign_in(ctx, self._target, self._interruption, parallel=self._limits.parallel)
        if named := ctx.services.env("SBPAM_CREDENTIAL"):
            account = read_credential(named, "SBPAM_CREDENTIAL")
            if find_account(site.client, account, ctx.console)[0] != run.credential_id:
                raise UsageError(
                    f"run {run.run_id} uses account {run.credential_id},"
                    f" but SBPAM_CREDENTIAL says {account[:60]}",
                    hint="unset SBPAM_CREDENTIAL",
                )
        journal.end_run(run.run_id, None)
        state = self._state(site, journal, run, self._batches)
        for job_id in self._accepted:
            self._accept(state, job_id)
        # What the server refused is sent once more, each time.
        rejected = [batch for batch in self._batches if batch.state == "rejected"]
        for batch in rejected:
            batch.state = "planned"
        state.record(*rejected)
        return site

    def _accept(self, state: RunState, job_id: str) -> None:
        """The operator says that this job is the batch in doubt."""
        run, job = self._run, state.site.client.job(job_id)
        doubtful = [batch for batch in self._batches if batch.is_in_doubt]
        sharing = Names(doubtful).sharing(job)
        mine = [b for b in doubtful if sharing is None or b.number in sharing]
        if len(mine) != 1:
            what = f"could be {len(mine)} batches" if mine else "is none of the batches"
            raise UsageError(
                f"job {job_id} {what} in doubt",
                reason=None if mine else "no batch in doubt shares a host with it",
                hint=f"`sbpam status {job_id}` shows what it holds",
            )
        # Not taken for complete: it is looked at again before a host is called NotAccepted.
        state.take_job(mine[0], job)
        if not state.journal.claim(run.server, mine[0]):
            owner = state.journal.claimed_jobs(run.server)[job_id]
            raise UsageError(f"job {job_id} belongs to run {owner} already")


def _job_id(option: str, text: str) -> str:
    job_id = canonical_uuid(text)
    if job_id is None:
        raise UsageError(f"{option}: not a job's id: {text[:60]}")
    return job_id
