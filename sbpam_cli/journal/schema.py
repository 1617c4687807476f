"""The journal's file: opened privately, made durable, or refused with a remedy; transactions."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from sbpam_cli.errors import JournalError
from sbpam_cli.journal.records import OddValueError
from sbpam_cli.system.files import open_private, private_folder
from sbpam_cli.system.filesystems import filesystem_type, is_network
from sbpam_cli.system.services import Services

if TYPE_CHECKING:
    import sqlite3

VERSION = 2
_BUSY_TIMEOUT_S = 30.0
_BUSY_PAUSE_S = 0.05
_UNSOUND = ("malformed", "not a database", "odd value", "Could not decode", "integer overflow")
# Names and rows are tables of their own: a batch's state changes without rewriting them.
_TABLES = f"""
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY,
    started REAL NOT NULL,          -- epoch seconds, our clock
    ended REAL,
    exit_code INTEGER,              -- NULL: cut short
    server TEXT NOT NULL,           -- origin
    profile TEXT NOT NULL,
    username TEXT,
    credential_id TEXT NOT NULL,
    digest TEXT NOT NULL,           -- of the sorted names that are sent
    hosts INTEGER NOT NULL,         -- asked for, those set aside included
    aside TEXT NOT NULL,            -- JSON: [[position, host, status, detail], ...]
    account TEXT,                   -- the service account's name, if that is known
    skipped INTEGER NOT NULL,       -- of those set aside: Skipped,
    elsewhere INTEGER NOT NULL,     -- and in doubt in another run
    list TEXT NOT NULL              -- what the hosts came from: `hosts.csv, stdin`
);
CREATE TABLE batches (
    run_id TEXT NOT NULL REFERENCES runs (run_id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    first INTEGER NOT NULL,         -- index of its first name among those sent
    size INTEGER NOT NULL,
    parent INTEGER,                 -- the batch it was split from
    state TEXT NOT NULL,            -- planned sending accepted rejected unknown split
    job_id TEXT,                    -- not unique: a server may reuse one
    sent_at REAL,                   -- epoch seconds, our clock: the newest try
    deadline REAL,                  -- by then that try has ended, one way or another
    gave_up_at REAL,
    clock_offset REAL,              -- the server's clock minus ours at that try, seconds
    http_status INTEGER,
    reason TEXT,
    trace_id TEXT,
    accepted_at REAL,
    list_before INTEGER,            -- the last read of the job list that had ended before it
    session TEXT,                   -- of that try: the same one, the same sign-in
    PRIMARY KEY (run_id, number)
);
CREATE TABLE batch_names (
    run_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    names TEXT NOT NULL,            -- one a line, in the order asked for
    PRIMARY KEY (run_id, number),
    FOREIGN KEY (run_id, number) REFERENCES batches (run_id, number) ON DELETE CASCADE
);
CREATE TABLE batch_rows (
    run_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    seen_at REAL NOT NULL,          -- epoch seconds, our clock
    accepted INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    complete INTEGER NOT NULL,
    rows TEXT NOT NULL,             -- JSON: an array for each field but the host (see Rows)
    PRIMARY KEY (run_id, number),
    FOREIGN KEY (run_id, number) REFERENCES batches (run_id, number) ON DELETE CASCADE
);
CREATE TABLE lists (                -- reads of a server's list of jobs
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    server TEXT NOT NULL,           -- origin
    ended REAL NOT NULL,            -- epoch seconds, our clock
    whole INTEGER NOT NULL,         -- 0: it broke off
    ids BLOB NOT NULL               -- the jobs that it showed, 16 bytes each
);
CREATE INDEX runs_by_list ON runs (digest, server);
CREATE INDEX batches_by_job ON batches (job_id);
PRAGMA user_version = {VERSION}
"""


class Database:
    """One connection. Any SQLite error raises JournalError, and the connection is over then."""

    def __init__(self, services: Services) -> None:
        """The file is created if it is missing."""
        import sqlite3

        self._services = services
        folder = private_folder(services, services.state_folder())
        self.path = folder / "journal.sqlite3"
        os.close(open_private(services, self.path))
        self._connection: sqlite3.Connection | None = None
        try:
            self._connection = services.database(str(self.path))
            self._make_durable(on_network=is_network(filesystem_type(folder.resolve())))
            self._create_tables()
        except BaseException as error:
            failure = self._failed(error)
            if isinstance(error, sqlite3.Error):
                raise failure from error
            raise

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def check(self) -> str:
        """`ok`, or what SQLite finds wrong with the file."""
        try:
            [(word,)] = self._open_connection().execute("PRAGMA quick_check(1)").fetchall()
        except Exception as error:  # sqlite3's own
            return str(error)
        return str(word)

    def _make_durable(self, *, on_network: bool) -> None:
        import sqlite3

        execute = self._open_connection().execute
        execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_S * 1000:.0f}")
        # A write-ahead log needs shared memory, which a network's file system has not.
        mode = self._set_mode("delete" if on_network else "wal")
        # With NORMAL nothing is on disk before the POST. Read back: a build may ignore it.
        execute("PRAGMA synchronous = FULL")
        execute("PRAGMA fullfsync = ON")
        execute("PRAGMA foreign_keys = ON")
        [(level,)] = execute("PRAGMA synchronous").fetchall()
        if level != 2:
            raise sqlite3.OperationalError("SQLite does not keep synchronous=FULL")
        if mode != "wal":
            # A rollback journal ends by its removal, so its folder must be on the disk too.
            execute("PRAGMA synchronous = EXTRA")

    def _set_mode(self, wanted: str) -> str:
        """The journal mode in force. SQLite's busy time-out does not cover this switch."""
        import sqlite3

        execute, clock = self._open_connection().execute, self._services.clock
        until = clock.monotonic() + _BUSY_TIMEOUT_S
        while True:
            try:
                [(mode,)] = execute(f"PRAGMA journal_mode = {wanted}").fetchall()
                return str(mode)
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or clock.monotonic() >= until:
                    raise
            clock.sleep(_BUSY_PAUSE_S)

    def _create_tables(self) -> None:
        [(version,)] = self._select("PRAGMA user_version")
        if version == 0:
            with self._transaction() as execute:
                # Another process may have been first.
                [(version,)] = execute("PRAGMA user_version").fetchall()
                for statement in _TABLES.split(";") if version == 0 else ():
                    execute(statement)
        elif version != VERSION:
            raise JournalError(
                f"the journal {self.path} was written by another version of sbpam",
                reason=f"its schema is {version}, this program knows {VERSION}",
                hint="use that version, or set SBPAM_STATE_HOME to another folder",
            )

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        import sqlite3

        connection = self._open_connection()
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection.execute
            connection.execute("COMMIT")
        except BaseException as error:
            failure = self._failed(error)
            if isinstance(error, sqlite3.Error):
                raise failure from error
            raise

    def _select(
        self, query: str, values: Sequence[object] = (), read: Callable[[Any], Any] = tuple
    ) -> list[Any]:
        """What `read` makes of each row."""
        import sqlite3

        try:
            return [read(row) for row in self._open_connection().execute(query, tuple(values))]
        except UnicodeEncodeError:
            # Asked for bytes that are no text, which no row holds.
            return []
        except (sqlite3.Error, OddValueError) as error:
            raise self._failed(error) from error

    def _failed(self, error: BaseException) -> JournalError:
        """What went wrong, and the remedy that fits.

        A commit that raised can still be there: this connection is over.
        """
        import sqlite3

        with suppress(sqlite3.Error):
            self.close()
        words, folder = str(error), self.path.parent
        if any(sign in words for sign in _UNSOUND):
            hint = (
                f"save its rows with `sqlite3 {self.path} .recover`: it may name hosts in doubt;"
                " then move it away to start afresh"
            )
        elif "full" in words:
            hint = f"make room on the disk of {folder}; then `sbpam resume` continues"
        elif "locked" in words or "busy" in words:
            hint = "another sbpam holds the journal; try again when it has ended"
        else:
            hint = f"check the folder {folder} (rights, space, disk), or set SBPAM_STATE_HOME"
        return JournalError(f"the journal {self.path} cannot be used", reason=words, hint=hint)

    def _open_connection(self) -> "sqlite3.Connection":
        if self._connection is None:
            raise JournalError(
                f"the journal {self.path} failed earlier in this command",
                hint="`sbpam resume` continues from what it holds",
            )
        return self._connection
