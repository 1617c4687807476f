"""Between following scans and what is seen of them meanwhile: the live display, rows that are done.

Counted job by job, as answers come: a run may have a hundred thousand hosts.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from typing import TYPE_CHECKING

from sbpam_cli.models import FINISHED, SCHEDULED, HostRow, ScanStatus
from sbpam_cli.output.live import LiveProgress
from sbpam_cli.output.picture import JobProgress, Progress, done_of
from sbpam_cli.system.signals import Interruption, leave_now

if TYPE_CHECKING:
    from sbpam_cli.jobs.job import Followed
    from sbpam_cli.output.console import Console
    from sbpam_cli.output.context import Context
    from sbpam_cli.output.forms import Printer

NAMES_KEPT = 200
"""More hosts than any screen shows of those that failed or run."""


class _Job:
    """What was last seen of one followed job. ended: the names of hosts that cannot change."""

    def __init__(self) -> None:
        self.counts: Counter[ScanStatus] = Counter()
        self.line: JobProgress | None = None
        self.running: list[str] = []
        self.failed: set[str] = set()
        self.printed: set[str] = set()
        self.is_known = False
        self.by_id = False


class Watching:
    """Shows how followed jobs go on; with a printer that takes rows at any time, prints them too.

    only: statuses whose rows are printed; empty for all.
    """

    def __init__(
        self,
        console: "Console",
        live: LiveProgress,
        printer: "Printer | None",
        only: frozenset[ScanStatus],
    ) -> None:
        self._console = console
        self._live = live
        self._printer = printer
        self._only = only
        self._jobs: dict[int, _Job] = {}
        self._told: list[Followed] = []
        self._failed: deque[HostRow] = deque(maxlen=NAMES_KEPT)
        self._printed: Counter[tuple[str, str | None]] = Counter()

    def __call__(self, changed: "Sequence[Followed]") -> None:
        """Looks at jobs that the server has just told of; without any, time has passed."""
        if not changed:
            self._live.tick()
            return
        for item in changed:
            self._look_at(self._jobs.setdefault(id(item), _Job()), item)
        self._print_ended(changed)
        jobs = list(self._jobs.values())
        counts = sum((job.counts for job in jobs), Counter())
        running = islice(chain.from_iterable(job.running for job in jobs), NAMES_KEPT)
        self._live.update(
            Progress(
                counts,
                [job.line for job in jobs if job.line is not None],
                list(self._failed),
                list(running),
                all(job.is_known for job in jobs),
            )
        )

    def write(self, rows: Iterable[HostRow]) -> None:
        """Rows in their final order, without those that are printed already; ends the display."""
        self._live.stop()
        if self._printer is not None:
            self._printer.write(self._unprinted(rows) if self._printed else rows)

    def _unprinted(self, rows: Iterable[HostRow]) -> Iterator[HostRow]:
        for row in rows:
            if self._printed[row.host, row.job_id]:
                self._printed[row.host, row.job_id] -= 1
            else:
                yield row

    def _look_at(self, job: _Job, item: "Followed") -> None:
        summary = item.summary()
        job.counts = Counter(row.status for row in item.rows)
        job.line = JobProgress(summary.job_id, summary.status, done_of(job.counts), summary.hosts)
        job.running = [row.host for row in item.rows if row.status is ScanStatus.RUNNING]
        job.is_known, job.by_id = item.seen, item.names is None
        del job.running[NAMES_KEPT:]
        for row in item.rows:
            if _has_failed(row) and row.host not in job.failed:
                job.failed.add(row.host)
                self._failed.append(row)

    def _print_ended(self, changed: "Sequence[Followed]") -> None:
        """The rows of hosts that have finished since; none while an id may be unknown (exit 2)."""
        if self._printer is None or not self._printer.at_once:
            return
        self._told.extend(item for item in changed if item.seen)
        if any(job.by_id and not job.is_known for job in self._jobs.values()):
            return
        shown = []
        for item in self._told:
            printed = self._jobs[id(item)].printed
            rows = [r for r in item.rows if r.status in FINISHED and r.host not in printed]
            printed.update(row.host for row in rows)
            shown += [row for row in rows if not self._only or row.status in self._only]
        self._told.clear()
        self._printed.update((row.host, row.job_id) for row in shown)
        if shown:
            if self._console.services.stdout_is_terminal():
                self._live.clear()
            self._printer.write(shown)


def _has_failed(row: HostRow) -> bool:
    ended = row.status in FINISHED or row.status not in SCHEDULED
    return ended and row.status is not ScanStatus.COMPLETE


@contextmanager
def following(
    ctx: "Context", only: frozenset[ScanStatus] = frozenset(), *, prints: bool = True
) -> Iterator[Watching]:
    """A display on stderr for as long as scans are followed; appears with the first look.

    A signal ends the following where it stands, and the display with it.
    """
    with (
        Interruption(lambda code: leave_now(ctx.services, code)),
        LiveProgress(ctx.console) as live,
    ):
        yield Watching(ctx.console, live, ctx.printer if prints else None, only)
