"""What is shown of jobs while they are followed, and which rows go out meanwhile."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from sbpam_cli.jobs.job import FollowedJob
from sbpam_cli.models import FINISHED, HostRow, ScanJob, ScanStatus
from sbpam_cli.output.context import Context
from sbpam_cli.output.live import LiveDisplay, ScanProgress
from sbpam_cli.system.signals import Interruption
from sbpam_cli.wording import counted


class Watching:
    """Shows how followed jobs go on; prints rows that are final, if their order does not matter.

    only: statuses whose rows are printed; empty for all. prints: False for none.
    """

    def __init__(
        self, ctx: Context, live: LiveDisplay, only: frozenset[ScanStatus], *, prints: bool
    ) -> None:
        self._ctx = ctx
        self.live = live
        self._only = only
        self._prints = prints
        self._on_terminal = ctx.services.stdout_is_terminal()
        self._jobs: dict[int, FollowedJob] = {}
        self._unprinted: list[FollowedJob] = []
        self._printed: Counter[tuple[str, str | None]] = Counter()

    def count(self, jobs: Iterable[ScanJob]) -> Iterator[ScanJob]:
        """Passes a long list on, and shows how far it was read."""
        for number, job in enumerate(jobs, 1):
            self.live.update(f"read {counted(number, 'job')}")
            yield job

    def show(self, changed: Sequence[FollowedJob]) -> None:
        """Looks at jobs that the server has just told of; without any, time has passed."""
        if not changed:
            self.live.tick()
            return
        self._jobs.update((id(job), job) for job in changed)
        jobs = self._jobs.values()
        if self._prints and self._ctx.printer.at_once:
            self._unprinted += [job for job in changed if job.seen]
            # Nothing goes out as long as a job may turn out not to exist (exit 2).
            if all(job.seen for job in jobs if job.names is None):
                self._print_ended()
        has_answers = any(job.seen for job in changed)
        self.live.update(
            ScanProgress(
                sum((job.counts for job in jobs), Counter()),
                sum((job.problems for job in jobs), Counter()),
                jobs=len(jobs),
                ended=sum(job.is_over for job in jobs),
                answered_at=self._ctx.services.clock.monotonic() if has_answers else None,
                is_known=all(job.seen for job in jobs),
            )
        )

    def write(self, rows: Iterable[HostRow]) -> None:
        """Rows in their final order, without those that are printed already."""
        if self._on_terminal:
            self.live.clear()
        if self._only:
            rows = [row for row in rows if row.status in self._only]
        if self._prints:
            left = (row for row in rows if self._is_unprinted(row))
            self._ctx.printer.write(left if self._printed else rows)

    def _is_unprinted(self, row: HostRow) -> bool:
        self._printed[row.host, row.job_id] -= 1
        return self._printed[row.host, row.job_id] < 0

    def _print_ended(self) -> None:
        shown = []
        for job in self._unprinted:
            ended = [r for r in job.rows if r.status in FINISHED and r.host not in job.printed]
            job.printed.update(row.host for row in ended)
            shown += [row for row in ended if not self._only or row.status in self._only]
        self._unprinted.clear()
        self._printed.update((row.host, row.job_id) for row in shown)
        if shown:
            if self._on_terminal:
                self.live.clear()
            self._ctx.printer.write(shown)


@contextmanager
def following(
    ctx: Context, only: frozenset[ScanStatus] = frozenset(), *, prints: bool = True
) -> Iterator[Watching]:
    """A display on stderr for as long as scans are followed; appears with the first look.

    A signal ends the following where it stands, and the display with it.
    """
    with Interruption(ctx.services), LiveDisplay(ctx.console) as live:
        yield Watching(ctx, live, only, prints=prints)
