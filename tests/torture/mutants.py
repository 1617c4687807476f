"""Breaks the protocol on purpose: each mutant must turn the torture suite red.

    python tests/torture/mutants.py [NAME...]

Every mutant is a copy of the package in a temporary folder with a few lines
changed; each change must apply exactly once. Exit 0: every mutant was found,
and the program as it is was not.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Mutant:
    """changes: (file in the package, text, what takes its place)."""

    name: str
    changes: tuple[tuple[str, str, str], ...]


MUTANTS = (
    Mutant(
        "synchronous off",
        (
            ("storage/journal_file.py", "PRAGMA synchronous = FULL", "PRAGMA synchronous = OFF"),
            ("storage/journal_file.py", "if level != 2:", "if level != 0:"),
        ),
    ),
    Mutant(
        "mark after sending",
        (
            (
                "work/sending.py",
                """            self.workers.submit(batch.number, partial(self._post, batch, now))
""",
                "",
            ),
            (
                "work/sending.py",
                """        if not self._record([""",
                """        for batch in due:
            self.workers.submit(batch.number, partial(self._post, batch, now))
        if not self._record([""",
            ),
        ),
    ),
    Mutant(
        "repeat on a read error",
        (("work/verdicts.py", '"unknown" if failure.sent else "planned"', '"planned"'),),
    ),
    Mutant(
        "no quiet time",
        (
            (
                "work/settling.py",
                "too_early = reading.began < self._quiet_at([batch])",
                "too_early = False",
            ),
        ),
    ),
    Mutant(
        "a split in two transactions",
        (
            (
                "storage/journal.py",
                """                (parent.http_status, parent.reason, run_id, parent.number),
            )
            self._insert(""",
                """                (parent.http_status, parent.reason, run_id, parent.number),
            )
        with self._transaction() as execute:
            self._insert(""",
            ),
        ),
    ),
    Mutant(
        "no positive control",
        (
            (
                "work/settling.py",
                """        known = self._control_jobs()
        if known:
            return bool(known & reading.claimed)
""",
                """        return True
""",
            ),
        ),
    ),
)


def make(mutant: Mutant | None, folder: Path) -> None:
    """The package and its tests in `folder`, mutated. Raises ValueError where a change misses."""
    for name in ("sbpam_cli", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    for file, old, new in mutant.changes if mutant is not None else ():
        path = folder / "sbpam_cli" / file
        text = path.read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise ValueError(f"{mutant and mutant.name}: found {text.count(old)} times in {file}")
        path.write_text(text.replace(old, new), encoding="utf-8")


def find(mutant: Mutant | None) -> str | None:
    """The first violation that the suite reports; None where it stays green."""
    with tempfile.TemporaryDirectory(prefix="sbpam-mutant-") as name:
        folder = Path(name)
        make(mutant, folder)
        # The working folder comes first on the module path: the copy is what is tested.
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
        command += ["-k", "one_failure", "tests/torture/test_torture_points.py"]
        ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if ended.returncode == 0:
        return None
    for line in ended.stdout.splitlines():
        if line.startswith("E ") and ("AssertionError" in line or "Violation" in line):
            return line.removeprefix("E").strip()
    raise RuntimeError(f"pytest ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")


def run(names: Sequence[str]) -> int:
    unknown = set(names) - {mutant.name for mutant in MUTANTS}
    if unknown:
        print(f"no such mutant: {', '.join(sorted(unknown))}")
        return 2
    wrong = 0
    chosen: list[Mutant | None] = [m for m in MUTANTS if not names or m.name in names]
    for mutant in [None, *chosen]:
        violation = find(mutant)
        if mutant is None:
            wrong += violation is not None
            print(f"as it is: {violation or 'green'}", flush=True)
        else:
            wrong += violation is None
            print(f"{mutant.name}: {'red' if violation else 'NOT FOUND'}  {violation}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
