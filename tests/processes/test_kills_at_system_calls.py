"""Kills of the real process at each of its writes, syncs, sends and receives, by strace.

A faultless run is recorded first: each system call of interest is a point, named by what
strace can count (the call and how many of them that thread had made). Then each point gets a
world of its own: the process is killed as it enters that call, or the call fails; and resumed.
"""

import os
import random
import re
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Literal, NamedTuple

import pytest
from support.oracle import check_exactly_once, check_journal, check_none_twice, finish, read_aside
from support.process import QUICK, RealSite, Running, host_names, staged, until
from support.programs import find_strace
from support.site import Ended

pytestmark = pytest.mark.skipif(os.name != "posix", reason="strace is Linux's")

HOSTS = 200
BATCH = ("--batch-size", "10")
FIRST = 300
"""So many points of each kind."""
_CALLS = "pwrite64,write,writev,fdatasync,fsync,ftruncate,sendto,sendmsg,read,recvfrom,recvmsg"
_LINE = re.compile(r"(\d+) +(\w+)\(\d+<([^>]*)>")

Kind = Literal["write", "sync", "send", "receive"]


class Point(NamedTuple):
    """The nth `call` of a thread.

    attached: counted from the moment that the run is recorded (before, the
    interpreter's own reads would come first); else from the start.
    error: what the call fails with, once or (`+`) from then on; None: SIGKILL.
    """

    attached: bool
    parallel: int
    kind: Kind
    call: str
    nth: int
    error: str | None = None


def record_points() -> list[Point]:
    """The points of faultless runs, in order, at most `FIRST` of a kind and way of counting."""
    found: dict[Point, None] = {}
    for attached, parallel in ((False, 4), (True, 4), (True, 1)):
        kinds: Counter[Kind] = Counter()
        for point in _record(attached, parallel):
            # With one POST at a time the order of calls is the order of the run: that
            # is for the network; the journal's calls are those of the main thread anyway.
            if attached and point.kind in ("write", "sync"):
                continue
            kinds[point.kind] += 1
            if kinds[point.kind] <= FIRST:
                found[point] = None
    return list(found)


def error_points(points: Sequence[Point]) -> list[Point]:
    """The same writes and syncs as failing calls: a full disk, a broken one; once, for good."""
    errors = ("ENOSPC", "EIO", "ENOSPC+", "EIO+")
    chosen = [p for p in points if p.call in ("pwrite64", "fdatasync") and not p.attached]
    return [p._replace(error=errors[i % len(errors)]) for i, p in enumerate(chosen)]


def _record(attached: bool, parallel: int) -> list[Point]:
    with tempfile.TemporaryDirectory(prefix="sbpam-points-") as name:
        folder = Path(name)
        trace = folder / "trace"
        options = ("-f", "-y", "-s", "0", "-o", str(trace), "-e", f"trace={_CALLS}")
        with staged(folder / "stage") as stage:
            _start(stage, attached, parallel, options)[0].end().expect(0)
        return list(_points_of(trace.read_text(), attached, parallel))


def _points_of(trace: str, attached: bool, parallel: int) -> dict[Point, None]:
    counts: Counter[tuple[str, str]] = Counter()
    reached: set[tuple[str, int]] = set()
    points: dict[Point, None] = {}
    for line in trace.splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        thread, call, file = match.groups()
        counts[thread, call] += 1
        nth = counts[thread, call]
        # The first thread to come there is the one that is killed.
        if (call, nth) not in reached and (kind := _kind_of(call, file)) is not None:
            points[Point(attached, parallel, kind, call, nth)] = None
        reached.add((call, nth))
    return points


def _kind_of(call: str, file: str) -> Kind | None:
    socket = file.startswith(("socket:", "TCP"))
    if call in ("fdatasync", "fsync"):
        return "sync"
    if call in ("read", "recvfrom", "recvmsg"):
        return "receive" if socket else None
    return "send" if socket else "write"


