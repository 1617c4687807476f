"""Rows in the order asked for, each as soon as all before it are known."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import takewhile

from sbpam_cli.errors import SbpamError
from sbpam_cli.journal.records import Aside, Batch
from sbpam_cli.models import HostRow, JobSummary, Rows, ScanStatus, sum_status
from sbpam_cli.outcome import Outcome

_STATES: dict[str, ScanStatus] = {
    "planned": ScanStatus.NOT_SENT,
    "rejected": ScanStatus.REJECTED,
    "sending": ScanStatus.OUTCOME_UNKNOWN,
    "unknown": ScanStatus.OUTCOME_UNKNOWN,
    "accepted": ScanStatus.ACCEPTED,
}


def batch_rows(batch: Batch, why_not_sent: str | None = None) -> Rows[HostRow]:
    """The rows of a batch in whatever state it is."""
    if batch.rows is not None:
        return batch.rows
    status = _STATES[batch.state]
    detail = why_not_sent if batch.state == "planned" else batch.reason
    return Rows.alike(batch.names, HostRow("", status, batch.job_id, detail=detail))


def merge_aside(first: int, rows: Iterable[HostRow], aside: Sequence[Aside]) -> Iterator[HostRow]:
    """`rows`, the first of which is number `first` of those sent, with what belongs between."""
    at = 0
    for position, row in enumerate(rows, first):
        while at < len(aside) and aside[at].position <= position:
            yield _aside_row(aside[at])
            at += 1
        yield row
    yield from map(_aside_row, aside[at:])


def _aside_row(aside: Aside) -> HostRow:
    return HostRow(aside.host, aside.status, detail=aside.detail)


def run_rows(
    batches: Iterable[Batch], aside: Sequence[Aside], why_not_sent: str | None = None
) -> Iterator[HostRow]:
    """The rows of a whole run; batches: in the order of their names."""
    return merge_aside(0, (row for one in batches for row in batch_rows(one, why_not_sent)), aside)


def job_summaries(batches: Iterable[Batch]) -> list[JobSummary]:
    """The jobs of batches, in the order of their names."""
    return [
        JobSummary(
            batch.job_id,
            batch.job_status or sum_status(None, batch_rows(batch).columns["status"]),
            len(batch.names),
        )
        for batch in sorted(batches, key=lambda batch: batch.first)
        if batch.job_id is not None
    ]


class RowStream:
    """Takes batches as they are settled, in any order; writes rows in the order asked for.

    A stdout that fails (a full disk) must not stop what is being sent: its error is in the outcome,
    and nothing more is written. keep_rows: batches keep their rows when those are written; all of a
    long run's at once would be most of its memory.
    """

    def __init__(
        self,
        write: Callable[[Iterable[HostRow]], None],
        outcome: Outcome,
        aside: Sequence[Aside] = (),
        *,
        keep_rows: bool = True,
    ) -> None:
        self._write_to = write
        self._outcome = outcome
        self._aside = list(aside)
        self._keep_rows = keep_rows
        self._ready: dict[int, Batch] = {}
        self._next = 0
        self._has_failed = False

    def settle(self, batch: Batch) -> None:
        """The rows of this batch are final."""
        self._ready[batch.first] = batch
        while (ready := self._ready.pop(self._next, None)) is not None:
            self._put(ready, None)

    def finish(self, batches: Iterable[Batch] = (), why_not_sent: str | None = None) -> None:
        """Writes what is left, as it is; nothing may follow."""
        for batch in sorted(batches, key=lambda batch: batch.first):
            if batch.first >= self._next:
                self._put(batch, why_not_sent)
        self.write(map(_aside_row, self._aside))

    def write(self, rows: Iterable[HostRow]) -> None:
        """Rows that come next, and are counted."""
        counted = self._outcome.count(rows)
        if self._has_failed or not counted:
            return
        try:
            self._write_to(counted)
        except SbpamError as error:
            self._has_failed = True
            self._outcome.errors.append(error)

    def _put(self, batch: Batch, why_not_sent: str | None) -> None:
        self._next = batch.first + len(batch.names)
        aside = list(takewhile(lambda item: item.position < self._next, self._aside))
        self._aside = self._aside[len(aside) :]
        rows = batch_rows(batch, why_not_sent)
        self.write(merge_aside(batch.first, rows, aside) if aside else rows)
        if batch.rows is not None and not self._keep_rows:
            if batch.job_id is not None:
                batch.job_status = sum_status(None, rows.columns["status"])
            batch.rows = None
