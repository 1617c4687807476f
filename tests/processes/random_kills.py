"""`kill -9` at random moments of a large run, then resume, then the oracle."""

import random
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from support.oracle import check_exactly_once, check_journal, check_none_twice, finish, read_aside
from support.process import QUICK, host_names, staged

HOSTS = 10_000
_AGAIN = 0.3
"""The share of rounds whose first recovery is killed too."""


@dataclass
class Rounds:
    """What became of the rounds. killed: processes, one or two in each."""

    rounds: int = 0
    killed: int = 0
    failures: list[str] = field(default_factory=list)


def kill_at_random(
    rounds: int, seed: int, *, at_once: int, say: Callable[[str], object] = lambda _: None
) -> Rounds:
    """So many rounds with moments drawn from the seed. One faultless run tells how long one is."""
    found = Rounds(rounds=rounds)
    lasts_s = _try(None, None)[1] * 1.5
    dice = random.Random(seed)
    moments = [
        (dice.uniform(0.1, lasts_s), dice.uniform(0.1, lasts_s) if dice.random() < _AGAIN else None)
        for _ in range(rounds)
    ]

    def attempt(moment: tuple[float, float | None]) -> tuple[int, str | None]:
        after_s, again_after_s = moment
        try:
            # One that was quicker than its kill is killed earlier.
            while not (killed := _try(after_s, again_after_s)[0]):
                after_s /= 2
            return killed, None
        except Exception as error:
            return 0, f"killed after {moment} s: {type(error).__name__}: {error}"

    with ThreadPoolExecutor(at_once) as pool:
        for number, (killed, failure) in enumerate(pool.map(attempt, moments), 1):
            found.killed += killed
            if failure is not None:
                found.failures.append(failure)
                say(failure)
            if number % 10 == 0:
                say(f"{number} of {rounds} rounds")
    return found


def _try(after_s: float | None, again_after_s: float | None) -> tuple[int, float]:
    """One round: how many processes were killed, and how long the first one lived."""
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
            first.wait(after_s)
            first.signal(9)
        last = lived = first.end()
        killed = int(lived.code == -9)
        if killed and again_after_s is not None and read_aside(stage)[1] is not None:
            second = stage.start("resume", *QUICK)
            second.wait(again_after_s)
            second.signal(9)
            again = second.end()
            killed += again.code == -9
            assert again.code in (-9, 0), f"exit {again.code}\n{again.err[-800:]}"
        check_none_twice(stage)
        if last.code != 0:
            assert last.code == -9, f"exit {last.code}\n{last.err[-800:]}"
            last = finish(stage, listed, *command[2:4])
        check_exactly_once(stage, names, last)
        check_journal(stage)
    return killed, lived.seconds
