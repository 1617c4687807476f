"""What the journal holds, as values: runs, batches, rows."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from sbpam_cli.models import FINISHED, SCHEDULED, FailureReason, HostRow, ScanStatus

BatchState = Literal["planned", "sending", "accepted", "rejected", "unknown", "split"]
IN_DOUBT: tuple[BatchState, ...] = ("sending", "unknown")


@dataclass(slots=True)
class Batch:
    """One POST of a run. Times are epoch seconds of our clock; see `migrations`.

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
    rows: Sequence[HostRow] | None = None
    seen_at: float | None = None
    job_status: ScanStatus | None = None


@dataclass(frozen=True, slots=True)
class Aside:
    """A host that is not sent: `Invalid` or `Skipped`.

    position: how many names that are sent stand before it.
    """

    position: int
    host: str
    status: ScanStatus
    detail: str | None


@dataclass(frozen=True, slots=True)
class Run:
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
    whole = hashlib.sha256()
    for name in sorted(names):
        whole.update(name.encode("utf-8", "replace") + b"\n")
    return whole.hexdigest()


def pack_rows(rows: Iterable[HostRow]) -> str:
    """The rows of a batch as one JSON text; the job id is the batch's."""
    return json.dumps(
        [(r.host, r.status, *r[3:]) for r in rows], ensure_ascii=False, separators=(",", ":")
    )


def unpack_rows(text: str, job_id: str | None) -> list[HostRow]:
    """The rows of a batch."""
    statuses = {str(status): status for status in ScanStatus}
    reasons: dict[str | None, FailureReason | None] = {str(r): r for r in FailureReason}
    reasons[None] = None
    return [
        HostRow(host, statuses[status], job_id, reasons[reason], *rest)
        for host, status, reason, *rest in json.loads(text)
    ]


def count_rows(rows: Iterable[HostRow]) -> tuple[int, int]:
    accepted = failed = 0
    for row in rows:
        if row.status in SCHEDULED:
            accepted += 1
            if row.status in FINISHED and row.status is not ScanStatus.COMPLETE:
                failed += 1
    return accepted, failed
