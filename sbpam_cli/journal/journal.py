"""The journal: what was asked for, what was sent, what came of it.

Nothing is sent before the disk has confirmed that it will be. A batch's names and rows are one
value each: a run of a million hosts is a few thousand rows.
"""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, cast

from sbpam_cli.errors import UsageError
from sbpam_cli.journal.records import (
    Batch,
    OddValueError,
    Run,
    RunCounts,
    count_rows,
    pack_rows,
    read_batch,
    read_claim,
    read_run,
)
from sbpam_cli.journal.schema import Database
from sbpam_cli.models import SCHEDULED, ScanStatus
from sbpam_cli.wording import did_you_mean

_RUNS_COMPARED = 1000
"""How many of the newest a mistyped id is compared with."""
_RUN = ", ".join(Run._fields[:-1]) + ", list"
"""The columns, in the order of a run's fields."""
_CHANGING = (
    *("state", "job_id", "sent_at", "deadline", "gave_up_at", "clock_offset", "http_status"),
    *("reason", "trace_id", "accepted_at", "list_before", "session"),
)
"""Fields of a batch that change; columns of the same names."""
_UPDATE_BATCH = (
    f"UPDATE batches SET {', '.join(f'{name} = ?' for name in _CHANGING)}"
    " WHERE run_id = ? AND number = ?"
)
_NUMBERS = [(name, "size") for name in ("size", "accepted", "failed", "complete")]
_NUMBERS += [("r.skipped", "r.hosts"), ("r.elsewhere", "r.hosts")]
_OPEN = "('planned', 'sending', 'unknown')"
_LIST_SERVES_S = 600.0


