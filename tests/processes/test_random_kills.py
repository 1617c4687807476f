"""`kill -9` at random moments of a run of 10,000 hosts, then resume, then the oracle."""

import os
import random
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.oracle import check_exactly_once, check_journal, check_none_twice, finish
from support.process import QUICK, host_names, staged

HOSTS = 10_000


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's")
def test_fifteen_kills_of_a_large_run_lose_and_double_nothing() -> None:
    """Moments are drawn from the seed; one faultless run tells how long one is."""
    seed = int(os.environ.get("SBPAM_SEED") or random.SystemRandom().randrange(1_000_000))
    print(f"SBPAM_SEED={seed}")
    began, dice = time.monotonic(), random.Random(seed)
    assert not _try(None)
    lasts_s = time.monotonic() - began

    def attempt(after_s: float) -> str | None:
        moment = after_s
        try:
            # One that was quicker than its kill is killed earlier.
            while not _try(moment):
                moment /= 2
            return None
        except Exception as error:
            return f"killed after {moment} s: {type(error).__name__}: {error}"

    moments = [dice.uniform(0.1, lasts_s) for _ in range(15)]
    with ThreadPoolExecutor(3) as pool:
        assert [failure for failure in pool.map(attempt, moments) if failure] == []


def _try(after_s: float | None) -> bool:
    """One round: whether the process was killed."""
    names = host_names(HOSTS)
    with (
        tempfile.TemporaryDirectory(prefix="sbpam-kill-") as folder,
        staged(Path(folder) / "stage") as stage,
    ):
        listed = stage.write_list(names)
        # More and smaller batches than by default: more moments between them.
        command = ("schedule", listed, "--batch-size", "250", *QUICK)
        running = stage.start(*command)
        if after_s is not None:
            end = time.monotonic() + after_s
            while running.is_running() and time.monotonic() < end:
                time.sleep(0.005)
            running.signal(9)
        ended = last = running.end()
        check_none_twice(stage)
        if ended.code != 0:
            assert ended.code == -9, f"exit {ended.code}\n{ended.err[-800:]}"
            last = finish(stage, listed, *command[2:4])
        check_exactly_once(stage, names, last)
        check_journal(stage)
    return ended.code == -9
