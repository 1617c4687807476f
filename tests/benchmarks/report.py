"""From what was measured to a table, a page and JSON."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.figures import LATENCY_MS, PARALLEL, Figure
from benchmarks.growth import Grown
from benchmarks.measure import Run, median_mib, median_s
from benchmarks.stage import Stage

_HEAD = ("what", "against", "target", "figure", "met", "spread", "ours", "theirs")


@dataclass(frozen=True)
class Taken:
    """A figure as it was measured: a ratio, or MiB; lowest and highest of the rounds."""

    figure: Figure
    value: float
    lowest: float
    highest: float
    ours: str
    theirs: str
    rounds: int

    @property
    def met(self) -> str:
        """`yes`, `no`, or nothing where there is no target."""
        if self.figure.target is None:
            return ""
        return "yes" if self.value <= self.figure.target else "no"


def evaluate(figure: Figure, taken: Mapping[str, Sequence[Run]]) -> Taken:
    """The median of ours over the median of theirs; the spread is of the rounds' own ratios."""
    ours = next(iter(taken.values()))
    if figure.kind == "peak":
        values = [run.peak_mib for run in ours]
        return Taken(figure, median_mib(ours), min(values), max(values), "", "", len(ours))
    if figure.kind == "floor":
        values = [run.seconds / figure.base for run in ours]
        value, theirs = median_s(ours) / figure.base, _time(figure.base)
    else:
        against = taken[figure.against]
        values = [own.seconds / other.seconds for own, other in zip(ours, against, strict=True)]
        value, theirs = median_s(ours) / median_s(against), _time(median_s(against))
    return Taken(
        figure, value, min(values), max(values), _time(median_s(ours)), theirs, len(values)
    )


@dataclass(frozen=True)
class Report:
    """All of it. wrong: what the structure should not be."""

    machine: Mapping[str, str]
    figures: Sequence[Taken]
    growth: Sequence[Grown]
    wrong: Sequence[str]
    short: bool

    def as_json(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "machine": dict(self.machine),
            "short": self.short,
            "figures": [
                {
                    "what": taken.figure.what.replace("`", ""),
                    "against": taken.figure.against,
                    "kind": taken.figure.kind,
                    "target": taken.figure.target,
                    "value": taken.value,
                    "met": {"yes": True, "no": False}.get(taken.met),
                    "lowest": taken.lowest,
                    "highest": taken.highest,
                    "ours": taken.ours,
                    "theirs": taken.theirs,
                    "rounds": taken.rounds,
                }
                for taken in self.figures
            ],
            "growth": [asdict(grown) for grown in self.growth],
            "wrong": list(self.wrong),
        }


def describe_machine(stage: Stage) -> dict[str, str]:
    """What the figures were taken on."""
    packages = stage.run(stage.python, "-m", "pip", "list", "--format", "freeze").split()
    wanted = ("typer", "httpx", "rich", "keyring", "msgspec")
    processor = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next((x.partition(": ")[2] for x in lines if x.startswith("model name")), "")
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "processor": f"{processor}, {os.cpu_count()} of them",
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "installed": ", ".join(p for p in packages if p.partition("==")[0] in wanted),
        "httpie": stage.run(stage.peers / "http", "--version").strip(),
        "curl": stage.run("curl", "--version").split()[1],
        "jq": stage.run("jq", "--version").strip(),
    }


def show_table(report: Report) -> str:
    """The figures as a Markdown table."""
    lines = [_line(_HEAD), _line(["---"] * len(_HEAD))]
    for taken in report.figures:
        figure, peak = taken.figure, taken.figure.kind == "peak"
        digits = 0 if peak else 2
        target = "" if figure.target is None else f"<= {figure.target:.{digits}f}".rstrip()
        floor = "latency floor" if figure.kind == "floor" else ""
        lines.append(
            _line(
                [
                    figure.what,
                    f"`{figure.against}`" if figure.against else floor,
                    target,
                    f"{taken.value:.{digits}f}",
                    # Small sizes say nothing about the targets.
                    "" if report.short else taken.met,
                    f"{taken.lowest:.{digits}f} to {taken.highest:.{digits}f}",
                    taken.ours,
                    taken.theirs,
                ]
            )
        )
    return "\n".join(lines)


def show_page(report: Report) -> str:
    """The page beside the benchmarks."""
    machine = "\n".join(f"- {name}: {value}" for name, value in report.machine.items())
    bounds = "\n".join(
        f"- {taken.figure.what}: {taken.figure.bound}."
        for taken in report.figures
        if taken.figure.bound not in ("the same", "the same modules")
    )
    missed = [taken.figure for taken in report.figures if taken.met == "no"]
    reached = f"{len(missed)} of the targets are not reached." if missed else "All are reached."
    return _PAGE.format(
        figures=show_table(report),
        reached=reached,
        bounds=bounds,
        growth=_show_growth(report.growth),
        machine=machine,
        latency=LATENCY_MS,
        parallel=PARALLEL,
    )


def _show_growth(growth: Sequence[Grown]) -> str:
    if not growth:
        return "(not measured)"
    names = list(growth[0].commands)
    lines = [_line(["hosts", "latency floor", *(f"`{name}`" for name in names)])]
    lines.append(_line(["---"] * (len(names) + 2)))
    for grown in growth:
        cells = [f"{_time(s)}, {mib:.0f} MiB" for s, mib in grown.commands.values()]
        lines.append(_line([f"{grown.hosts:,}", _time(grown.floor_s), *cells]))
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"


_PAGE = """# How fast it is

This page is written by the command that measures:

```sh
python tests/benchmarks/run.py --page tests/benchmarks/README.md
```

It takes about a quarter of an hour. It builds the wheel and installs it into an
environment of its own; httpie comes from PyPI into another one, curl, jq, mawk, sqlite3
and gnome-keyring from Debian. `--short` takes a minute, with small sizes; `--json FILE` keeps
everything; `--only WORDS` measures the figures whose name holds the words.

Every figure is a ratio of medians of commands that ran in turn on one machine: 9 rounds of short
commands after one to warm up, 3 of long ones. The spread is that of the rounds' own ratios. The
server is a process of its own on the same machine, speaks TLS, and answers from canned parts. A
real one is slower, and the ratios then come closer to 1. Where two commands should print the same
rows, that they do is checked.

## Figures

{figures}

{reached}

## What bounds each

{bounds}

## How cost grows

Wall time and peak memory; `schedule` with batches of 1,000, {parallel} in flight, {latency} ms
latency, and a new journal. The latency floor is what the POSTs alone would take.

{growth}

Time grows with the hosts, a few microseconds each in every step. So does memory: the names are
held once as text, the rows of accepted batches until they are printed and recorded. `status
--offline` as tsv holds a batch at a time.

## Measured on

{machine}
"""
