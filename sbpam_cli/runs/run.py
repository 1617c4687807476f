"""Carries a recorded run to its end: settles what is in doubt, sends what is planned.

`schedule` and `resume` differ in how they come by the run; from there on they
are the same.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from sbpam_cli.errors import (
    JournalError,
    RejectedError,
    SbpamError,
    SignInError,
    UnknownOutcomeError,
)
from sbpam_cli.jobs.follow import (
    LOOKS_IN_FLIGHT,
    Follower,
    FollowLimits,
    RunningLimit,
)
from sbpam_cli.jobs.job import FollowedJob, record_looks
from sbpam_cli.jobs.rows import batch_rows
from sbpam_cli.journal.journal import Journal
from sbpam_cli.journal.records import IN_DOUBT, Batch, Run
from sbpam_cli.models import SCHEDULED, JobSummary, ScanStatus, sum_status
from sbpam_cli.outcome import Outcome
from sbpam_cli.runs.send import Sending, SendLimits
from sbpam_cli.signin.session import Site
from sbpam_cli.system.signals import Interruption
from sbpam_cli.wording import counted

if TYPE_CHECKING:
    from sbpam_cli.output.context import Context

_ROUNDS = 3


class Execution:
    """One run, its batches, and how far it got.

    settled: called with each batch whose rows are final.
    stopped: the error that ended it early.
    """

    def __init__(
        self,
        ctx: "Context",
        run: Run,
        batches: list[Batch],
        limits: SendLimits,
        settle_after_s: float,
        settled: Callable[[Batch], None],
    ) -> None:
        self._ctx = ctx
        self._services = ctx.services
        self.run = run
        self.batches = batches
        self._limits = limits
        self._settle_after_s = settle_after_s
        self._settled = settled
        self.stopped: SbpamError | None = None
        self._told: list[Batch] = []

    def carry_out(
        self,
        journal: Journal,
        site: Site,
        interruption: Interruption,
        *,
        settle_first: bool,
        resend: bool = False,
        goes_on: bool = False,
    ) -> None:
        """Everything under the lock, after sign-in and the run's record.

        settle_first: the run was begun by an earlier command. resend: what is
        still in doubt then is sent again. goes_on: the command follows the
        scans, so its end is not recorded yet. Nothing is raised that
        `stopped` can hold.
        """
        interruption.defer()
        try:
            if settle_first:
                self._settle(journal, site, interruption)
            if resend:
                self._plan_again(journal)
            self._send_and_settle(journal, site, interruption, look_again=settle_first)
        except SbpamError as error:
            self.stopped = error
        if interruption.event.is_set():
            self.stopped = interruption.error()
        if self.stopped is not None or not goes_on:
            self.record_end(journal)

    def record_end(self, journal: Journal) -> None:
        """How the command ended, and what it saw; a journal that failed cannot take it."""
        with suppress(JournalError):
            journal.end_run(self.run.run_id, self.exit_code())
            if self._told:
                journal.record_rows(self.run.run_id, self._told)

    def _send_and_settle(
        self,
        journal: Journal,
        site: Site,
        interruption: Interruption,
        *,
        look_again: bool,
    ) -> None:
        """Sends, settles, and sends what turned out never to have arrived; a few times."""
        for number in range(_ROUNDS):
            first = number == 0
            self._send(journal, site, interruption, look_again=look_again and first)
            over = interruption.event.is_set() or isinstance(
                self.stopped, SignInError | JournalError
            )
            if over or not self._any(*IN_DOUBT):
                return
            self._settle(journal, site, interruption)
            if self.stopped is not None or not self._any("planned"):
                return

    def _any(self, *states: str) -> bool:
        return any(batch.state in states for batch in self.batches)

    def _send(
        self,
        journal: Journal,
        site: Site,
        interruption: Interruption,
        *,
        look_again: bool,
    ) -> None:
        workers = self._services.workers(
            self._limits.parallel + LOOKS_IN_FLIGHT, self._services.clock
        )
        sending = Sending(
            self._services,
            journal,
            site.client,
            site.session,
            self.run,
            self.batches,
            self._limits,
            self._ctx.console,
            interruption,
            workers,
            self._settled,
            RunningLimit(self._ctx, site, self.run.run_id, self._limits.max_running, workers),
        )
        try:
            sending.send_all(look_again=look_again)
        finally:
            self.batches = sending.batches
            self.stopped = sending.stopped

    def _settle(self, journal: Journal, site: Site, interruption: Interruption) -> None:
        from sbpam_cli.runs.settle import Settling

        Settling(
            self._services,
            journal,
            site.client,
            self.run,
            self.batches,
            self._settle_after_s,
            self._ctx.console,
            self._services.workers(1, self._services.clock),
            interruption.event,
            interruption.error,
            self._settled,
        ).settle()

    def _plan_again(self, journal: Journal) -> None:
        doubtful = [batch for batch in self.batches if batch.state in IN_DOUBT]
        for batch in doubtful:
            batch.state, batch.reason = "planned", "sent again as asked"
        if doubtful:
            journal.record_outcomes(self.run.run_id, doubtful)

    # How it ended.

    def follow(
        self,
        site: Site,
        limits: FollowLimits,
        progress: Callable[[Sequence[FollowedJob]], None],
    ) -> None:
        """`--wait`: the jobs to their end; the lock is given back already."""
        jobs = [
            FollowedJob(batch.job_id, batch.names, batch_rows(batch), batch)
            for batch in self.batches
            if batch.state == "accepted" and batch.job_id is not None
        ]
        again = f"sbpam status {self.run.run_id} --watch"
        try:
            Follower(self._ctx, site, again, limits, progress).follow(jobs)
        finally:
            self._told = record_looks(jobs, self._services.clock.now())

    def exit_code(self) -> int:
        """What the command's exit code is so far, scans aside."""
        outcome = Outcome(partial=self._any("rejected"))
        self.tell(outcome)
        if self.stopped is not None:
            outcome.errors.append(self.stopped)
        return outcome.exit_code

    def tell(self, outcome: Outcome) -> None:
        """Adds what some hosts suffered: doubt and refusals."""
        doubtful = sum(len(b.names) for b in self.batches if b.state in IN_DOUBT)
        if doubtful:
            outcome.errors.append(_in_doubt(doubtful, self.run.run_id))
        elsewhere = sum(1 for a in self.run.aside if a.status is ScanStatus.OUTCOME_UNKNOWN)
        if elsewhere:
            outcome.errors.append(
                UnknownOutcomeError(
                    f"{counted(elsewhere, 'host')} in doubt in other runs, not sent",
                    hint="`sbpam runs` shows them; `sbpam resume RUN` settles each",
                )
            )
        rejected = [batch for batch in self.batches if batch.state == "rejected"]
        if rejected and not isinstance(self.stopped, RejectedError):
            outcome.errors.append(
                RejectedError(
                    f"the server refused {counted(sum(len(b.names) for b in rejected), 'host')}",
                    reason=rejected[0].reason,
                    trace_id=rejected[0].trace_id,
                    hint="check the credential's id and the list: what is wrong in them is mended"
                    f" by a new `schedule`; `sbpam resume {self.run.run_id}` sends the same again",
                )
            )

    def jobs(self) -> list[JobSummary]:
        """The jobs of the run, in the order of their hosts."""
        return [
            JobSummary(
                batch.job_id,
                batch.job_status or sum_status(None, [row.status for row in batch_rows(batch)]),
                len(batch.names),
            )
            for batch in sorted(self.batches, key=lambda batch: batch.first)
            if batch.job_id is not None
        ]


def judge_counts(outcome: Outcome, *, scans: bool) -> None:
    """Marks the outcome partial where printed rows say so.

    scans: all but Complete ones do; doubt has a code of its own.
    """
    bad = {ScanStatus.NOT_ACCEPTED, ScanStatus.NOT_SENT, ScanStatus.INVALID, ScanStatus.REJECTED}
    if scans:
        bad |= SCHEDULED - {ScanStatus.COMPLETE}
    outcome.partial = outcome.partial or any(outcome.counts[status] for status in bad)


def _in_doubt(hosts: int, run_id: str) -> UnknownOutcomeError:
    return UnknownOutcomeError(
        f"the outcome is unknown for {counted(hosts, 'host')}",
        hint=f"`sbpam resume {run_id}` finds out; don't schedule them again by hand",
    )
