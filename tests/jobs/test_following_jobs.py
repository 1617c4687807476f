"""Following jobs: how often is asked, and when it is over."""

from collections import deque
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from support.clock import Inline
from support.faults import Fault
from support.site import Site

from sbpam_cli.jobs.job import FollowedJob
from sbpam_cli.models import HostRow, ScanHost, ScanJob, ScanStatus
from sbpam_cli.system.clock import Clock
from sbpam_cli.system.threads import Done

JOB_ID = "9c711ab3-8fc1-4d66-88d4-08f85117f32e"
NAMES = ["a.example", "b.example"]


def job(*statuses: ScanStatus | None, own: ScanStatus | None = None) -> ScanJob:
    hosts = [ScanHost(None, name, status) for name, status in zip(NAMES, statuses, strict=False)]
    return ScanJob(JOB_ID, own, None, hosts)


def silent(own: ScanStatus | None = None) -> ScanJob:
    return ScanJob(JOB_ID, own, None, None)


@pytest.mark.parametrize("status", list(ScanStatus)[:11])
def test_only_what_is_finished_ends_a_wait(status: ScanStatus) -> None:
    item = FollowedJob(JOB_ID, NAMES)
    item.see(job(ScanStatus.COMPLETE, status))
    finished = ("Complete", "CompletedWithErrors", "CompletedNotRun", "Failed", "Cancelled")
    assert item.is_over == (status.value in finished)


def test_what_was_not_looked_at_is_not_over() -> None:
    rows = [HostRow(name, ScanStatus.COMPLETE, JOB_ID) for name in NAMES]
    assert not FollowedJob(JOB_ID, NAMES, rows).is_over


def test_a_host_that_the_job_never_held_is_not_accepted_at_the_second_look() -> None:
    item = FollowedJob(JOB_ID, NAMES)
    item.see(job(ScanStatus.COMPLETE))
    assert [row.status for row in item.rows] == [ScanStatus.COMPLETE, ScanStatus.ACCEPTED]
    assert item.rows[1].detail == "not in the reply"
    assert not item.is_over
    item.see(job(ScanStatus.COMPLETE))
    assert [row.status for row in item.rows] == [ScanStatus.COMPLETE, ScanStatus.NOT_ACCEPTED]
    assert item.is_over


def test_a_host_that_was_in_the_job_stays_what_it_was() -> None:
    item = FollowedJob(JOB_ID, NAMES)
    item.see(job(ScanStatus.RUNNING, ScanStatus.RUNNING))
    for _ in range(2):
        item.see(job(ScanStatus.COMPLETE))
        assert [row.status for row in item.rows] == [ScanStatus.COMPLETE, ScanStatus.RUNNING]
        assert item.rows[1].detail == "the job does not name this host any more"
        assert not item.is_over
    item.see(job(ScanStatus.COMPLETE))
    assert [row.status for row in item.rows] == [ScanStatus.COMPLETE, ScanStatus.UNKNOWN]
    assert item.is_over


def test_a_host_that_is_named_again_is_followed_again() -> None:
    item = FollowedJob(JOB_ID, NAMES)
    item.see(job(ScanStatus.RUNNING, ScanStatus.RUNNING))
    item.see(job())
    item.see(job(ScanStatus.RUNNING, ScanStatus.FAILED))
    assert [row.status for row in item.rows] == [ScanStatus.RUNNING, ScanStatus.FAILED]
    assert item.rows[1].detail is None


def test_a_job_with_nameless_hosts_may_hold_what_it_lacks() -> None:
    item = FollowedJob(JOB_ID, NAMES)
    nameless = ScanHost(None, None, ScanStatus.RUNNING)
    for _ in range(3):
        assert not item.is_over
        seen = job(ScanStatus.COMPLETE)
        item.see(seen._replace(hosts=[*(seen.hosts or ()), nameless]))
        assert [row.status for row in item.rows] == [ScanStatus.COMPLETE, ScanStatus.ACCEPTED]
    # It never says more.
    assert item.is_over


def test_silence_about_the_hosts_changes_nothing() -> None:
    item = FollowedJob(JOB_ID, NAMES)
    item.see(silent())
    assert [row.status for row in item.rows] == [ScanStatus.UNKNOWN] * 2
    item.see(job(ScanStatus.RUNNING, ScanStatus.FAILED))
    before = list(item.rows)
    item.see(silent(ScanStatus.COMPLETE))
    assert item.rows == before
    assert not item.is_over


@pytest.mark.parametrize(
    ("own", "over"), [(None, False), (ScanStatus.RUNNING, False), (ScanStatus.FAILED, True)]
)
def test_a_job_whose_hosts_nobody_tells_stands_for_itself(
    own: ScanStatus | None, over: bool
) -> None:
    item = FollowedJob(JOB_ID)
    item.see(silent(own))
    assert item.is_over == over
    assert item.summary.status == (own or ScanStatus.UNKNOWN)
    assert item.summary.hosts == 0


def test_a_lost_job_is_over_and_what_had_ended_stays() -> None:
    item = FollowedJob(JOB_ID, NAMES)
    item.see(job(ScanStatus.FAILED, ScanStatus.RUNNING))
    item.miss(0.0, believed=True)
    assert item.is_over
    assert [row.status for row in item.rows] == [ScanStatus.FAILED, ScanStatus.UNKNOWN]


