"""The outside world, in one object.

Everything a command touches beyond its own arguments goes through `Services`. The real ones
are built lazily; tests pass their own, and nothing is monkeypatched.
"""

import os
import random
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO

from sbpam_cli.errors import UsageError
from sbpam_cli.system.clock import Clock
from sbpam_cli.system.filesystems import Files
from sbpam_cli.system.terminal import Prompt, Terminal, is_terminal
from sbpam_cli.system.threads import Workers

if TYPE_CHECKING:
    import sqlite3

    import httpcore
    from keyring.backend import KeyringBackend


def _system_network() -> "httpcore.NetworkBackend":
    import httpcore

    return httpcore.SyncBackend()


def _system_addresses(host: str, port: int) -> list[str]:
    import socket

    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _system_database(path: str) -> "sqlite3.Connection":
    import sqlite3

    return sqlite3.connect(path, isolation_level=None, check_same_thread=False)


def _open_in_browser(address: str) -> bool:
    """Whether a browser was started."""
    import subprocess

    program = "import sys, webbrowser; sys.exit(not webbrowser.open(sys.argv[1]))"
    command, nothing = [sys.executable, "-c", program, address], subprocess.DEVNULL
    try:
        return not subprocess.call(
            command, stdin=nothing, stdout=nothing, stderr=nothing, timeout=_BROWSER_WITHIN_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return False


_BROWSER_WITHIN_S = 10.0
_CONFIG_HOME, _STATE_HOME = "SBPAM_CONFIG_HOME", "SBPAM_STATE_HOME"


@dataclass(eq=False, repr=False)
class Services:
    """See the module. Field by field:

    stdin: bytes, because lists come in several encodings.
    environ: read it with `env`.
    terminal: what stdin may be; by default nothing is.
    keyring: makes keyring's back end; None for the system's own.
    network: makes httpcore's back end (connect, read, write).
    resolve: the addresses of a host, for connections to a port. Raises OSError.
    database: opens SQLite in autocommit mode.
    exit_now: ends the process; the streams were flushed.
    open_page: shows the page at an address to a person; False if that cannot be done.
    """

    stdin: BinaryIO
    stdout: TextIO
    stderr: TextIO
    environ: Mapping[str, str] = field(repr=False)
    clock: Clock = field(default_factory=Clock)
    random: "random.Random" = field(default_factory=random.SystemRandom)
    terminal: Terminal = field(default_factory=Terminal)
    prompt: Prompt | None = None
    keyring: "Callable[[], KeyringBackend] | None" = None
    network: "Callable[[], httpcore.NetworkBackend]" = _system_network
    resolve: Callable[[str, int], list[str]] = _system_addresses
    database: "Callable[[str], sqlite3.Connection]" = _system_database
    files: Callable[[], Files] = Files
    workers: Callable[[int, Clock], Workers] = Workers
    exit_now: Callable[[int], None] = os._exit
    open_page: Callable[[str], bool] = _open_in_browser

    def env(self, name: str) -> str | None:
        """The variable's value; None if it is unset or empty.

        A CR or LF at its end is what is left of a file's newline.
        """
        return self.environ.get(name, "").rstrip("\r\n") or None

    def stdin_is_terminal(self) -> bool:
        return is_terminal(self.stdin)

    def stdout_is_terminal(self) -> bool:
        return is_terminal(self.stdout)

    def stderr_is_terminal(self) -> bool:
        return is_terminal(self.stderr)

    def can_ask(self, *, no_input: bool) -> bool:
        """Whether a person is there: stdin and stderr are terminals, no `--no-input`, no `CI`."""
        if no_input or self.env("CI") is not None:
            return False
        if not (self.stdin_is_terminal() and self.stderr_is_terminal()):
            return False
        # Windows gives a task and a service a console too, which nobody can see.
        if os.name != "nt" or self.env("SSH_CONNECTION") is not None:
            return True
        from sbpam_cli.system.windows import is_desktop_visible

        return is_desktop_visible()

    def ask(self) -> Prompt:
        return self.prompt or Prompt(self.stdin, self.stderr, self.terminal)

    def config_folder(self) -> Path:
        """Where `config.toml` is; not created here. Raises UsageError."""
        return self._folder(_CONFIG_HOME, "user_config_path")

    def state_folder(self) -> Path:
        """Where the journal and its locks are; not created here. Raises UsageError."""
        return self._folder(_STATE_HOME, "user_state_path")

    def is_named_folder(self, path: Path) -> bool:
        """Whether the environment names this folder: it may not be one that we made."""
        named = [name for name in (_CONFIG_HOME, _STATE_HOME) if self.env(name) is not None]
        return any(path == self._folder(name, "") for name in named)

    def _folder(self, variable: str, kind: str) -> Path:
        given = self.env(variable)
        if given is not None:
            path = Path(os.path.expanduser(given))
        else:
            import platformdirs

            try:
                path = getattr(platformdirs, kind)("sbpam", appauthor=False)
            except RuntimeError:
                path = Path("~")
        if path.is_absolute():
            return path
        # A crontab expands nothing: each working folder would get a journal of its own.
        where = f"{variable} names {given}, which" if given else f"the folder {path}"
        raise UsageError(
            f"{where} is not an absolute path",
            hint="write it in full" if given else f"set HOME or {variable}",
        )


def system_services() -> Services:
    """The real world of this process. Its children inherit no `SBPAM_*`: some are secrets."""
    environ = dict(os.environ)
    for name in environ:
        if name.startswith("SBPAM_"):
            del os.environ[name]
    return Services(
        stdin=sys.stdin.buffer if sys.stdin is not None else open(os.devnull, "rb"),
        # If it is closed, what is written must not pass for printed: this is open for reading.
        stdout=sys.stdout if sys.stdout is not None else open(os.devnull),
        stderr=sys.stderr if sys.stderr is not None else open(os.devnull, "w"),
        environ=environ,
        terminal=Terminal(0),
    )
