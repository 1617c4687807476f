"""Rows, in every form, from one list of columns.

Lines end with "\\n" everywhere, Windows included, as `gh` does.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import cast

from sbpam_cli.errors import ExitCode, SbpamError, UsageError
from sbpam_cli.models import FORMS, Form, Rows
from sbpam_cli.outcome import Outcome
from sbpam_cli.output.columns import Row, RowSet, batches, text_of
from sbpam_cli.output.console import Console
from sbpam_cli.output.escape import csv_cell, escape_controls, is_plain_tsv, json_text, tsv_cell
from sbpam_cli.output.summary import HostSummary
from sbpam_cli.system.services import Services
from sbpam_cli.wording import did_you_mean

_ROWS_ON_A_TERMINAL = 100


def choose_form(given: str | None, services: Services) -> Form:
    """The form that is asked for, by `SBPAM_OUTPUT` at last, else the one that fits stdout."""
    if given is None:
        return "table" if services.stdout_is_terminal() else "tsv"
    if given not in FORMS:
        raise UsageError(
            f"SBPAM_OUTPUT: there is no form {given[:40]!r}",
            hint=did_you_mean(given, FORMS, f"the forms are {', '.join(FORMS)}"),
        )
    return given


class Printer:
    """Prints rows of one kind to stdout, in one form.

    row_set: may be another one before the first row. every_row: of a table, however many.
    summary: what stands in place of more than 100 hosts.
    at_once: rows are printed as soon as they are known; their order says nothing.
    """

    def __init__(
        self,
        form: Form,
        console: Console,
        row_set: RowSet,
        *,
        every_row: bool = True,
        summary: HostSummary | None = None,
    ) -> None:
        self.at_once = form == "ndjson"
        self._form = form
        self._console = console
        self.row_set = row_set
        self._limit = None if every_row else _ROWS_ON_A_TERMINAL
        self._owes_header = form == "csv"
        self._kept: list[Row] = []
        self._left_out = 0
        self._summary = summary

    @property
    def is_summed_up(self) -> bool:
        """Whether the summary stands in place of the rows."""
        return self._summary is not None and self._left_out > 0

    def write(self, rows: Iterable[Row]) -> None:
        """Rows in their final order; tsv, csv and ndjson are out when this returns."""
        if self._form in ("json", "table"):
            before = len(self._kept)
            # Straight to what is kept: an error in the middle loses no row before it.
            self._kept.extend(rows)
            if self._summary is not None:
                self._summary.add(self._kept[before:])
            if self._form == "table" and self._limit is not None:
                self._left_out += len(self._kept[self._limit :])
                del self._kept[self._limit :]
            return
        for batch in batches(rows):
            self._console.write(self._header() + self._lines(batch))
        self._console.flush()

    def write_alone(self, row: Row, value: str) -> None:
        """A row of which scripts want one value: in JSON and csv the row, else that value."""
        if self._form in ("table", "tsv"):
            self._console.write(escape_controls(value) + "\n")
        else:
            self.write([row])

    def close(self, command: str, outcome: Outcome) -> None:
        """No more rows. Called once, also when something failed."""
        if self._form == "json":
            self._write_object(command, outcome)
        elif self._summary is not None and self._left_out:
            self._summary.print(self._console, command, outcome)
        elif self._form == "table" and self._kept:
            from sbpam_cli.output.table import print_table

            print_table(self._console, self.row_set, self._kept)
            if self._left_out:
                shown = len(self._kept)
                words = f"{shown} of {shown + self._left_out:,} rows; to see all: -o table"
                self._console.write(f"{words}\n")
        self._console.write(self._header())
        self._console.flush()

    def _header(self) -> str:
        owed, self._owes_header = self._owes_header, False
        return ",".join(self.row_set.columns) + "\n" if owed else ""

    def _lines(self, rows: Sequence[Row]) -> str:
        if self._form == "ndjson":
            return "\n".join([*self._objects(rows), ""])
        count, between = len(self.row_set.columns), ","
        if self._form == "tsv":
            count, between = self.row_set.in_tsv or count, "\t"
        columns = rows.columns.values() if isinstance(rows, Rows) else zip(*rows, strict=True)
        cells = [self._cells(column) for column in islice(columns, count)]
        if len(cells[0]) == len(rows) and all(len(column) == 1 for column in cells[1:]):
            rest = between.join(["", *(cell for [cell] in cells[1:])]) + "\n"
            return rest.join([*cells[0], ""])
        full = (c if len(c) == len(rows) else c * len(rows) for c in cells)
        return "\n".join([*map(between.join, zip(*full, strict=True)), ""])

    def _cells(self, values: Sequence[object]) -> list[str]:
        """A column's values, which are of one type, as they are written; once if all are alike."""
        cell = tsv_cell if self._form == "tsv" else csv_cell
        if values.count(values[0]) == len(values):
            return [cell(text_of(values[0]))]
        if self._form == "tsv" and set(map(type, values)) == {str}:
            texts = [*cast("Sequence[str]", values)]
            if is_plain_tsv("".join(texts)):
                return texts
        cells = {value: cell(text_of(value)) for value in set(values)}
        return list(map(cells.__getitem__, values))

    def _objects(self, rows: Sequence[Row]) -> list[str]:
        keys = self.row_set.columns + self.row_set.json_only
        return [json_text(dict(zip(keys, row, strict=False))) for row in rows]

    def _write_object(self, command: str, outcome: Outcome) -> None:
        write = self._console.write
        write(f'{json_text(_head(command, outcome))[:-1]},\n"{self.row_set.name}": [')
        separator = "\n"
        for batch in batches(self._kept):
            write(separator + ",\n".join(self._objects(batch)))
            separator = ",\n"
        write(f'\n],\n"errors": {json_text([_error(error) for error in outcome.errors])}')
        if command == "schedule":
            write(f',\n"lists": {json_text([tally.as_dict() for tally in outcome.lists])}')
        write("}\n")


def _head(command: str, outcome: Outcome) -> dict[str, object]:
    code = outcome.exit_code
    failed = "partial" if outcome.accepted_some else "failed"
    return {
        "schema": "sbpam/1",
        "command": command,
        "result": "success" if code == ExitCode.DONE else failed,
        "exit_code": int(code),
        "server": outcome.server,
        "profile": outcome.profile,
        "run": outcome.run,
        "jobs": [job._asdict() for job in outcome.jobs],
    }


def _error(error: SbpamError) -> dict[str, str | None]:
    return {
        "code": error.code,
        "message": f"{error.message}: {error.reason}" if error.reason else error.message,
        "hint": error.hint,
        "trace_id": error.trace_id,
    }
