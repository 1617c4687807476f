"""The process is killed as it enters a system call, or the call fails; then it is resumed."""

import os
import random
from pathlib import Path

import pytest
from processes.syscall_kills import (
    Point,
    error_points,
    find_strace,
    record_points,
    try_point,
    try_points,
)

pytestmark = pytest.mark.skipif(os.name != "posix", reason="strace is Linux's")


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
    tally = try_points(random.Random(seed).sample(points, 60), at_once=6, say=print)
    assert not tally.failures, "\n".join(tally.failures)
    assert tally.killed >= 50


@pytest.mark.slow
def test_failing_writes_and_syncs_lose_and_double_nothing(points: list[Point], seed: int) -> None:
    chosen = random.Random(seed).sample(error_points(points), 24)
    tally = try_points(chosen, at_once=6, say=print)
    assert not tally.failures, "\n".join(tally.failures)
    assert tally.codes[6] + tally.codes[5] >= 15
