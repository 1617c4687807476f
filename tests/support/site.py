"""What tests stage: a clock that they move, the program in a private world, a served sandbox."""

import io
import json
import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.clock import MovedClock
from support.faults import Faults

from sbpam_cli.main import main
from sbpam_cli.sandbox.people import EXAMPLE_CREDENTIAL_ID
from sbpam_cli.sandbox.serve import SandboxServer
from sbpam_cli.sandbox.world import World
from sbpam_cli.system.clock import Clock
from sbpam_cli.system.services import Services
from sbpam_cli.system.terminal import Prompt

CREDENTIAL = EXAMPLE_CREDENTIAL_ID
_KEPT = ("PATH", "SYSTEMROOT", "HOME", "TMPDIR", "LANG")


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class _TerminalInput(io.BytesIO):
    def isatty(self) -> bool:
        return True


@dataclass
class Answers:
    """A person: gives the answers in order; what was asked is in `asked`."""

    answers: list[str]
    asked: list[str] = field(default_factory=list)

    def secret(self, text: str) -> str:
        return self.line(text)

    def line(self, text: str) -> str:
        self.asked.append(text)
        if not self.answers:
            raise EOFError
        return self.answers.pop(0)


@dataclass(frozen=True)
class Ended:
    """How a command line ended."""

    code: int
    out: str
    err: str
    asked: list[str]

    def json(self) -> dict[str, Any]:
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value

    def rows(self) -> list[list[str]]:
        """The fields of tsv rows."""
        return [line.split("\t") for line in self.out.splitlines()]


class PrivateProgram:
    """Runs `main(argv, services)` with folders, environment and clock of its own.

    No keyring (keyring's own null back end), seeded randomness. `prepare` may
    change the services of every later call.

    terminal: of all three streams; stdout_terminal: of stdout, where it differs.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder = folder
        self.clock = clock
        self.environ: dict[str, str] = {
            **{name: os.environ[name] for name in _KEPT if name in os.environ},
            "SBPAM_CONFIG_HOME": str(folder / "config"),
            "SBPAM_STATE_HOME": str(folder / "state"),
        }
        self.prepare: Callable[[Services], None] = lambda _: None
        self._random = random.Random(7)

    def __call__(
        self,
        *arguments: str,
        stdin: bytes = b"",
        terminal: bool = False,
        stdout_terminal: bool | None = None,
        answers: list[str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Ended:
        from keyring.backends.null import Keyring

        person = Answers(list(answers or ()))
        out_terminal = terminal if stdout_terminal is None else stdout_terminal
        out = _Terminal() if out_terminal else io.StringIO()
        err = _Terminal() if terminal else io.StringIO()
        prompt: Prompt = person
        services = Services(
            stdin=_TerminalInput(stdin) if terminal else io.BytesIO(stdin),
            stdout=out,
            stderr=err,
            environ={**self.environ, **(env or {})},
            clock=self.clock,
            random=self._random,
            prompt=prompt,
            keyring=Keyring,
        )
        self.prepare(services)
        code = main(list(arguments), services)
        return Ended(code, out.getvalue(), err.getvalue(), person.asked)


@dataclass
class Site:
    """A sandbox that is served, and the program pointed at it by the environment.

    `environ` signs in as the user with TOTP; `world.log` has every request.
    """

    world: World
    faults: Faults
    server: SandboxServer
    program: PrivateProgram
    clock: MovedClock

    def requests(self, path: str = "") -> list[tuple[str, str]]:
        """Method and path of what the server received, where the path contains `path`."""
        return [
            (entry.request.method, entry.request.target)
            for entry in self.world.log
            if path in entry.request.target
        ]

    def scheduled(self) -> list[str]:
        """Every host that is in a job, once for each job that it is in."""
        return [name for names in self.world.scheduled.values() for name in names]
