"""A sandbox that demands the client certificate, and a home with what a scheduled job needs."""

import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from support.process import Ended, Running
from support.programs import BIN

from sbpam_cli.sandbox.people import EXAMPLE_CREDENTIAL_ID, User
from sbpam_cli.sandbox.rehearsal import describe
from sbpam_cli.sandbox.serve import SandboxServer
from sbpam_cli.sandbox.world import World

SBPAM = str(BIN / "sbpam")


@dataclass
class Machine:
    """environ: what an application needs, its API key in a file; nothing else is set.

    home: also where files with secrets lie; each ends with a newline.
    """

    home: Path
    server: SandboxServer
    world: World
    environ: dict[str, str]
    _count: int = field(default=0)

    def user(self, mfa: str) -> User:
        return next(u for u in self.world.users if u.mfa == mfa and not u.application)

    def secret_file(self, name: str, value: str) -> str:
        path = self.home / name
        path.touch(mode=0o600)
        path.write_text(value + "\n")
        return str(path)

    def hosts_file(self, *names: str) -> str:
        """A CSV as a directory's export is one."""
        self._count += 1
        path = self.home / f"hosts-{self._count}.csv"
        path.write_text("Name,DNSHostName\n" + "".join(f"x,{name}\n" for name in names))
        return str(path)

    def password_environ(self, user: User) -> dict[str, str]:
        """The same for a user with a password, all secrets in files."""
        kept = ("SBPAM_SERVER", "SBPAM_CA_BUNDLE", "SBPAM_CREDENTIAL")
        environ = {name: self.environ[name] for name in kept}
        environ["SBPAM_USERNAME"] = user.login
        environ["SBPAM_PASSWORD_FILE"] = self.secret_file("password", user.password)
        if user.totp_secret:
            environ["SBPAM_TOTP_SECRET_FILE"] = self.secret_file("totp", user.totp_secret)
        return environ

    def run(
        self,
        *arguments: str,
        environ: Mapping[str, str],
        before: Sequence[str] = (),
        timeout_s: float = 60.0,
    ) -> Ended:
        """The installed program with this environment and no other."""
        self._count += 1
        folder = self.home / f"process-{self._count}"
        folder.mkdir()
        return Running([*before, SBPAM, *arguments], environ, folder).end(timeout_s)

    def scheduled(self) -> list[str]:
        return sorted(name for held in self.world.scheduled.values() for name in held)

    def sent(self, path: str) -> list[bytes]:
        """The bodies that arrived at this path."""
        log = list(self.world.log)
        return [entry.request.body for entry in log if path in entry.request.target]


@contextmanager
def equipped(
    home: Path, *, demand_certificate: bool = True, ahead_s: float = 0.0
) -> Iterator[Machine]:
    """ahead_s: the server's clock before this one's."""
    world = World(seed=1, now=lambda: time.time() + ahead_s, failing_share=0.0)
    with SandboxServer(world) as server:
        if demand_certificate:
            server.context.verify_mode = ssl.CERT_REQUIRED
        environ = describe(server).application_environment
        home.mkdir(exist_ok=True)
        machine = Machine(home, server, world, environ)
        environ["SBPAM_API_KEY_FILE"] = machine.secret_file("api-key", environ.pop("SBPAM_API_KEY"))
        assert environ["SBPAM_CREDENTIAL"] == EXAMPLE_CREDENTIAL_ID
        yield machine


@contextmanager
def silent_bus() -> Iterator[str]:
    """The address of a D-Bus that lets everybody in and never answers a call."""
    with tempfile.TemporaryDirectory(prefix="bus-") as folder, socket.socket(socket.AF_UNIX) as bus:
        bus.bind(f"{folder}/bus")
        bus.listen()
        threading.Thread(target=_let_in, args=(bus,), daemon=True).start()
        yield f"unix:path={folder}/bus"


def _let_in(bus: socket.socket) -> None:
    with suppress(OSError):
        while True:
            connection, _ = bus.accept()
            threading.Thread(target=_listen, args=(connection,), daemon=True).start()


def _listen(connection: socket.socket) -> None:
    with suppress(OSError), connection:
        while words := connection.recv(4096):
            if b"AUTH" in words:
                connection.sendall(b"OK 0123456789abcdef0123456789abcdef\r\n")
            elif b"NEGOTIATE_UNIX_FD" in words:
                connection.sendall(b"AGREE_UNIX_FD\r\n")
