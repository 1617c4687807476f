"""Sends the batches of a run, several in flight, and records what came of each.

The main thread alone decides and writes the journal; workers only wait on the
network. A batch is `sending` on disk before the first byte of its POST leaves.
"""

from bisect import insort
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice

from sbpam_cli.errors import JournalError, SbpamError
from sbpam_cli.jobs.follow import LOOKS_IN_FLIGHT, Follower, FollowLimits, RunningLimit
from sbpam_cli.jobs.job import SECOND_LOOK_AFTER_S, is_unconfirmed
from sbpam_cli.jobs.rows import batch_rows
from sbpam_cli.journal.records import Batch
from sbpam_cli.models import ScanJob, Token
from sbpam_cli.nps.signing import backoff_s
from sbpam_cli.nps.transport import NoReplyError
from sbpam_cli.output.context import as_error
from sbpam_cli.runs.answers import (
    Verdict,
    gave_up,
    judge_failure,
    judge_reply,
    left_in_doubt,
    not_sent,
    refused,
    refuses_fresh_token,
)
from sbpam_cli.runs.candidates import fits
from sbpam_cli.runs.reads import ListBefore, Pause, id_bytes
from sbpam_cli.runs.state import RunState, rows_told
from sbpam_cli.system.signals import GRACE_S
from sbpam_cli.system.threads import WAIT_SLICE_S, Done
from sbpam_cli.wording import counted

_FAILURES_IN_A_ROW = 5


