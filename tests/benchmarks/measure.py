"""Runs commands in turn and takes their wall time and peak memory."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self


@dataclass(frozen=True)
class Command:
    """What is run. stdin and stdout: files; before: done first, not measured.

    terminal: stdout and stderr are a terminal.
    """

    words: Sequence[object]
    stdin: Path | None = None
    stdout: Path | None = None
    before: Callable[[], object] | None = None
    terminal: bool = False


def shell(script: str, *arguments: object, stdout: Path) -> Command:
    """A pipeline for `sh`; `$1` and so on are the arguments."""
    return Command(["/bin/sh", "-c", script, "sh", *arguments], stdout=stdout)


class Run(NamedTuple):
    """Wall and processor time in seconds, the largest process's peak in MiB.

    server_s: the servers' own processor time.
    """

    seconds: float
    peak_mib: float
    cpu_s: float
    server_s: float


class FailedError(Exception):
    """Something did not go as it must: nothing measured on it means anything."""


class Stopwatch:
    """Runs commands in one environment and folder. A context manager."""

    def __init__(
        self,
        environ: Mapping[str, str],
        folder: Path,
        servers: Sequence[int],
        said: Callable[[str], None],
    ) -> None:
        self._environ = dict(environ)
        self._folder = folder
        self._servers = servers
        self._said = said
        script = Path(__file__).with_name("runner.py")
        self._runner = subprocess.Popen(
            [sys.executable, "-I", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.kill()
        self._runner.communicate()

    def run(self, command: Command) -> Run:
        """Once. Raises FailedError."""
        if command.before is not None:
            command.before()
        errors = self._folder / "stderr"
        files = [command.stdin or os.devnull, command.stdout or os.devnull, errors]
        order = {
            "words": [str(word) for word in command.words],
            "files": [str(file) for file in files],
            "folder": str(self._folder),
            "environ": self._environ,
            "terminal": command.terminal,
        }
        assert self._runner.stdin is not None
        assert self._runner.stdout is not None
        before_s = self._server_s()
        self._runner.stdin.write(json.dumps(order) + "\n")
        self._runner.stdin.flush()
        code, seconds, peak_mib, cpu_s = json.loads(self._runner.stdout.readline())
        if code != 0:
            words = errors.read_text(errors="replace")[-2000:]
            raise FailedError(f"{command.words[0]} ended with {code}: {words}")
        return Run(seconds, peak_mib, cpu_s, self._server_s() - before_s)

    def _server_s(self) -> float:
        """Processor time of the servers since they began."""
        stats = [Path(f"/proc/{number}/stat").read_text().split() for number in self._servers]
        return sum(int(s[13]) + int(s[14]) for s in stats) / os.sysconf("SC_CLK_TCK")

    def in_turn(self, commands: Mapping[str, Command], rounds: int) -> dict[str, list[Run]]:
        """Every command once, then every command again; the first time, to warm up, for nothing."""
        taken: dict[str, list[Run]] = {name: [] for name in commands}
        warm_up = rounds > 3
        for number in range(rounds + warm_up):
            for name, command in commands.items():
                run = self.run(command)
                if number >= warm_up:
                    taken[name].append(run)
                    self._said(f"  {name}: {run.seconds:.3f} s, {run.peak_mib:.0f} MiB")
        return taken


def median(runs: Sequence[Run], field: str) -> float:
    """Of one field of the runs."""
    return statistics.median(float(getattr(run, field)) for run in runs)
