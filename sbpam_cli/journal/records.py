"""What the journal holds, as values: runs, batches, rows.

Everything is checked when it is read: a file that SQLite finds sound may hold anything.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from sbpam_cli.models import END_OF_TIME, FINISHED, SCHEDULED, HostRow, Rows, ScanStatus
from sbpam_cli.names import canonical_uuid

BatchState = Literal["planned", "sending", "accepted", "rejected", "unknown", "split"]
LONGEST_SEND_S = 86_400.0
"""Of one POST; a longer time until its deadline is none that was asked for."""
IN_DOUBT: tuple[BatchState, ...] = ("sending", "unknown")
_HASHED_NAMES = 10_000
_ASIDE = (ScanStatus.SKIPPED, ScanStatus.OUTCOME_UNKNOWN)
_SENT = SCHEDULED | {ScanStatus.NOT_ACCEPTED}
_MOMENTS = ("started", "ended", "sent_at", "deadline", "gave_up_at", "accepted_at", "seen_at")
_NAMES = re.compile(r"[a-z0-9._-]{1,253}(?:\n[a-z0-9._-]{1,253})*", re.ASCII)


def _is_moment(epoch_s: float) -> bool:
    return 0 <= epoch_s < END_OF_TIME


_IS_RIGHT: dict[str, Callable[[Any], object]] = {
    "run_id": re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{4}", re.ASCII).fullmatch,
    "server": re.compile(r"https://[a-z0-9._:%\[\]-]{1,260}", re.ASCII).fullmatch,
    "digest": re.compile("[0-9a-f]{64}", re.ASCII).fullmatch,
    **dict.fromkeys(("credential_id", "job_id"), lambda text: canonical_uuid(text) == text),
    **dict.fromkeys(_MOMENTS, _is_moment),
    **dict.fromkeys(("hosts", "number", "first"), lambda number: 0 <= number <= 2**40),
    "exit_code": lambda code: 0 <= code <= 255,
    "http_status": lambda status: 0 <= status <= 999,
    "clock_offset": lambda seconds: abs(seconds) < END_OF_TIME,
}
"""What a column may hold, beside NULL; its type is checked before."""


@dataclass(slots=True, eq=False, repr=False)
class Batch:
    """One POST of a run. Times are epoch seconds of our clock; the schema explains the rest.

    rows, seen_at: what the server last said of its hosts, and when.
    possible: jobs that may be its own, while it is in doubt. run_id: once it is recorded.
    job_status: what the hosts' statuses add up to, once the rows are written and dropped.
    """

    number: int
    first: int
    names: Sequence[str]
    state: BatchState = "planned"
    parent: int | None = None
    job_id: str | None = None
    sent_at: float | None = None
    deadline: float | None = None
    gave_up_at: float | None = None
    clock_offset: float | None = None
    http_status: int | None = None
    reason: str | None = None
    trace_id: str | None = None
    accepted_at: float | None = None
    list_before: int | None = None
    session: str | None = None
    rows: Rows[HostRow] | None = None
    seen_at: float | None = None
    job_status: ScanStatus | None = None
    possible: Sequence[str] = ()
    run_id: str = ""

    @property
    def is_in_doubt(self) -> bool:
        return self.state in IN_DOUBT


class Aside(NamedTuple):
    """A host that is not sent. position: how many names that are sent stand before it."""

    position: int
    host: str
    status: ScanStatus
    detail: str | None


class Run(NamedTuple):
    """A run as recorded. Times are epoch seconds of our clock."""

    run_id: str
    started: float
    server: str
    profile: str
    username: str | None
    credential_id: str
    digest: str
    hosts: int
    aside: Sequence[Aside] = ()
    ended: float | None = None
    exit_code: int | None = None
    account: str | None = None
    list_name: str = ""


class RunCounts(NamedTuple):
    """Hosts of a run. failed, complete: of the accepted ones. open: planned or rejected.

    skipped: not sent, nor those in doubt `elsewhere`.
    """

    accepted: int = 0
    failed: int = 0
    complete: int = 0
    unknown: int = 0
    open: int = 0
    skipped: int = 0
    elsewhere: int = 0


def digest_names(names: Iterable[str]) -> str:
    """The digest of a set of names, whatever their order."""
    whole, ordered = hashlib.sha256(), sorted(names)
    # All at once would be much of a large list's memory.
    for start in range(0, len(ordered), _HASHED_NAMES):
        text = "\n".join(ordered[start : start + _HASHED_NAMES])
        whole.update(text.encode("utf-8", "replace") + b"\n")
    return whole.hexdigest()


def pack_rows(rows: Rows[HostRow]) -> str:
    """Their columns, without the hosts, whose names the batch has."""
    import msgspec

    _, *columns = rows.columns.values()
    return msgspec.json.encode(columns).decode()


class OddValueError(Exception):
    """The journal holds what sbpam never writes."""

    def __init__(self, where: str) -> None:
        super().__init__(f"odd value in {where}")


def read_run(values: Sequence[Any]) -> Run:
    """A run from its columns, every one checked. Raises OddValueError."""
    columns = dict(zip(Run._fields, values, strict=True))
    columns["aside"] = _read(columns["aside"], list[Aside], "runs.aside")
    run: Run = _read([*columns.values()], Run, "runs")
    _check("runs", run._asdict())
    places = [item.position for item in run.aside]
    _demand("runs.hosts", len(places) <= run.hosts)
    _demand("runs.aside", places == sorted(places) and min(places, default=0) >= 0)
    for item in run.aside:
        sent_elsewhere = item.status in _ASIDE and _NAMES.fullmatch(item.host)
        _demand("runs.aside", sent_elsewhere or item.status is ScanStatus.INVALID)
    return run


def read_batch(columns: dict[str, Any]) -> Batch:
    """A batch from its columns, `names`, `rows` and `size` among them. Raises OddValueError."""
    size, names, packed = columns.pop("size"), columns.pop("names"), columns.pop("rows")
    batch: Batch = _read(columns | {"names": []}, Batch, "batches")
    _check("batches", columns)
    _demand("batch_names.names", isinstance(names, str) and _NAMES.fullmatch(names))
    batch.names = names.split("\n")
    _demand("batches.size", type(size) is int and size == len(batch.names))
    _demand("batches.job_id", batch.job_id or batch.state != "accepted")
    if batch.deadline is not None:
        limit_s = batch.deadline - (batch.sent_at or 0.0)
        _demand("batches.deadline", 0 <= limit_s <= LONGEST_SEND_S + 1)
    if packed is not None:
        batch.rows = rows = unpack_rows(packed, batch.names)
        _demand("batch_rows.seen_at", batch.seen_at is not None)
        moments = {*rows.columns["started_at"], *rows.columns["finished_at"]} - {None}
        _demand(
            "batch_rows.rows",
            _SENT.issuperset(rows.columns["status"])
            and {batch.job_id, None}.issuperset(rows.columns["job_id"])
            and all(map(_is_moment, moments)),
        )
    return batch


def read_claim(values: Sequence[Any]) -> tuple[str, str]:
    """Ids of a job and of the run whose it is. Raises OddValueError."""
    job_id, run_id = values
    _demand("batches.run_id", isinstance(run_id, str))
    _check("batches", {"job_id": job_id, "run_id": run_id})
    return job_id, run_id


def unpack_rows(text: object, names: Sequence[str]) -> Rows[HostRow]:
    """The rows of these hosts. Raises OddValueError for anything else."""
    _, *kinds = HostRow.__annotations__.values()
    array: Any = list  # Types that are made at run time are none to a type checker.
    columns = _read(text, tuple[tuple(array[kind] for kind in kinds)], "batch_rows.rows")  # type: ignore[misc]
    _demand("batch_rows.rows", {len(column) for column in columns} <= {1, len(names)})
    return Rows(HostRow, dict(zip(HostRow._fields, (names, *columns), strict=True)), len(names))


def _read(value: object, kind: Any, where: str) -> Any:
    """A value of this kind; a text is JSON."""
    import msgspec

    try:
        if isinstance(value, str):
            return msgspec.json.decode(value, type=kind)
        return msgspec.convert(value, kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise OddValueError(f"{where}: {error}") from None


def _demand(column: str, is_right: object) -> None:
    if not is_right:
        raise OddValueError(column)


def _check(table: str, columns: Mapping[str, Any]) -> None:
    for column, value in columns.items():
        if value is not None and column in _IS_RIGHT:
            _demand(f"{table}.{column}", _IS_RIGHT[column](value))


def count_rows(rows: Rows[HostRow]) -> tuple[int, int, int]:
    """How many were accepted, how many of those scans ended without success, and with it."""
    counts = rows.tally("status")
    accepted = sum(counts[status] for status in SCHEDULED)
    failed = sum(counts[status] for status in FINISHED if status is not ScanStatus.COMPLETE)
    return accepted, failed, counts[ScanStatus.COMPLETE]
