"""A served sandbox and the program pointed at it, in two forms.

`Site` runs the program within this process, on a clock that is moved; `support.process`
has `RealSite`, where it is the installed program in processes of its own.
"""

import io
import json
import os
import random
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from support.certificates import CertifiedServer
from support.clock import Inline
from support.faults import Faults, StagedWorld

from sbpam_cli.main import main
from sbpam_cli.sandbox.people import EXAMPLE_CREDENTIAL_ID
from sbpam_cli.sandbox.serve import SandboxServer
from sbpam_cli.system.clock import Clock
from sbpam_cli.system.services import Services
from sbpam_cli.system.terminal import Prompt

CREDENTIAL = EXAMPLE_CREDENTIAL_ID
_KEPT = ("PATH", "SYSTEMROOT", "HOME", "TMPDIR", "LANG")


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what a person was asked; a negative code is a signal's."""

    code: int
    out: str
    err: str
    asked: list[str] = field(default_factory=list)

    def expect(self, code: int, *words: str, out: str | None = None) -> "Ended":
        """Itself, if it ended so, with these words on stderr and this on stdout."""
        assert self.code == code, self
        assert out in (None, self.out), self
        assert [word for word in words if word not in self.err] == [], self
        return self

    def json(self) -> dict[str, Any]:
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value

    def rows(self) -> list[list[str]]:
        """The fields of tsv rows."""
        return [line.split("\t") for line in self.out.splitlines()]

    def statuses(self) -> list[tuple[str, str]]:
        """Host and status of tsv rows."""
        return [(row[0], row[1]) for row in self.rows()]


class Served:
    """What a site has in either form; `environ` is the program's whole environment."""

    world: StagedWorld
    faults: Faults
    server: SandboxServer
    folder: Path
    environ: dict[str, str]

    def serve(self, world: StagedWorld, faults: Faults, server: SandboxServer) -> None:
        """Points the program at this server, signed in as the user with TOTP."""
        self.world, self.faults, self.server = world, faults, server
        self.environ.update(server.environment())

    def requests(self, path: str = "") -> list[tuple[str, str]]:
        """Method and path of what the server received, if the path contains `path`."""
        return [
            (entry.request.method, entry.request.target)
            for entry in list(self.world.log)
            if path in entry.request.target
        ]

    def bodies(self, path: str) -> list[bytes]:
        """What was sent to this path."""
        return [e.request.body for e in list(self.world.log) if path in e.request.target]

    def scheduled(self) -> list[str]:
        """Every host that is in a job, once for each job that it is in."""
        return [name for names in list(self.world.scheduled.values()) for name in names]


class TerminalStream(io.StringIO):
    def isatty(self) -> bool:
        return True


class ClosedAfter(io.StringIO):
    """A stdout whose reader leaves after so many characters."""

    encoding = "utf-8"

    def __init__(self, left: int) -> None:
        super().__init__()
        self.left = left

    def write(self, text: str) -> int:
        self.left -= len(text)
        if self.left < 0:
            raise BrokenPipeError(32, "Broken pipe")
        return len(text)


class _TerminalInput(io.BytesIO):
    def isatty(self) -> bool:
        return True


@dataclass
class Answers(Prompt):
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


class Program:
    """Runs `main(argv, services)` with folders, environment and clock of its own.

    No keyring (keyring's own null back end), seeded randomness. `prepare` may change the
    services of every later call. Knows no server.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder = folder
        self.clock: Any = clock
        self.environ: dict[str, str] = {
            **{name: os.environ[name] for name in _KEPT if name in os.environ},
            "SBPAM_CONFIG_HOME": str(folder / "config"),
            "SBPAM_STATE_HOME": str(folder / "state"),
        }
        self.prepare: Callable[[Services], None] = lambda _: None
        self._random = random.Random(7)

    def run(
        self,
        *arguments: str,
        stdin: bytes = b"",
        terminal: bool = False,
        stdout_terminal: bool | None = None,
        answers: list[str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Ended:
        """terminal: of all three streams; stdout_terminal: of stdout, if it differs."""
        from keyring.backends.null import Keyring

        person = Answers(list(answers or ()))
        out_terminal = terminal if stdout_terminal is None else stdout_terminal
        out = TerminalStream() if out_terminal else io.StringIO()
        err = TerminalStream() if terminal else io.StringIO()
        services = Services(
            stdin=_TerminalInput(stdin) if terminal else io.BytesIO(stdin),
            stdout=out,
            stderr=err,
            environ={**self.environ, **(env or {})},
            clock=self.clock,
            random=self._random,
            prompt=person,
            keyring=Keyring,
        )
        self.prepare(services)
        code = main(list(arguments), services)
        return Ended(code, out.getvalue(), err.getvalue(), person.asked)

    __call__ = run

    @property
    def config(self) -> Path:
        return self.folder / "config" / "config.toml"

    def write_config(self, text: str) -> None:
        self.config.parent.mkdir(mode=0o700, exist_ok=True)
        self.config.write_text(text)
        self.config.chmod(0o600)

    def profiles(self) -> dict[str, Any]:
        text = self.config.read_text() if self.config.exists() else "[profiles]"
        profiles: dict[str, Any] = tomllib.loads(text)["profiles"]
        return profiles


class Site(Program, Served):
    """The form in which the program runs within this process."""

    def work_alone(self, workers: type[Inline] = Inline) -> None:
        """No other thread: nothing is to be waited for in real time."""
        self.prepare = lambda services: setattr(services, "workers", lambda _, c: workers(c))
        self.clock.wait = lambda event, s: bool(self.clock.move(s)) or event.is_set()


def bare_services(environ: Mapping[str, str] | None = None, **own: Any) -> Services:
    """With empty streams; own: as the parameters of `Services`."""
    return Services(io.BytesIO(), io.StringIO(), io.StringIO(), environ or {}, **own)


AnySite = TypeVar("AnySite", bound=Served)


@contextmanager
def served(site: AnySite, world: StagedWorld, *tls_files: str) -> Iterator[AnySite]:
    """Serves this world on a loopback port, to this site's program.

    tls_files: the chain and the key that the server shows, instead of its own.
    """
    faults = Faults(world)
    own = CertifiedServer(world, faults, *tls_files) if tls_files else SandboxServer(world, faults)
    with own as server:
        site.serve(world, faults, server)
        try:
            yield site
        finally:
            faults.release()
