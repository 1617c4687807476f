"""One connection to the journal's file, and transactions on it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbpam_cli.errors import JournalError
from sbpam_cli.journal.records import OddValueError
from sbpam_cli.journal.schema import journal_failure

if TYPE_CHECKING:
    import sqlite3

    from sbpam_cli.system.services import Services


class Database:
    """Any SQLite error raises JournalError, and the connection is over then."""

    def __init__(self, connection: "sqlite3.Connection", path: Path, services: "Services") -> None:
        self._connection: sqlite3.Connection | None = connection
        self._services = services
        self.path = path

    def close(self) -> None:
        """Closes the connection; what is committed stays."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        import sqlite3

        connection = self._open_connection()
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection.execute
            connection.execute("COMMIT")
        except BaseException as error:
            # A commit that raised can still be there: this connection is over.
            self._abandon()
            if isinstance(error, sqlite3.Error):
                raise journal_failure(self.path, error) from error
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

    def _failed(self, error: Exception) -> JournalError:
        self._abandon()
        return journal_failure(self.path, error)

    def _open_connection(self) -> "sqlite3.Connection":
        if self._connection is None:
            raise JournalError(
                f"the journal {self.path} failed earlier in this command",
                hint="`sbpam resume` continues from what it holds",
            )
        return self._connection

    def _abandon(self) -> None:
        import sqlite3

        with suppress(sqlite3.Error):
            self.close()
