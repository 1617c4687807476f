"""Asks the server what became of jobs: once, or until they end."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from sbpam_cli.errors import (
    SbpamError,
    ServerError,
    SignInError,
    TimeoutPassed,
    UnreachableError,
)
from sbpam_cli.jobs.job import Followed
from sbpam_cli.models import ScanJob, Talk
from sbpam_cli.nps.client import (
    LONGEST_RETRY_AFTER_S,
    NotFoundError,
    NpsClient,
    RefusedError,
    backoff_s,
)
from sbpam_cli.system.threads import WAIT_SLICE_S, Workers

if TYPE_CHECKING:
    from sbpam_cli.system.services import Services

POLLS_IN_FLIGHT = 4
_POLLS_PER_S = 2.0
_LIST_ABOVE_JOBS = 200
_LIST_EVERY_S = 60.0
_LONGEST_INTERVAL_S = 30.0
_INTERVAL_GROWTH = 1.5
_LONGEST_BACKOFF_S = 8.0
_SHORTEST_CAP_S = 2.0
SILENCE_S = 600.0
_REFUSED_S = 60.0
_REFUSED_AT_FIRST = 3
FAILURES_SAID_EVERY_S = 60.0
HELD = "`sbpam status --all` shows what the server holds"


def fetch(client: NpsClient, workers: Workers, followed: Sequence[Followed]) -> None:
    """Looks at each job once; a list read where they are many.

    A job that the server does not know keeps the hosts that were asked for, as
    Unknown. Raises NotFoundError where it was the job itself that was asked
    for, and any SbpamError after which the server cannot be asked.
    """
    if len(followed) > _LIST_ABOVE_JOBS:
        jobs = _listed(client, followed)
        for item in followed:
            if item.job_id in jobs:
                item.see(jobs[item.job_id])
        # The list can lag. Beyond these, what the journal has is all that is shown.
        unlisted = [item for item in followed if item.job_id not in jobs]
        unlisted.sort(key=lambda item: bool(item.rows))
        followed = unlisted[:_LIST_ABOVE_JOBS]
    for item in followed:
        workers.submit(item, partial(_look, client, item.job_id))
    for _ in followed:
        while (done := workers.next(WAIT_SLICE_S)) is None:
            pass
        if done.error is not None:
            raise done.error
        assert isinstance(done.key, Followed)
        if isinstance(done.result, ScanJob):
            done.key.see(done.result)
        else:
            _check_known(done.key, done.result)
            done.key.lose()


def _listed(client: NpsClient, followed: Sequence[Followed]) -> dict[str, ScanJob]:
    """The jobs of the server's list that are followed, by id."""
    wanted = {item.job_id for item in followed}
    return client.jobs(lambda jobs: {job.job_id: job for job in jobs if job.job_id in wanted})


def _look(client: NpsClient, job_id: str, *, once: bool = False) -> ScanJob | NotFoundError:
    try:
        return client.job(job_id, once=once)
    except NotFoundError as error:
        return error


def _check_known(item: Followed, error: NotFoundError) -> None:
    """Raises the error for a job that nobody ever knew."""
    if item.names is None and not item.seen and not item.rows:
        error.hint = HELD
        raise error


class FollowLimits(NamedTuple):
    """timeout_s: how long to follow at most. interval_s: fixed; None grows from 2 to 30 s."""

    timeout_s: float | None = None
    interval_s: float | None = None


