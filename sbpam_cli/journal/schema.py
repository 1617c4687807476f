"""The journal's file: opened privately, made durable, migrated, or refused with a remedy."""

from pathlib import Path
from typing import TYPE_CHECKING

from sbpam_cli.errors import JournalError
from sbpam_cli.system.filesystems import filesystem_type, is_network

if TYPE_CHECKING:
    import sqlite3

    from sbpam_cli.system.services import Services

_MODE_TRIES = 100
_MODE_PAUSE_S = 0.05
_BUSY_TIMEOUT_S = 30


def journal_failure(services: "Services", path: Path, error: Exception) -> JournalError:
    """What went wrong with SQLite, and the remedy that fits."""
    words = str(error)
    if "malformed" in words or "not a database" in words:
        hint = (
            f"a copy is kept as {_keep_copy(services, path)}; move {path} away to start afresh,"
            " or save its rows with `sqlite3 .recover`: it may name hosts in doubt"
        )
    elif "full" in words:
        hint = f"make room on the disk of {path.parent}; `sbpam resume` goes on"
    elif "locked" in words or "busy" in words:
        hint = "another sbpam holds the journal; try again when it has ended"
    else:
        hint = f"check the folder {path.parent} (rights, space, disk), or set SBPAM_STATE_HOME"
    return JournalError(f"the journal {path} cannot be used", reason=words, hint=hint)


def _keep_copy(services: "Services", path: Path) -> Path:
    """Copies a damaged journal aside, once for each state of it; never deletes anything."""
    from contextlib import suppress

    copy = path
    with suppress(OSError):
        changed = path.stat().st_mtime_ns
        copy = path.with_name(f"{path.name}.damaged-{changed}")
        if not copy.exists():
            services.files().copy(path, copy)
    return copy


def open_database(services: "Services") -> "tuple[sqlite3.Connection, Path]":
    """Opens the journal's database, creating or migrating it. Raises JournalError."""
    import sqlite3

    from sbpam_cli.system.files import open_private, private_folder

    folder = private_folder(services, services.state_folder())
    path = folder / "journal.sqlite3"
    _close_descriptor(open_private(services, path))
    try:
        connection = services.database(str(path))
    except sqlite3.Error as error:
        raise journal_failure(services, path, error) from error
    try:
        on_network = is_network(filesystem_type(folder.resolve()))
        _prepare(connection, _set_mode(services, connection, "DELETE" if on_network else "WAL"))
        _migrate(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise journal_failure(services, path, error) from error
    except BaseException:
        connection.close()
        raise
    return connection, path


def _close_descriptor(descriptor: int) -> None:
    import os

    os.close(descriptor)


def _set_mode(services: "Services", connection: "sqlite3.Connection", wanted: str) -> str:
    """The journal mode: a write-ahead log needs shared memory, which no network has."""
    import sqlite3

    connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_S * 1000}")
    # While another process makes the file, SQLite fails at once, whatever the timeout.
    for left in range(_MODE_TRIES, 0, -1):
        try:
            [(mode,)] = connection.execute(f"PRAGMA journal_mode = {wanted}").fetchall()
            return str(mode)
        except sqlite3.OperationalError as error:
            if left == 1 or "locked" not in str(error):
                raise
            services.clock.sleep(_MODE_PAUSE_S)
    raise AssertionError


def _prepare(connection: "sqlite3.Connection", mode: str) -> None:
    import sqlite3

    execute = connection.execute
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


def _migrate(connection: "sqlite3.Connection", path: Path) -> None:
    from sbpam_cli.journal.migrations import STEPS

    execute = connection.execute
    [(version,)] = execute("PRAGMA user_version").fetchall()
    if version > len(STEPS):
        raise JournalError(
            f"the journal {path} was written by a newer sbpam",
            reason=f"its schema is {version}, this program knows {len(STEPS)}",
            hint="update sbpam, or set SBPAM_STATE_HOME to another folder",
        )
    if version == len(STEPS):
        return
    execute("BEGIN IMMEDIATE")
    try:
        # Another process may have been first.
        [(version,)] = execute("PRAGMA user_version").fetchall()
        for step in STEPS[version:]:
            for statement in step:
                execute(statement)
        execute(f"PRAGMA user_version = {len(STEPS)}")
        execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            execute("ROLLBACK")
        raise
