"""Finds out what became of batches whose POST was never answered.

A job that is there counts at once. That none is there counts only if the list was read after
the quiet time and can be trusted. What cannot be decided is the operator's to decide.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial

from sbpam_cli.errors import Interrupted, JournalError, SbpamError, SignInError
from sbpam_cli.jobs.job import match_job
from sbpam_cli.journal.records import Batch
from sbpam_cli.models import ScanJob, ScanStatus
from sbpam_cli.runs.candidates import (
    Candidate,
    Doubt,
    Names,
    Times,
    content,
    fits,
    holds_most,
    may_fill,
)
from sbpam_cli.runs.reads import Reading, id_bytes
from sbpam_cli.runs.state import RunState
from sbpam_cli.system.threads import WAIT_SLICE_S, Answer, call
from sbpam_cli.wording import counted, duration_words, utc

_BETWEEN_READS_S = 10.0
_READS_AFTER_QUIET = 3
_OPENED_AT_MOST = 20
_BELIEVED_FOR_S = 24 * 3600.0


class Settling:
    def __init__(self, state: RunState) -> None:
        self._state = state
        self._clock = state.ctx.services.clock
        self._client = state.site.client
        self._talk = state.ctx.console
        self._quiet_s = state.limits.settle_after_s
        self._workers = state.ctx.services.workers(1, self._clock)
        self._own = Names(state.batches)
        self._times = Times(0.0, self._quiet_s)
        self._listed = cache(state.journal.listed)
        self._creators: dict[str | None, str | None] = {}
        self._seen: dict[int, set[tuple[str, frozenset[str]]]] = {}
        self._earlier: set[int] = set()
        self._duplicates: set[str] = set()

    def settle(self) -> None:
        """Looks for every batch in doubt, and for those not sent yet; decides what can be.

        Raises SignInError, JournalError and the signal's error; another one leaves the doubt.
        """
        reads_after_quiet = 0
        while wanted := [b for b in self._state.batches if b.is_in_doubt or b.state == "planned"]:
            began = self._clock.monotonic()
            try:
                reading, candidates = self._look()
            except (SignInError, JournalError, Interrupted):
                raise
            except SbpamError as error:
                self._talk.warn(f"the list of jobs could not be read: {error.message}")
                return
            for batch in wanted:
                self._find(batch, candidates, began)
            for batch in wanted:
                if batch.is_in_doubt and self._is_absent(batch, reading, began):
                    batch.state, batch.reason = "planned", "the server has no such job"
                    self._state.record(batch)
            self._name_duplicates(candidates)
            doubtful = [batch for batch in wanted if batch.is_in_doubt]
            if not doubtful or not self._quiet_s:
                return
            quiet_at = max(map(self._quiet_at, doubtful))
            reads_after_quiet += began >= quiet_at
            # Not `any`: each read is remembered.
            open_still = [not self._stays(batch, candidates, began) for batch in doubtful]
            if reads_after_quiet >= _READS_AFTER_QUIET or not any(open_still):
                return
            soon = any(batch.possible for batch in doubtful) and began < quiet_at
            self._wait_until(began + _BETWEEN_READS_S if soon else quiet_at, began)

    def _quiet_at(self, batch: Batch) -> float:
        """From when on a read shows whether there is none; a later process trusts no wall clock."""
        given_up = self._state.given_up.get(batch.number)
        if given_up is None:
            given_up = self._state.began
            if batch.gave_up_at is None and batch.sent_at is not None:
                given_up += (batch.deadline or batch.sent_at) - batch.sent_at
        return given_up + self._quiet_s

    def _stays(self, batch: Batch, candidates: Sequence[Candidate], began: float) -> bool:
        """Whether this read had the same possible jobs as the one before, and time adds nothing."""
        mine = [c for c in candidates if c.job.job_id in batch.possible]
        now = {content(candidate.job) for candidate in mine}
        before = self._seen.get(batch.number)
        self._seen[batch.number] = now
        fills = any(may_fill(candidate.job, batch) for candidate in mine)
        return bool(now) and now == before and (not fills or began >= self._quiet_at(batch))

    def _wait_until(self, moment: float, began: float) -> None:
        clock, interruption = self._clock, self._state.interruption
        moment = max(moment, began + _BETWEEN_READS_S)
        hosts = sum(len(b.names) for b in self._state.batches if b.is_in_doubt)
        left_s = moment - clock.monotonic()
        until = utc(clock.now() + left_s).partition("T")[2]
        words = f"the outcome is unknown for {counted(hosts, 'host')}: looking until {until}"
        if left_s > 1:
            self._talk.note(words)
        while (left_s := moment - clock.monotonic()) > 0:
            self._state.watching.live.update(f"{words}, {duration_words(left_s)} left")
            if clock.wait(interruption.event, min(WAIT_SLICE_S, left_s)):
                raise interruption.error()

    def _ask(self, task: Callable[[], Answer]) -> Answer:
        return call(self._workers, task, self._state.interruption.check)

    # One read.

    def _look(self) -> tuple[Reading, list[Candidate]]:
        """The list, and the jobs of it that are possible for some batch."""
        state, journal, server = self._state, self._state.journal, self._state.run.server
        doubts = [self._doubt_of(batch) for batch in state.batches if batch.state != "rejected"]
        for run, batches in journal.doubts(server, 0.0):
            if run.run_id != state.run.run_id:
                names = Names(batches)
                doubts += [Doubt(run, b, names, *self._listed(b.list_before)) for b in batches]
        known = frozenset.intersection(*(doubt.before for doubt in doubts))
        groups = {doubt.names for doubt in doubts}
        reading = Reading(
            lambda job: (
                id_bytes(job.job_id) not in known
                and any(names.sharing(job) != set() for names in groups)
            )
        )
        self._ask(lambda: self._client.jobs(reading.gather))
        state.keep_list(reading.ids, whole=True)
        # After the list: what another process has recorded meanwhile is its own.
        claimed = journal.claimed_jobs(server).keys() | state.ruled_out
        left = [
            job_id
            for job_id, job in reading.jobs.items()
            if job_id not in claimed and any(self._concerns(doubt, job) for doubt in doubts)
        ]
        # The first and the last few: the list's order is not documented.
        half = _OPENED_AT_MOST // 2
        opened = {job_id: self._open(job_id) for job_id in left[:half] + left[half:][-half:]}
        clocks = self._jobs_clocks() if left else {}
        self._times = Times(self._clock.now(), self._quiet_s, clocks)
        candidates = []
        for job_id in left:
            listed, job = reading.jobs[job_id], opened.get(job_id)
            if job is not None and not job.hosts:
                job = job._replace(hosts=listed.hosts)
            possible = [d for d in doubts if self._is_possible(job or listed, d)]
            candidates.append(Candidate(job or listed, job is not None, possible))
        return reading, candidates

    def _doubt_of(self, batch: Batch) -> Doubt:
        """A batch of this run; one that was never sent has the run's first read."""
        state, number = self._state, batch.list_before
        if batch.sent_at is None:
            numbers = (other.list_before for other in state.batches)
            number = min((n for n in numbers if n is not None), default=None)
        before, whole = self._listed(number)
        return Doubt(state.run, batch, self._own, before, whole, self._creator(batch.session))

    def _creator(self, session: str | None) -> str | None:
        """Who makes the jobs of this sign-in, by a job that was accepted under it."""
        if session is not None and session not in self._creators:
            own = [b for b in self._state.batches if b.state == "accepted" and b.session == session]
            if not own:
                return None
            job = self._open(own[0].job_id or "")
            self._creators[session] = job.created_by if job is not None else None
        return self._creators.get(session)

    def _jobs_clocks(self) -> dict[str | None, float]:
        newest = self._state.journal.newest_accepted(self._state.run.server)
        if newest is None or newest[1].sent_at is None:
            return {}
        job = self._open(newest[1].job_id or "")
        if job is None or job.created_at is None:
            return {}
        return {job.node_id: job.created_at - newest[1].sent_at}

    def _open(self, job_id: str) -> ScanJob | None:
        """A job by its id, with its times and creator; None where the server does not show it."""
        try:
            return self._ask(partial(self._client.job, job_id))
        except (SignInError, Interrupted):
            raise
        except SbpamError:
            return None

    def _concerns(self, doubt: Doubt, job: ScanJob) -> bool:
        if id_bytes(job.job_id) in doubt.before:
            return False
        if doubt.batch.state == "accepted":
            return holds_most(job, doubt.batch)
        return doubt.shares(job)

    def _is_possible(self, job: ScanJob, doubt: Doubt) -> bool:
        known = doubt.creator and job.created_by
        if not self._concerns(doubt, job) or (known and job.created_by != doubt.creator):
            return False
        surely = self._times.surely(job, doubt)
        if surely < 0 and doubt.names is self._own:
            self._earlier.add(doubt.batch.number)
        if surely:
            return False
        # Where nothing is lost, an old job is none of its.
        return doubt.batch.is_in_doubt or doubt.whole or self._times.is_near(job, doubt)

    # What it means.

    def _find(self, batch: Batch, candidates: Sequence[Candidate], began: float) -> None:
        credential_id = self._state.run.credential_id
        mine = [c for c in candidates if any(d.batch is batch for d in c.doubts)]
        fitting = [c for c in mine if c.opened and fits(c.job, batch, credential_id)]
        if batch.state == "planned":
            # What does not fit cannot be told from somebody else's, and this one was not sent.
            mine = fitting
        batch.possible = [candidate.job.job_id for candidate in mine]
        if not mine:
            return
        if len(mine) > 1 or not fitting or not self._is_sure(batch, mine[0]):
            self._leave_open(batch, "a job could be it that cannot be told from another's")
            return
        job = mine[0].job
        if match_job(batch.names, job, unsaid=ScanStatus.UNKNOWN).missing:
            same = content(job) in self._seen.get(batch.number, ())
            if not same or began < self._quiet_at(batch):
                self._leave_open(batch, "a job holds a part of it so far")
                return
        self._state.take_job(batch, job)
        self._state.look_again(batch, job)
        if self._state.journal.claim(self._state.run.server, batch):
            self._state.settled(batch)
        else:
            batch.state, batch.job_id, batch.rows, batch.accepted_at = "unknown", None, None, None

    def _is_sure(self, batch: Batch, candidate: Candidate) -> bool:
        """Whether a job that fits can be no other batch's, and was made by this POST."""
        others = [d for d in candidate.doubts if d.batch is not batch and d.batch.is_in_doubt]
        [own] = [doubt for doubt in candidate.doubts if doubt.batch is batch]
        return not others and (own.whole or self._times.is_near(candidate.job, own))

    def _leave_open(self, batch: Batch, reason: str) -> None:
        """Not to be sent while a job may be it."""
        if not batch.is_in_doubt:
            batch.state, batch.gave_up_at = "unknown", self._clock.now()
            self._state.given_up[batch.number] = self._clock.monotonic()
            batch.reason = reason
            self._state.record(batch)

    def _is_absent(self, batch: Batch, reading: Reading, began: float) -> bool:
        """Whether this read proves that no job was made."""
        if batch.possible or not self._quiet_s or began < self._quiet_at(batch):
            return False
        sent_at = batch.sent_at or 0.0
        ended = batch.gave_up_at or batch.deadline or sent_at
        if self._clock.now() - sent_at > _BELIEVED_FOR_S:
            return False
        accepted = [
            id_bytes(b.job_id)
            for b in self._state.batches
            if b.state == "accepted" and b.job_id and (b.accepted_at or 0.0) <= ended
            if not any(row.status is ScanStatus.CANCELLED for row in b.rows or ())
        ]
        if not reading.ids.issuperset(accepted):
            return False
        earlier = self._state.journal.claimed_jobs(self._state.run.server, sent_at)
        before, _ = self._listed(batch.list_before)
        shows_earlier = not reading.ids.isdisjoint(before.union(map(id_bytes, earlier)))
        return shows_earlier or batch.number in self._earlier

    # Beside the doubt.

    def _name_duplicates(self, candidates: Sequence[Candidate]) -> None:
        """Jobs that may be another of an accepted batch."""
        for candidate in candidates:
            job_id = candidate.job.job_id
            twice = [d.batch for d in candidate.doubts if d.batch.state == "accepted"]
            if not twice or twice[0].job_id == job_id or job_id in self._duplicates:
                continue
            if len(self._duplicates) < _OPENED_AT_MOST:
                self._duplicates.add(job_id)
                self._talk.warn(
                    f"possible duplicate: job {job_id} holds hosts of job {twice[0].job_id} too;"
                    f" if it is yours, `sbpam cancel {job_id}` stops it"
                )
