"""Asks the server what became of jobs: once, or until they end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from sbpam_cli.errors import (
    SbpamError,
    ServerError,
    SignInError,
    TimeoutPassed,
    UnreachableError,
)
from sbpam_cli.models import (
    FINISHED,
    SCHEDULED,
    HostRow,
    JobSummary,
    ScanJob,
    ScanStatus,
    Talk,
    column,
)
from sbpam_cli.nps.client import (
    LONGEST_RETRY_AFTER_S,
    NotFoundError,
    NpsClient,
    RefusedError,
    backoff_s,
)
from sbpam_cli.nps.wire import fold_hosts, sum_status
from sbpam_cli.work.matching import (
    NOT_IN_REPLY,
    Match,
    host_name,
    is_unconfirmed,
    make_rows,
    match_job,
)
from sbpam_cli.work.workers import WAIT_SLICE_S, Workers

if TYPE_CHECKING:
    from sbpam_cli.services import Services

POLLS_IN_FLIGHT = 4
_POLLS_PER_S = 2.0
_LIST_ABOVE_JOBS = 200
_LIST_EVERY_S = 60.0
_FIRST_INTERVAL_S = 2.0
_LONGEST_INTERVAL_S = 30.0
_INTERVAL_GROWTH = 1.5
_LONGEST_BACKOFF_S = 8.0
_SHORTEST_CAP_S = 2.0
SILENCE_S = 600.0
_REFUSED_S = 60.0
_REFUSED_AT_FIRST = 3
FAILURES_SAID_EVERY_S = 60.0
_LOST_S = 60.0
_LOOKS_BELIEVED = 3
_GONE = "the server does not know this job any more"
_UNNAMED = "the job does not name this host any more"
_GOING = SCHEDULED - FINISHED
HELD = "`sbpam status --all` shows what the server holds"


@dataclass(eq=False, repr=False)
class Followed:
    """A job whose hosts are looked at.

    names: the hosts that were asked for, None for whatever the job holds.
    rows: as the server last told them, before that as the journal has them.
    first: where they stand among the names of their run.
    status: what the server says of the whole job, where it says anything.
    seen: the server was asked in this command. gone: it does not know the job.
    told: it told of the hosts. failures: polls of it that failed in a row.
    lacking: looks in a row that lacked a host. unlisted: the list lacks the job.
    missing_since: since when it is not found.
    """

    job_id: str
    names: Sequence[str] | None = None
    rows: Sequence[HostRow] = field(default_factory=list)
    first: int = 0
    status: ScanStatus | None = None
    gone: bool = False
    seen: bool = False
    told: bool = False
    due_at: float = 0.0
    interval_s: float = _FIRST_INTERVAL_S
    failures: int = 0
    lacking: int = 0
    unlisted: bool = False
    missing_since: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether no host of it can change any more."""
        if self.gone or not self.seen:
            return self.gone
        if not self.rows and not self.told:
            return self.status in FINISHED
        if not _GOING.intersection(column(self.rows, 1)):
            return True
        return self.lacking >= _LOOKS_BELIEVED and all(
            row.status not in _GOING or (row.detail or "").startswith((NOT_IN_REPLY, _UNNAMED))
            for row in self.rows
        )

    def see(self, job: ScanJob) -> None:
        """Takes what the server says now; a null array of hosts says nothing."""
        self.seen, self.missing_since = True, None
        self.status = job.status or self.status
        if job.hosts is None:
            if not self.rows and self.names:
                self.rows = [HostRow(name, ScanStatus.UNKNOWN, self.job_id) for name in self.names]
            return
        self.told = True
        if self.names is None:
            self.rows = held_rows(job)
            return
        match = match_job(self.names, job, unsaid=ScanStatus.UNKNOWN)
        self.lacking = self.lacking + 1 if match.missing else 0
        before = {row.host: row for row in self.rows} if match.missing else {}
        missing = set(match.missing)
        self.rows = (
            [
                self._missing_row(row, before.get(row.host), match) if row.host in missing else row
                for row in match.rows
            ]
            if missing
            else match.rows
        )

    def _missing_row(self, row: HostRow, before: HostRow | None, match: Match) -> HostRow:
        """The row of a host that the job lacks now; any part of a reply may be absent.

        One that was never in it is NotAccepted at the second look. What was in
        it stays as it was, and is Unknown after a few looks.
        """
        if before is None or (before.status is ScanStatus.ACCEPTED and before.detail is None):
            return row
        if before.status not in SCHEDULED or is_unconfirmed(before):
            return row if match.nameless else row._replace(status=ScanStatus.NOT_ACCEPTED)
        if before.status in FINISHED:
            return before
        lost = self.lacking >= _LOOKS_BELIEVED
        return before._replace(
            status=ScanStatus.UNKNOWN if lost else before.status, detail=_UNNAMED
        )

    def miss(self, now: float) -> None:
        """The server does not find the job: for a minute that may pass."""
        self.missing_since = now if self.missing_since is None else self.missing_since
        if now - self.missing_since >= _LOST_S:
            self.lose()

    def lose(self) -> None:
        """The server does not know the job: what has not ended never will be known."""
        self.gone = self.seen = True
        self.rows = [
            row
            if row.status in FINISHED or row.status not in SCHEDULED
            else row._replace(status=ScanStatus.UNKNOWN, detail=_GONE)
            for row in self.rows
        ]

    def summary(self) -> JobSummary:
        """The job in a line."""
        return summarise(self.job_id, self.status, self.rows)


def summarise(job_id: str, status: ScanStatus | None, rows: Sequence[HostRow]) -> JobSummary:
    """A job in a line; status: what the server says of the whole, where it says anything."""
    statuses = SCHEDULED.intersection(column(rows, 1))
    return JobSummary(job_id, sum_status(status, statuses), len(rows))


def held_rows(job: ScanJob) -> Sequence[HostRow]:
    """Every host that the server holds in a job."""
    hosts = job.hosts or ()
    named = column(hosts, 1)
    names = fold_hosts(named) if None not in named else [*map(host_name, hosts)]
    return make_rows(names, job.job_id, hosts, ScanStatus.UNKNOWN)


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
