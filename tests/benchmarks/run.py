"""Measures sbpam against what a user would pick instead.

    python tests/benchmarks/run.py [--short] [--json FILE] [--page FILE] [--folder DIR]

Installs the wheel and the peers into environments of their own, runs every
command of the table in turn, and prints figures, targets and spread. `--short`:
small sizes and few rounds; it ends with 1 where the structure is wrong (modules
loaded, requests sent), and never because of a time. `--page` writes
`tests/benchmarks/README.md`.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.figures import Race, all_races
from benchmarks.growth import measure_growth
from benchmarks.measure import Stopwatch
from benchmarks.report import Report, Taken, describe_machine, evaluate, show_page, show_table
from benchmarks.stage import FULL, SHORT, Stage, set_up
from benchmarks.structure import check_structure


def take(stage: Stage, race: Race, stopwatch: Stopwatch) -> list[Taken]:
    """Runs one race and evaluates its figures."""
    stage.set_latency(race.latency_ms)
    sizes = stage.sizes
    taken = stopwatch.in_turn(race.commands, sizes.long_rounds if race.long else sizes.short_rounds)
    for check in race.same:
        check()
    return [evaluate(figure, taken) for figure in race.figures]


def measure(folder: Path, *, short: bool, only: str) -> Report:
    """Everything, in a folder of its own."""
    with set_up(folder, SHORT if short else FULL) as stage:
        _say("installed; measuring")
        wrong = check_structure(stage)
        with Stopwatch(stage.environ, folder, _say) as stopwatch:
            figures = [
                taken
                for race in all_races(stage)
                if any(only in figure.what for figure in race.figures)
                for taken in take(stage, race, stopwatch)
            ]
            growth = [] if short or only else measure_growth(stage, stopwatch)
        return Report(describe_machine(stage), figures, growth, wrong, short)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 1 where the structure is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--short", action="store_true", help="small sizes, few rounds")
    parser.add_argument("--json", type=Path, help="write everything that was measured")
    parser.add_argument("--page", type=Path, help="write the page")
    parser.add_argument("--folder", type=Path, help="keep everything there; must not exist")
    parser.add_argument("--only", default="", help="only figures whose name holds this")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="sbpam-bench-") as temporary:
        folder = given.folder or Path(temporary, "stage")
        folder.mkdir()
        report = measure(folder.resolve(), short=given.short, only=given.only)
    print(show_table(report))
    if given.json is not None:
        given.json.write_text(json.dumps(report.as_json(), indent=1) + "\n")
    if given.page is not None:
        given.page.write_text(show_page(report))
    for words in report.wrong:
        print(f"wrong: {words}", file=sys.stderr)
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
