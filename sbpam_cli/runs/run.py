"""Carries a run to its end: settles what is in doubt, sends what is planned, prints its rows."""

from abc import ABC, abstractmethod
from contextlib import closing, suppress

from sbpam_cli.errors import (
    ExitCode,
    JournalError,
    LockedError,
    RejectedError,
    SbpamError,
    SignInError,
    UnknownOutcomeError,
)
from sbpam_cli.jobs.follow import Follower, FollowLimits
from sbpam_cli.jobs.job import followed_jobs, record_looks
from sbpam_cli.jobs.rows import RowStream, job_summaries
from sbpam_cli.jobs.watching import Watching
from sbpam_cli.journal.journal import Journal
from sbpam_cli.journal.records import Batch, Run
from sbpam_cli.models import SCHEDULED, ScanStatus
from sbpam_cli.outcome import Outcome
from sbpam_cli.output.context import Context, as_error
from sbpam_cli.runs.answers import could_be, refused
from sbpam_cli.runs.send import Sending
from sbpam_cli.runs.settle import Settling
from sbpam_cli.runs.state import RunState, SendLimits
from sbpam_cli.signin.session import Site
from sbpam_cli.system.locks import hold_lock
from sbpam_cli.system.signals import Interruption
from sbpam_cli.wording import counted

_ROUNDS = 3


