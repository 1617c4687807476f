"""The columns of each kind of rows: one list for table, tsv, csv, json and ndjson."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

Row = Sequence[object]
"""A value a column (str, int, bool, an enumeration's member, None), then those of `json_only`.

What follows those is not printed.
"""


class RowSet(NamedTuple):
    """A kind of rows. `name` is the array's in JSON; `json_only` are columns of JSON alone.

    table: a table's columns, if they are others, with their places in a row.
    in_tsv: how many of the columns tsv has, if not all.
    """

    name: str
    columns: tuple[str, ...]
    json_only: tuple[str, ...] = ()
    table: Mapping[str, int] | None = None
    in_tsv: int | None = None


def _rows(name: str, columns: str, json_only: tuple[str, ...] = ()) -> RowSet:
    return RowSet(name, tuple(columns.split()), json_only)


HOSTS = _rows(
    "hosts", "host status job_id failure_reason os ip_address version detail", ("host_id",)
)
RUNS = _rows(
    "runs",
    "run state started hosts accepted failed unknown server credential list account complete"
    " running",
)._replace(
    table={"run": 0, "started": 2, "list": 9, "hosts": 3, "complete": 11}
    | {"problems": 13, "running": 12, "account": 14}
)
BATCHES = _rows("batches", "batch state hosts job_id sent answered detail")
CREDENTIALS = _rows(
    "credentials", "credential_id user_name domain display_name resource platform managed_type"
)
OU_HOSTS = _rows("hosts", "host")
KNOWN_HOSTS = _rows(
    "hosts",
    "host enrolled last_scan os ip_address service_account winrm distinguished_name",
)._replace(in_tsv=1)
DOCTOR = _rows("doctor", "check ok detail remedy")
ASSUMPTIONS = _rows("doctor", "fact expected seen ok")
WHOAMI = _rows("whoami", "profile server user method expires source")
LOGIN = WHOAMI._replace(name="login")
LOGOUT = WHOAMI._replace(name="logout")
SETTINGS = _rows("config", "key value source")
CANCEL = _rows("cancel", "job_id status detail")

TIMES = frozenset({"started", "expires", "sent", "answered", "last_scan"})
"""Columns that hold a time in UTC; a terminal's table shows it as local time."""


def batches(rows: Iterable[Row], size: int = 1000) -> Iterator[Sequence[Row]]:
    """`rows` in parts of at most `size`."""
    if isinstance(rows, Sequence):
        yield from (rows[start : start + size] for start in range(0, len(rows), size))
        return
    iterator = iter(rows)
    while batch := list(islice(iterator, size)):
        yield batch


def text_of(value: object) -> str:
    """A value as a cell's text, nothing escaped."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
