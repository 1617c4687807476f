"""How far a command is: a display that is redrawn in place, or a line now and then."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from sbpam_cli.models import ScanStatus
from sbpam_cli.output.console import Console
from sbpam_cli.output.summary import count_words, done_of, mark_status
from sbpam_cli.wording import counted

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress

_REDRAW_EVERY_S = 0.25
_LINE_EVERY_S = 60.0
_PACE_OVER_S = 120.0
_LINES_LEFT_FREE = 2


class ScanProgress(NamedTuple):
    """How far scans are. `counts` holds every host.

    problems: hosts that did not succeed, by reason. jobs, ended: how many. answered_at:
    when the server last told anything. is_known: it was asked about every job.
    """

    counts: Mapping[ScanStatus, int]
    problems: Mapping[str, int] = {}
    jobs: int = 0
    ended: int = 0
    answered_at: float | None = None
    is_known: bool = True


class LiveDisplay:
    """Shows on stderr what `update` was last told, until it is stopped.

    On a terminal: a display, redrawn at most 4 times a second and gone at the
    end. Elsewhere: a line when something changed, at most one a minute; of scans at
    once and at the end too. With `--quiet`: nothing.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._clock = console.services.clock
        self._started_s = self._clock.monotonic()
        self._progress: ScanProgress | str | None = None
        self._printed = ""
        self._shown_at_s: float | None = None
        self._live: Any = None
        self._bar: Progress | None = None
        self._width = 0

    def __enter__(self) -> "LiveDisplay":
        self._console.clear_display = self.clear
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the display; what was printed meanwhile stays."""
        if isinstance(self._progress, ScanProgress) and not self._console.can_redraw:
            self._print_line(self._progress)
        self.clear()
        self._progress = None

    def update(self, progress: ScanProgress | str) -> None:
        """The state of things now: of scans, or in words."""
        if type(progress) is not type(self._progress):
            at_once = self._console.can_redraw or not isinstance(progress, str)
            self._shown_at_s = None if at_once else self._clock.monotonic()
        self._progress = progress
        self.tick()

    @property
    def is_due(self) -> bool:
        """Whether `update` would show something."""
        every_s = _REDRAW_EVERY_S if self._console.can_redraw else _LINE_EVERY_S
        shown_at_s, now_s = self._shown_at_s, self._clock.monotonic()
        return not self._console.quiet and (shown_at_s is None or now_s - shown_at_s >= every_s)

    def tick(self) -> None:
        """Shows what is due; to be called some times a second."""
        if self._progress is None or not self.is_due:
            return
        self._shown_at_s = self._clock.monotonic()
        if self._console.can_redraw:
            self._draw(self._progress)
        else:
            self._print_line(self._progress)

    def clear(self) -> None:
        """Makes room for data on the same terminal; the display comes back below it."""
        if self._live is not None:
            self._live.stop()
            self._live = None
            self._width = 0

    def _print_line(self, progress: ScanProgress | str) -> None:
        line = progress
        if isinstance(progress, ScanProgress):
            words = ", ".join(text for _, text in count_words(progress.counts))
            hosts = counted(sum(progress.counts.values()), "host")
            # Nothing is known yet of jobs that were asked for by their ids: no counts.
            line = words and f"{done_of(progress.counts):,} of {hosts} done: {words}"
        if line not in ("", self._printed):
            self._printed = str(line)
            self._console.note(self._printed)

    def _draw(self, progress: ScanProgress | str) -> None:
        from rich.control import Control
        from rich.live import Live
        from rich.segment import SegmentLines
        from rich.text import Text

        rich = self._console.rich_stderr
        in_words = isinstance(progress, str)
        picture = Text(progress) if isinstance(progress, str) else self._picture_of(progress)
        lines = rich.render_lines(picture, pad=False)[: max(1, rich.height - _LINES_LEFT_FREE)]
        if rich.options.ascii_only:
            # What rich shortens ends so; escaped it would be longer than the line.
            lines = [[s._replace(text=s.text.replace("…", ".")) for s in line] for line in lines]
        if self._live is None:
            self._live = Live(
                console=rich,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
            # A second signal may end the process while it sends.
            rich.show_cursor(in_words)
        if rich.width < self._width:
            # A narrower terminal wraps the lines: there are more of them than rich knows of.
            rich.control(Control.home(), Control.clear())
        self._width = rich.width
        self._live.update(SegmentLines(lines, new_lines=True), refresh=True)

    def _picture_of(self, progress: ScanProgress) -> "RenderableType":
        from rich.columns import Columns
        from rich.console import Group
        from rich.text import Text

        ascii_only = self._console.rich_stderr.options.ascii_only
        problems = sorted(progress.problems.items(), key=lambda item: -item[1])
        failed = [("Failed", f"{number:,} {reason}") for reason, number in problems]
        rows = [
            [Text(*mark_status(*cell, ascii_only=ascii_only), no_wrap=True) for cell in cells]
            for cells in (count_words(progress.counts), failed)
        ]
        last = f"{progress.ended:,} of {counted(progress.jobs, 'job')} ended"
        if progress.answered_at is not None:
            ago_s = max(0.0, self._clock.monotonic() - progress.answered_at)
            last += f", last answer {ago_s:.0f} s ago"
        return Group(
            self._bar_of(progress),
            *(Columns(row, padding=(0, 2)) for row in rows),
            Text(last, "dim"),
        )

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
