"""How time and memory grow with the number of hosts, measured and drawn."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.figures import schedule_words, with_journal
from benchmarks.measure import Command, Stopwatch, median
from benchmarks.stage import GROWN, Stage, fresh

_ROUNDS = 3
_WIDTH, _HEIGHT, _LEFT, _TOP = 400.0, 220.0, 60.0, 34.0
_COLOURS = ("#0b6e99", "#d9730d", "#0f7b6c")


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
    commands = {
        "schedule": Command(
            schedule_words(stage, path, state), stdout=output, before=partial(fresh, state)
        ),
        "schedule --dry-run --offline": Command(
            [stage.sbpam, "schedule", "--dry-run", "--offline", "--file", path], stdout=output
        ),
        "status --offline": Command(
            with_journal(stage, state, "status", "--offline"), stdout=output
        ),
    }
    taken = stopwatch.in_turn(commands, _ROUNDS)
    return Grown(
        hosts,
        {n: (median(runs, "seconds"), median(runs, "peak_mib")) for n, runs in taken.items()},
    )


def draw_growth(growth: Sequence[Grown]) -> str:
    """Two charts side by side, all axes logarithmic: seconds and MiB over hosts."""
    charts = [
        _chart(growth, "seconds", 0, 0.0),
        _chart(growth, "peak memory, MiB", 1, _WIDTH + _LEFT + 20),
    ]
    width, height = 2 * (_WIDTH + _LEFT) + 40, _HEIGHT + _TOP + 90
    legend = "".join(
        f'<rect x="{_LEFT + 250 * n}" y="{height - 22}" width="14" height="4" fill="{colour}"/>'
        f'<text x="{_LEFT + 20 + 250 * n}" y="{height - 16}">{name}</text>'
        for n, (name, colour) in enumerate(zip(growth[0].commands, _COLOURS, strict=False))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}"'
        ' font-family="sans-serif" font-size="12" fill="#333">'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(charts)}{legend}</svg>\n'
    )


def _chart(growth: Sequence[Grown], title: str, which: int, offset: float) -> str:
    """which: of the two that were measured."""
    values = [pair[which] for grown in growth for pair in grown.commands.values()]
    low, high = (math.floor(math.log10(min(values))), math.ceil(math.log10(max(values))))
    last = math.log10(growth[-1].hosts) or 1.0

    def place(hosts: int, value: float) -> tuple[float, float]:
        x = offset + _LEFT + _WIDTH * math.log10(hosts) / last
        y = _TOP + _HEIGHT * (1 - (math.log10(value) - low) / max(high - low, 1))
        return x, y

    parts = [f'<text x="{offset + _LEFT}" y="20" font-weight="bold">{title}</text>']
    for power in range(low, high + 1):
        x, y = place(1, 10.0**power)
        parts.append(f'<path d="M{x:.0f} {y:.0f}h{_WIDTH:.0f}" stroke="#ddd"/>')
        parts.append(
            f'<text x="{x - 8:.0f}" y="{y + 4:.0f}" text-anchor="end">{10.0**power:g}</text>'
        )
    for grown in growth:
        x, _ = place(grown.hosts, 10.0**low)
        label = f"{grown.hosts:,}"
        parts.append(
            f'<text x="{x:.0f}" y="{_TOP + _HEIGHT + 18:.0f}" text-anchor="middle">{label}</text>'
        )
    for name, colour in zip(growth[0].commands, _COLOURS, strict=False):
        places = [place(g.hosts, g.commands[name][which]) for g in growth]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
    return "".join(parts)
