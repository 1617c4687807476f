"""Finds out what became of batches whose POST was never answered.

A job that is there counts at once. That none is there counts only when the
list was read after the quiet time and shows that it can be trusted. Whatever
cannot be decided stays in doubt, and the operator decides.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar

from sbpam_cli.errors import Interrupted, SbpamError, SignInError
from sbpam_cli.jobs.job import match_job, without_missing
from sbpam_cli.journal.records import Batch
from sbpam_cli.models import ScanJob, ScanStatus
from sbpam_cli.nps.client import NotFoundError
from sbpam_cli.runs.candidates import (
    Origin,
    Reading,
    Sighting,
    is_in_time,
    read_list,
    uses_other_account,
)
from sbpam_cli.runs.state import RunState
from sbpam_cli.system.threads import WAIT_SLICE_S, call
from sbpam_cli.wording import counted, duration_words

if TYPE_CHECKING:
    from sbpam_cli.system.services import Services

Answer = TypeVar("Answer")

_BETWEEN_READS_S = 10.0
_READS_AFTER_QUIET = 3
_OPENED_AT_MOST = 20
_BELIEVED_FOR_S = 24 * 3600.0


class Settling:
    """Settles the batches of one run."""

    def __init__(self, state: RunState) -> None:
        self._state = state
        self._clock = state.ctx.services.clock
        self._client = state.site.client
        self._talk = state.ctx.console
        self._quiet_s = state.limits.settle_after_s
        self._workers = state.ctx.services.workers(1, self._clock)
        self._opened: dict[str, ScanJob] = {}
        self._origin: Origin | None = None
        self._before: dict[int, frozenset[str]] = {}
        self._last_absent: dict[int, float] = {}
        self._duplicates: set[str] = set()

    def settle(self) -> None:
        """Looks for every batch that is not accepted; those in doubt are decided if they can be.

        Raises SignInError and the signal's error; a list that cannot be read
        leaves the doubt as it is, and is said.
        """
        reads_after_quiet = 0
        while wanted := [batch for batch in self._state.batches if batch.state not in _DECIDED]:
            began = self._clock.now()
            quiet_at = self._quiet_at(wanted)
            try:
                reading = self._read(began)
            except (SignInError, Interrupted):
                raise
            except SbpamError as error:
                self._talk.warn(f"the list of jobs could not be read: {error.message}")
                return
            for batch in wanted:
                self._judge(batch, reading)
            if not any(batch.is_in_doubt for batch in self._state.batches) or not self._quiet_s:
                return
            reads_after_quiet += began >= quiet_at
            if reads_after_quiet >= _READS_AFTER_QUIET:
                return
            self._wait_until(max(quiet_at, began + _BETWEEN_READS_S))

    def _quiet_at(self, batches: Sequence[Batch]) -> float:
        ends = [batch.gave_up_at or batch.deadline or 0.0 for batch in batches if batch.is_in_doubt]
        return max(ends, default=0.0) + self._quiet_s

    def _wait_until(self, moment: float) -> None:
        from datetime import UTC, datetime

        clock, interruption = self._clock, self._state.interruption
        hosts = sum(len(b.names) for b in self._state.batches if b.is_in_doubt)
        until = datetime.fromtimestamp(moment, UTC).strftime("%H:%M:%SZ")
        words = f"the outcome is unknown for {counted(hosts, 'host')}: looking until {until}"
        if moment - clock.now() > 1:
            self._talk.note(words)
        while (left_s := moment - clock.now()) > 0:
            self._state.say(f"{words}, {duration_words(left_s)} left")
            if clock.wait(interruption.event, min(WAIT_SLICE_S, left_s)):
                raise interruption.error()

    def _ask(self, task: Callable[[], Answer]) -> Answer:
        interruption = self._state.interruption
        return call(self._workers, task, interruption.event, interruption.error)

    # One read.

    def _read(self, began: float) -> Reading:
        claimed = self._state.journal.claimed_jobs(self._state.run.server)
        reading = self._ask(
            lambda: self._client.jobs(
                lambda jobs: read_list(jobs, self._state.batches, claimed, began)
            )
        )
        for job_id in _ends_of(reading.blank):
            job = self._open(job_id)
            if job is not None and job.hosts:
                again = read_list([job], self._state.batches, {}, began)
                reading.blank.remove(job_id)
                for number, sightings in again.sightings.items():
                    reading.sightings.setdefault(number, []).extend(sightings)
        self._name_duplicates(reading)
        return reading

    def _open(self, job_id: str) -> ScanJob | None:
        """A job by its id, with its times and creator; None where it is gone."""
        try:
            job = self._ask(partial(self._client.job, job_id))
        except NotFoundError:
            return None
        self._opened[job_id] = job
        return job

    # What it means.

    def _judge(self, batch: Batch, reading: Reading) -> None:
        found: list[tuple[Sighting, ScanJob]] = []
        decidable = True
        for sighting in reading.sightings.get(batch.number, ()):
            verdict = self._fits(batch, sighting)
            if verdict is None or (verdict is not False and not sighting.most):
                decidable = False
            elif verdict is not False:
                found.append((sighting, verdict))
        if decidable and len(found) == 1:
            self._take(batch, *found[0], reading)
        elif found or not decidable:
            self._doubt(batch, "several jobs could be it, or one that cannot be told")
        elif batch.is_in_doubt and self._is_absent(batch, reading):
            batch.state, batch.reason = "planned", "the server has no such job"
            self._record(batch)

    def _fits(self, batch: Batch, sighting: Sighting) -> ScanJob | Literal[False] | None:
        """The opened job where it is a candidate, False where it is none, None: cannot be told."""
        job = self._open(sighting.job_id)
        if job is None:
            # The list has just shown it: it may be gone, or one of the two answers is wrong.
            return None
        in_time = is_in_time(job, batch, self._state.run, self._clock.now(), self._quiet_s)
        if in_time is False or self._own_origin().disagrees(job):
            return False
        if in_time is None or uses_other_account(job, self._state.run.credential_id):
            return None
        return job

    def _own_origin(self) -> Origin:
        """Who made the accepted jobs of this run; opened once."""
        if self._origin is None:
            own = next((b.job_id for b in self._state.batches if b.state == "accepted"), None)
            job = self._open(own) if own is not None else None
            self._origin = Origin(job.created_by, job.created_from) if job else Origin(None, None)
        return self._origin

    def _take(self, batch: Batch, sighting: Sighting, job: ScanJob, reading: Reading) -> None:
        """One candidate: the whole batch counts at once, a part when it stays the same."""
        if not sighting.whole:
            same = self._before.get(batch.number) == sighting.names
            self._before[batch.number] = sighting.names
            if not same or reading.began < self._quiet_at([batch]):
                self._doubt(batch, "a job holds a part of it so far")
                return
        accept_job(self._state.ctx.services, batch, job)
        self._record(batch)
        self._state.settled(batch)

    def _doubt(self, batch: Batch, reason: str) -> None:
        """Not to be sent while a job may be it."""
        if not batch.is_in_doubt:
            batch.state, batch.gave_up_at = "unknown", self._clock.now()
            batch.reason = reason
            self._record(batch)

    def _is_absent(self, batch: Batch, reading: Reading) -> bool:
        """Whether this read proves that no job was made."""
        now = self._clock.now()
        too_early = reading.began < self._quiet_at([batch])
        too_old = now - (batch.sent_at or 0.0) > _BELIEVED_FOR_S
        if not self._quiet_s or too_early or too_old or self._hides_something(batch, reading):
            return False
        known = self._control_jobs()
        if known:
            return bool(known & reading.claimed)
        # Nothing to check the list against: twice the same, 10 s apart, and not empty.
        before = self._last_absent.get(batch.number)
        if reading.jobs and before is None:
            self._last_absent[batch.number] = reading.began
        return bool(
            reading.jobs and before is not None and reading.began - before >= _BETWEEN_READS_S
        )

    def _control_jobs(self) -> set[str]:
        """Jobs that the list must show: those of this run, else the newest of the server."""
        own = {
            b.job_id for b in self._state.batches if b.state == "accepted" and b.job_id is not None
        }
        return own or set(list(self._state.journal.claimed_jobs(self._state.run.server))[-1:])

    def _hides_something(self, batch: Batch, reading: Reading) -> bool:
        """Whether a job whose hosts nobody names could be it."""
        if len(reading.blank) > _OPENED_AT_MOST:
            return True
        now = self._clock.now()
        for job_id in reading.blank:
            job = self._opened.get(job_id)
            if job is None:
                return True
            if self._own_origin().disagrees(job):
                continue
            if is_in_time(job, batch, self._state.run, now, self._quiet_s) is not False:
                return True
        return False

    # Beside the doubt.

    def _name_duplicates(self, reading: Reading) -> None:
        """Unclaimed jobs that hold what an accepted batch holds: possible duplicates."""
        for batch in self._state.batches:
            if batch.state != "accepted":
                continue
            for sighting in reading.sightings.get(batch.number, ()):
                if not sighting.most:
                    continue
                if sighting.job_id in self._duplicates or len(self._duplicates) >= _OPENED_AT_MOST:
                    continue
                self._duplicates.add(sighting.job_id)
                if isinstance(self._fits(batch, sighting), ScanJob):
                    self._talk.warn(
                        f"possible duplicate: job {sighting.job_id} holds hosts of job"
                        f" {batch.job_id} too; `sbpam cancel {sighting.job_id}` stops it"
                    )

    def _record(self, batch: Batch) -> None:
        self._state.record(batch)


_DECIDED = ("accepted", "split")


def accept_job(services: "Services", batch: Batch, job: ScanJob) -> None:
    """The batch is in this job; what the job lacks of it was not accepted."""
    batch.state, batch.job_id, batch.reason = "accepted", job.job_id, None
    batch.seen_at = batch.accepted_at = services.clock.now()
    batch.rows = without_missing(match_job(batch.names, job, unsaid=ScanStatus.UNKNOWN))


def _ends_of(job_ids: Sequence[str]) -> list[str]:
    """The first and the last few: the list's order is not documented."""
    if len(job_ids) <= _OPENED_AT_MOST:
        return list(job_ids)
    half = _OPENED_AT_MOST // 2
    return [*job_ids[:half], *job_ids[-half:]]
