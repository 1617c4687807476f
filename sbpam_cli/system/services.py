"""The outside world, in one object.

Everything a command touches beyond its own arguments goes through `Services`:
streams, environment, folders, clock, randomness, the network's lowest layer,
SQLite's connection factory, the keyring, other programs, questions to a person.
The real ones are built lazily; tests pass their own, and nothing is monkeypatched.
"""

import os
import random
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, TextIO

from sbpam_cli.system.clock import Clock, SystemClock

if TYPE_CHECKING:
    import sqlite3

    import httpcore
    from keyring.backend import KeyringBackend

    from sbpam_cli.system.files import Files
    from sbpam_cli.system.threads import Workers


class Prompt(Protocol):
    """A person at a terminal. Called only where `Services.can_ask` says so.

    Both write to stderr and raise `SbpamError` (usage) when input ends.
    """

    def secret(self, text: str) -> str:
        """Asks without echo."""

    def line(self, text: str) -> str:
        """Asks for a line; without its newline."""


class TerminalPrompt:
    """Asks on stderr and reads from the terminal, or from stdin where that is one."""

    def __init__(self, stdin: BinaryIO, stderr: TextIO) -> None:
        self._stdin = stdin
        self._stderr = stderr

    def secret(self, text: str) -> str:
        import getpass

        return getpass.getpass(text, self._stderr)

    def line(self, text: str) -> str:
        self._stderr.write(text)
        self._stderr.flush()
        raw = self._stdin.readline()
        if not raw:
            raise EOFError
        return raw.decode("utf-8", "replace").rstrip("\r\n")


def _system_network() -> "httpcore.NetworkBackend":
    import httpcore

    return httpcore.SyncBackend()


def _system_database(path: str) -> "sqlite3.Connection":
    import sqlite3

    return sqlite3.connect(path, isolation_level=None, check_same_thread=False)


def _system_files() -> "Files":
    from sbpam_cli.system.files import Files

    return Files()


def _system_workers(count: int, clock: Clock) -> "Workers":
    from sbpam_cli.system.threads import ThreadWorkers

    return ThreadWorkers(count, clock)


def _is_terminal(stream: object) -> bool:
    try:
        return bool(stream.isatty())  # type: ignore[attr-defined]
    except (AttributeError, ValueError):
        return False


@dataclass(eq=False, repr=False)
class Services:
    """See the module. Field by field:

    stdin: bytes, because lists come in several encodings.
    environ: the environment; an empty variable counts as unset (`env`).
    keyring: a factory of keyring's back end, None for keyring's own choice.
    network: makes httpcore's network back end (connect, read, write).
    database: opens SQLite in autocommit mode (`isolation_level=None`).
    files: makes the object that makes, opens and locks files.
    exit_now: `os._exit`, after the streams were flushed.
    """

    stdin: BinaryIO
    stdout: TextIO
    stderr: TextIO
    environ: Mapping[str, str] = field(repr=False)
    clock: Clock = field(default_factory=SystemClock)
    random: "random.Random" = field(default_factory=random.SystemRandom)
    prompt: Prompt | None = None
    keyring: "Callable[[], KeyringBackend] | None" = None
    network: "Callable[[], httpcore.NetworkBackend]" = _system_network
    database: "Callable[[str], sqlite3.Connection]" = _system_database
    files: "Callable[[], Files]" = _system_files
    workers: "Callable[[int, Clock], Workers]" = _system_workers
    exit_now: Callable[[int], None] = os._exit

    def env(self, name: str) -> str | None:
        """The variable's value; None where it is unset or empty."""
        return self.environ.get(name) or None

    def stdin_is_terminal(self) -> bool:
        return _is_terminal(self.stdin)

    def stdout_is_terminal(self) -> bool:
        return _is_terminal(self.stdout)

    def stderr_is_terminal(self) -> bool:
        return _is_terminal(self.stderr)

    def can_ask(self, *, no_input: bool) -> bool:
        """Whether a person is there: stdin and stderr are terminals, no `--no-input`, no `CI`."""
        return (
            not no_input
            and self.env("CI") is None
            and self.stdin_is_terminal()
            and self.stderr_is_terminal()
        )

    def ask(self) -> Prompt:
        """The prompt to ask a person with."""
        return self.prompt or TerminalPrompt(self.stdin, self.stderr)

    def config_folder(self) -> Path:
        """Where `config.toml` lives; not created here."""
        return self._folder("SBPAM_CONFIG_HOME", "user_config_path")

    def state_folder(self) -> Path:
        """Where the journal and its locks live; not created here."""
        return self._folder("SBPAM_STATE_HOME", "user_state_path")

    def _folder(self, variable: str, kind: str) -> Path:
        if (given := self.env(variable)) is not None:
            return Path(given)
        import platformdirs

        path: Path = getattr(platformdirs, kind)("sbpam", appauthor=False)
        return path


def system_services() -> Services:
    """The real world of this process."""
    return Services(
        stdin=sys.stdin.buffer if sys.stdin is not None else open(os.devnull, "rb"),
        stdout=sys.stdout if sys.stdout is not None else open(os.devnull, "w"),
        stderr=sys.stderr if sys.stderr is not None else open(os.devnull, "w"),
        environ=os.environ,
    )
