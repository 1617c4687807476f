"""Asks the server what became of jobs, once or until they end, and shows it meanwhile."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from sbpam_cli.errors import SbpamError, ServerError, SignInError, TimeoutPassed, UnreachableError
from sbpam_cli.jobs.job import FollowedJob, followed_jobs
from sbpam_cli.jobs.watching import Watching
from sbpam_cli.journal.records import Batch
from sbpam_cli.models import GOING, ScanJob, ScanStatus
from sbpam_cli.nps.client import LONGEST_RETRY_AFTER_S, NpsClient
from sbpam_cli.nps.failures import NotFoundError, RefusedError
from sbpam_cli.nps.signing import backoff_s
from sbpam_cli.output.context import Context
from sbpam_cli.signin.session import Site
from sbpam_cli.system.threads import WAIT_SLICE_S, Done, Workers
from sbpam_cli.wording import counted

LOOKS_IN_FLIGHT = 4
_BETWEEN_LOOKS_S = 0.5
_LIST_ABOVE_JOBS = 200
_LIST_EVERY_S = 60.0
_LONGEST_INTERVAL_S = 30.0
_INTERVAL_GROWTH = 1.5
_LONGEST_BACKOFF_S = 8.0
_SHORTEST_CAP_S = 2.0
_TEN_MINUTES_S = 600.0
_REFUSED_S = 60.0
_REFUSED_AT_FIRST = 3
_WARNED_EVERY_S = 60.0
HELD = "`sbpam status --all` shows what the server holds"


class FollowLimits(NamedTuple):
    """timeout_s: how long to follow at most. interval_s: fixed; None grows from 2 to 30 s."""

    timeout_s: float | None = None
    interval_s: float | None = None


class Follower:
    """Looks at jobs, once or to their end: at each by its id, at many by the list.

    The jobs that are looked at are the key of a task.

    goes_on: the command that goes on if this one is cut short.
    """

    def __init__(
        self,
        ctx: Context,
        site: Site,
        goes_on: str,
        limits: FollowLimits,
        watching: Watching,
        workers: Workers | None = None,
    ) -> None:
        self._ctx = ctx
        self._clock = ctx.services.clock
        self._client, self._session = site.client, site.session
        self._goes_on = goes_on
        self._limits = limits
        self._watching = watching
        self._workers = workers or ctx.services.workers(LOOKS_IN_FLIGHT, self._clock)
        self._once = False
        self.in_flight: set[tuple[FollowedJob, ...]] = set()
        self._next_look_at = self._next_list_at = 0.0
        self._was_answered = False
        self._may_ask = self._has_asked = False
        self._refused_at: list[float] = []
        self._failing_since: float | None = None
        self._warned_at: float | None = None
        self._still_since: float | None = None
        self._counts: Counter[ScanStatus] = Counter()

    def look_once(self, jobs: Sequence[FollowedJob]) -> None:
        """Looks at each job that was not seen yet, as fast as the server answers.

        A job that the server does not know keeps the hosts that were asked for,
        as Unknown. Raises NotFoundError if it was the job itself that was asked
        for, and any SbpamError after which the server cannot be asked.
        """
        self._once = True
        while going := [job for job in jobs if not job.seen]:
            if len(jobs) > 1:
                done = len(jobs) - len(going)
                self._watching.live.update(f"read {done:,} of {counted(len(jobs), 'job')}")
            self.start(going)
            self._wait()

    def follow(self, jobs: Sequence[FollowedJob]) -> None:
        """Returns when all have ended.

        Has a person sign in again if the session ended and cannot be renewed. Raises
        TimeoutPassed, UnreachableError after 10 minutes without any good answer, SignInError
        if nobody is there or the server refuses its tokens for a minute (three times, if it has
        taken none yet), NotFoundError if it never knew a job that was asked for by its id.
        """
        started = self._clock.monotonic()
        timeout_s = self._limits.timeout_s
        self._may_ask = self._ctx.can_ask
        self._watching.show(jobs)
        going = [job for job in jobs if not job.is_over]
        while going:
            if timeout_s is not None and self._clock.monotonic() - started >= timeout_s:
                raise TimeoutPassed(
                    "timed out; the scans continue on the server",
                    hint=f"`{self._goes_on}` goes on waiting",
                )
            self.start(going)
            changed = self._wait()
            self._watching.show(changed)
            if changed:
                going = [job for job in going if not job.is_over]
                self._warn_of_stillness(jobs)

    def start(self, going: Sequence[FollowedJob]) -> float:
        """Starts what is due: 4 looks in flight and 2 a second at most, the longest waiting first.

        Returns when the next may be due, by the monotonic clock.
        """
        now = self._clock.monotonic()
        if len(going) > _LIST_ABOVE_JOBS:
            listing = any(len(jobs) > 1 for jobs in self.in_flight)
            if now >= max(self._next_look_at, self._next_list_at) and not listing:
                self._next_list_at = now + _LIST_EVERY_S
                self._look(going, partial(_read_list, self._client, going))
            going = [job for job in going if job.unlisted]
        for job in sorted(going, key=lambda job: job.due_at):
            due_at = max(job.due_at, self._next_look_at)
            if due_at > now or len(self.in_flight) >= LOOKS_IN_FLIGHT:
                return due_at
            if (job,) not in self.in_flight:
                # Followed jobs are asked about again anyway.
                once = not self._once
                self._look([job], partial(self._client.job, job.job_id, once=once))
        return now + WAIT_SLICE_S

    def _look(self, jobs: Sequence[FollowedJob], read: Callable[[], object]) -> None:
        if not self._once:
            self._next_look_at = self._clock.monotonic() + _BETWEEN_LOOKS_S
        self.in_flight.add(key := tuple(jobs))
        self._workers.submit(key, read)

    def _wait(self) -> Sequence[FollowedJob]:
        """The jobs that an answer told of, if one comes in half a second."""
        if not self.in_flight:
            self._clock.sleep(WAIT_SLICE_S)
            return ()
        done = self._workers.next(WAIT_SLICE_S)
        return self.take(done) if done is not None else ()

    def take(self, done: Done) -> Sequence[FollowedJob]:
        """The jobs that an answer told of. Raises what no repetition helps."""
        jobs, error, now = done.key, done.error, self._clock.monotonic()
        assert isinstance(jobs, tuple)
        self.in_flight.discard(jobs)
        if error is not None and (len(jobs) > 1 or not isinstance(error, NotFoundError)):
            self._fail(error, jobs, now)
            return ()
        self._was_answered, self._failing_since, self._refused_at = True, None, []
        self._has_asked = False
        for job in jobs:
            found = done.result.get(job.job_id) if len(jobs) > 1 else done.result
            # The list can lag, and so can any answer by an id.
            job.unlisted = error is None and found is None
            job.failures = 0
            job.due_at = now + (self._limits.interval_s or job.interval_s) * (not job.unlisted)
            job.interval_s = min(job.interval_s * _INTERVAL_GROWTH, _LONGEST_INTERVAL_S)
            if found is not None:
                job.see(found, self._clock.now())
            elif error is not None and job.names is None and not job.seen and not job.rows:
                # Nobody ever knew it.
                error.hint = HELD
                raise error
            elif error is not None:
                job.miss(now, believed=self._once)
        return jobs

    def _fail(self, error: BaseException, jobs: Sequence[FollowedJob], now: float) -> None:
        """Sets when a failed look is repeated; raises what no repetition helps."""
        if self._once or not isinstance(error, SbpamError):
            raise error
        if self._is_refused_for_good(error, now):
            self._ask_again(error)
            return
        words = f"{error.message}: {error.reason}" if error.reason else error.message
        self._failing_since = now if self._failing_since is None else self._failing_since
        if now - self._failing_since >= _TEN_MINUTES_S:
            raise UnreachableError(
                f"no good answer from {self._client.origin} for 10 minutes",
                reason=words,
                trace_id=error.trace_id,
                hint=f"when it is back, `{self._goes_on}` goes on; the scans continue meanwhile",
            )
        wanted_s = self._limits.interval_s or _LONGEST_BACKOFF_S
        longest_s = min(_LONGEST_BACKOFF_S, max(_SHORTEST_CAP_S, wanted_s))
        for job in jobs:
            job.failures += 1
            job.due_at = now + backoff_s(self._ctx.services, job.failures, longest_s)
        if isinstance(error, ServerError) and error.retry_after_s is not None:
            wait_s = min(error.retry_after_s, LONGEST_RETRY_AFTER_S)
            self._next_look_at = max(self._next_look_at, now + wait_s)
        if self._warned_at is None or now - self._warned_at >= _WARNED_EVERY_S:
            self._warned_at = now
            self._ctx.console.warn(f"a look failed and is repeated: {words}")

    def _ask_again(self, error: SbpamError) -> None:
        """Has a person sign in, once between two good answers. Raises the error if nobody can."""
        # Those under way have the old token too.
        while self.in_flight and self._may_ask:
            if (done := self._workers.next(WAIT_SLICE_S)) is not None:
                self.in_flight.remove(done.key)  # type: ignore[arg-type]
        try:
            if self._has_asked or not self._may_ask:
                raise error
            self._watching.live.clear()
            self._session.ask_again()
        except SignInError as end:
            remedy = (end if isinstance(end, RefusedError) else error).hint
            remedy = remedy or "sign in with `sbpam login`"
            end.hint = f"{remedy}; then `{self._goes_on}` goes on"
            raise
        self._has_asked, self._refused_at, self._next_list_at = True, [], 0.0

    def _is_refused_for_good(self, error: SbpamError, now: float) -> bool:
        """Whether nobody is signed in any more. A server may refuse a token in passing."""
        if not isinstance(error, RefusedError):
            return isinstance(error, SignInError)
        self._refused_at.append(now)
        # Each may have cost a sign-in.
        pause_s = backoff_s(self._ctx.services, len(self._refused_at), _LONGEST_BACKOFF_S)
        self._next_look_at = max(self._next_look_at, now + pause_s)
        if not self._was_answered:
            return len(self._refused_at) >= _REFUSED_AT_FIRST
        return now - self._refused_at[0] >= _REFUSED_S

    def _warn_of_stillness(self, jobs: Sequence[FollowedJob]) -> None:
        counts = sum((job.counts for job in jobs), Counter())
        now = self._clock.monotonic()
        if counts != self._counts or counts[ScanStatus.RUNNING]:
            self._counts, self._still_since = counts, now
        elif self._still_since is not None and now - self._still_since >= _TEN_MINUTES_S:
            self._still_since = None
            self._ctx.console.warn(
                "nothing has started for 10 minutes: is a host scan service running? Start it in"
                " the NPS console (Service Nodes); sbpam goes on waiting"
            )


def _read_list(client: NpsClient, jobs: Sequence[FollowedJob]) -> dict[str, ScanJob]:
    wanted = {job.job_id for job in jobs}
    return client.jobs(lambda listed: {job.job_id: job for job in listed if job.job_id in wanted})


class RunningLimit:
    """`--max-running`: a batch starts only while fewer hosts than that are unfinished.

    follower: with the sending's own workers.
    """

    def __init__(self, follower: Follower, limit: int | None) -> None:
        self._follower = follower
        self._limit = limit
        self._jobs: dict[int, FollowedJob] = {}
        self.due_at = 0.0

    @property
    def is_looking(self) -> bool:
        return bool(self._follower.in_flight)

    def has_room(self, batches: Sequence[Batch]) -> bool:
        return self._limit is None or sum(map(self._unfinished, batches)) < self._limit

    def _unfinished(self, batch: Batch) -> int:
        """How many hosts of a batch are in a job, or about to be, and have not ended."""
        if batch.state == "sending":
            return len(batch.names)
        if batch.number not in self._jobs:
            self._jobs.update((batch.number, job) for job in followed_jobs([batch]))
        job = self._jobs.get(batch.number)
        return sum(job.counts[s] for s in GOING) if job is not None and not job.is_over else 0

    def look(self, batches: Sequence[Batch]) -> None:
        """Looks at the jobs that hold up the next batch, if that is due."""
        # One whose POST is under way has no job yet.
        holding = [batch for batch in batches if batch.state != "sending"]
        self.due_at = self._follower.start(
            [self._jobs[batch.number] for batch in holding if self._unfinished(batch)]
        )

    def take(self, done: Done) -> SbpamError | None:
        """Takes what a look showed; returns the error to stop with."""
        try:
            for job in self._follower.take(done):
                if job.batch is not None:
                    job.batch.rows = job.rows
        except SbpamError as error:
            return error
        return None
