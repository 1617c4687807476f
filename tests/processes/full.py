"""The whole set of kills, for minutes to an hour: `python tests/processes/full.py`."""

import argparse
import json
import random
import sys
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]


def main() -> int:
    """Runs the kills and prints the result. Returns 1 where anything failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--rounds", type=int, default=100, help="kills at random moments")
    parser.add_argument("--at-once", type=int, default=8, help="points tried at the same time")
    parser.add_argument("--points", type=int, help="only so many points, drawn by the seed")
    options = parser.parse_args()
    # The tests' folder, as pytest's `pythonpath` has it.
    sys.path.insert(0, str(TESTS))
    from processes.random_kills import HOSTS, kill_at_random
    from processes.syscall_kills import error_points, record_points, try_points

    def say(line: str) -> None:
        print(line, flush=True)

    say(f"seed {options.seed}")
    started = time.monotonic()
    points = record_points()
    errors = error_points(points)
    if options.points is not None:
        dice = random.Random(options.seed)
        points = dice.sample(points, min(options.points, len(points)))
        errors = dice.sample(errors, min(options.points, len(errors)))
    say(f"kills at {len(points)} system calls")
    kills = try_points(points, at_once=options.at_once, say=say)
    say(f"{len(errors)} writes and syncs that fail")
    failing = try_points(errors, at_once=options.at_once, say=say)
    say(f"{options.rounds} kills at random moments of {HOSTS:,} hosts")
    rounds = kill_at_random(options.rounds, options.seed, at_once=3, say=say)
    failures = kills.failures + failing.failures + rounds.failures
    result = {
        "seed": options.seed,
        "system_calls": {
            "points": kills.points,
            "kills": kills.killed,
            "not_reached": kills.unreached,
            "failures": len(kills.failures),
        },
        "failing_calls": {
            "points": failing.points,
            "exits": {str(code): count for code, count in sorted(failing.codes.items())},
            "failures": len(failing.failures),
        },
        "random_moments": {
            "hosts": HOSTS,
            "rounds": rounds.rounds,
            "kills": rounds.killed,
            "failures": len(rounds.failures),
        },
        "seconds": round(time.monotonic() - started),
    }
    say(json.dumps(result, indent=2))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
