"""`kill -9` at random moments of a run of 10,000 hosts, then resume, then the oracle."""

import os
import random
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.oracle import check_exactly_once, check_journal, check_none_twice, finish, read_aside
from support.process import QUICK, Running, host_names, staged

HOSTS = 10_000
_AGAIN = 0.3
"""The share of rounds whose first recovery is killed too."""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's")
def test_fifteen_kills_of_a_large_run_lose_and_double_nothing() -> None:
    """Moments are drawn from the seed; one faultless run tells how long one is."""
    seed = int(os.environ.get("SBPAM_SEED") or random.SystemRandom().randrange(1_000_000))
    print(f"SBPAM_SEED={seed}")
    began, dice = time.monotonic(), random.Random(seed)
    assert not _try(None, None)
    lasts_s = time.monotonic() - began
    moments = [
        (dice.uniform(0.1, lasts_s), dice.uniform(0.1, lasts_s) if dice.random() < _AGAIN else None)
        for _ in range(15)
    ]

    def attempt(moment: tuple[float, float | None]) -> str | None:
        after_s, again_after_s = moment
        try:
            # One that was quicker than its kill is killed earlier.
            while not _try(after_s, again_after_s):
                after_s /= 2
            return None
        except Exception as error:
            return f"killed after {moment} s: {type(error).__name__}: {error}"

    with ThreadPoolExecutor(3) as pool:
        assert [failure for failure in pool.map(attempt, moments) if failure] == []


def _kill(running: Running, after_s: float) -> None:
    end = time.monotonic() + after_s
    while running.is_running() and time.monotonic() < end:
        time.sleep(0.005)
    running.signal(9)


def _try(after_s: float | None, again_after_s: float | None) -> bool:
    """One round: whether the process was killed."""
    names = host_names(HOSTS)
    with (
        tempfile.TemporaryDirectory(prefix="sbpam-kill-") as folder,
        staged(Path(folder) / "stage") as stage,
    ):
        listed = stage.write_list(names)
        # More and smaller batches than by default: more moments between them.
        command = ("schedule", listed, "--batch-size", "250", *QUICK)
        first = stage.start(*command)
        if after_s is not None:
            _kill(first, after_s)
        last = first.end()
        killed = last.code == -9
        if killed and again_after_s is not None and read_aside(stage)[1] is not None:
            second = stage.start("resume", *QUICK)
            _kill(second, again_after_s)
            again = second.end()
            assert again.code in (-9, 0), f"exit {again.code}\n{again.err[-800:]}"
        check_none_twice(stage)
        if last.code != 0:
            assert last.code == -9, f"exit {last.code}\n{last.err[-800:]}"
            last = finish(stage, listed, *command[2:4])
        check_exactly_once(stage, names, last)
        check_journal(stage)
    return killed
