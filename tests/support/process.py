"""The installed program in processes of its own, against a sandbox that this one serves."""

import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from support.certificates import application_environ
from support.faults import Fault, StagedWorld
from support.programs import SBPAM
from support.site import Ended, Served, served

from sbpam_cli.sandbox.people import User

POSTS = "/api/v1/HostScanJob/OuMapping/"
QUICK = ("--settle-after", "1s", "--send-timeout", "5s")
"""Waits as short as they can be; what is believed after them is the same."""


def until(condition: Callable[[], object], timeout_s: float = 30.0) -> None:
    """Looks a hundred times a second until it is so. Raises AssertionError after the time."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"it did not come about within {timeout_s:.0f} s"
        time.sleep(0.01)


def host_names(count: int, width: int = 0) -> list[str]:
    """So many FQDNs, each at least `width` characters long."""
    domain = "corp.example"
    label = "x" * max(0, width - len(domain) - 9)
    return [f"h{number:06d}{label}.{domain}" for number in range(count)]


class Running:
    """A started process. Its streams are files, so that nothing it writes can block it."""

    def __init__(
        self, command: Sequence[str], environ: Mapping[str, str], folder: Path, stdin: bytes = b""
    ) -> None:
        self._out, self._err = folder / "stdout", folder / "stderr"
        (folder / "stdin").write_bytes(stdin)
        with (
            self._out.open("wb") as out,
            self._err.open("wb") as err,
            (folder / "stdin").open("rb") as given,
        ):
            self._process = subprocess.Popen(
                command,
                env=dict(environ),
                cwd=folder,
                stdin=given,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        self.pid = self._process.pid

    def said(self) -> str:
        """What is on stderr so far."""
        return self._err.read_text(errors="replace")

    def is_running(self) -> bool:
        return self._process.poll() is None

    def signal(self, number: int) -> None:
        if self.is_running():
            os.kill(self.pid, number)

    def end(self, timeout_s: float = 120.0) -> Ended:
        """Waits for its end. One that outlives the time is killed, and the test fails."""
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.stop()
            late = f"still running after {timeout_s:.0f} s: {self.said()[-800:]}"
            raise AssertionError(late) from None
        return Ended(code, self._out.read_text(encoding="utf-8"), self.said())

    def stop(self) -> None:
        if self.is_running():
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()


class RealSite(Served):
    """The form in which the program is the installed one, in processes of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.state = folder / "state"
        self.journal = self.state / "journal.sqlite3"
        self.environ = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            "SBPAM_CONFIG_HOME": str(folder / "config"),
            "SBPAM_STATE_HOME": str(self.state),
        }
        self._started: list[Running] = []

    def start(
        self,
        *arguments: str,
        before: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
        stdin: bytes = b"",
    ) -> Running:
        """Starts the program. before: a command that runs it, as `strace`; environ: all of it."""
        command = [*before, SBPAM, *arguments]
        return self._start(command, self.environ if environ is None else environ, stdin)

    def _start(
        self, command: Sequence[str], environ: Mapping[str, str], stdin: bytes = b""
    ) -> Running:
        folder = self.folder / f"process-{len(self._started)}"
        folder.mkdir()
        running = Running(command, environ, folder, stdin)
        self._started.append(running)
        return running

    def run(self, *arguments: str, timeout_s: float = 120.0, **how: Any) -> Ended:
        """As `start`, to its end."""
        return self.start(*arguments, **how).end(timeout_s)

    def watch(self, running: Running, strace: Sequence[str]) -> None:
        """Attaches strace to a process that is waiting; returns when it is attached."""
        watcher = self._start([*strace, "-p", str(running.pid)], self.environ)
        status = Path(f"/proc/{running.pid}/status")
        until(lambda: "TracerPid:\t0" not in status.read_text() or not watcher.is_running())
        # One that was killed at once, at a call that it made while it waited, ends strace too.
        assert watcher.is_running() or not running.is_running(), watcher.said()

    def write_list(self, names: Sequence[str]) -> str:
        path = self.folder / f"hosts-{len(list(self.folder.glob('hosts-*')))}.txt"
        path.write_text("".join(f"{host}\n" for host in names))
        return str(path)

    def secret_file(self, name: str, value: str) -> str:
        """A private file, with a newline at its end as people's files have one."""
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(value + "\n")
        return str(path)

    def new_token(self) -> str:
        """A token of the user with TOTP, as a browser would have got it."""
        return self.world.issue_token(self.world.person("totp"))[0]

    def where(self) -> dict[str, str]:
        """Variables that name the server and the service account, and nobody."""
        kept = ("SBPAM_SERVER", "SBPAM_CA_BUNDLE", "SBPAM_CREDENTIAL")
        return {name: value for name, value in self.server.environment().items() if name in kept}

    def password_environ(self, user: User) -> dict[str, str]:
        """Only what that user needs, the secrets in files."""
        environ = self.where() | {"SBPAM_USERNAME": user.login}
        environ["SBPAM_PASSWORD_FILE"] = self.secret_file("password", user.password)
        if user.totp_secret:
            environ["SBPAM_TOTP_SECRET_FILE"] = self.secret_file("totp", user.totp_secret)
        return environ

    def application_environ(self) -> dict[str, str]:
        """Only what the application needs, its API key in a file."""
        environ = application_environ(self.server, self.folder)
        key = environ.pop("SBPAM_API_KEY")
        return self.where() | environ | {"SBPAM_API_KEY_FILE": self.secret_file("api-key", key)}

    def sign_in_as(self, login: str) -> None:
        """The program signs in with that user's password (and TOTP) from now on."""
        user = self.world.user(login)
        assert user is not None
        self.environ.pop("SBPAM_TOKEN", None)
        self.environ |= self.password_environ(user)

    def hang_posts(self, when: Literal["before", "after"], nth: int | Sequence[int] = ()) -> None:
        """Scheduling POSTs are not answered until `faults.release`; after: they have acted."""
        self.faults.add(Fault(action="hang", method="POST", path=POSTS, when=when, nth=nth))

    def posts(self) -> int:
        """How many scheduling POSTs the server has received."""
        return len(self.requests(POSTS))

    def accepted(self) -> int:
        """How many batches the journal has as accepted."""
        with closing(sqlite3.connect(self.journal)) as database:
            query = "SELECT count(*) FROM batches WHERE state = 'accepted'"
            [(count,)] = database.execute(query).fetchall()
        return int(count)

    def stop_all(self) -> None:
        for running in self._started:
            running.stop()


@contextmanager
def real_site(
    folder: Path, *, ahead_s: float = 0.0, scans_take_s: float = 20.0
) -> Iterator[RealSite]:
    """Signed in with a token. ahead_s: the server's clock before this one's."""
    world = StagedWorld(
        seed=1, now=lambda: time.time() + ahead_s, scan_duration_s=scans_take_s, failing_share=0.0
    )
    with served(RealSite(folder), world) as site:
        for name in ("SBPAM_USERNAME", "SBPAM_PASSWORD", "SBPAM_TOTP_SECRET"):
            del site.environ[name]
        site.environ["SBPAM_TOKEN"] = site.new_token()
        try:
            yield site
        finally:
            site.faults.release()
            site.stop_all()


@contextmanager
def staged(folder: Path) -> Iterator[RealSite]:
    """Somebody else's job is on the server, no scan ends, and a code may be used again."""
    with real_site(folder, scans_take_s=86_400.0) as site:
        site.world.refuse_replay = False
        site.world.add_job(["elsewhere.corp.example"])
        yield site
