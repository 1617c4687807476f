"""Counts the cases of the torture suite, for the README.

    python tests/torture/count.py

Writes RESULTS.json; a test compares.
"""

import json
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).with_name("RESULTS.json")


def count() -> dict[str, int]:
    """Cases of one failure: in the ordinary suite, and in all, both in whole hundreds."""
    from torture.story import every_case, ordinary_cases

    return {
        "each time": len(ordinary_cases()) // 100 * 100,
        "in all": len(every_case()) // 100 * 100,
    }


def words(counted: dict[str, int]) -> str:
    """The README's sentence."""
    return (
        f"More than {counted['in all']:,} cases (a point of a run, and how it fails),"
        f" {counted['each time']:,} of them each time"
    )


if __name__ == "__main__":
    sys.path[:0] = [str(TESTS.parent), str(TESTS)]
    RESULTS.write_text(json.dumps(count(), indent=2) + "\n", encoding="utf-8")
    print(words(json.loads(RESULTS.read_text(encoding="utf-8"))))