def _start(
    stage: RealSite, attached: bool, parallel: int, options: Sequence[str]
) -> tuple[Running, Sequence[str]]:
    """Starts the run under strace; answers it and the list's arguments."""
    listed = stage.write_list(host_names(HOSTS))
    arguments = (listed, *BATCH, "--parallel", str(parallel))
    strace = ("strace", "-qq", *options)
    if not attached:
        return stage.start("schedule", *arguments, *QUICK, before=strace), arguments
    # Somebody else's transaction holds the run up before it is recorded: strace can
    # be attached when everything is imported and nothing is sent.
    assert stage.run("runs").code == 0
    with closing(sqlite3.connect(stage.journal, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        running = stage.start("schedule", *arguments, *QUICK)
        until(lambda: any("Version" in entry.request.target for entry in list(stage.world.log)))
        stage.watch(running, strace)
        holder.execute("ROLLBACK")
    return running, arguments


def try_point(point: Point, folder: Path) -> Ended:
    """One point in a fresh world: the fault, then resume, then the oracle. Raises AssertionError.

    A third of the recoveries is killed at the same call. Returns how the first command ended.
    """
    if point.error is None:
        effect = f"signal=SIGKILL:when={point.nth}"
    else:
        onward = "+" if point.error.endswith("+") else ""
        effect = f"error={point.error.rstrip('+')}:when={point.nth}{onward}"
    # Without `--seccomp-bpf`, however quick it is: signals come to nothing with it.
    only, inject = f"trace={point.call}", f"inject={point.call}:{effect}"
    fault = ("-f", "-o", "/dev/null", "-e", only, "-e", inject)
    names = host_names(HOSTS)
    with staged(folder) as stage:
        running, arguments = _start(stage, point.attached, point.parallel, fault)
        first = running.end()
        check_none_twice(stage)
        if point.error is not None:
            _check_failed_end(stage, names, first)
        elif first.code != -9:
            assert first.code == 0, f"exit {first.code}\n{first.err[-800:]}"
        elif point.nth % 3 == 0 and read_aside(stage)[1] is not None:
            again = stage.run("resume", *QUICK, before=("strace", "-qq", *fault))
            assert again.code in (-9, 0), f"exit {again.code}\n{again.err[-800:]}"
        last = first if first.code == 0 else finish(stage, arguments[0], *arguments[1:])
        check_exactly_once(stage, names, last)
        check_journal(stage)
    return first


def _check_failed_end(stage: RealSite, names: Sequence[str], ended: Ended) -> None:
    """A journal that fails: said in one error, a row for every host, and no false `0`."""
    assert ended.code in (0, 5, 6), f"exit {ended.code}\n{ended.err[-800:]}"
    assert "Traceback" not in ended.err
    rows = ended.rows()
    held = {name for held in stage.world.scheduled.values() for name in held}
    if not rows:
        # What was never recorded has no rows.
        assert (ended.code, stage.run("runs").out, held) == (6, "", set())
        return
    assert [row[0] for row in rows] == list(names), "not a row for every host"
    for host, status, job, *_ in rows:
        if status == "NotSent":
            assert host not in held, f"{host} is NotSent and in a job"
        if job:
            assert host in stage.world.scheduled[job]


def try_points(points: Sequence[Point]) -> Counter[int]:
    """Tries all of them, several at a time: most of each is waiting for the quiet time.

    How often which code was the end; 0: the run ended before it came there. How commits are
    grouped differs: that is tried three times.
    """

    def attempt(point: Point) -> int | str:
        for _ in range(3):
            with tempfile.TemporaryDirectory(prefix="sbpam-kill-") as folder:
                try:
                    ended = try_point(point, Path(folder) / "stage")
                except Exception as error:
                    return f"{point}: {type(error).__name__}: {error}"
            if ended.code != 0:
                break
        return ended.code

    with ThreadPoolExecutor(6) as pool:
        ends = [*pool.map(attempt, points)]
    assert not [end for end in ends if isinstance(end, str)]
    return Counter(end for end in ends if isinstance(end, int))


@pytest.fixture(scope="module")
def points() -> list[Point]:
    find_strace()
    return record_points()


@pytest.fixture
def seed() -> int:
    """`SBPAM_SEED` repeats a failure."""
    chosen = int(os.environ.get("SBPAM_SEED") or random.SystemRandom().randrange(1_000_000))
    print(f"SBPAM_SEED={chosen}")
    return chosen


def test_recorded_run_has_points_of_every_kind(points: list[Point]) -> None:
    """Otherwise the kills below would prove less than they say."""
    for kind, least in (("write", 100), ("sync", 20), ("send", 40), ("receive", 80)):
        assert sum(point.kind == kind for point in points) >= least, kind


def test_kill_before_an_answer_is_read_is_recovered(points: list[Point], tmp_path: Path) -> None:
    """The POST has left, and nobody knows what came of it."""
    receives = [p for p in points if p.kind == "receive" and p.attached and p.parallel == 1]
    try_point(receives[len(receives) // 2], tmp_path / "stage").expect(-9)


@pytest.mark.slow
def test_kills_at_sixty_drawn_calls_lose_and_double_nothing(points: list[Point], seed: int) -> None:
    codes = try_points(random.Random(seed).sample(points, 60))
    assert codes[-9] >= 50


@pytest.mark.slow
def test_failing_writes_and_syncs_lose_and_double_nothing(points: list[Point], seed: int) -> None:
    codes = try_points(random.Random(seed).sample(error_points(points), 24))
    assert codes[6] + codes[5] >= 15
