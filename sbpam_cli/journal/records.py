"""What the journal holds, as values: runs, batches, rows."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from sbpam_cli.models import FINISHED, SCHEDULED, HostRow, ScanStatus

BatchState = Literal["planned", "sending", "accepted", "rejected", "unknown", "split"]
IN_DOUBT: tuple[BatchState, ...] = ("sending", "unknown")
_HASHED_NAMES = 10_000


@dataclass(slots=True, eq=False, repr=False)
class Batch:
    """One POST of a run. Times are epoch seconds of our clock; the schema explains the rest.

    rows, seen_at: what the server last said of its hosts, and when.
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
    rows: Sequence[HostRow] | None = None
    seen_at: float | None = None
    job_status: ScanStatus | None = None

    @property
    def is_in_doubt(self) -> bool:
        return self.state in IN_DOUBT


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
    account: str | None = None
    list_name: str = ""


class RunCounts(NamedTuple):
    """Hosts of a run by what became of them.

    failed, complete: of the accepted ones. open: planned or rejected.
    """

    accepted: int = 0
    failed: int = 0
    complete: int = 0
    unknown: int = 0
    open: int = 0


def digest_names(names: Iterable[str]) -> str:
    """The digest of a set of names, whatever their order."""
    whole, ordered = hashlib.sha256(), sorted(names)
    for start in range(0, len(ordered), _HASHED_NAMES):
        text = "\n".join(ordered[start : start + _HASHED_NAMES])
        whole.update(text.encode("utf-8", "replace") + b"\n")
    return whole.hexdigest()


def pack_rows(rows: Sequence[HostRow]) -> str:
    """The rows of a batch as one JSON text."""
    import msgspec

    return msgspec.json.encode(list(rows)).decode()


def unpack_rows(text: str) -> list[HostRow]:
    """The rows of a batch. Raises msgspec.DecodeError for anything else."""
    import msgspec

    return msgspec.json.decode(text, type=list[HostRow])


def count_rows(rows: Iterable[HostRow]) -> tuple[int, int, int]:
    """How many were accepted, how many of those scans ended without success, and with it."""
    counts = Counter(row.status for row in rows)
    accepted = sum(counts[status] for status in SCHEDULED)
    failed = sum(counts[status] for status in FINISHED if status is not ScanStatus.COMPLETE)
    return accepted, failed, counts[ScanStatus.COMPLETE]
