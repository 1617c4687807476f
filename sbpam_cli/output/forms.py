"""Rows, in every form, from one list of columns.

Streamed forms end lines with "\\n" everywhere, Windows included, as `gh` does.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from sbpam_cli.errors import ExitCode, OptionError, SbpamError
from sbpam_cli.models import FORMS, AlikeRows, Columns, Form
from sbpam_cli.output.escape import csv_cell, json_text, tsv_cell
from sbpam_cli.wording import did_you_mean

if TYPE_CHECKING:
    from sbpam_cli.models import JobSummary
    from sbpam_cli.output.console import Console
    from sbpam_cli.system.services import Services

Row = Sequence[object]
"""A value a column (str, int, bool, an enumeration's member, None), `json_only` ones after them.

What follows those is not printed.
"""

_PLAIN = bytes(set(range(0x20, 0x7F)) - set(b"\\"))
HOST_COLUMNS = (
    "host",
    "status",
    "job_id",
    "failure_reason",
    "os",
    "ip_address",
    "version",
    "detail",
)
RUN_COLUMNS = (
    "run",
    "state",
    "started",
    "hosts",
    "accepted",
    "failed",
    "unknown",
    "server",
    "credential",
)
CREDENTIAL_COLUMNS = (
    "credential_id",
    "user_name",
    "domain",
    "display_name",
    "resource",
    "platform",
    "managed_type",
)
OU_HOST_COLUMNS = ("host",)
DOCTOR_COLUMNS = ("check", "ok", "detail", "remedy")
WHOAMI_COLUMNS = ("profile", "server", "user", "method", "expires", "source")


class RowSet(NamedTuple):
    """A kind of rows. `name` is the array's in JSON; `json_only` are columns of JSON alone."""

    name: str
    columns: tuple[str, ...]
    json_only: tuple[str, ...] = ()


HOSTS = RowSet("hosts", HOST_COLUMNS, ("host_id",))
RUNS = RowSet("runs", RUN_COLUMNS)
CREDENTIALS = RowSet("credentials", CREDENTIAL_COLUMNS)
OU_HOSTS = RowSet("hosts", OU_HOST_COLUMNS)
DOCTOR = RowSet("doctor", DOCTOR_COLUMNS)
WHOAMI = RowSet("whoami", WHOAMI_COLUMNS)
CANCEL = RowSet("cancel", ("job_id", "status", "detail"))


class Envelope(NamedTuple):
    """How a command ended. `accepted_some`: some host was accepted by the server."""

    command: str
    exit_code: int
    server: str | None = None
    profile: str | None = None
    run: str | None = None
    jobs: "Sequence[JobSummary]" = ()
    errors: Sequence[SbpamError] = ()
    accepted_some: bool = False

    @property
    def result(self) -> str:
        """`success`, `partial` or `failed`."""
        if self.exit_code == ExitCode.DONE:
            return "success"
        return "partial" if self.accepted_some else "failed"


class Printer(Protocol):
    """Prints rows of one kind in one form. at_once: their order says nothing."""

    at_once: bool

    def write(self, rows: Iterable[Row]) -> None:
        """Rows in their final order; streamed forms have them out when this returns."""

    def close(self, envelope: Envelope) -> None:
        """No more rows. Called once, also when something failed."""


def choose_form(given: str | None, services: "Services") -> Form:
    """The form asked for by option or `SBPAM_OUTPUT`, else the one that fits stdout."""
    form = given or services.env("SBPAM_OUTPUT")
    if form is None:
        return "table" if services.stdout_is_terminal() else "tsv"
    if form not in FORMS:
        where = "--output" if given else "SBPAM_OUTPUT"
        forms = ", ".join(FORMS)
        raise OptionError(
            f"{where}: there is no form {form[:40]!r}",
            hint=did_you_mean(form, FORMS, f"the forms are {forms}"),
        )
    return form


def make_printer(form: Form, console: "Console", row_set: RowSet) -> Printer:
    """A printer of `row_set`'s rows to stdout."""
    count = len(row_set.columns)
    match form:
        case "tsv":
            return _StreamPrinter(console, lambda rows: tsv_lines(rows, count))
        case "csv":
            header = ",".join(row_set.columns) + "\n"
            return _StreamPrinter(console, lambda rows: csv_lines(rows, count), header)
        case "ndjson":
            keys = row_set.columns + row_set.json_only
            lines_of = lambda rows: "".join(_json_lines(rows, keys, "\n"))  # noqa: E731
            return _StreamPrinter(console, lines_of, at_once=True)
        case "json":
            return _JsonPrinter(console, row_set)
        case "table":
            return _TablePrinter(console, row_set)


class _StreamPrinter:
    def __init__(
        self,
        console: "Console",
        lines_of: Callable[[Collection[Row]], str],
        header: str = "",
        *,
        at_once: bool = False,
    ) -> None:
        self.at_once = at_once
        self._console = console
        self._lines_of = lines_of
        self._header = header

    def write(self, rows: Iterable[Row]) -> None:
        parts: Iterable[Collection[Row]] = [rows] if isinstance(rows, AlikeRows) else batches(rows)
        for part in parts:
            self._console.write(self._take_header() + self._lines_of(part))
        self._console.flush()

    def close(self, envelope: Envelope) -> None:  # noqa: ARG002
        self._console.write(self._take_header())
        self._console.flush()

    def _take_header(self) -> str:
        header, self._header = self._header, ""
        return header


class _CollectingPrinter:
    at_once = False

    def __init__(self, console: "Console", row_set: RowSet) -> None:
        self._console = console
        self._row_set = row_set
        self._rows: list[Row] = []

    def write(self, rows: Iterable[Row]) -> None:
        self._rows.extend(rows)


class _TablePrinter(_CollectingPrinter):
    def close(self, envelope: Envelope) -> None:  # noqa: ARG002
        from sbpam_cli.output.table import table_text

        for text in table_text(self._row_set, self._rows, self._console.stdout_look()):
            self._console.write(text)
        self._console.flush()


class _JsonPrinter(_CollectingPrinter):
    def close(self, envelope: Envelope) -> None:
        row_set, console = self._row_set, self._console
        keys = row_set.columns + row_set.json_only
        console.write(f'{json_text(_head(envelope))[:-1]},\n"{row_set.name}": [')
        separator = "\n"
        for batch in batches(self._rows):
            console.write(separator + "".join(_json_lines(batch, keys, ",\n"))[:-2])
            separator = ",\n"
        errors = json_text([_error(error) for error in envelope.errors])
        console.write(f'\n],\n"errors": {errors}}}\n')
        console.flush()


def batches(rows: Iterable[Row], size: int = 1000) -> Iterator[Sequence[Row]]:
    """`rows` in parts of at most `size`."""
    if isinstance(rows, Columns):
        if len(rows) <= size:
            yield rows
            return
        yield from (rows[start : start + size] for start in range(0, len(rows), size))
        return
    iterator = iter(rows)
    while batch := list(islice(iterator, size)):
        yield batch


def text_of(value: object) -> str:
    """A value as a cell's text, nothing escaped."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def tsv_lines(rows: Collection[Row], count: int) -> str:
    """Lines of the first `count` values of each row."""
    if isinstance(rows, AlikeRows):
        rest = tsv_lines([rows.same._replace(host="")], count)
        text = rest.join([*rows.names, ""])
    else:
        text = _unescaped_lines(rows, count)
    # Looking at a whole batch at once is ten times faster than at its cells: where
    # nothing but the separators is left without what is plain, nothing is to be escaped.
    left = text.encode("utf-8", "surrogatepass").translate(None, _PLAIN)
    if left == (b"\t" * (count - 1) + b"\n") * len(rows):
        return text
    return "".join(
        "\t".join([tsv_cell(text_of(value)) for value in row[:count]]) + "\n" for row in rows
    )


def _unescaped_lines(rows: Collection[Row], count: int) -> str:
    """The lines as they are; nothing where a value is no string."""
    try:
        # Column by column is twice as fast as row by row.
        columns = rows.columns if isinstance(rows, Columns) else [*zip(*rows, strict=True)]
        columns = [_column_texts(column) for column in columns[:count]]
        return "\n".join(map("\t".join, zip(*columns, strict=True))) + "\n"
    except TypeError:
        return ""


def _column_texts(column: Sequence[Any]) -> Sequence[Any]:
    """Empty texts for what is absent; what is neither stays as it is."""
    if all(column):
        return column
    if column.count(None) == len(column):
        return [""] * len(column)
    return ["" if value is None else value for value in column]


def csv_lines(rows: Collection[Row], count: int) -> str:
    """Lines of the first `count` values of each row."""
    return "".join(
        ",".join([csv_cell(text_of(value)) for value in row[:count]]) + "\n" for row in rows
    )


def _json_lines(rows: Collection[Row], keys: tuple[str, ...], end: str) -> Iterator[str]:
    for row in rows:
        yield json_text(dict(zip(keys, row, strict=False))) + end


def _head(envelope: Envelope) -> dict[str, object]:
    return {
        "schema": "sbpam/1",
        "command": envelope.command,
        "result": envelope.result,
        "exit_code": int(envelope.exit_code),
        "server": envelope.server,
        "profile": envelope.profile,
        "run": envelope.run,
        "jobs": [
            {"job_id": job.job_id, "status": job.status, "hosts": job.hosts}
            for job in envelope.jobs
        ],
    }


def _error(error: SbpamError) -> dict[str, str | None]:
    return {
        "code": error.code,
        "message": f"{error.message}: {error.reason}" if error.reason else error.message,
        "hint": error.hint,
        "trace_id": error.trace_id,
    }