class Execution(ABC):
    """One run in one command. `schedule` and `resume` differ in how they come by it.

    From `adopt` on every end but exit 2 prints a row for each of the run's hosts.
    """

    _run: Run
    _batches: list[Batch]
    _interruption: Interruption

    def __init__(
        self, ctx: Context, server: str, digest: str, limits: SendLimits, watching: Watching
    ) -> None:
        self._ctx = ctx
        self._server = server
        self._digest = digest
        self._limits = limits
        self._watching = watching
        self._rows: RowStream | None = None
        self._stopped: SbpamError | None = None
        self._resend = False
        self._ruled_out: frozenset[str] = frozenset()
        self._is_continued = True

    @abstractmethod
    def prepare(self, journal: Journal) -> Site | None:
        """Comes by the run and signs in; None if nothing is left to do."""

    def carry_out(self, follow: FollowLimits | None) -> None:
        """Everything from the lock to the last row, or to the scans' end. Raises what ended it."""
        ctx = self._ctx
        with Interruption(ctx.services) as self._interruption:
            try:
                with (
                    hold_lock(ctx.services, self._server, self._digest),
                    closing(Journal(ctx.services)) as journal,
                ):
                    site = self.prepare(journal)
                    if site is not None:
                        self._settle_and_send(journal, site)
                        if follow is None or self._stopped is not None:
                            self._record_end(journal)
                if site is not None and follow is not None and self._stopped is None:
                    self._interruption.defer(deferred=False)
                    self._follow(site, follow)
            except Exception as error:
                stopped = as_error(error, ctx.services)
                if ctx.outcome.run is None or stopped.exit_code is ExitCode.USAGE:
                    raise
                self._stopped = stopped
        self._finish(judge_scans=follow is not None)

    def adopt(self, run: Run, batches: list[Batch]) -> None:
        self._run, self._batches = run, batches
        self._ctx.outcome.run = run.run_id
        self._ctx.outcome.rows_lost = self._record_loss

    # Under the lock, once signed in.

    def _state(self, site: Site, journal: Journal, run: Run, batches: list[Batch]) -> RunState:
        how = (self._interruption, self._limits, self._watching)
        return RunState(self._ctx, site, journal, run, batches, *how)

    def _settle_and_send(self, journal: Journal, site: Site) -> None:
        """Nothing is raised that `_stopped` can hold."""
        state = self._state(site, journal, self._run, self._batches)
        state.ruled_out = self._ruled_out
        if self._rows is not None:
            state.settled = self._rows.settle
        try:
            self._interruption.defer()
            if self._is_continued:
                Settling(state).settle()
            if self._resend:
                _plan_again(state)
            _send_in_rounds(state)
        except Exception as error:
            state.stopped = as_error(error, self._ctx.services)
        self._stopped = state.stopped
        if self._interruption.event.is_set():
            self._stopped = self._interruption.error()

    def _record_end(self, journal: Journal) -> None:
        """How the command ended; a journal that failed cannot take it."""
        outcome = Outcome(errors=self._problems())
        if self._stopped is not None:
            outcome.errors.append(self._stopped)
        with suppress(JournalError):
            journal.end_run(self._run.run_id, outcome.exit_code)

    # After it.

    def _record_loss(self) -> None:
        """As if cut short: the same command again prints the rows, and sends nothing twice."""
        with suppress(JournalError), closing(Journal(self._ctx.services)) as journal:
            journal.end_run(self._run.run_id, None)

    def _follow(self, site: Site, limits: FollowLimits) -> None:
        """`--wait`: the jobs to their end; the lock is given back already."""
        jobs = followed_jobs(self._batches)
        again = f"sbpam status {self._run.run_id} --watch"
        try:
            Follower(self._ctx, site, again, limits, self._watching).follow(jobs)
        except SbpamError as error:
            self._stopped = error
            error.hint = error.hint or f"the scans continue; `{again}` shows them"
        with suppress(JournalError), closing(Journal(self._ctx.services)) as journal:
            seen = record_looks(jobs, self._ctx.services.clock.now())
            self._record_end(journal)
            journal.record_rows(seen)

    def _finish(self, *, judge_scans: bool) -> None:
        """The rows that are still owed, the jobs, and what only some hosts suffered."""
        outcome = self._ctx.outcome
        outcome.jobs = job_summaries(self._batches)
        self._write_rows(self._stopped.message if self._stopped is not None else None)
        if not isinstance(self._stopped, LockedError):
            # While another process is at it, its POSTs are under way.
            outcome.errors += self._problems()
        bad = {ScanStatus.NOT_ACCEPTED, ScanStatus.NOT_SENT, ScanStatus.INVALID}
        if judge_scans:
            bad |= SCHEDULED - {ScanStatus.COMPLETE}
        outcome.partial = any(outcome.counts[status] for status in bad)
        if self._stopped is not None:
            hint = self._stopped.hint or "see the reason"
            if outcome.counts[ScanStatus.NOT_SENT] and "sbpam resume" not in hint:
                rest = f"then `sbpam resume {self._run.run_id}` sends the rest"
                self._stopped.hint = f"{hint.rstrip('.')}; {rest}"
            raise self._stopped

    def _write_rows(self, why: str | None) -> None:
        rows = self._rows or RowStream(self._watching.write, self._ctx.outcome, self._run.aside)
        rows.finish(self._batches, why)

    def _problems(self) -> list[SbpamError]:
        """What some hosts suffered: doubt and refusals."""
        run_id, problems = self._run.run_id, list[SbpamError]()
        doubtful = [batch for batch in self._batches if batch.is_in_doubt]
        problems += [could_be(run_id, batch) for batch in doubtful if batch.possible]
        if nowhere := sum(len(batch.names) for batch in doubtful if not batch.possible):
            hint = (
                f"`sbpam resume {run_id}` looks again; don't schedule them again by hand: if the"
                f" console shows no job of theirs, `sbpam resume {run_id} --resend` sends them"
            )
            words = f"the outcome is unknown for {counted(nowhere, 'host')}"
            problems.append(UnknownOutcomeError(words, hint=hint))
        unknown = ScanStatus.OUTCOME_UNKNOWN
        if elsewhere := sum(item.status is unknown for item in self._run.aside):
            hint = "`sbpam runs` shows them; `sbpam resume RUN` looks again"
            words = (
                f"the outcome is unknown for {counted(elsewhere, 'host')} in other runs; not sent"
            )
            problems.append(UnknownOutcomeError(words, hint=hint))
        rejected = [batch for batch in self._batches if batch.state == "rejected"]
        if rejected and not isinstance(self._stopped, RejectedError):
            hosts = counted(sum(len(batch.names) for batch in rejected), "host")
            problems.append(refused(rejected[0], hosts, f"sbpam resume {run_id}"))
        return problems


def _send_in_rounds(state: RunState) -> None:
    """Sends, settles, and sends what turned out never to have arrived; a few times."""
    for _ in range(_ROUNDS):
        Sending(state).send_all()
        hopeless = isinstance(state.stopped, SignInError | JournalError)
        if hopeless or state.interruption.event.is_set() or not state.has("sending", "unknown"):
            return
        Settling(state).settle()
        if state.stopped is not None or not state.has("planned"):
            return


def _plan_again(state: RunState) -> None:
    doubtful = [b for b in state.batches if b.is_in_doubt and not b.possible]
    for batch in doubtful:
        batch.state, batch.reason = "planned", "sent again as asked"
    state.record(*doubtful)
