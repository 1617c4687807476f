"""Rows in the order asked for, each as soon as all before it are known."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from sbpam_cli.errors import SbpamError
from sbpam_cli.journal.records import Aside, Batch
from sbpam_cli.models import HostRow, ScanStatus, sum_status
from sbpam_cli.outcome import Outcome

_STATES: dict[str, ScanStatus] = {
    "planned": ScanStatus.NOT_SENT,
    "rejected": ScanStatus.REJECTED,
    "sending": ScanStatus.OUTCOME_UNKNOWN,
    "unknown": ScanStatus.OUTCOME_UNKNOWN,
    "accepted": ScanStatus.ACCEPTED,
}


def batch_rows(batch: Batch, why_not_sent: str | None = None) -> Sequence[HostRow]:
    """The rows of a batch in whatever state it is."""
    if batch.rows is not None:
        return batch.rows
    status = _STATES[batch.state]
    detail = why_not_sent if batch.state == "planned" else batch.reason
    return [HostRow(name, status, batch.job_id, detail=detail) for name in batch.names]


def merge_aside(first: int, rows: Iterable[HostRow], aside: Sequence[Aside]) -> Iterator[HostRow]:
    """`rows`, the first of which is number `first` of those sent, with what belongs between."""
    waiting = iter(aside)
    following = next(waiting, None)
    for position, row in enumerate(rows, first):
        while following is not None and following.position <= position:
            yield _aside_row(following)
            following = next(waiting, None)
        yield row
    if following is not None:
        yield _aside_row(following)
    yield from map(_aside_row, waiting)


def _aside_row(aside: Aside) -> HostRow:
    return HostRow(aside.host, aside.status, detail=aside.detail)


class RowStream:
    """Takes batches as they are settled, in any order; writes rows in the order asked for.

    keep_rows: batches have their rows also when those are written. All of a
    long run's at once would be most of its memory.
    """

    def __init__(
        self,
        write: Callable[[Iterable[HostRow]], None],
        aside: Sequence[Aside],
        *,
        keep_rows: bool = True,
    ) -> None:
        self._write = write
        self._keep_rows = keep_rows
        self._aside = list(aside)
        self._ready: dict[int, Batch] = {}
        self._next = 0

    def settle(self, batch: Batch) -> None:
        """The rows of this batch are final."""
        self._ready[batch.first] = batch
        while (ready := self._ready.pop(self._next, None)) is not None:
            self._put(ready, None)

    def finish(self, batches: Iterable[Batch], why_not_sent: str | None = None) -> None:
        """Writes what is left, as it is; nothing may follow."""
        for batch in sorted(batches, key=lambda batch: batch.first):
            if batch.first >= self._next:
                self._put(batch, why_not_sent)
        self._write([_aside_row(aside) for aside in self._aside])
        self._aside = []

    def _put(self, batch: Batch, why_not_sent: str | None) -> None:
        self._next = batch.first + len(batch.names)
        within = 0
        while within < len(self._aside) and self._aside[within].position < self._next:
            within += 1
        aside, self._aside = self._aside[:within], self._aside[within:]
        rows = batch_rows(batch, why_not_sent)
        self._write(merge_aside(batch.first, rows, aside) if aside else rows)
        if batch.rows is not None and not self._keep_rows:
            batch.job_status = sum_status(None, {row.status for row in batch.rows})
            batch.rows = None


class RunRows:
    """The rows of a run on their way to stdout: streamed, or in the end all at once.

    A disk that is full there must not stop what is being sent: `failure` holds
    what went wrong, and nothing more is written.
    """

    def __init__(self, write: Callable[[Iterable[HostRow]], None], outcome: Outcome) -> None:
        self._target = write
        self._outcome = outcome
        self._stream: RowStream | None = None
        self.failure: SbpamError | None = None

    def stream(self, aside: Sequence[Aside], *, keep_rows: bool = True) -> None:
        """Rows go out as batches are settled."""
        self._stream = RowStream(self._write, aside, keep_rows=keep_rows)

    def settle(self, batch: Batch) -> None:
        """The rows of this batch are final."""
        if self._stream is not None:
            self._stream.settle(batch)

    def ignore(self, batch: Batch) -> None:
        """The rows of this batch come with all the others."""

    def finish(
        self,
        names: Sequence[str],
        batches: Iterable[Batch],
        aside: Sequence[Aside],
        stopped: SbpamError | None,
        *,
        recorded: Sequence[Aside] = (),
    ) -> None:
        """Writes what is left, in the order of `names`.

        recorded: hosts that the run itself set aside, when it was begun.
        """
        why = stopped.message if stopped is not None else None
        if self._stream is None:
            # A continued run's batches may be in another order than the list given now.
            known = {row.host: row for batch in batches for row in batch_rows(batch, why)}
            known.update((item.host, _aside_row(item)) for item in recorded)
            whole = Batch(0, 0, names, "accepted", rows=[known[name] for name in names])
            batches = [whole] if names else []
            self.stream(aside)
        assert self._stream is not None
        self._stream.finish(batches, why)

    def _write(self, rows: Iterable[HostRow]) -> None:
        counted = self._outcome.count(rows)
        if self.failure is None:
            try:
                self._target(counted)
            except SbpamError as error:
                self.failure = error
