"""How time and memory grow with the number of hosts."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from benchmarks.figures import LATENCY_MS, PARALLEL, schedule_words
from benchmarks.measure import Command, Stopwatch, median_mib, median_s
from benchmarks.stage import Stage, fresh

HOSTS = (1, 1_000, 10_000, 100_000, 1_000_000)
_ROUNDS = 3


@dataclass(frozen=True)
class Grown:
    """For so many hosts: the latency floor, and each command's (seconds, peak MiB)."""

    hosts: int
    floor_s: float
    commands: Mapping[str, tuple[float, float]]


def measure_growth(stage: Stage, stopwatch: Stopwatch) -> list[Grown]:
    """The main commands on lists of one to a million hosts."""
    stage.set_latency(LATENCY_MS)
    return [_grown(stage, stopwatch, hosts) for hosts in HOSTS]


def _grown(stage: Stage, stopwatch: Stopwatch, hosts: int) -> Grown:
    listed, state = stage.lists / f"all-{hosts}", stage.folder / "state-growth"
    output = stage.folder / "growth.tsv"
    own_state = ["/usr/bin/env", f"SBPAM_STATE_HOME={state}", stage.sbpam]
    commands = {
        "schedule": Command(
            schedule_words(stage, listed, state),
            stdout=output,
            before=partial(fresh, state),
        ),
        "schedule --dry-run --offline": Command(
            [stage.sbpam, "schedule", "--dry-run", "--offline", "--file", listed], stdout=output
        ),
        "status --offline": Command([*own_state, "status", "--offline"], stdout=output),
    }
    taken = stopwatch.in_turn(commands, _ROUNDS)
    batches = -(-hosts // stage.sizes.batch)
    rounds = -(-batches // PARALLEL) if batches < PARALLEL else batches / PARALLEL
    return Grown(
        hosts,
        rounds * LATENCY_MS / 1000,
        {name: (median_s(runs), median_mib(runs)) for name, runs in taken.items()},
    )