class Follower:
    """Follows jobs to their end; the single jobs, or the list where they are many.

    At most 4 requests in flight and 2 a second over all jobs, the longest
    waiting first. Failed polls are said, once a minute at most, and repeated.
    changed: called with the jobs that an answer was about, first with all;
    in between with none, some times a second.
    """

    def __init__(
        self,
        services: "Services",
        client: NpsClient,
        workers: Workers,
        talk: Talk,
        limits: FollowLimits,
        changed: Callable[[Sequence[Followed]], None],
    ) -> None:
        self._services = services
        self._clock = services.clock
        self._client = client
        self._workers = workers
        self._talk = talk
        self._limits = limits
        self._changed = changed
        self._in_flight: set[str] = set()
        self._next_poll_at = 0.0
        self._next_list_at = 0.0
        self._answered_at: float | None = None
        self._refusals = 0
        self._refused_since: float | None = None
        self._failures_unsaid = 0
        self._failures_said_at: float | None = None
        self._newest_failure: SbpamError | None = None

    def follow(self, followed: Sequence[Followed]) -> None:
        """Returns when all have ended.

        Raises TimeoutPassed, UnreachableError after 10 minutes without any
        good answer, SignInError where the session ended and cannot be renewed
        or the server refuses its tokens for a minute (three times, where it
        has taken none yet), NotFoundError where it never knew a job that was asked for by its id.
        """
        started = self._clock.monotonic()
        timeout_s = self._limits.timeout_s
        self._changed(followed)
        going = [item for item in followed if not item.is_over]
        while going:
            now = self._clock.monotonic()
            if timeout_s is not None and now - started >= timeout_s:
                raise TimeoutPassed(
                    "the time is over, the scans go on",
                    hint="`sbpam status` shows how far they are",
                )
            if now - (self._answered_at or started) >= SILENCE_S:
                raise self._silence()
            self._poll(going, now)
            changed = self._take()
            self._changed(changed)
            if changed:
                going = [item for item in going if not item.is_over]

    def _poll(self, going: list[Followed], now: float) -> None:
        if len(going) > _LIST_ABOVE_JOBS:
            if "list" not in self._in_flight and now >= max(self._next_poll_at, self._next_list_at):
                self._next_poll_at = now + 1 / _POLLS_PER_S
                self._next_list_at = now + _LIST_EVERY_S
                self._in_flight.add("list")
                self._workers.submit(list(going), partial(_listed, self._client, list(going)))
            going = [item for item in going if item.unlisted]
        going.sort(key=lambda item: item.due_at)
        for item in going:
            if (
                item.due_at > now
                or now < self._next_poll_at
                or len(self._in_flight) >= POLLS_IN_FLIGHT
            ):
                return
            if item.job_id not in self._in_flight:
                self._next_poll_at = now + 1 / _POLLS_PER_S
                self._in_flight.add(item.job_id)
                task = partial(_look, self._client, item.job_id, once=True)
                self._workers.submit(item, task)

    def _take(self) -> Sequence[Followed]:
        """The jobs that an answer told of, where one comes in half a second."""
        if not self._in_flight:
            self._clock.sleep(WAIT_SLICE_S)
            return ()
        done = self._workers.next(WAIT_SLICE_S)
        if done is None:
            return ()
        one = isinstance(done.key, Followed)
        items = [done.key] if isinstance(done.key, Followed) else done.key
        assert isinstance(items, list)
        self._in_flight.discard(items[0].job_id if one else "list")
        now = self._clock.monotonic()
        if done.error is not None:
            self._fail(done.error, items, now)
            return ()
        self._answered_at, self._refusals, self._refused_since = now, 0, None
        found = {items[0].job_id: done.result} if one else done.result
        for item in items:
            item.failures = 0
            item.due_at = now + (self._limits.interval_s or item.interval_s)
            item.interval_s = min(item.interval_s * _INTERVAL_GROWTH, _LONGEST_INTERVAL_S)
            self._take_look(item, found.get(item.job_id), now)
        return items

    def _take_look(self, item: Followed, found: ScanJob | NotFoundError | None, now: float) -> None:
        """None: it is not in the list, which can lag; so can any answer by its id."""
        if found is None:
            item.unlisted = True
        elif isinstance(found, ScanJob):
            item.unlisted = False
            item.see(found)
        else:
            _check_known(item, found)
            item.miss(now)

    def _fail(self, error: BaseException, items: list[Followed], now: float) -> None:
        """Says a failed poll and sets when it is repeated; raises what no repetition helps."""
        if not isinstance(error, SbpamError) or self._is_final(error, now):
            raise error
        longest_s = _LONGEST_BACKOFF_S
        if self._limits.interval_s is not None:
            longest_s = min(longest_s, max(_SHORTEST_CAP_S, self._limits.interval_s))
        for item in items:
            item.failures += 1
            item.due_at = now + backoff_s(self._services, item.failures, longest_s)
        if isinstance(error, ServerError) and error.retry_after_s is not None:
            wait_s = min(error.retry_after_s, LONGEST_RETRY_AFTER_S)
            self._next_poll_at = max(self._next_poll_at, now + wait_s)
        self._newest_failure = error
        self._failures_unsaid += 1
        said_at = self._failures_said_at
        if said_at is None or now - said_at >= FAILURES_SAID_EVERY_S:
            polls = "a poll failed and is repeated"
            if self._failures_unsaid > 1:
                polls = f"{self._failures_unsaid:,} polls failed and are repeated, the last one"
            self._talk.warn(f"{polls}: {_words(error)}")
            self._failures_unsaid, self._failures_said_at = 0, now

    def _is_final(self, error: SbpamError, now: float) -> bool:
        """Whether nobody is signed in any more. A server may refuse a token in passing."""
        if not isinstance(error, RefusedError):
            return isinstance(error, SignInError)
        self._refusals += 1
        self._refused_since = now if self._refused_since is None else self._refused_since
        # Each may have cost a sign-in.
        pause_s = backoff_s(self._services, self._refusals, _LONGEST_BACKOFF_S)
        self._next_poll_at = max(self._next_poll_at, now + pause_s)
        if self._answered_at is None:
            return self._refusals >= _REFUSED_AT_FIRST
        return now - self._refused_since >= _REFUSED_S

    def _silence(self) -> UnreachableError:
        return no_good_answer(
            self._client.origin,
            self._newest_failure,
            "the scans go on; `sbpam status` shows them when it is back",
        )


def no_good_answer(origin: str, newest: SbpamError | None, hint: str) -> UnreachableError:
    """The error after 10 minutes in which every look failed."""
    return UnreachableError(
        f"no good answer from {origin} for 10 minutes",
        reason=_words(newest) if newest is not None else None,
        trace_id=newest.trace_id if newest is not None else None,
        hint=hint,
    )


def _words(error: SbpamError) -> str:
    return f"{error.message}: {error.reason}" if error.reason else error.message
