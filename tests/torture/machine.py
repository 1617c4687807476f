"""A machine in memory, with a disk, on which the program runs and anything may fail.

Every call of the program on a seam is a point. A plan names the points that
fail and how; everything else is a function of the scenario's seed.
"""

import errno
import hashlib
import io
import json
import os
import random
import shutil
import signal
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torture.audit import watched
from torture.network import MemoryNetwork
from torture.table import ANSWERS
from torture.turns import Killed, Turns, TurnWorkers

from sbpam_cli.main import main
from sbpam_cli.sandbox.app import App
from sbpam_cli.sandbox.exchange import Reply, Request
from sbpam_cli.sandbox.faults import Fault, Faults
from sbpam_cli.sandbox.world import World
from sbpam_cli.services import Clock, Services
from sbpam_cli.storage.paths import Files

_TIMING = ("hide_job", "later")
START = 1_795_403_702.0


@dataclass(frozen=True)
class Point:
    """One call on a seam.

    index: its place in the whole story; command: in which command of it.
    nth: how often this operation on this has come before. states: the batch
    states that the journal holds at that moment.
    """

    index: int
    command: int
    operation: str
    what: str
    nth: int
    states: frozenset[str]
    durable: str

    @property
    def name(self) -> str:
        return f"{self.command}. {self.operation} {self.what} #{self.nth}"


@dataclass(frozen=True)
class Ended:
    """How one command ended; code None: it was killed.

    knew: it had read what the journal holds. A `schedule` that cannot says
    NotSent of every host, whatever an earlier one sent.
    """

    arguments: tuple[str, ...]
    code: int | None
    rows: list[list[str]]
    err: str
    knew: bool


Choose = Callable[[Point], str | None]


@dataclass
class Script:
    """What the world does by itself, fault or no fault.

    posts: what befalls the n-th POST (1-based). lag_s: how long every job is
    missing in the list. body_limit: above it the server answers 413.
    kill_after_post: the machine dies when the server has acted on that POST.
    """

    posts: Mapping[int, str] = field(default_factory=dict)
    lag_s: float = 0.0
    body_limit: int = 1 << 20
    kill_after_post: int = 0
    others: int = 2


class VirtualClock:
    """Waiting moves it; the main thread's waits are points."""

    def __init__(self, machine: "Machine") -> None:
        self._machine = machine

    def now(self) -> float:
        return self._machine.time

    def monotonic(self) -> float:
        return self._machine.time

    def sleep(self, seconds: float) -> None:
        self._machine.time += seconds

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        if not event.is_set():
            self._machine.reach("wait", "")
            self._machine.time += timeout_s
        return event.is_set()


