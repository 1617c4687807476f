"""The installed program as a real process, a sandbox that this process serves, and the oracle.

The oracle believes the sandbox's own record alone: which job holds which host.
"""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from support.faults import Fault, Faults

from sbpam_cli.sandbox.people import EXAMPLE_CREDENTIAL_ID
from sbpam_cli.sandbox.serve import SandboxServer
from sbpam_cli.sandbox.world import World

PROGRAM = (sys.executable, "-m", "sbpam_cli")
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


@dataclass(frozen=True)
class Ended:
    """How a process ended: its code (negative: the signal), and what it wrote."""

    code: int
    out: str
    err: str
    seconds: float

    def rows(self) -> list[list[str]]:
        """The fields of tsv rows."""
        return [line.split("\t") for line in self.out.splitlines()]


class Running:
    """A started process. Its streams are files, so that nothing it writes can block it."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], folder: Path) -> None:
        self._out, self._err = folder / "stdout", folder / "stderr"
        self._started = time.monotonic()
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                command,
                env=dict(environ),
                cwd=folder,
                stdin=subprocess.DEVNULL,
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

    def wait(self, seconds: float) -> None:
        """Lets it run for so long, or until it ends."""
        deadline = time.monotonic() + seconds
        while self.is_running() and time.monotonic() < deadline:
            time.sleep(0.005)

    def signal(self, number: int) -> None:
        if self.is_running():
            os.kill(self.pid, number)

    def end(self, timeout_s: float = 120.0) -> Ended:
        """Waits for its end. One that outlives the time is killed, and the test fails."""
        self.wait(timeout_s)
        if self.is_running():
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()
            raise AssertionError(f"still running after {timeout_s:.0f} s: {self.said()[-800:]}")
        seconds = time.monotonic() - self._started
        out = self._out.read_text(encoding="utf-8")
        return Ended(self._process.returncode, out, self.said(), seconds)


@dataclass
class Stage:
    """One world on a loopback port, and a home for the program that knows nothing else.

    environ: the whole environment of the program; it signs in with a token.
    """

    folder: Path
    world: World
    faults: Faults
    server: SandboxServer
    environ: dict[str, str]
    _started: list[Running] = field(default_factory=list)

    @property
    def state(self) -> Path:
        return Path(self.environ["SBPAM_STATE_HOME"])

    @property
    def journal(self) -> Path:
        return self.state / "journal.sqlite3"

    def write_list(self, names: Sequence[str], name: str = "hosts.txt") -> str:
        path = self.folder / name
        path.write_text("".join(f"{host}\n" for host in names))
        return str(path)

    def start(
        self,
        *arguments: str,
        before: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
    ) -> Running:
        """Starts the program; before: a command that runs it, as `strace`."""
        folder = self.folder / f"process-{len(self._started)}"
        folder.mkdir()
        running = Running(
            [*before, *PROGRAM, *arguments], {**self.environ, **(environ or {})}, folder
        )
        self._started.append(running)
        return running

    def run(
        self,
        *arguments: str,
        before: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
        timeout_s: float = 120.0,
    ) -> Ended:
        return self.start(*arguments, before=before, environ=environ).end(timeout_s)

    def watch(self, running: Running, strace: Sequence[str]) -> None:
        """Attaches strace to a process that is waiting; returns when it is attached."""
        folder = self.folder / f"process-{len(self._started)}"
        folder.mkdir()
        watcher = Running([*strace, "-p", str(running.pid)], self.environ, folder)
        self._started.append(watcher)
        status = Path(f"/proc/{running.pid}/status")
        until(lambda: "TracerPid:\t0" not in status.read_text() or not watcher.is_running())
        assert watcher.is_running(), watcher.said()

    def new_token(self) -> str:
        """A token of the user with TOTP, as a browser would have got it."""
        user = next(user for user in self.world.users if user.mfa == "totp")
        return self.world.issue_token(user)[0]

    def sign_in_as(self, login: str) -> None:
        """The program signs in with that user's password (and TOTP) from now on."""
        user = self.world.user(login)
        assert user is not None
        self.environ.pop("SBPAM_TOKEN", None)
        self.environ["SBPAM_USERNAME"] = user.login
        self.environ["SBPAM_PASSWORD"] = user.password
        if user.totp_secret:
            self.environ["SBPAM_TOTP_SECRET"] = user.totp_secret

    def hang_posts(self, when: Literal["before", "after"], nth: int | Sequence[int] = ()) -> None:
        """Scheduling POSTs are not answered until `faults.release`; after: they have acted."""
        self.faults.add(Fault(action="hang", method="POST", path=POSTS, when=when, nth=nth))

    def posts(self) -> int:
        """How many scheduling POSTs the server has received."""
        return sum(POSTS in entry.request.target for entry in list(self.world.log))

    def accepted(self) -> int:
        """How many batches the journal has as accepted."""
        with closing(sqlite3.connect(self.journal)) as database:
            query = "SELECT count(*) FROM batches WHERE state = 'accepted'"
            [(count,)] = database.execute(query).fetchall()
        return int(count)

    def stop_all(self) -> None:
        for running in self._started:
            if running.is_running():
                with suppress(ProcessLookupError):
                    os.killpg(running.pid, signal.SIGKILL)
                running.end()


