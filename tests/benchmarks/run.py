"""Measures sbpam against what a user would pick instead.

    python tests/benchmarks/run.py [--short] [--page FILE] [--folder DIR] [--only WORDS]

Installs the wheel and the peers into environments of their own, runs every command of the
table in turn, and prints figures, targets and spread. `--page` writes
`tests/benchmarks/README.md` and the picture beside it. It never fails because of a time.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.figures import Race, all_races, check_same
from benchmarks.growth import draw_growth, measure_growth
from benchmarks.measure import Stopwatch
from benchmarks.page import Report, Taken, describe_machine, evaluate, show_page, show_table
from benchmarks.stage import FULL, SHORT, Stage, set_up


def take(stage: Stage, race: Race, stopwatch: Stopwatch) -> list[Taken]:
    """Runs one race and evaluates its figures."""
    sizes = stage.sizes
    rounds = sizes.long_rounds if race.long else sizes.short_rounds
    taken = stopwatch.in_turn(race.commands, rounds)
    if race.same:
        check_same(race)
    return [evaluate(figure, taken) for figure in race.figures]


def measure(folder: Path, *, short: bool, only: str) -> Report:
    """Everything, in a folder of its own."""
    with set_up(folder, SHORT if short else FULL) as stage:
        _say("installed; measuring")
        figures: list[Taken] = []
        with Stopwatch(stage.environ, folder, stage.servers, _say) as stopwatch:
            for race in all_races(stage):
                if any(only in figure.what for figure in race.figures):
                    figures += take(stage, race, stopwatch)
            growth = [] if short or only else measure_growth(stage, stopwatch)
        return Report(describe_machine(stage), figures, growth, short)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--short", action="store_true", help="small sizes, few rounds")
    parser.add_argument("--page", type=Path, help="write the page")
    parser.add_argument("--folder", type=Path, help="keep everything there; must not exist")
    parser.add_argument("--only", default="", help="only figures whose name holds this")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="sbpam-bench-") as temporary:
        folder = given.folder or Path(temporary, "stage")
        folder.mkdir()
        report = measure(folder.resolve(), short=given.short, only=given.only)
    print(show_table(report))
    if given.page is not None:
        given.page.write_text(show_page(report))
        if report.growth:
            given.page.with_name("growth.svg").write_text(draw_growth(report.growth))
    return 0


if __name__ == "__main__":
    sys.exit(main())
