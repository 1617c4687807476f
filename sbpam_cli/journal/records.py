"""What the journal holds, as values: runs, batches, rows."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from sbpam_cli.models import (
    FINISHED,
    SCHEDULED,
    FailureReason,
    HostRow,
    ScanStatus,
)

BatchState = Literal["planned", "sending", "accepted", "rejected", "unknown", "split"]
_HASHED_NAMES = 10_000
_MANY_ROWS = 300
_LONG_TEXT = 50_000
"""From here on the import of msgspec pays."""
_STATUSES = {str(status): status for status in ScanStatus}
_REASONS: dict[str | None, FailureReason | None] = {
    None: None,
    **{str(r): r for r in FailureReason},
}
IN_DOUBT: tuple[BatchState, ...] = ("sending", "unknown")


@dataclass(slots=True, eq=False, repr=False)
class Batch:
    """One POST of a run. Times are epoch seconds of our clock; see `migrations`.

    job_status: what the hosts' statuses add up to, once the rows are written and dropped.
    accepted_at: None where it is not, or was before the journal kept it.
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
    rows: Sequence[HostRow] | None = None
    seen_at: float | None = None
    job_status: ScanStatus | None = None
    accepted_at: float | None = None


class Aside(NamedTuple):
    """A host that is not sent: `Invalid` or `Skipped`.

    position: how many names that are sent stand before it.
    """

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


class RunCounts(NamedTuple):
    """Hosts of a run by what became of them; `open` is planned, sending or rejected ones."""

    accepted: int
    failed: int
    unknown: int
    open: int


def digest_names(names: Iterable[str]) -> str:
    """The digest of a set of names, whatever their order."""
    whole, ordered = hashlib.sha256(), sorted(names)
    for start in range(0, len(ordered), _HASHED_NAMES):
        text = "\n".join(ordered[start : start + _HASHED_NAMES])
        whole.update(text.encode("utf-8", "replace") + b"\n")
    return whole.hexdigest()


def pack_rows(rows: Sequence[HostRow]) -> str:
    """The rows of a batch as one JSON text; the job id is the batch's. Times only where known."""
    timed = any(row.started_at or row.finished_at for row in rows)
    end = len(HostRow._fields) - (0 if timed else 2)
    packed = [(row[0], row[1], *row[3:end]) for row in rows]
    if len(packed) < _MANY_ROWS:
        return json.dumps(packed, ensure_ascii=False, separators=(",", ":"))
    import msgspec

    return msgspec.json.encode(packed).decode()


def unpack_rows(text: str, job_id: str | None) -> Sequence[HostRow]:
    """The rows of a batch."""
    return [
        HostRow(host, _STATUSES[status], job_id, _REASONS[reason], *rest)
        for host, status, reason, *rest in _decode(text)
    ]


def _decode(text: str) -> list[Any]:
    if len(text) < _LONG_TEXT:
        return list(json.loads(text))
    import msgspec

    return list(msgspec.json.decode(text))


def count_rows(rows: Sequence[HostRow]) -> tuple[int, int]:
    """How many were accepted, and how many of those scans ended without success."""
    counts = Counter(row.status for row in rows)
    accepted = sum(counts[status] for status in SCHEDULED)
    failed = sum(counts[status] for status in FINISHED if status is not ScanStatus.COMPLETE)
    return accepted, failed