def polls(site: Site) -> list[float]:
    return [
        entry.at
        for entry in site.world.log
        if entry.request.method == "GET" and "HostScanJob" in entry.request.target
    ]


def test_at_most_two_polls_a_second_over_all_jobs(site: Site) -> None:
    site.world.scan_duration_s = 200
    hosts = [f"h{n}.corp.example" for n in range(30)]
    ended = site.program("schedule", *hosts, "--batch-size", "1", "--wait", "--timeout", "60s")
    assert ended.code == 124
    times = polls(site)
    assert 0 < len(times) <= 2 * 60 + 4
    per_second: dict[int, int] = {}
    for moment in times:
        per_second[int(moment)] = per_second.get(int(moment), 0) + 1
    # Those that were held up (4 at most) may arrive with the next ones.
    assert max(per_second.values()) <= 2 + 4


class Slow:
    """Workers whose tasks take five seconds each; notes how many were under way at a time."""

    def __init__(self, count: int, clock: Clock) -> None:
        self.most = self.most_waiting = 0
        self._count = count
        self._clock = clock
        self._waiting: deque[tuple[object, Callable[[], Any]]] = deque()
        self._going: deque[tuple[float, object, Callable[[], Any]]] = deque()

    def submit(self, key: object, task: Callable[[], Any]) -> None:
        self._waiting.append((key, task))
        self._start()

    def _start(self) -> None:
        while self._waiting and len(self._going) < self._count:
            self._going.append((self._clock.monotonic() + 5, *self._waiting.popleft()))
        self.most = max(self.most, len(self._going))
        self.most_waiting = max(self.most_waiting, len(self._waiting))

    def next(self, timeout_s: float) -> Done | None:
        now = self._clock.monotonic()
        if not self._going or self._going[0][0] > now + timeout_s:
            self._clock.sleep(timeout_s)
            return None
        end, key, task = self._going.popleft()
        self._clock.sleep(max(0.0, end - now))
        self._start()
        return Done(key, task(), None)


@pytest.mark.parametrize(
    "follow", [["status"], ["status", "--watch"], ["schedule", "--wait"], ["cancel", "--wait"]]
)
def test_at_most_four_polls_are_in_flight(site: Site, follow: list[str]) -> None:
    made: list[Slow] = []

    def slow(count: int, clock: Clock) -> Slow:
        made.append(Slow(count, clock))
        return made[-1]

    arguments = [f"h{n}.corp.example" for n in range(12)] + ["--batch-size", "1"]
    if follow[0] != "schedule":
        run = site.program("schedule", *arguments, "-o", "json").json()["run"]
        arguments = [run, "--yes"] if follow[0] == "cancel" else [run]
    site.program.prepare = lambda services: setattr(services, "workers", slow)
    assert site.program(*follow, *arguments).code in (0, 3)
    assert len({target for _, target in site.requests("HostScanJob/") if "Ou" not in target}) == 12
    # One look at each is all given at once; who follows keeps back what is not due.
    assert made[-1].most == 4
    assert made[-1].most_waiting == 0


def test_a_fixed_interval(site: Site) -> None:
    site.world.scan_duration_s = 300
    site.world.even = True
    site.program("schedule", "a.corp.example", "--wait", "--interval", "20s")
    times = polls(site)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps
    assert all(19 <= gap <= 40 for gap in gaps)


def test_without_an_interval_it_grows_to_half_a_minute(site: Site) -> None:
    site.world.scan_duration_s = 600
    site.world.even = True
    site.program.prepare = lambda services: setattr(
        services, "workers", lambda _, clock: Inline(clock)
    )
    site.program("schedule", "a.corp.example", "--wait")
    times = polls(site)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    # A wait is half a second at a time.
    assert 2 <= gaps[0] <= 2.5
    assert sorted(gaps) == gaps
    assert 30 <= gaps[-1] <= 30.5


def test_ten_minutes_of_silence_end_it(site: Site) -> None:
    site.world.scan_duration_s = 100_000
    site.program("schedule", "a.corp.example", "b.corp.example")
    site.faults.add(Fault(action="close", path="HostScanJob/[0-9a-f]", nth=range(2, 10_000)))
    started = site.clock.monotonic()
    ended = site.program("status", "--watch")
    assert ended.code == 6
    assert "for 10 minutes" in ended.err
    assert 600 <= site.clock.monotonic() - started <= 900
    assert [row[0] for row in ended.rows()] == ["a.corp.example", "b.corp.example"]


def test_many_jobs_are_followed_by_the_list(site: Site) -> None:
    site.world.scan_duration_s = 150
    site.world.even = True
    hosts = [f"h{n}.corp.example" for n in range(201)]
    site.program("schedule", *hosts, "--batch-size", "1")
    ended = site.program("status", "--watch")
    assert ended.code == 0
    assert {row[1] for row in ended.rows()} == {"Complete"}
    assert {path for _, path in site.requests("HostScanJob") if "OuMapping" not in path} == {
        "/api/v1/HostScanJob"
    }
    times = polls(site)
    assert all(later - earlier >= 59 for earlier, later in pairwise(times[1:]))