class Sending:
    """One pass over the planned batches of a run."""

    def __init__(self, state: RunState) -> None:
        self._state = state
        self._limits = state.limits
        self._talk = state.ctx.console
        self._client = state.site.client
        self._clock = state.ctx.services.clock
        self._workers = state.ctx.services.workers(
            state.limits.parallel + LOOKS_IN_FLIGHT, self._clock
        )
        self._pause = Pause(state.ctx.services, self._client, self._workers)
        again, every = f"sbpam resume {state.run.run_id}", FollowLimits(interval_s=2.0)
        self._running = RunningLimit(
            Follower(state.ctx, state.site, again, every, state.watching, self._workers),
            state.limits.max_running,
        )
        planned = (batch for batch in state.batches if batch.state == "planned")
        self._planned = sorted(planned, key=lambda batch: batch.first)
        self._tries: Counter[int] = Counter()
        self._due_at: dict[int, float] = {}
        self._in_flight: dict[int, Batch] = {}
        self._look_at: dict[Batch, float] = {}
        self._looking: set[Batch] = set()
        self._before = ListBefore(state, self._workers)
        self._judged: list[Batch] = []
        self._failures = 0
        self._rejections = 0
        self._renewed: Token | None = None
        self._accepted = 0
        self._held: Verdict | None = None
        self._interrupted_at: float | None = None

    def send_all(self) -> None:
        """Sends what is planned until nothing is left to do, or something stops it."""
        # An earlier command may not have come to its second looks.
        for batch in self._state.batches:
            if lacks_second_look(batch):
                self._plan_look(batch)
        if self._planned:
            self._before.begin()
        while not self._is_over():
            judged, self._judged = self._judged, []
            due = self._choose() if self._may_send() else []
            self._start(judged, due)
            self._look_twice()
            # While these are on their way: passing rows on takes its time.
            self._pass_on(judged)
            self._state.show_sent()
            self._take_results()

    # When.

    def _is_over(self) -> bool:
        if self._judged:
            return False
        if not self._state.interruption.event.is_set():
            waiting = bool(self._is_asking() or self._look_at)
            return not waiting and (self._state.stopped is not None or not self._planned)
        # `resume` takes the second looks that are not due yet.
        waiting = self._is_asking()
        now = self._clock.monotonic()
        if self._interrupted_at is None:
            self._interrupted_at = now
            if waiting:
                posts = counted(len(self._in_flight), "POST")
                self._talk.warn(
                    f"{posts if self._in_flight else 'a second look'} under way: waiting"
                    f" up to {GRACE_S:.0f} s for an answer (again to leave at once)"
                )
        return not waiting or now - self._interrupted_at >= GRACE_S

    def _may_send(self) -> bool:
        return self._state.stopped is None and not self._state.interruption.event.is_set()

    def _choose(self) -> list[Batch]:
        """What is due, as many batches as fit; or the server is probed first."""
        if self._held is not None or self._before.holds_back:
            return []
        if self._pause.is_on:
            if not self._in_flight:
                self._pause.probe()
            return []
        if not self._running.has_room(self._state.batches):
            self._running.look(self._state.batches)
            return []
        room = self._limits.parallel - len(self._in_flight)
        if self._limits.max_running is not None:
            room = min(room, 1)
        now = self._clock.monotonic()
        waiting = (batch for batch in self._planned if self._due(batch) <= now)
        return list(islice(waiting, max(room, 0)))

    def _start(self, judged: Sequence[Batch], due: Sequence[Batch]) -> None:
        """Records what was judged, and starts what is due; one commit before both."""
        now, wall = self._clock.monotonic(), self._clock.now()
        for batch in due:
            batch.state = "sending"
            batch.sent_at, batch.deadline = wall, wall + self._limits.send_timeout_s
            batch.gave_up_at = batch.http_status = batch.reason = batch.trace_id = None
            batch.clock_offset = self._client.jobs_offset_s
            batch.list_before, batch.session = self._state.list_before, self._state.session
            batch.possible = ()
        if not self._record(judged, due):
            # Nothing of these has left; what the disk holds of them is settled later.
            for batch in due:
                batch.state = "planned"
            return
        for batch in due:
            self._planned.remove(batch)
            self._in_flight[batch.number] = batch
            self._state.ctx.outcome.has_sent = True
            self._workers.submit(batch.number, partial(self._post, batch, now))

    def _due(self, batch: Batch) -> float:
        return self._due_at.get(batch.number, 0.0)

    # In a worker.

    def _post(self, batch: Batch, started: float) -> Verdict:
        """One POST, and the renewal of a token that it found refused.

        Both end by the deadline in the journal. started: of its `sending`, monotonic.
        """
        session, accepted = self._state.site.session, self._accepted
        try:
            token = session.token(lasting=True)
        except SbpamError as error:
            return not_sent(error)
        left_s = started + self._limits.send_timeout_s - self._clock.monotonic()
        if left_s <= 0:
            return Verdict("planned", reason="no time was left to send it")
        credential_id = self._state.run.credential_id
        try:
            reply = self._client.schedule(credential_id, batch.names, token, total_s=left_s)
        except NoReplyError as error:
            return judge_failure(error)
        verdict = judge_reply(reply, len(batch.names), self._client.server_time())
        if verdict.located is not None:
            with suppress(SbpamError):
                return verdict._replace(job=self._client.job(verdict.located))
        if (job := verdict.job) is not None:
            # Here, as long as they are in this processor's cache.
            return verdict._replace(job=job._replace(hosts=None), rows=rows_told(batch, job))
        if not verdict.refused_token:
            return verdict
        # With nothing accepted since its renewal, another one would fare no better.
        if self._renewed is not None and token.value == self._renewed.value:
            return verdict._replace(accepted_before=accepted)
        try:
            self._renewed = session.renew(token)
        except SbpamError as error:
            if error.reason is None:
                error.reason, error.trace_id = verdict.reason, verdict.trace_id
            return not_sent(error)
        return verdict

    # What came of it.

    def _take_results(self) -> None:
        """Waits for an answer, half a second at most, and judges all that have come."""
        done = self._wait()
        while done is not None:
            if isinstance(done.key, int):
                batch = self._in_flight.pop(done.key)
                if done.error is not None:
                    stop = as_error(done.error, self._state.ctx.services)
                    done = done._replace(result=Verdict("unknown", reason=stop.message, stop=stop))
                self._apply(batch, done.result)
                self._judged.append(batch)
            elif done.error is not None and not isinstance(done.error, SbpamError):
                raise done.error
            elif isinstance(done.key, Batch):
                self._take_look(done.key, done)
            elif isinstance(done.key, ListBefore | Pause):
                self._stop(done.key.take(done))
            else:
                self._stop(self._running.take(done))
            done = self._workers.next(0.0) if self._is_waiting() else None
        if self._held is not None and not self._in_flight:
            held, self._held = self._held, None
            if self._accepted == held.accepted_before:
                self._stop(refuses_fresh_token(held))

    def _stop(self, error: SbpamError | None) -> None:
        """The first one says why, or the journal's: each later call of that fails too."""
        before = self._state.stopped
        if isinstance(error, JournalError) and not isinstance(before, JournalError):
            self._state.stopped = error
        self._state.stopped = self._state.stopped or error

    def _is_asking(self) -> bool:
        return bool(self._in_flight or self._looking)

    def _is_waiting(self) -> bool:
        waiting = self._is_asking() or self._before.holds_back
        return waiting or self._pause.is_probing or self._running.is_looking

    def _wait(self) -> Done | None:
        if self._is_waiting():
            return self._workers.next(WAIT_SLICE_S)
        now = self._clock.monotonic()
        due = list(self._look_at.values())
        if self._planned and self._may_send():
            due_at = min(self._due(batch) for batch in self._planned)
            due.append(max(due_at, self._pause.due_at, self._running.due_at))
        left_s = min(due, default=now) - now
        if left_s > 0:
            self._clock.wait(self._state.interruption.event, min(WAIT_SLICE_S, left_s))
        return None

    def _pass_on(self, judged: Sequence[Batch]) -> None:
        """Passes on what is final; the rest is split, sent again or looked at again."""
        for batch in judged:
            if batch.state == "split":
                self._split(batch)
            elif batch.state == "planned":
                self._plan(batch)
            elif lacks_second_look(batch):
                self._plan_look(batch)
            elif not batch.is_in_doubt:
                self._state.settled(batch)

    def _plan(self, batch: Batch) -> None:
        insort(self._planned, batch, key=lambda batch: batch.first)

    def _apply(self, batch: Batch, verdict: Verdict) -> None:
        if verdict.located is not None and self._is_its(batch, verdict.job):
            verdict = verdict._replace(state="accepted", reason=None, server_failure=False)
        batch.state = verdict.state
        batch.http_status, batch.reason = verdict.http_status, verdict.reason
        batch.trace_id = verdict.trace_id
        batch.clock_offset = self._client.jobs_offset_s
        if verdict.state == "accepted" and verdict.job is not None:
            self._state.take_job(batch, verdict.job, verdict.rows)
            self._tries[batch.number] = 0
            self._renewed = None
            self._accepted += 1
        elif verdict.state == "unknown":
            batch.gave_up_at = self._clock.now()
            self._state.given_up[batch.number] = self._clock.monotonic()
        elif verdict.state == "planned" and not verdict.refused_token:
            self._tries[batch.number] += 1
            wait_s = backoff_s(self._state.ctx.services, self._tries[batch.number])
            wait_s = max(wait_s, verdict.wait_s or 0.0)
            self._due_at[batch.number] = self._clock.monotonic() + wait_s
        self._count(batch, verdict)

    def _is_its(self, batch: Batch, job: ScanJob | None) -> bool:
        """Whether the job that a `Location` names can be the batch's: one that is new and fits."""
        if job is None or not fits(job, batch, self._state.run.credential_id):
            return False
        before, _ = self._state.journal.listed(batch.list_before)
        return id_bytes(job.job_id) not in before

    def _count(self, batch: Batch, verdict: Verdict) -> None:
        """Decides whether the run goes on after this."""
        self._failures = self._failures + 1 if verdict.server_failure else 0
        if verdict.server_failure:
            self._pause.begin(verdict.wait_s or 0.0)
        if verdict.state == "rejected":
            self._rejections += 1
        if verdict.accepted_before is not None:
            # What is in flight may still be accepted, and then this was another token's end.
            self._held = self._held or verdict
        stop, fail_fast = verdict.stop, self._limits.fail_fast
        if stop is not None:
            pass
        elif self._failures >= _FAILURES_IN_A_ROW:
            stop = gave_up(self._client.origin, batch, self._failures)
        elif self._rejections >= _FAILURES_IN_A_ROW and not self._state.has("accepted"):
            stop = refused(batch, f"the first {self._rejections} batches; nothing more was sent")
        elif fail_fast and verdict.state == "rejected":
            stop = refused(batch, "a batch; nothing more was sent")
        elif fail_fast and verdict.state == "unknown":
            stop = left_in_doubt(batch)
        self._stop(stop)

    def _record(self, judged: Iterable[Batch], sending: Sequence[Batch] = ()) -> bool:
        """One commit; returns whether the disk holds it."""
        # A split is recorded with its halves.
        batches = [batch for batch in judged if batch.state != "split"]
        try:
            self._state.record(*batches, *sending)
            return True
        except JournalError as error:
            self._stop(error)
        for batch in batches:
            if batch.job_id is not None:
                self._talk.warn(
                    f"not recorded: job {batch.job_id} holds {counted(len(batch.names), 'host')},"
                    f" {batch.names[0]} to {batch.names[-1]}"
                )
        return not batches and not sending

    def _split(self, batch: Batch) -> None:
        """Too large for the server: two halves take its place."""
        state, middle = self._state, len(batch.names) // 2
        number = max(other.number for other in state.batches) + 1
        halves = [
            Batch(number, batch.first, batch.names[:middle], parent=batch.number),
            Batch(number + 1, batch.first + middle, batch.names[middle:], parent=batch.number),
        ]
        try:
            state.journal.split(batch, halves)
        except JournalError as error:
            batch.state = "planned"
            self._stop(error)
            return
        state.batches.remove(batch)
        state.batches.extend(halves)
        for half in halves:
            self._plan(half)

    # A second look at what the reply left out.

    def _plan_look(self, batch: Batch) -> None:
        age_s = max(self._clock.now() - (batch.accepted_at or 0.0), 0.0)
        left_s = max(SECOND_LOOK_AFTER_S - age_s, 0.0)
        self._look_at[batch] = self._clock.monotonic() + left_s

    def _look_twice(self) -> None:
        now = self._clock.monotonic()
        for batch in [batch for batch, due_at in self._look_at.items() if due_at <= now]:
            del self._look_at[batch]
            self._looking.add(batch)
            self._workers.submit(batch, partial(self._client.job, batch.job_id or ""))

    def _take_look(self, batch: Batch, done: Done) -> None:
        """The job read once more: only now a host is reported as not in it."""
        self._looking.remove(batch)
        if done.error is None:
            self._record(self._state.look_again(batch, done.result))
        self._state.settled(batch)


def lacks_second_look(batch: Batch) -> bool:
    """Whether a host is not in the reply, and the job was not read once more."""
    if batch.state != "accepted":
        return False
    rows = batch_rows(batch)
    return any(rows.columns["detail"]) and any(map(is_unconfirmed, rows))