class Journal(Database):
    """What is recorded and read, one method for each."""

    # Recording.

    def record_run(self, run: Run, batches: Iterable[Batch]) -> None:
        """Its batches know the run from now on."""
        aside = json.dumps([tuple(item) for item in run.aside])
        found = [item.status for item in run.aside]
        counts = (found.count(ScanStatus.SKIPPED), found.count(ScanStatus.OUTCOME_UNKNOWN))
        values = (*(run._asdict() | {"aside": aside}).values(), *counts)
        marks = ", ".join(["?"] * len(values))
        with self._transaction() as execute:
            execute(f"INSERT INTO runs ({_RUN}, skipped, elsewhere) VALUES ({marks})", values)
            self._insert(execute, run.run_id, batches)

    def record_batches(self, batches: Iterable[Batch]) -> None:
        """Batches as they are now, with the rows that they have, in one commit."""
        with self._transaction() as execute:
            for batch in batches:
                self._put_batch(execute, batch)

    def claim(self, server: str, batch: Batch) -> bool:
        """Records a batch with its job; False, and nothing, if another batch has that job."""
        with self._transaction() as execute:
            taken = execute(
                "SELECT 1 FROM batches JOIN runs USING (run_id) WHERE job_id = ? AND server = ?",
                (batch.job_id, server),
            ).fetchall()
            if not taken:
                self._put_batch(execute, batch)
        return not taken

    def record_rows(self, batches: Iterable[Batch]) -> None:
        """Newer statuses of accepted batches' hosts, as a look saw them."""
        with self._transaction() as execute:
            for batch in batches:
                self._put_rows(execute, batch)

    def split(self, parent: Batch, children: Iterable[Batch]) -> None:
        """A batch gives way to smaller ones: both sides in one transaction."""
        with self._transaction() as execute:
            self._put_batch(execute, parent)
            self._insert(execute, parent.run_id, children)

    def end_run(self, run_id: str, exit_code: int | None) -> None:
        """How the command ended; None while it is going again."""
        ended = None if exit_code is None else self._services.clock.now()
        with self._transaction() as execute:
            execute(
                "UPDATE runs SET ended = ?, exit_code = ? WHERE run_id = ?",
                (ended, exit_code, run_id),
            )

    def prune(self, before: float) -> int:
        """Removes finished runs begun before then; returns how many."""
        # While a run is in doubt, the jobs of later ones must not pass for its own.
        with self._transaction() as execute:
            removed = execute(
                "DELETE FROM runs WHERE started < ? AND run_id NOT IN (SELECT run_id FROM batches"
                " WHERE state IN ('planned', 'sending', 'unknown', 'rejected'))"
                " AND NOT EXISTS (SELECT 1 FROM runs r JOIN batches b USING (run_id)"
                " WHERE r.server = runs.server AND r.rowid < runs.rowid"
                " AND b.state IN ('sending', 'unknown'))",
                (before,),
            )
        return int(removed.rowcount)

    def _insert(self, execute: Any, run_id: str, batches: Iterable[Batch]) -> None:
        for batch in batches:
            batch.run_id = run_id
            execute(
                "INSERT INTO batches (run_id, number, first, size, parent, state)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (run_id, batch.number, batch.first, len(batch.names), batch.parent, batch.state),
            )
            names = "\n".join(batch.names)
            execute("INSERT INTO batch_names VALUES (?, ?, ?)", (run_id, batch.number, names))

    def _put_batch(self, execute: Any, batch: Batch) -> None:
        changing = [getattr(batch, name) for name in _CHANGING]
        execute(_UPDATE_BATCH, (*changing, batch.run_id, batch.number))
        self._put_rows(execute, batch)

    def _put_rows(self, execute: Any, batch: Batch) -> None:
        if batch.rows is None:
            return
        seen_at = batch.seen_at or self._services.clock.now()
        counts, packed = count_rows(batch.rows), pack_rows(batch.rows)
        execute(
            "INSERT OR REPLACE INTO batch_rows VALUES (?, ?, ?, ?, ?, ?, ?)",
            (batch.run_id, batch.number, seen_at, *counts, packed),
        )

    # Reads of the list of jobs.

    def record_list(self, server: str, ids: Iterable[bytes], *, whole: bool) -> int:
        """A read that has just ended. Forgets those that nothing undecided refers to."""
        now = self._services.clock.now()
        with self._transaction() as execute:
            execute(
                "DELETE FROM lists WHERE ended NOT BETWEEN ? AND ? AND number NOT IN (SELECT"
                " list_before FROM batches WHERE list_before IS NOT NULL AND run_id IN"
                f" (SELECT run_id FROM batches WHERE state IN {_OPEN}))",
                (now - _LIST_SERVES_S, now),
            )
            made = execute(
                "INSERT INTO lists (server, ended, whole, ids) VALUES (?, ?, ?, ?)",
                (server, now, whole, b"".join(ids)),
            )
        return int(made.lastrowid)

    def recent_list(self, server: str) -> int | None:
        """The newest whole read that is recent enough to serve another run."""
        now = self._services.clock.now()
        found = self._select(
            "SELECT max(number) FROM lists WHERE server = ? AND whole AND ended BETWEEN ? AND ?",
            (server, now - _LIST_SERVES_S, now),
        )
        return cast("int | None", found[0][0])

    def listed(self, number: int | None) -> tuple[frozenset[bytes], bool]:
        """The ids that a read showed, and whether it was whole; none if it is unknown."""
        for whole, ids in self._select("SELECT whole, ids FROM lists WHERE number = ?", (number,)):
            if not isinstance(ids, bytes) or len(ids) % 16:
                raise self._failed(OddValueError("ids of a list"))
            cut = (ids[start : start + 16] for start in range(0, len(ids), 16))
            return frozenset(cut), bool(whole)
        return frozenset(), False

    # Runs.

    def runs(self, *, limit: int = -1) -> list[Run]:
        """Past runs, newest first; none with what it set aside."""
        return self._runs("ORDER BY rowid DESC LIMIT ?", limit, with_aside=False)

    def find_run(self, prefix: str) -> Run:
        """The run whose id begins so. Raises UsageError if none or several do."""
        if not prefix:
            raise UsageError("a run's id is empty", hint="`sbpam runs` lists them")
        found = self._runs(
            "WHERE substr(run_id, 1, ?) = ? ORDER BY rowid DESC LIMIT 6", len(prefix), prefix
        )
        if len(found) > 1:
            raise UsageError(
                f"several runs begin with {prefix}",
                reason=", ".join(run.run_id for run in found[:5]),
                hint="give more of the id",
            )
        if not found:
            known = [run.run_id for run in self.runs(limit=_RUNS_COMPARED)]
            how = "`sbpam runs` lists them; a job is named by its UUID, a host by its FQDN"
            hint = did_you_mean(prefix, known, how)
            raise UsageError(f"no run {prefix[:60]} in the journal", hint=hint)
        return found[0]

    def unfinished_run(self, server: str, credential_id: str, digest: str) -> Run | None:
        """The newest run of this list that was cut short.

        Something of it may still be sent, or its command did not end by itself.
        One that only has refused batches is over; `resume` alone sends those again.
        """
        # All are read, so checked: with an odd server or digest this list would seem a new one.
        self.runs()
        found = self._runs(
            "WHERE digest = ? AND server = ? AND credential_id = ?"
            " AND (exit_code IS NULL OR exit_code IN (4, 5, 6) OR exit_code > 128 OR run_id IN"
            f" (SELECT run_id FROM batches WHERE state IN {_OPEN}))"
            " ORDER BY rowid DESC LIMIT 1",
            *(digest, server, credential_id),
        )
        return found[0] if found else None

    def newest_unfinished_run(self) -> Run | None:
        """The newest run with a batch that is not accepted, or whose command was cut off."""
        found = self._runs(
            "WHERE exit_code IS NULL OR run_id IN (SELECT run_id FROM batches"
            " WHERE state NOT IN ('accepted', 'split')) ORDER BY rowid DESC LIMIT 1"
        )
        return found[0] if found else None

    def counts(self) -> defaultdict[str, RunCounts]:
        """For every run: its hosts by what became of them."""
        rows = self._select(
            "SELECT r.run_id, total(accepted), total(failed), total(complete),"
            " total(CASE WHEN state IN ('unknown', 'sending') THEN size END),"
            " total(CASE WHEN state IN ('planned', 'rejected') THEN size END),"
            " max(r.skipped), max(r.elsewhere),"
            f" max({' OR '.join(_is_odd(*pair) for pair in _NUMBERS)})"
            " FROM runs r LEFT JOIN batches b ON b.run_id = r.run_id AND state <> 'split'"
            " LEFT JOIN batch_rows w ON (w.run_id, w.number) = (b.run_id, b.number)"
            " GROUP BY r.run_id"
        )
        if any(odd for *_, odd in rows):
            raise self._failed(OddValueError("a number of hosts"))
        found = {run_id: RunCounts(*map(int, numbers)) for run_id, *numbers, _ in rows}
        return defaultdict(RunCounts, found)

    def _runs(self, rest: str, *values: object, with_aside: bool = True) -> list[Run]:
        """with_aside: of each run, what was not sent, which can be a long list."""
        columns = _RUN if with_aside else _RUN.replace("aside", "'[]'")
        return self._select(f"SELECT {columns} FROM runs {rest}", values, read_run)

    # Batches.

    def batches(self, run_id: str) -> list[Batch]:
        """The batches of a run in the order of their names; split ones left out."""
        return self._batches("b.run_id = ? AND b.state <> 'split'", run_id)

    def each_batch(self, run_id: str) -> Iterator[Batch]:
        """The same one at a time; no read lock is held in between."""
        # By their places: the run may go on meanwhile, and split what is next.
        place = 0
        where = (
            "b.run_id = ? AND b.number = (SELECT number FROM batches WHERE run_id = ?"
            " AND first >= ? AND state <> 'split' ORDER BY first LIMIT 1)"
        )
        while found := self._batches(where, run_id, run_id, place):
            yield from found
            place = found[0].first + len(found[0].names)

    def newest_batch_of(self, host: str, server: str) -> tuple[Run, Batch] | None:
        """The newest accepted batch on that server that holds the host."""
        return self._newest(
            "r.server = ? AND b.state = 'accepted'"
            " AND instr(char(10) || n.names || char(10), char(10) || ? || char(10)) > 0",
            *(server, host),
        )

    def batch_of_job(self, job_id: str) -> tuple[Run, Batch] | None:
        return self._newest("b.job_id = ?", job_id)

    def _newest(self, where: str, *values: object) -> tuple[Run, Batch] | None:
        found = self._batches(
            "(b.run_id, b.number) = (SELECT b.run_id, b.number FROM batches b"
            " JOIN batch_names n USING (run_id, number) JOIN runs r USING (run_id)"
            f" WHERE {where} ORDER BY r.rowid DESC, b.sent_at DESC LIMIT 1)",
            *values,
        )
        return (self.find_run(found[0].run_id), found[0]) if found else None

    def claimed_jobs(self, server: str, by: float = math.inf) -> dict[str, str]:
        """Jobs of that server that a batch had by then: job id -> run id, the newest last."""
        return dict(
            self._select(
                "SELECT job_id, run_id FROM batches JOIN runs USING (run_id)"
                " WHERE job_id IS NOT NULL AND server = ? AND coalesce(accepted_at, 0) <= ?"
                " ORDER BY runs.rowid, sent_at",
                (server, by),
                read_claim,
            )
        )

    def newest_accepted(self, server: str) -> tuple[Run, Batch] | None:
        return self._newest("r.server = ? AND b.state = 'accepted'", server)

    def doubts(self, server: str, since: float) -> list[tuple[Run, list[Batch]]]:
        """Batches in doubt on that server, sent since then, by run."""
        where = "b.state IN ('sending', 'unknown') AND b.sent_at >= ?"
        runs = self._runs(
            "WHERE server = ? AND run_id IN"
            f" (SELECT b.run_id FROM batches b WHERE {where}) ORDER BY rowid",
            *(server, since),
        )
        where = f"b.run_id = ? AND {where}"
        return [(run, self._batches(where, run.run_id, since)) for run in runs]

    def accepted_since(self, server: str, since: float) -> dict[str, str]:
        """Hosts of that server's accepted batches sent since then: host -> run id."""
        # Not what was sent in the future: some clock was wrong once.
        found = self._batches(
            "b.run_id IN (SELECT run_id FROM runs WHERE server = ?)"
            " AND b.state = 'accepted' AND b.sent_at BETWEEN ? AND ?",
            *(server, since, self._services.clock.now()),
        )
        return {
            row.host: batch.run_id
            for batch in sorted(found, key=lambda batch: batch.sent_at or 0.0)
            for row in batch.rows or ()
            if row.status in SCHEDULED
        }

    def _batches(self, where: str, *values: object) -> list[Batch]:
        """In the order of their names."""
        own = ("run_id", "number", "first", "size", "parent", *_CHANGING)
        fields = (*own, "names", "seen_at", "rows")
        return self._select(
            f"SELECT {', '.join(f'b.{name}' for name in own)}, n.names, r.seen_at, r.rows"
            " FROM batches b LEFT JOIN batch_names n USING (run_id, number)"
            f" LEFT JOIN batch_rows r USING (run_id, number) WHERE {where} ORDER BY b.first",
            values,
            lambda values: read_batch(dict(zip(fields, values, strict=True))),
        )


def _is_odd(number: str, most: str) -> str:
    """What SQLite is to check of a column that it adds up; a NULL is of a run without batches."""
    is_number = f"typeof({number}) IN ('integer', 'null')"
    return f"(NOT {is_number} OR coalesce({number} NOT BETWEEN 0 AND {most}, 0))"
