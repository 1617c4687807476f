"""The journal: what was asked for, what was sent, what came of it.

SQLite, written ahead: nothing is sent before the disk has confirmed that it
will be. The unit of the protocol is the batch (one POST, one server job), so
a batch's names and rows are one value each: a run of a million hosts is a few
thousand rows.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbpam_cli.errors import JournalError, UsageError
from sbpam_cli.journal.records import (
    Aside,
    Batch,
    Run,
    RunCounts,
    count_rows,
    pack_rows,
    unpack_rows,
)
from sbpam_cli.journal.schema import journal_failure, open_database
from sbpam_cli.models import SCHEDULED, ScanStatus
from sbpam_cli.wording import did_you_mean

if TYPE_CHECKING:
    import sqlite3

    from sbpam_cli.system.services import Services

_RUNS_COMPARED = 1000
"""How many of the newest a mistyped id is compared with."""


class Journal:
    """One connection. Any SQLite error raises JournalError, and the connection is over then."""

    def __init__(self, connection: "sqlite3.Connection", path: Path, services: "Services") -> None:
        self._connection: sqlite3.Connection | None = connection
        self._services = services
        self.path = path

    def close(self) -> None:
        """Closes the connection; what is committed stays."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # Recording.

    def record_run(self, run: Run, batches: Sequence[Batch]) -> None:
        """The run, its batches and their names, in one transaction."""
        aside = json.dumps([(a.position, a.host, a.status, a.detail) for a in run.aside])
        with self._transaction() as execute:
            execute(
                "INSERT INTO runs (run_id, started, server, profile, username, credential_id,"
                " digest, hosts, aside) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(run.run_id, run.started, run.server, run.profile, run.username),
                    *(run.credential_id, run.digest, run.hosts, aside),
                ),
            )
            self._insert(execute, run.run_id, batches)

    def record_outcomes(
        self, run_id: str, batches: Iterable[Batch], *, sending: Iterable[Batch] = ()
    ) -> None:
        """What came of some batches, with their rows, and which ones are sent next, in one commit.

        sending: `sending` with when and until when, on disk before their POSTs start.
        """
        with self._transaction() as execute:
            for batch in batches:
                rows = batch.rows or ()
                execute(
                    "UPDATE batches SET state = ?, job_id = ?, gave_up_at = ?, clock_offset = ?,"
                    " http_status = ?, reason = ?, trace_id = ?, accepted = ?, failed = ?,"
                    " accepted_at = coalesce(accepted_at, ?) WHERE run_id = ? AND number = ?",
                    (
                        *(batch.state, batch.job_id, batch.gave_up_at, batch.clock_offset),
                        *(batch.http_status, batch.reason, batch.trace_id),
                        *(*count_rows(rows), batch.seen_at, run_id, batch.number),
                    ),
                )
                if batch.rows is not None:
                    self._put_rows(execute, run_id, batch)
            for batch in sending:
                execute(
                    "UPDATE batches SET state = 'sending', sent_at = ?, deadline = ?,"
                    " clock_offset = ?, gave_up_at = NULL, http_status = NULL, reason = NULL,"
                    " trace_id = NULL WHERE run_id = ? AND number = ?",
                    (batch.sent_at, batch.deadline, batch.clock_offset, run_id, batch.number),
                )

    def record_rows(self, run_id: str, batches: Iterable[Batch]) -> None:
        """Newer statuses of accepted batches' hosts, as a poll saw them."""
        with self._transaction() as execute:
            for batch in batches:
                execute(
                    "UPDATE batches SET accepted = ?, failed = ? WHERE run_id = ? AND number = ?",
                    (*count_rows(batch.rows or ()), run_id, batch.number),
                )
                self._put_rows(execute, run_id, batch)

    def split(self, run_id: str, parent: Batch, children: Sequence[Batch]) -> None:
        """A batch gives way to smaller ones: both sides in one transaction."""
        with self._transaction() as execute:
            execute(
                "UPDATE batches SET state = 'split', http_status = ?, reason = ?"
                " WHERE run_id = ? AND number = ?",
                (parent.http_status, parent.reason, run_id, parent.number),
            )
            self._insert(execute, run_id, children)

    def end_run(self, run_id: str, exit_code: int | None) -> None:
        """How the command ended; None while it is going again."""
        ended = None if exit_code is None else self._services.clock.now()
        with self._transaction() as execute:
            execute(
                "UPDATE runs SET ended = ?, exit_code = ? WHERE run_id = ?",
                (ended, exit_code, run_id),
            )

    def _insert(self, execute: Any, run_id: str, batches: Iterable[Batch]) -> None:
        for batch in batches:
            execute(
                "INSERT INTO batches (run_id, number, first, size, parent, state)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (run_id, batch.number, batch.first, len(batch.names), batch.parent, batch.state),
            )
            execute(
                "INSERT INTO batch_names VALUES (?, ?, ?)",
                (run_id, batch.number, "\n".join(batch.names)),
            )

    def _put_rows(self, execute: Any, run_id: str, batch: Batch) -> None:
        execute(
            "INSERT OR REPLACE INTO batch_rows VALUES (?, ?, ?, ?)",
            (
                *(run_id, batch.number, batch.seen_at or self._services.clock.now()),
                pack_rows(batch.rows or ()),
            ),
        )

    # Reading.

    def runs(self, *, limit: int = -1) -> list[Run]:
        """Past runs, newest first."""
        return [
            _run(row)
            for row in self._select(
                f"SELECT {_RUN} FROM runs ORDER BY started DESC, run_id DESC LIMIT ?",  # noqa: S608
                (limit,),
            )
        ]

    def find_run(self, prefix: str) -> Run:
        """The run whose id begins so. Raises UsageError where none or several do."""
        if not prefix:
            raise UsageError("a run's id is empty", hint="`sbpam runs` lists them")
        found = [
            _run(row)
            for row in self._select(
                f"SELECT {_RUN} FROM runs WHERE substr(run_id, 1, ?) = ?"  # noqa: S608
                " ORDER BY started DESC LIMIT 6",
                (len(prefix), prefix),
            )
        ]
        exact = [run for run in found if run.run_id == prefix] or found
        if len(exact) == 1:
            return exact[0]
        if not exact:
            raise UsageError(
                f"no run {prefix[:60]} in the journal",
                hint=did_you_mean(
                    prefix,
                    [run.run_id for run in self.runs(limit=_RUNS_COMPARED)],
                    "`sbpam runs` lists them; a job is named by its UUID, a host by its FQDN",
                ),
            )
        raise UsageError(
            f"several runs begin with {prefix}",
            reason=", ".join(run.run_id for run in exact[:5]),
            hint="give more of the id",
        )

    def batches(self, run_id: str, *, with_rows: bool = True) -> list[Batch]:
        """The batches of a run in the order of their names; split ones left out."""
        return list(self._batches("b.run_id = ? AND b.state <> 'split'", (run_id,), with_rows))

    def each_batch(self, run_id: str) -> Iterator[Batch]:
        """The same one at a time; no read lock is held in between.

        By their places: the run may go on meanwhile, and split what is next.
        """
        place = 0
        where = (
            "b.run_id = ? AND b.number = (SELECT number FROM batches WHERE run_id = ?"
            " AND first >= ? AND state <> 'split' ORDER BY first LIMIT 1)"
        )
        while found := list(self._batches(where, (run_id, run_id, place), True)):
            yield from found
            place = found[0].first + len(found[0].names)

    def counts(self) -> dict[str, RunCounts]:
        """For every run: its hosts by what became of them."""
        rows = self._select(
            "SELECT run_id, sum(accepted), sum(failed),"
            " sum(CASE WHEN state IN ('unknown', 'sending') THEN size ELSE 0 END),"
            " sum(CASE WHEN state IN ('planned', 'rejected') THEN size ELSE 0 END)"
            " FROM batches WHERE state <> 'split' GROUP BY run_id"
        )
        return {run_id: RunCounts(*(int(n) for n in numbers)) for run_id, *numbers in rows}

    def unfinished_run(self, server: str, credential_id: str | None, digest: str) -> Run | None:
        """The newest run of this list that was cut short; None: with whatever service account.

        Something of it may still be sent, or its command did not end by itself.
        One that only has refused batches is over; `resume` alone sends those again.
        """
        found = self._select(
            f"SELECT {_RUN} FROM runs WHERE digest = ? AND server = ?"  # noqa: S608
            " AND credential_id = coalesce(?, credential_id)"
            " AND (exit_code IS NULL OR exit_code IN (4, 5, 6) OR exit_code > 128 OR run_id IN"
            " (SELECT run_id FROM batches WHERE state IN ('planned', 'sending', 'unknown')))"
            " ORDER BY started DESC LIMIT 1",
            (digest, server, credential_id),
        )
        return _run(found[0]) if found else None

    def newest_unfinished_run(self) -> Run | None:
        """The newest run with a batch that is not accepted, or whose command was cut off."""
        found = self._select(
            f"SELECT {_RUN} FROM runs WHERE exit_code IS NULL"  # noqa: S608
            " OR run_id IN (SELECT run_id FROM batches"
            " WHERE state IN ('planned', 'sending', 'unknown', 'rejected'))"
            " ORDER BY started DESC LIMIT 1"
        )
        return _run(found[0]) if found else None

    def claimed_jobs(self, server: str) -> dict[str, str]:
        """Every job of that server that a batch has: job id -> run id."""
        return dict(
            self._select(
                "SELECT b.job_id, b.run_id FROM batches b JOIN runs r USING (run_id)"
                " WHERE b.job_id IS NOT NULL AND r.server = ? ORDER BY b.sent_at",
                (server,),
            )
        )

    def doubts(self, server: str, since: float) -> list[tuple[Run, list[Batch]]]:
        """Batches in doubt on that server, sent since then, by run."""
        runs = self._select(
            f"SELECT {_RUN} FROM runs WHERE server = ? AND run_id IN (SELECT run_id FROM batches"  # noqa: S608
            " WHERE state IN ('sending', 'unknown') AND sent_at >= ?) ORDER BY started",
            (server, since),
        )
        where = "b.run_id = ? AND b.state IN ('sending', 'unknown') AND b.sent_at >= ?"
        return [
            (run, list(self._batches(where, (run.run_id, since), False))) for run in map(_run, runs)
        ]

    def accepted_since(self, server: str, since: float) -> dict[str, str]:
        """Hosts of that server's accepted batches sent since then: host -> run id."""
        found: dict[str, str] = {}
        for run_id, packed in self._select(
            "SELECT b.run_id, w.rows FROM batches b JOIN runs r USING (run_id)"
            " JOIN batch_rows w USING (run_id, number)"
            " WHERE b.state = 'accepted' AND r.server = ? AND b.sent_at >= ? ORDER BY b.sent_at",
            (server, since),
        ):
            rows = unpack_rows(packed, None)
            found.update((row.host, run_id) for row in rows if row.status in SCHEDULED)
        return found

    def host_ids(self, server: str, hosts: Sequence[str]) -> list[str]:
        """The server's ids of these hosts, as far as an earlier run saw them."""
        found: dict[str, str] = {}
        for host in hosts:
            newest = self.newest_batch_of(host, server)
            for row in (newest[1].rows or ()) if newest is not None else ():
                if row.host in hosts and row.host_id is not None:
                    found[row.host] = row.host_id
            if found:
                break
        return [found[host] for host in hosts if host in found]

    def prune(self, before: float) -> int:
        """Removes finished runs begun before then; answers how many."""
        with self._transaction() as execute:
            removed = execute(
                "DELETE FROM runs WHERE started < ? AND run_id NOT IN (SELECT run_id FROM batches"
                " WHERE state IN ('planned', 'sending', 'unknown', 'rejected'))",
                (before,),
            )
        return int(removed.rowcount)

    def newest_batch_of(self, host: str, server: str) -> tuple[Run, Batch] | None:
        """The newest accepted batch on that server that holds the host."""
        return self._newest(
            "SELECT b.run_id, b.number FROM batches b JOIN batch_names n USING (run_id, number)"
            " JOIN runs r USING (run_id) WHERE b.state = 'accepted' AND r.server = ?"
            " AND instr(char(10) || n.names || char(10), char(10) || ? || char(10)) > 0"
            " ORDER BY b.sent_at DESC LIMIT 1",
            (server, host),
        )

    def batch_of_job(self, job_id: str) -> tuple[Run, Batch] | None:
        """The newest batch whose job it is."""
        return self._newest(
            "SELECT run_id, number FROM batches WHERE job_id = ? ORDER BY sent_at DESC LIMIT 1",
            (job_id,),
        )

    def _newest(self, query: str, values: Sequence[object]) -> tuple[Run, Batch] | None:
        found = self._select(query, values)
        if not found:
            return None
        [(run_id, number)] = found
        [batch] = self._batches("b.run_id = ? AND b.number = ?", (run_id, number), True)
        return self.find_run(run_id), batch

    def _batches(self, where: str, values: Sequence[object], with_rows: bool) -> Iterator[Batch]:
        wanted = "r.rows, r.seen_at" if with_rows else "NULL, NULL"
        for row in self._select(
            "SELECT b.number, b.first, b.state, b.parent, b.job_id, b.sent_at, b.deadline,"  # noqa: S608
            " b.gave_up_at, b.clock_offset, b.http_status, b.reason, b.trace_id, b.accepted_at,"
            f" n.names, {wanted} FROM batches b JOIN batch_names n USING (run_id, number)"
            f" LEFT JOIN batch_rows r USING (run_id, number) WHERE {where} ORDER BY b.first",
            values,
        ):
            number, first, state, parent, job_id, *rest, accepted_at, names, packed, seen_at = row
            rows = unpack_rows(packed, job_id) if packed is not None else None
            batch = Batch(
                *(number, first, names.split("\n"), state, parent, job_id, *rest, rows, seen_at)
            )
            batch.accepted_at = accepted_at
            yield batch

    # SQLite.

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        import sqlite3

        connection = self._open_connection()
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection.execute
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            # A commit that raised can still be there: this connection is over.
            self._abandon()
            raise journal_failure(self._services, self.path, error) from error
        except BaseException:
            self._abandon()
            raise

    def _select(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        import sqlite3

        try:
            return self._open_connection().execute(query, tuple(values)).fetchall()
        except sqlite3.Error as error:
            self._abandon()
            raise journal_failure(self._services, self.path, error) from error

    def _open_connection(self) -> "sqlite3.Connection":
        if self._connection is None:
            raise JournalError(
                f"the journal {self.path} failed earlier in this command",
                hint="`sbpam resume` goes on from what it holds",
            )
        return self._connection

    def _abandon(self) -> None:
        import sqlite3

        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()


_RUN = (
    "run_id, started, server, profile, username, credential_id, digest, hosts, aside, ended,"
    " exit_code"
)


def _run(row: Sequence[Any]) -> Run:
    *fields, aside, ended, exit_code = row
    hosts = [
        Aside(position, host, ScanStatus(status), detail)
        for position, host, status, detail in json.loads(aside)
    ]
    return Run(*(*fields, hosts, ended, exit_code))


def open_journal(services: "Services") -> Journal:
    """Opens the journal, creating or migrating it. Raises JournalError."""
    connection, path = open_database(services)
    return Journal(connection, path, services)
