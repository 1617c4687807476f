"""How time and memory grow with the number of hosts."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.figures import schedule_words
from benchmarks.measure import Command, Stopwatch, median
from benchmarks.stage import GROWN, Stage, fresh

_ROUNDS = 3


@dataclass(frozen=True)
class Grown:
    """For so many hosts: each command's (seconds, peak MiB)."""

    hosts: int
    commands: Mapping[str, tuple[float, float]]


def measure_growth(stage: Stage, stopwatch: Stopwatch) -> list[Grown]:
    """The main commands on lists of one host to all."""
    lists = [(size, stage.lists / f"first-{size}") for size in GROWN]
    names = stage.lists / "clean.txt"
    lists.append((len(names.read_text().splitlines()), names))
    return [_grown(stage, stopwatch, hosts, path) for hosts, path in lists if path.exists()]


def _grown(stage: Stage, stopwatch: Stopwatch, hosts: int, path: Path) -> Grown:
    state, output = stage.folder / "state-growth", stage.folder / "growth.tsv"
    offline = ["/usr/bin/env", f"SBPAM_STATE_HOME={state}", f"SBPAM_SERVER={stage.quick_origin}"]
    commands = {
        "schedule": Command(
            schedule_words(stage, path, state), stdout=output, before=partial(fresh, state)
        ),
        "schedule --dry-run --offline": Command(
            [stage.sbpam, "schedule", "--dry-run", "--offline", "--file", path], stdout=output
        ),
        "status --offline": Command([*offline, stage.sbpam, "status", "--offline"], stdout=output),
    }
    taken = stopwatch.in_turn(commands, _ROUNDS)
    return Grown(
        hosts,
        {n: (median(runs, "seconds"), median(runs, "peak_mib")) for n, runs in taken.items()},
    )
