"""`resume`: finishes a run that was cut short, or tells what became of it."""

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, NamedTuple

from sbpam_cli.errors import ExitCode, Interrupted, SbpamError, UsageError
from sbpam_cli.jobs.rows import RowStream
from sbpam_cli.journal.journal import Journal, open_journal
from sbpam_cli.journal.records import IN_DOUBT, Batch, Run
from sbpam_cli.lookups.accounts import find_credential_id, read_credential
from sbpam_cli.names import canonical_uuid
from sbpam_cli.runs.candidates import claims
from sbpam_cli.runs.run import Execution, judge_counts
from sbpam_cli.runs.send import SendLimits, lacks_second_look
from sbpam_cli.runs.settle import accept_job
from sbpam_cli.settings.profiles import ConnectionOptions
from sbpam_cli.signin.session import Site, sign_in, target_of_run
from sbpam_cli.system.locks import hold_lock
from sbpam_cli.system.signals import Interruption, leave_now

if TYPE_CHECKING:
    from sbpam_cli.output.context import Context
    from sbpam_cli.system.services import Services


class ResumeOptions(NamedTuple):
    """What `resume` was asked to do. accept: a job's UUID; resend: send doubt again."""

    connection: ConnectionOptions
    run: str | None = None
    accept: str | None = None
    resend: bool = False
    settle_after_s: float = 180.0
    limits: SendLimits = SendLimits()


def run_resume(ctx: "Context", options: ResumeOptions) -> None:
    """Settles and sends what a run left open; writes the rows of the whole run.

    Raises UsageError for an unknown run, another server or credential than the
    run's own, or a job that is none of its batches'; else what ended it.
    """
    outcome = ctx.outcome
    journal = open_journal(ctx.services)
    try:
        run = _choose_run(journal, options.run)
    finally:
        journal.close()
    if run is None:
        ctx.console.note("no run is unfinished")
        return
    # From here on every end but exit 2 owes its rows.
    outcome.server, outcome.profile, outcome.run = run.server, run.profile, run.run_id
    _Resuming(ctx, options, run).run()


def _choose_run(journal: Journal, name: str | None) -> Run | None:
    return journal.find_run(name) if name is not None else journal.newest_unfinished_run()


def _named_credential(services: "Services", run: Run) -> str | None:
    """The name by which the environment names a service account: whose, the server knows."""
    named = services.env("SBPAM_CREDENTIAL")
    if named is None:
        return None
    credential = read_credential(named, "SBPAM_CREDENTIAL")
    if canonical_uuid(credential) is None:
        return credential
    _check_credential(run, credential, named)
    return None


def _check_credential(run: Run, credential_id: str, named: str) -> None:
    if credential_id != run.credential_id:
        raise UsageError(
            f"run {run.run_id} is with the credential {run.credential_id}",
            reason=f"SBPAM_CREDENTIAL names {named[:60]}",
            hint="unset SBPAM_CREDENTIAL: a run knows its own",
        )


class _Resuming:
    def __init__(self, ctx: "Context", options: ResumeOptions, run: Run) -> None:
        self._ctx = ctx
        self._services = ctx.services
        self._options = options
        self._outcome = ctx.outcome
        self._run = run
        self._execution: Execution | None = None

    def run(self) -> None:
        stopped: SbpamError | None = None
        with Interruption(lambda code: leave_now(self._services, code)) as interruption:
            try:
                self._carry_out(interruption)
                stopped = self._execution.stopped if self._execution is not None else None
            except SbpamError as error:
                stopped = error
            if stopped is not None and stopped.exit_code is ExitCode.USAGE:
                raise stopped
            execution = self._execution or self._recorded(stopped)
        self._finish(execution, stopped)

    def _recorded(self, stopped: SbpamError | None) -> Execution:
        """What the journal holds, for the rows of a command that did not come to look at it."""
        try:
            with closing(open_journal(self._services)) as journal:
                return self._execution_of(journal)
        except Interrupted:
            if stopped is not None:
                self._outcome.errors.append(stopped)
            raise

    def _carry_out(self, interruption: Interruption) -> None:
        services, options, run = self._services, self._options, self._run
        target = target_of_run(services, options.connection, run)
        self._outcome.profile = target.profile
        named = _named_credential(services, run)
        with ExitStack() as stack:
            stack.enter_context(hold_lock(services, run.server, run.digest))
            journal = open_journal(services)
            stack.callback(journal.close)
            execution = self._execution = self._execution_of(journal)
            if not any(b.state != "accepted" or lacks_second_look(b) for b in execution.batches):
                self._ctx.console.note(f"run {run.run_id} is finished")
                if run.exit_code is None:
                    journal.end_run(run.run_id, execution.exit_code())
                return
            site = sign_in(self._ctx, target, interruption, parallel=options.limits.parallel)
            if named is not None:
                found = find_credential_id(site.client, named, self._ctx.console)
                _check_credential(run, found, named)
            journal.end_run(run.run_id, None)
            if options.accept is not None:
                self._accept(journal, site, execution.batches, options.accept)
            self._plan_rejected(journal, execution.batches)
            execution.carry_out(
                journal, site, interruption, settle_first=True, resend=options.resend
            )

    def _execution_of(self, journal: Journal) -> Execution:
        return Execution(
            self._ctx,
            self._run,
            journal.batches(self._run.run_id),
            self._options.limits,
            self._options.settle_after_s,
            lambda _: None,
        )

    def _plan_rejected(self, journal: Journal, batches: list[Batch]) -> None:
        """What the server refused is sent once more, each time."""
        refused = [batch for batch in batches if batch.state == "rejected"]
        for batch in refused:
            batch.state = "planned"
        if refused:
            journal.record_outcomes(self._run.run_id, refused)

    def _accept(self, journal: Journal, site: Site, batches: list[Batch], text: str) -> None:
        """The operator says that this job is the batch in doubt."""
        job_id = canonical_uuid(text)
        if job_id is None:
            raise UsageError(f"--accept: not a job's id: {text[:60]}")
        owner = journal.claimed_jobs(self._run.server).get(job_id)
        if owner is not None:
            raise UsageError(f"job {job_id} belongs to run {owner} already")
        job = site.client.job(job_id)
        for batch in batches:
            if batch.state in IN_DOUBT and claims(job, batch):
                accept_job(self._services, batch, job)
                journal.record_outcomes(self._run.run_id, [batch])
                return
        raise UsageError(
            f"job {job_id} is none of the batches in doubt",
            reason="no batch in doubt holds all of its hosts",
            hint=f"`sbpam status {job_id}` shows what it holds",
        )

    def _finish(self, execution: Execution, stopped: SbpamError | None) -> None:
        outcome = self._outcome
        rows = RowStream(self._ctx.printer.write, outcome, self._run.aside)
        outcome.jobs = execution.jobs()
        rows.finish(execution.batches, stopped.message if stopped is not None else None)
        execution.tell(outcome)
        judge_counts(outcome, scans=False)
        if stopped is not None:
            raise stopped
