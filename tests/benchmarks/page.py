"""From what was measured to a table and a page."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.figures import PARALLEL, Figure
from benchmarks.growth import Grown
from benchmarks.measure import Run, median
from benchmarks.stage import LATENCY_MS, Stage

_HEAD = ("what", "against", "target", "figure", "met", "spread", "ours", "theirs", "servers'")
_FIELDS = {"wall": "seconds", "cpu": "cpu_s", "peak": "peak_mib"}


@dataclass(frozen=True)
class Taken:
    """A figure as it was measured: a ratio, or MiB; lowest and highest of the rounds.

    servers: their processor time while ours ran.
    """

    figure: Figure
    value: float
    lowest: float
    highest: float
    ours: str = ""
    theirs: str = ""
    servers: str = ""

    @property
    def met(self) -> str:
        """`yes`, `no`, or nothing if there is no target."""
        if self.figure.target is None:
            return ""
        return "yes" if self.value <= self.figure.target else "no"


def evaluate(figure: Figure, taken: Mapping[str, Sequence[Run]]) -> Taken:
    """The median of ours over the median of theirs; the spread is of the rounds' own ratios."""
    field = _FIELDS[figure.kind]
    ours = next(iter(taken.values()))
    own = [getattr(run, field) for run in ours]
    if figure.kind == "peak":
        return Taken(figure, median(ours, field), min(own), max(own))
    theirs = taken[figure.against]
    ratios = [a / getattr(b, field) for a, b in zip(own, theirs, strict=True)]
    us, them = median(ours, field), median(theirs, field)
    served = median(ours, "server_s")
    times = _time(us), _time(them), _time(served) if served else ""
    return Taken(figure, us / them, min(ratios), max(ratios), *times)


@dataclass(frozen=True)
class Report:
    """All of it."""

    machine: Mapping[str, str]
    figures: Sequence[Taken]
    growth: Sequence[Grown]
    short: bool


def describe_machine(stage: Stage) -> dict[str, str]:
    """What the figures were taken on."""
    packages = stage.run(stage.python, "-m", "pip", "list", "--format", "freeze").split()
    wanted = ("typer", "httpx", "rich", "keyring", "msgspec")
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
        figure = taken.figure
        digits = 0 if figure.kind == "peak" else 2
        cells = [
            figure.what,
            f"`{figure.against}`" if figure.against else "",
            "" if figure.target is None else f"<= {figure.target:.{digits}f}",
            f"{taken.value:.{digits}f}",
            # Small sizes say nothing about the targets.
            "" if report.short else taken.met,
            f"{taken.lowest:.{digits}f} to {taken.highest:.{digits}f}",
            taken.ours,
            taken.theirs,
            taken.servers,
        ]
        lines.append(_line(cells))
    return "\n".join(lines)


def show_page(report: Report) -> str:
    """The page beside the benchmarks."""
    missed = [taken.figure for taken in report.figures if taken.met == "no"]
    reached = f"{len(missed)} of the targets are not reached." if missed else "All are reached."
    return _PAGE.format(
        figures=show_table(report),
        reached=reached,
        bounds="\n".join(f"- {t.figure.what}: {t.figure.bound}." for t in report.figures),
        growth=_show_growth(report.growth),
        machine="\n".join(f"- {name}: {value}" for name, value in report.machine.items()),
        latency=LATENCY_MS,
        parallel=PARALLEL,
    )


def _show_growth(growth: Sequence[Grown]) -> str:
    if not growth:
        return "(not measured)"
    names = list(growth[0].commands)
    lines = [_line(["hosts", *(f"`{name}`" for name in names)])]
    lines.append(_line(["---"] * (len(names) + 1)))
    for grown in growth:
        cells = [f"{_time(s)}, {mib:.0f} MiB" for s, mib in grown.commands.values()]
        lines.append(_line([f"{grown.hosts:,}", *cells]))
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

It builds the wheel and installs it into an environment of its own; httpie comes from PyPI into
another one, curl, jq, mawk and gnome-keyring from Debian. `--short` uses small sizes; `--only
WORDS` measures the figures whose name holds the words.

Every figure is a ratio of medians of commands that ran in turn on one machine: 9 rounds of short
commands after one to warm up, 3 of long ones. The spread is that of the rounds' own ratios. The
servers are processes of their own on the same machine and speak TLS. If two commands should print
the same rows, that they do is checked. `perf/` has the lists, the servers and the baseline of the
long race: the same parts without a journal or any promise.

## Figures

{figures}

{reached}

The servers share the processors: the last column is their own processor time during one run of
ours. In the long race the POSTs wait {latency} ms each, {parallel} at a time.

## What bounds each

{bounds}

## How cost grows

Wall time and peak memory; `schedule` with batches of 1,000, {parallel} in flight, {latency} ms
latency, and a new journal.

![Time and memory over the number of hosts](growth.svg)

{growth}

## Measured on

{machine}
"""
