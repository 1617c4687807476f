"""Sends the batches of a run, several in flight, and records what came of each.

The main thread alone decides and writes the journal; workers only wait on the
network. A batch is `sending` on disk before the first byte of its POST leaves.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from sbpam_cli.errors import (
    JournalError,
    RejectedError,
    SbpamError,
    ServerError,
    SignInError,
    UnknownOutcomeError,
    UnreachableError,
)
from sbpam_cli.jobs.follow import Look, RunningLimit
from sbpam_cli.jobs.job import (
    NOT_IN_REPLY,
    is_unconfirmed,
    match_job,
    name_unasked,
    without_missing,
)
from sbpam_cli.journal.journal import Journal
from sbpam_cli.journal.records import Batch, Run
from sbpam_cli.models import HostRow, ScanStatus, Talk
from sbpam_cli.nps import replies as wire
from sbpam_cli.nps.client import NpsClient, Tokens, backoff_s
from sbpam_cli.nps.transport import NoReplyError
from sbpam_cli.runs.answers import Verdict, judge_failure, judge_reply
from sbpam_cli.runs.gate import PROBE, Gate
from sbpam_cli.system.signals import GRACE_S, Interruption
from sbpam_cli.system.threads import WAIT_SLICE_S, Done, Workers
from sbpam_cli.wording import counted

if TYPE_CHECKING:
    from sbpam_cli.system.services import Services

_FAILURES_IN_A_ROW = 5
_REFUSED_IN_A_ROW = 2
"""Tokens that may be refused with no batch accepted in between. Not one: a token can die
while it serves, and the refusal of the next POST overtakes the long answers before it."""


class SendLimits(NamedTuple):
    """How a run is sent.

    parallel: POSTs in flight. send_timeout_s: the whole of one. fail_fast: stop
    at the first failure. max_running: no batch starts while as many hosts are
    unfinished.
    """

    parallel: int = 4
    send_timeout_s: float = 120.0
    fail_fast: bool = False
    max_running: int | None = None


@dataclass(slots=True, eq=False, repr=False)
class _Attempts:
    """What is known of a batch beyond its record: tries, and when it is due."""

    tries: int = 0
    due_at: float = 0.0


@dataclass(eq=False, repr=False)
class Sending:
    """One pass over the planned batches of a run. `batches` grows when one is split.

    settled: called with each batch whose rows are final.
    stopped: why nothing more is sent, once that is so.
    """

    services: "Services"
    journal: Journal
    client: NpsClient
    tokens: Tokens
    run: Run
    batches: list[Batch]
    limits: SendLimits
    talk: Talk
    interruption: Interruption
    workers: Workers
    settled: Callable[[Batch], None]
    running: RunningLimit
    stopped: SbpamError | None = None
    _planned: list[Batch] = field(default_factory=list)
    _attempts: dict[int, _Attempts] = field(default_factory=dict)
    _in_flight: dict[int, Batch] = field(default_factory=dict)
    _confirming: dict[int, Batch] = field(default_factory=dict)
    _judged: list[Batch] = field(default_factory=list)
    _journal_failed: bool = False
    _failures: int = 0
    _rejections: int = 0
    _refused_tokens: set[str] = field(default_factory=set, repr=False)
    _interrupted_at: float | None = None

    def __post_init__(self) -> None:
        self._gate = Gate(self.services, self.client, self.workers)

    def send_all(self, *, look_again: bool = False) -> None:
        """Sends what is planned until nothing is left to do, or something stops it.

        look_again: an earlier command may not have come to its second looks.
        """
        self._planned = [batch for batch in self.batches if batch.state == "planned"]
        if look_again:
            for batch in filter(lacks_second_look, self.batches):
                self._confirm(batch)
        while not self._is_over():
            judged, self._judged = self._judged, []
            due = self._choose() if self._may_send() else []
            self._start(judged, due)
            # While these are on their way: passing rows on takes its time.
            self._pass_on(judged)
            self._take_results()

    # When.

    def _is_over(self) -> bool:
        if self._judged:
            return False
        waiting = bool(self._in_flight or self._confirming)
        if self.interruption.event.is_set():
            now = self.services.clock.monotonic()
            if self._interrupted_at is None:
                self._interrupted_at = now
                if waiting:
                    posts = counted(len(self._in_flight), "POST")
                    self.talk.warn(
                        f"{posts if self._in_flight else 'a second look'} under way: waiting"
                        f" up to {GRACE_S:.0f} s for an answer (again to leave at once)"
                    )
            return not waiting or now - self._interrupted_at >= GRACE_S
        return not waiting and (self.stopped is not None or not self._planned)

    def _may_send(self) -> bool:
        return self.stopped is None and not self.interruption.event.is_set()

    def _choose(self) -> list[Batch]:
        """What is due, as many batches as fit; or the server is probed first."""
        now = self.services.clock.monotonic()
        if self._gate.is_shut:
            if not self._in_flight:
                self._gate.probe()
            return []
        if not self.running.has_room(self.batches):
            self.running.look(self.batches)
            return []
        room = self.limits.parallel - len(self._in_flight)
        if self.limits.max_running is not None:
            room = min(room, 1)
        waiting = (batch for batch in self._planned if self._of(batch).due_at <= now)
        return list(islice(waiting, max(room, 0)))

    def _start(self, judged: Sequence[Batch], due: Sequence[Batch]) -> None:
        """Records what was judged, and starts what is due; one commit before both."""
        now, wall = self.services.clock.monotonic(), self.services.clock.now()
        for batch in due:
            batch.sent_at, batch.gave_up_at = wall, None
            batch.deadline = wall + self.limits.send_timeout_s
            batch.clock_offset = self.client.clock_offset_s
        # Where it fails nothing of these has left; what the disk holds of them is settled later.
        if not self._record([batch for batch in judged if batch.state != "split"], due):
            return
        for batch in due:
            batch.state = "sending"
            self._planned.remove(batch)
            self._in_flight[batch.number] = batch
            self.workers.submit(batch.number, partial(self._post, batch, now))

    def _of(self, batch: Batch) -> _Attempts:
        return self._attempts.setdefault(batch.number, _Attempts())

    # In a worker.

    def _post(self, batch: Batch, started: float) -> Verdict:
        """One POST, and the renewal of a token that it found refused.

        Both end by the deadline in the journal: `started` is the monotonic
        time of its `sending`.
        """
        try:
            token = self.tokens.token(lasting=True)
        except SbpamError as error:
            return _not_sent(error)
        left_s = started + self.limits.send_timeout_s - self.services.clock.monotonic()
        if left_s <= 0:
            return Verdict("planned", reason="no time was left to send it")
        try:
            reply = self.client.schedule(
                self.run.credential_id,
                wire.encode_hosts(batch.names),
                token,
                total_s=left_s,
            )
        except NoReplyError as error:
            return judge_failure(error)
        verdict = judge_reply(reply, len(batch.names), self.client.server_time())
        if verdict.refused_token:
            self._refused_tokens.add(token.value)
            try:
                if len(self._refused_tokens) > _REFUSED_IN_A_ROW:
                    raise SignInError(
                        "the server refuses even a fresh token",
                        reason=verdict.reason,
                        trace_id=verdict.trace_id,
                        hint="check the account's role; `sbpam login` signs in again",
                    )
                self.tokens.renew(token)
            except SbpamError as error:
                if error.reason is None:
                    error.reason, error.trace_id = verdict.reason, verdict.trace_id
                return _not_sent(error)
        return verdict

    # What came of it.

    def _take_results(self) -> None:
        """Waits for an answer, half a second at most, and judges all that have come."""
        done = self._wait()
        while done is not None:
            if done.key == PROBE:
                self.stopped = self._gate.take(done) or self.stopped
            elif isinstance(done.key, Look):
                self.stopped = self.running.take(done) or self.stopped
            elif isinstance(done.key, tuple):
                self._take_confirmation(self._confirming.pop(done.key[1]), done)
            else:
                batch = self._in_flight.pop(done.key)  # type: ignore[call-overload]
                if done.error is not None:
                    raise done.error
                self._apply(batch, done.result)
                self._judged.append(batch)
            done = self.workers.next(0.0) if self._is_waiting() else None

    def _is_waiting(self) -> bool:
        waiting = bool(self._in_flight or self._confirming)
        return waiting or self._gate.is_probing or self.running.is_looking

    def _wait(self) -> Done | None:
        if self._is_waiting():
            return self.workers.next(WAIT_SLICE_S)
        if self._planned and self._may_send():
            now = self.services.clock.monotonic()
            due_at = min(self._of(batch).due_at for batch in self._planned)
            due_at = max(due_at, self._gate.due_at, self.running.due_at)
            if due_at > now:
                self.services.clock.wait(self.interruption.event, min(WAIT_SLICE_S, due_at - now))
        return None

    def _pass_on(self, judged: Sequence[Batch]) -> None:
        """Passes on what is final; the rest is split, sent again or looked at again."""
        for batch in judged:
            if batch.state == "split":
                self._split(batch)
            elif batch.state == "planned":
                self._planned.append(batch)
            elif lacks_second_look(batch):
                self._confirm(batch)
            elif batch.state in ("accepted", "rejected"):
                self.settled(batch)
        if any(batch.state in ("planned", "split") for batch in judged):
            self._planned.sort(key=lambda batch: batch.first)

    def _apply(self, batch: Batch, verdict: Verdict) -> None:
        clock = self.services.clock
        batch.state = verdict.state
        batch.http_status, batch.reason = verdict.http_status, verdict.reason
        batch.trace_id = verdict.trace_id
        batch.clock_offset = self.client.clock_offset_s
        attempts = self._of(batch)
        if verdict.state == "accepted" and verdict.job is not None:
            batch.job_id = verdict.job.job_id
            batch.seen_at = clock.now()
            match = match_job(batch.names, verdict.job, unsaid=ScanStatus.ACCEPTED)
            batch.rows = _with_unasked(match.rows, match.unasked)
            attempts.tries = 0
            self._refused_tokens.clear()
        elif verdict.state == "unknown":
            batch.gave_up_at = clock.now()
        elif verdict.state == "planned" and not verdict.refused_token:
            attempts.tries += 1
            wait_s = max(backoff_s(self.services, attempts.tries), verdict.wait_s or 0.0)
            attempts.due_at = clock.monotonic() + wait_s
        self._count(batch, verdict)

    def _count(self, batch: Batch, verdict: Verdict) -> None:
        """Decides whether the run goes on after this."""
        self._failures = self._failures + 1 if verdict.server_failure else 0
        if verdict.server_failure:
            self._gate.shut(verdict.wait_s or 0.0)
        if verdict.state == "rejected":
            self._rejections += 1
        accepted_any = any(other.state == "accepted" for other in self.batches)
        stop = verdict.stop
        if stop is None and self._failures >= _FAILURES_IN_A_ROW:
            stop = _gave_up(self.client.origin, batch)
        if stop is None and self._rejections >= _FAILURES_IN_A_ROW and not accepted_any:
            stop = _rejected(batch, f"the first {self._rejections} batches")
        if stop is None and self.limits.fail_fast and verdict.state in ("rejected", "unknown"):
            stop = _rejected(batch, "a batch") if verdict.state == "rejected" else _doubt(batch)
        if stop is not None and self.stopped is None:
            self.stopped = stop

    def _record(self, batches: Sequence[Batch], sending: Sequence[Batch] = ()) -> bool:
        """One commit; answers whether the disk holds it."""
        if not batches and not sending:
            return True
        if not self._journal_failed:
            try:
                self.journal.record_outcomes(self.run.run_id, batches, sending=sending)
                return True
            except JournalError as error:
                self._journal_failed = True
                self.stopped = error
        for batch in batches:
            if batch.job_id is not None:
                self.talk.warn(
                    f"not recorded: job {batch.job_id} holds {counted(len(batch.names), 'host')},"
                    f" {batch.names[0]} to {batch.names[-1]}"
                )
        return False

    def _split(self, batch: Batch) -> None:
        """Too large for the server: two halves take its place."""
        middle = len(batch.names) // 2
        number = max(other.number for other in self.batches) + 1
        halves = [
            Batch(number, batch.first, batch.names[:middle], parent=batch.number),
            Batch(number + 1, batch.first + middle, batch.names[middle:], parent=batch.number),
        ]
        if self._journal_failed:
            halves = []
        try:
            if halves:
                self.journal.split(self.run.run_id, batch, halves)
        except JournalError as error:
            self._journal_failed = True
            self.stopped = error
            halves = []
        if not halves:
            batch.state = "planned"
            return
        self.batches.remove(batch)
        self.batches.extend(halves)
        self._planned.extend(halves)

    # A second look at what the reply left out.

    def _confirm(self, batch: Batch) -> None:
        self._confirming[batch.number] = batch
        self.workers.submit(("confirm", batch.number), partial(self.client.job, batch.job_id or ""))

    def _take_confirmation(self, batch: Batch, done: Done) -> None:
        """The job read once more: only now a host is said not to be in it."""
        if done.error is None and done.result.hosts is not None:
            match = match_job(batch.names, done.result, unsaid=ScanStatus.UNKNOWN)
            batch.rows = _with_unasked(without_missing(match), match.unasked)
            batch.seen_at = self.services.clock.now()
            self._record([batch])
        elif done.error is not None and not isinstance(done.error, SbpamError):
            raise done.error
        self.settled(batch)


def lacks_second_look(batch: Batch) -> bool:
    """Whether a host is not in the reply, and the job was not read once more."""
    rows = batch.rows or ()
    return batch.state == "accepted" and any(map(is_unconfirmed, rows))


def _with_unasked(listed: Sequence[HostRow], unasked: Sequence[str]) -> Sequence[HostRow]:
    """Names in the job that nobody asked for stand with the rows it lacks, else with the first."""
    words = name_unasked(unasked)
    if words is None:
        return listed
    rows = list(listed)
    lacking = [i for i, row in enumerate(rows) if row.detail == NOT_IN_REPLY] or [0]
    for index in lacking:
        detail = rows[index].detail
        rows[index] = rows[index]._replace(detail=f"{detail}; {words}" if detail else words)
    return rows


def _not_sent(error: SbpamError) -> Verdict:
    """A token could not be had: the POST did not start, or its 401 means that nothing began."""
    final = isinstance(error, SignInError)
    return Verdict(
        "planned",
        reason=error.reason or error.message,
        trace_id=error.trace_id,
        server_failure=not final,
        stop=error if final else None,
    )


def _gave_up(origin: str, batch: Batch) -> SbpamError:
    kind = ServerError if batch.http_status is not None else UnreachableError
    return kind(
        f"{_FAILURES_IN_A_ROW} POSTs in a row failed at {origin}; nothing more was sent",
        reason=batch.reason,
        trace_id=batch.trace_id,
        hint="when the server is well again, `sbpam resume` finishes the run",
    )


def _rejected(batch: Batch, which: str) -> RejectedError:
    return RejectedError(
        f"the server refused {which}; nothing more was sent",
        reason=batch.reason,
        trace_id=batch.trace_id,
        hint="check the credential's id and the list: what is wrong in them is mended by a new"
        " `schedule`; `sbpam resume` sends the same again, and the rest",
    )


def _doubt(batch: Batch) -> UnknownOutcomeError:
    return UnknownOutcomeError(
        "the outcome of a batch is unknown; nothing more was sent",
        reason=batch.reason,
        trace_id=batch.trace_id,
        hint="`sbpam resume` finds out",
    )
