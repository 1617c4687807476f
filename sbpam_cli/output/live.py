"""Following scans as they go: a display that is redrawn in place, or a line now and then."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sbpam_cli.models import FINISHED, JobSummary, ScanStatus
from sbpam_cli.output.summary import count_words, done_of, mark_status
from sbpam_cli.wording import counted

if TYPE_CHECKING:
    from rich.progress import Progress

    from sbpam_cli.output.console import Console

_REDRAW_EVERY_S = 0.25
_LINE_EVERY_S = 60.0
_PACE_OVER_S = 120.0
_LINES_LEFT_FREE = 2
_JOB_WIDTH = len("● 3f2504e0  17/500  ")


class ScanProgress(NamedTuple):
    """How far scans are. `counts` holds every host.

    jobs: each with how many of its hosts have ended. problems: hosts that did not
    succeed, by reason. is_known: the server was asked about every job.
    """

    counts: Mapping[ScanStatus, int]
    jobs: Sequence[tuple[JobSummary, int]] = ()
    problems: Mapping[str, int] = {}
    is_known: bool = True


class LiveDisplay:
    """Shows on stderr what `update` was last told, until it is stopped.

    On a terminal: a display, redrawn at most 4 times a second and gone at the
    end. Elsewhere: a line when counts changed, at most one a minute and the
    last at the end. With `--quiet`: nothing.
    """

    def __init__(self, console: "Console") -> None:
        self._console = console
        self._clock = console.services.clock
        self._started_s = self._clock.monotonic()
        self._progress: ScanProgress | None = None
        self._printed: Mapping[ScanStatus, int] = {}
        self._shown_at_s: float | None = None
        self._live: Any = None
        self._bar: Progress | None = None
        self._width = 0

    def __enter__(self) -> "LiveDisplay":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def update(self, progress: ScanProgress) -> None:
        """The state of things now."""
        self._progress = progress
        self.tick()

    def tick(self) -> None:
        """Shows what is due; to be called some times a second."""
        if self._progress is None or self._console.quiet:
            return
        now_s, redraws = self._clock.monotonic(), self._console.can_redraw
        every_s = _REDRAW_EVERY_S if redraws else _LINE_EVERY_S
        if self._shown_at_s is None or now_s - self._shown_at_s >= every_s:
            self._shown_at_s = now_s
            if redraws:
                self._draw(self._progress)
            else:
                self._print_line(self._progress.counts)

    def clear(self) -> None:
        """Makes room for data on the same terminal; the display comes back below it."""
        if self._live is not None:
            self._live.stop()
            self._live = self._shown_at_s = None
            self._width = 0

    def stop(self) -> None:
        """Ends the display; what was printed meanwhile stays."""
        console = self._console
        if self._progress is not None and not console.quiet and not console.can_redraw:
            self._print_line(self._progress.counts)
        self.clear()
        self._progress = None

    def _print_line(self, counts: Mapping[ScanStatus, int]) -> None:
        # Nothing is known yet of jobs that were asked for by their ids: no counts.
        if counts and counts != self._printed:
            self._printed = counts
            words = ", ".join(text for _, text in count_words(counts))
            hosts = counted(sum(counts.values()), "host")
            self._console.note(f"{done_of(counts):,} of {hosts} done: {words}")

    def _draw(self, progress: ScanProgress) -> None:
        from rich.columns import Columns
        from rich.console import Group
        from rich.control import Control
        from rich.live import Live
        from rich.segment import SegmentLines
        from rich.text import Text

        rich = self._console.rich_stderr

        def flow(cells: Sequence[tuple[str, str]], *, equal: bool = False) -> Columns:
            ascii_only = rich.options.ascii_only
            marked = (mark_status(status, text, ascii_only=ascii_only) for status, text in cells)
            texts = [Text(text, style, no_wrap=True) for text, style in marked]
            return Columns(texts, padding=(0, 2), equal=equal)

        jobs_at_most = rich.height * max(1, rich.width // _JOB_WIDTH)
        problems = sorted(progress.problems.items(), key=lambda item: -item[1])
        picture = Group(
            self._bar_of(progress),
            flow(count_words(progress.counts)),
            flow([("Failed", f"{number:,} {reason}") for reason, number in problems]),
            flow(_job_words(progress.jobs)[:jobs_at_most], equal=True),
        )
        lines = rich.render_lines(picture, pad=False)[: max(1, rich.height - _LINES_LEFT_FREE)]
        if self._live is None:
            self._live = Live(
                console=rich,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        if rich.width < self._width:
            # A narrower terminal wraps the lines: there are more of them than rich knows of.
            rich.control(Control.home(), Control.clear())
        self._width = rich.width
        self._live.update(SegmentLines(lines, new_lines=True), refresh=True)

    def _bar_of(self, progress: ScanProgress) -> "Progress":
        """rich's own bar, which knows the pace as soon as all is known."""
        from rich import progress as parts

        done, total = done_of(progress.counts), sum(progress.counts.values())
        if self._bar is None or not progress.is_known:
            self._bar = parts.Progress(
                parts.TextColumn("{task.description}", markup=False),
                parts.BarColumn(bar_width=None),
                parts.TextColumn("{task.percentage:.0f}%  left", markup=False),
                parts.TimeRemainingColumn(),
                parts.TextColumn("elapsed", markup=False),
                parts.TimeElapsedColumn(),
                console=self._console.rich_stderr,
                auto_refresh=False,
                speed_estimate_period=_PACE_OVER_S,
                get_time=self._clock.monotonic,
                expand=True,
            )
            self._bar.add_task("", total=total, completed=done)
            self._bar.tasks[0].start_time = self._started_s
        words = f"{done:,} of {counted(total, 'host')}"
        self._bar.update(self._bar.task_ids[0], description=words, total=total, completed=done)
        return self._bar


def _job_words(jobs: Sequence[tuple[JobSummary, int]]) -> list[tuple[str, str]]:
    """Those that are going first."""
    digits = len(f"{max((job.hosts for job, _ in jobs), default=0):,}")
    return [
        (job.status, f"{job.job_id[:8]} {done:>{digits},}/{job.hosts:,}")
        for job, done in sorted(jobs, key=lambda item: item[0].status in FINISHED)
    ]