@contextmanager
def staged(folder: Path, *, seed: int = 1) -> Iterator[Stage]:
    """A stage in this folder. Somebody else's job is on the server, and no scan ends."""
    world = World(
        seed=seed,
        now=time.time,
        scan_duration_s=86_400.0,
        failing_share=0.0,
        accounts_per_host=0,
        refuse_replay=False,
    )
    world.add_job(["elsewhere.corp.example"])
    faults = Faults(seed=seed)
    folder.mkdir(parents=True, exist_ok=True)
    with SandboxServer(world, faults, client_cert_mode="none") as server:
        environ = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            "SBPAM_CONFIG_HOME": str(folder / "config"),
            "SBPAM_STATE_HOME": str(folder / "state"),
            "SBPAM_SERVER": server.url,
            "SBPAM_CA_BUNDLE": server.ca_file,
            "SBPAM_CREDENTIAL": EXAMPLE_CREDENTIAL_ID,
        }
        stage = Stage(folder, world, faults, server, environ)
        environ["SBPAM_TOKEN"] = stage.new_token()
        try:
            yield stage
        finally:
            faults.release()
            stage.stop_all()


# The oracle.


def check_none_twice(stage: Stage) -> None:
    """No host is in two jobs: true at every moment."""
    held = Counter(name for names in list(stage.world.scheduled.values()) for name in names)
    twice = [name for name, jobs in held.items() if jobs > 1]
    assert not twice, f"{len(twice)} hosts are in several jobs: {twice[:3]}"


def check_exactly_once(stage: Stage, names: Sequence[str], ended: Ended) -> None:
    """Every host is in exactly one job, and the rows of the last command say in which."""
    check_none_twice(stage)
    job_of = {name: job for job, held in stage.world.scheduled.items() for name in held}
    missing = [name for name in names if name not in job_of]
    assert not missing, f"{len(missing)} hosts are in no job: {missing[:3]}\n{ended.err[-800:]}"
    assert len(job_of) == len(names), "a host was scheduled that nobody named"
    assert ended.code == 0, f"exit {ended.code}\n{ended.err[-800:]}"
    rows = [(row[0], row[2]) for row in ended.rows()]
    assert rows == [(name, job_of[name]) for name in names], "rows and jobs disagree"
    assert not stage.world.violations


def check_journal(stage: Stage, runs: int = 1) -> None:
    """SQLite finds its file whole, and no run is unfinished."""
    with closing(sqlite3.connect(stage.journal)) as database:
        [(verdict,)] = database.execute("PRAGMA integrity_check").fetchall()
        found = [state for (state,) in database.execute("SELECT state FROM batches")]
        [(recorded,)] = database.execute("SELECT count(*) FROM runs").fetchall()
    assert verdict == "ok", verdict
    assert recorded == runs
    assert set(found) <= {"accepted", "split"}, Counter(found)


def read_aside(stage: Stage) -> tuple[str, str | None]:
    """SQLite's verdict on a copy of the journal as it lies there, and its one run's id.

    A copy, because reading it would already repair what a kill left.
    """
    copy = stage.folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for path in stage.state.glob("journal.sqlite3*"):
        if not path.name.endswith("-shm"):
            shutil.copy2(path, copy)
    path = copy / "journal.sqlite3"
    if not path.exists():
        return "ok", None
    with closing(sqlite3.connect(path)) as database:
        [(verdict,)] = database.execute("PRAGMA integrity_check").fetchall()
        tables = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'runs'").fetchall()
        runs = database.execute("SELECT run_id FROM runs").fetchall() if tables else []
    assert len(runs) <= 1
    return verdict, runs[0][0] if runs else None


def finish(stage: Stage, listed: str, *arguments: str, tries: int = 6) -> Ended:
    """Recovers from a kill as a person would: `resume` until nothing is open.

    Where the kill came before the run was recorded, nothing was sent and the
    list is scheduled again.
    """
    verdict, run = read_aside(stage)
    assert verdict == "ok", f"after the kill: {verdict}"
    again = ("resume", run, *QUICK) if run else ("schedule", listed, *arguments, *QUICK)
    for _ in range(tries):
        ended = stage.run(*again)
        check_none_twice(stage)
        if ended.code == 0:
            return ended
        _, run = read_aside(stage)
        if run is not None:
            again = ("resume", run, *QUICK)
    return ended
