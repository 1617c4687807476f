"""The seams of one process: what it opens, what it locks, and what dies with it."""

import errno
import fcntl
import io
import os
import random
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torture.audit import inside_seam
from torture.network import MemoryNetwork
from torture.turns import TurnWorkers

from sbpam_cli.system.clock import Clock
from sbpam_cli.system.filesystems import Files
from sbpam_cli.system.services import Services

if TYPE_CHECKING:
    from torture.machine import Machine

BATCHES = (
    "SELECT b.run_id, b.number, b.state, n.names, b.gave_up_at IS NULL, r.exit_code, b.job_id"
    " FROM batches b JOIN batch_names n USING (run_id, number) JOIN runs r USING (run_id)"
    " ORDER BY r.rowid, b.first, b.number"
)


class VirtualClock(Clock):
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


class Process:
    """The seams of one process, and what dies with it."""

    def __init__(self, machine: "Machine") -> None:
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
        user = machine.world.person("none" if machine.script.date_ahead_s else "totp")

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
                "SBPAM_USERNAME": user.login,
                "SBPAM_PASSWORD": user.password,
                "SBPAM_TOTP_SECRET": user.totp_secret,
                "SBPAM_CREDENTIAL": machine.world.credentials[0]["credentialId"],
            },
            clock=VirtualClock(machine),
            random=random.Random(machine.seed + len(machine.endings)),
            keyring=Keyring,
            network=lambda: MemoryNetwork(machine),
            resolve=lambda host, port: [host],
            database=self._connect,
            files=lambda: _Files(machine, self._locked),
            workers=workers,
            exit_now=lambda _: machine.die(),
        )

    def _connect(self, path: str) -> Any:
        failure = self._machine.reach("open database", "")
        if failure is not None:
            raise sqlite3.OperationalError(failure)
        with inside_seam():
            database = _Database(self._machine, path, self._reads)
        self._databases.append(database)
        return database

    def batches(self) -> list[tuple[Any, ...]] | None:
        """As this process would see them; None where it has no journal open."""
        for database in self._databases:
            if database.real is not None:
                with suppress(sqlite3.OperationalError):
                    return database.real.execute(BATCHES).fetchall()
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
                fcntl.flock(descriptor, fcntl.LOCK_UN)
        self._locked.clear()
        for database in self._databases:
            if database.real is not None:
                database.real.close()
                database.real = None


class _Files(Files):
    def __init__(self, machine: "Machine", locked: list[int]) -> None:
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
        with inside_seam():
            return super().open(path, flags)

    def lock(self, descriptor: int) -> None:
        self._reach("lock", "")
        super().lock(descriptor)
        self._locked.append(descriptor)


class _Database:
    """SQLite's connection, by shape. A commit below synchronous=FULL may be lost with the power.

    image: the whole database as the disk has it, where that is not what SQLite shows.
    """

    def __init__(self, machine: "Machine", path: str, reads: list[bool]) -> None:
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
        with inside_seam():
            other = sqlite3.connect(self._path)
        self.image = other.serialize()
        other.close()


_OPERATIONS = {"PRAGMA": "pragma", "BEGIN": "begin", "COMMIT": "commit", "SELECT": "select"}


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
