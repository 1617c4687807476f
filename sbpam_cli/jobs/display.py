"""What is seen of scans while they are followed: the live display, rows that are final."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sbpam_cli.models import FINISHED, SCHEDULED, HostRow, ScanStatus
from sbpam_cli.output.live import LiveDisplay, ScanProgress
from sbpam_cli.output.summary import done_of
from sbpam_cli.system.signals import Interruption, leave_now

if TYPE_CHECKING:
    from sbpam_cli.jobs.job import FollowedJob
    from sbpam_cli.output.context import Context


class Watching:
    """Shows how followed jobs go on; prints rows that are final, if their order does not matter.

    only: statuses whose rows are printed; empty for all. prints: False for none.
    """

    def __init__(
        self, ctx: "Context", live: LiveDisplay, only: frozenset[ScanStatus], *, prints: bool
    ) -> None:
        self._ctx = ctx
        self._live = live
        self._only = only
        self._prints = prints
        self._jobs: dict[int, FollowedJob] = {}
        self._counts: dict[int, Counter[tuple[ScanStatus, str | None]]] = {}
        self._unprinted: list[FollowedJob] = []
        self._printed: Counter[tuple[str, str | None]] = Counter()
        self._printed_of: set[tuple[int, str]] = set()

    def __call__(self, changed: "Sequence[FollowedJob]") -> None:
        """Looks at jobs that the server has just told of; without any, time has passed."""
        if not changed:
            self._live.tick()
            return
        for item in changed:
            self._jobs[id(item)] = item
            self._counts[id(item)] = Counter((row[1], row[3]) for row in item.rows)
        if self._prints and self._ctx.printer.at_once:
            self._unprinted += [item for item in changed if item.seen]
            # Nothing goes out as long as a job may turn out not to exist (exit 2).
            if all(item.seen for item in self._jobs.values() if item.names is None):
                self._print([(id(item), row) for item in self._unprinted for row in item.rows])
                self._unprinted.clear()
        self._live.update(self._progress())

    def write(self, rows: Iterable[HostRow]) -> None:
        """Rows in their final order, without those that are printed already; ends the display."""
        self._live.stop()
        if self._prints:
            left = (row for row in rows if self._is_unprinted(row))
            self._ctx.printer.write(left if self._printed else rows)

    def _is_unprinted(self, row: HostRow) -> bool:
        self._printed[row.host, row.job_id] -= 1
        return self._printed[row.host, row.job_id] < 0

    def _print(self, rows: Iterable[tuple[int, HostRow]]) -> None:
        ended = [(k, r) for k, r in rows if r[1] in FINISHED and (k, r[0]) not in self._printed_of]
        self._printed_of.update((key, row.host) for key, row in ended)
        shown = [row for _, row in ended if not self._only or row.status in self._only]
        self._printed.update((row.host, row.job_id) for row in shown)
        if shown:
            if self._ctx.services.stdout_is_terminal():
                self._live.clear()
            self._ctx.printer.write(shown)

    def _progress(self) -> ScanProgress:
        counts: Counter[ScanStatus] = Counter()
        problems: Counter[str] = Counter()
        jobs = []
        for key, item in self._jobs.items():
            own: Counter[ScanStatus] = Counter()
            for (status, reason), number in self._counts[key].items():
                own[status] += number
                if status not in (ScanStatus.COMPLETE, *(SCHEDULED - FINISHED)):
                    problems[reason or status] += number
            jobs.append((item.summary, done_of(own)))
            counts.update(own)
        return ScanProgress(counts, jobs, problems, all(i.seen for i in self._jobs.values()))


@contextmanager
def following(
    ctx: "Context", only: frozenset[ScanStatus] = frozenset(), *, prints: bool = True
) -> Iterator[Watching]:
    """A display on stderr for as long as scans are followed; appears with the first look.

    A signal ends the following where it stands, and the display with it.
    """
    with Interruption(lambda code: leave_now(ctx.services, code)), LiveDisplay(ctx.console) as live:
        yield Watching(ctx, live, only, prints=prints)