class Machine:
    """The disk, the server and the time; commands run on it one after another.

    excused: hosts that need not be in a job at the end, if they are named.
    """

    def __init__(self, folder: Path, script: Script, choose: Choose, *, seed: int = 1) -> None:
        self.folder = folder
        self.script = script
        self.choose = choose
        self.seed = seed
        self.time = START
        self.world = World(seed=1, now=lambda: self.time, failing_share=0.0, scan_duration_s=10.0)
        self.world.body_limit_bytes = script.body_limit
        self.app = App(self.world)
        self.points: list[Point] = []
        self.endings: list[Ended] = []
        self.excused: set[str] = set()
        self.dead = True
        self._posts = 0
        self._seen: Counter[tuple[str, str]] = Counter()
        self._process: _Process | None = None
        self._interrupt = False
        self._states: frozenset[str] = frozenset()
        self._durable: str | None = None
        for number in range(script.others):
            self.world.add_job([f"other{number}.corp.example"], age_s=3600.0)

    @property
    def journal_path(self) -> Path:
        return self.folder / "state" / "journal.sqlite3"

    # Running the program.

    def run(self, *arguments: str) -> Ended:
        """One command in a fresh process."""
        self.dead = False
        self.turns = Turns(self.seed * 1000 + len(self.endings), lambda: self.dead)
        process = self._process = _Process(self)
        out, err = io.StringIO(), io.StringIO()
        services = process.services(out, err)
        code: int | None = None
        self.refresh()
        handler = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            with watched():
                code = main(list(arguments), services)
        except Killed:
            pass
        finally:
            signal.signal(signal.SIGINT, handler)
            self.dead = True
            self.turns.drain()
            process.end()
            self._process = None
        lines = [line.split("\t") for line in out.getvalue().splitlines()]
        rows = lines if code is not None else []
        ended = Ended(arguments, code, rows, err.getvalue(), process.knew)
        self.endings.append(ended)
        return ended

    def unwatched(self, *arguments: str) -> Ended:
        """One command more, of which nothing is recorded and where nothing fails."""
        kept = (self.points, self.endings, self.choose)
        self.points, self.endings, self.choose = [], [], lambda _: None
        try:
            return self.run(*arguments)
        finally:
            self.points, self.endings, self.choose = kept

    def die(self) -> None:
        """The power is gone: what the disk has confirmed is all that stays."""
        self.dead = True
        assert self._process is not None
        with seam():
            self._process.die()
        raise Killed

    # What the seams ask.

    def reach(self, operation: str, what: str) -> str | None:
        """The failure that is due at this point; kills and interrupts by itself."""
        if self.dead:
            raise Killed
        if operation == "wait" and self.points and self.points[-1].operation == "wait":
            return None
        key = (operation, what)
        self._seen[key] += 1
        point = Point(
            len(self.points),
            len(self.endings),
            operation,
            what,
            self._seen[key],
            self._states,
            self.durable_state(),
        )
        self.points.append(point)
        failure = self.choose(point)
        if failure == "kill":
            self.die()
        if failure == "signal":
            self._interrupt = True
            self.take_signal()
            return None
        return failure

    def take_signal(self) -> None:
        """Signals reach the main thread alone, when it has its turn."""
        if self._interrupt and not self.turns.in_worker:
            self._interrupt = False
            signal.raise_signal(signal.SIGINT)

    def give_up_turn(self) -> None:
        self.turns.give_up_turn()

    def pass_time(self, seconds: float) -> None:
        self.time += seconds

    def answer(self, request: Request) -> Reply:
        """The server's answer, with what the script and the plan do to it."""
        operation, what = _kind_of(request)
        failure = self.reach(operation, what)
        rules = self._rules(operation, failure) if failure is not None else []
        if operation == "answer POST":
            self._posts += 1
            scripted = self.script.posts.get(self._posts)
            if scripted is not None and failure is None:
                rules = self._rules(operation, scripted)
            if self.script.lag_s and not any(rule.action in _TIMING for rule in rules):
                rules = [*rules, Fault(action="hide_job", seconds=self.script.lag_s)]
            if len(request.body) > self.script.body_limit:
                rules = [rule for rule in rules if rule.action != "edit"]
        self.app.faults = Faults(rules)
        reply = self.app.handle(request)
        self._durable = None
        if any(rule.action == "leave_out" for rule in rules):
            self.excused.update(json.loads(request.body))
        if operation == "answer POST" and self._posts == self.script.kill_after_post:
            self.die()
        return reply

    def _rules(self, operation: str, failure: str) -> list[Fault]:
        if failure == "others' jobs alone":
            return [Fault(action="edit", edit=self._others_alone)]
        return ANSWERS[operation][failure]

    def _others_alone(self, jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [job for job in jobs if job["id"] not in self.world.scheduled]

    # What the disk and the server hold.

    def batches(self) -> list[tuple[Any, ...]]:
        """The journal's batches, as they are on disk now."""
        if not self.journal_path.exists():
            return []
        with seam():
            connection = sqlite3.connect(self.journal_path)
        try:
            return connection.execute(_BATCHES).fetchall()
        except sqlite3.OperationalError:
            return []
        finally:
            connection.close()

    def refresh(self) -> None:
        """The journal has changed."""
        rows = self._process.batches() if self._process is not None else None
        rows = self.batches() if rows is None else rows
        self._states = frozenset(row[2] for row in rows)
        self._rows = rows
        self._durable = None

    def durable_state(self) -> str:
        """A digest of what would be left if the machine died now, times aside."""
        if self._durable is None:
            jobs = {job_id: n for n, job_id in enumerate(self.world.jobs)}
            rows = [(*row[:-1], jobs.get(row[-1])) for row in self._rows]
            world = [
                (list(job.names), job.listed_at > self.time, job.created_at > self.time)
                for job in self.world.jobs.values()
            ]
            files = sorted(p.name for p in self.folder.rglob("*") if "totp" not in p.name)
            text = json.dumps([rows, world, files, self._posts])
            self._durable = hashlib.sha256(text.encode()).hexdigest()[:16]
        return self._durable

    def copies(self) -> Counter[str]:
        """In how many jobs each host is."""
        return Counter(name for names in self.world.scheduled.values() for name in names)


_BATCHES = (
    "SELECT b.run_id, b.number, b.state, n.names, b.gave_up_at IS NULL, r.exit_code, b.job_id"
    " FROM batches b JOIN batch_names n USING (run_id, number) JOIN runs r USING (run_id)"
    " ORDER BY r.rowid, b.first, b.number"
)


def _kind_of(request: Request) -> tuple[str, str]:
    path = request.target
    if "OuMapping" in path:
        names = json.loads(request.body)
        return "answer POST", f"{names[0]} and {len(names) - 1} more"
    if path.endswith("/HostScanJob"):
        return "answer list", ""
    if path.startswith("/api/v1/HostScanJob/"):
        return "answer job", ""
    if path.endswith("/Version"):
        return "answer version", ""
    return "answer sign-in", path


class _Process:
    """The seams of one process, and what dies with it."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._locked: list[int] = []
        self._databases: list[_Database] = []
        self._reads: list[bool] = []

    @property
    def knew(self) -> bool:
        return bool(self._reads) and all(self._reads)

    def services(self, out: io.StringIO, err: io.StringIO) -> Services:
        from keyring.backends.null import Keyring

        machine = self._machine
        folder = machine.folder

        def workers(count: int, clock: Clock) -> TurnWorkers:
            return TurnWorkers(count, clock, machine.turns, machine.take_signal)

        return Services(
            stdin=io.BytesIO(),
            stdout=out,
            stderr=err,
            environ={
                "SBPAM_CONFIG_HOME": str(folder / "config"),
                "SBPAM_STATE_HOME": str(folder / "state"),
                "SBPAM_SERVER": "https://nps.example",
                "SBPAM_FINGERPRINT": "00" * 32,
                "SBPAM_USERNAME": "CORP\\demo",
                "SBPAM_PASSWORD": "Sandbox-Demo-1",
                "SBPAM_TOTP_SECRET": machine.world.users[0].totp_secret,
                "SBPAM_CREDENTIAL": machine.world.credentials[0]["credentialId"],
            },
            clock=VirtualClock(machine),
            random=random.Random(machine.seed + len(machine.endings)),
            keyring=Keyring,
            network=lambda: MemoryNetwork(machine),
            database=self._connect,
            files=lambda: _Files(machine, self._locked),
            workers=workers,
            exit_now=lambda _: machine.die(),
        )

    def _connect(self, path: str) -> Any:
        failure = self._machine.reach("open database", "")
        if failure is not None:
            raise sqlite3.OperationalError(failure)
        with seam():
            database = _Database(self._machine, path, self._reads)
        self._databases.append(database)
        return database

    def batches(self) -> list[tuple[Any, ...]] | None:
        """As this process would see them; None where it has no journal open."""
        for database in self._databases:
            if database.real is not None:
                with suppress(sqlite3.OperationalError):
                    return database.real.execute(_BATCHES).fetchall()
        return None

    def die(self) -> None:
        image = next((d.image for d in self._databases if d.image is not None), None)
        path = self._machine.journal_path
        kept = {}
        for name in (path.name, f"{path.name}-wal"):
            file = path.with_name(name)
            if file.exists():
                kept[file] = file.read_bytes()
        self._release()
        for file in path.parent.glob(f"{path.name}*"):
            if "damaged" not in file.name:
                file.unlink()
        if image is not None:
            kept = {path: image}
        for file, content in kept.items():
            file.write_bytes(content)

    def end(self) -> None:
        """An ordinary end: the operating system closes what is open."""
        self._release()

    def _release(self) -> None:
        for descriptor in self._locked:
            with suppress(OSError):
                _unlock(descriptor)
        self._locked.clear()
        for database in self._databases:
            if database.real is not None:
                database.real.close()
                database.real = None


def _unlock(descriptor: int) -> None:
    import fcntl

    fcntl.flock(descriptor, fcntl.LOCK_UN)


@contextmanager
def seam() -> Iterator[None]:
    from torture.audit import inside_seam

    with inside_seam():
        yield


class _Files(Files):
    def __init__(self, machine: Machine, locked: list[int]) -> None:
        self._machine = machine
        self._locked = locked

    def _reach(self, operation: str, path: Path | str) -> None:
        failure = self._machine.reach(operation, Path(path).name[:8])
        if failure is not None:
            number = getattr(errno, failure)
            raise OSError(number, os.strerror(number), str(path))

    def make_folder(self, path: Path) -> None:
        self._reach("folder", path)
        super().make_folder(path)

    def open(self, path: Path, flags: int) -> int:
        self._reach("open file", path)
        with seam():
            return super().open(path, flags)

    def copy(self, source: Path, target: Path) -> None:
        with seam():
            shutil.copy2(source, target)

    def lock(self, descriptor: int) -> None:
        self._reach("lock", "")
        super().lock(descriptor)
        self._locked.append(descriptor)


class _Database:
    """SQLite's connection, by shape. A commit below synchronous=FULL may be lost with the power.

    image: the whole database as the disk has it, where that is not what SQLite shows.
    """

    def __init__(self, machine: Machine, path: str, reads: list[bool]) -> None:
        self._machine = machine
        self._path = path
        self._reads = reads
        self.real: sqlite3.Connection | None = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False
        )
        self.image: bytes | None = None

    @property
    def in_transaction(self) -> bool:
        return self.real is not None and self.real.in_transaction

    def execute(self, sql: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        word = sql.split(None, 1)[0].upper()
        operation = _OPERATIONS.get(word, "statement")
        if operation == "select":
            self._reads.append(False)
        failure = self._machine.reach(operation, _label(operation, sql, values))
        if failure is not None and not failure.endswith(", after"):
            raise _sqlite_error(failure)
        assert self.real is not None
        if operation == "commit":
            self._keep_image()
        cursor = self.real.execute(sql, values)
        if operation == "select":
            self._reads[-1] = True
        if operation == "commit":
            self._machine.refresh()
        if failure is not None:
            raise _sqlite_error(failure.removesuffix(", after"))
        return cursor

    def close(self) -> None:
        self._machine.reach("close database", "")
        if self.real is not None:
            self.real.close()
            self.real = None
        self._machine.refresh()

    def _keep_image(self) -> None:
        assert self.real is not None
        [(level,)] = self.real.execute("PRAGMA synchronous").fetchall()
        if level >= 2 or self.image is not None:
            return
        with seam():
            other = sqlite3.connect(self._path)
        self.image = other.serialize()
        other.close()


_OPERATIONS = {
    "PRAGMA": "pragma",
    "BEGIN": "begin",
    "COMMIT": "commit",
    "ROLLBACK": "statement",
    "SELECT": "select",
}


def _label(operation: str, sql: str, values: Sequence[object]) -> str:
    """Enough to tell what it is about; no run ids and times."""
    words = " ".join(sql.split()[:6])
    state = next((str(v) for v in values if v in _STATES), "")
    return f"{words} {state}".strip()


_STATES = {"planned", "sending", "accepted", "rejected", "unknown", "split"}


def _sqlite_error(words: str) -> sqlite3.Error:
    if "malformed" in words:
        return sqlite3.DatabaseError(words)
    return sqlite3.OperationalError(words)
