"""`kill -9` at random moments of a run of 10,000 hosts."""

import os
import random

import pytest
from processes.random_kills import kill_at_random


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's")
def test_fifteen_kills_of_a_large_run_lose_and_double_nothing() -> None:
    seed = int(os.environ.get("SBPAM_SEED") or random.SystemRandom().randrange(1_000_000))
    print(f"SBPAM_SEED={seed}")
    found = kill_at_random(15, seed, at_once=3, say=print)
    assert not found.failures, "\n".join(found.failures)
    assert found.killed >= 15
