"""Following scans as they go: a display that redraws itself, or a line now and then."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Self

from sbpam_cli.models import FINISHED, SCHEDULED, HostRow, JobSummary, ScanStatus
from sbpam_cli.output.sanitise import escape_controls
from sbpam_cli.output.terminal import BOLD, DIM, GREEN, Look, can_redraw
from sbpam_cli.wording import counted

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.console import Group
    from rich.live import Live

    from sbpam_cli.output.console import Console

REDRAWS_PER_SECOND = 4
LINE_EVERY_S = 60.0
NEWEST_FAILED = 5
JOBS_SHOWN = 4
BAR_WIDTH = 60


class LiveProgress:
    """A context manager around a wait; shows on stderr what `update` was last told.

    On a terminal: a bar, the counts, the jobs, the newest failed hosts, gone
    at exit. Elsewhere: a line when counts changed, at most one a minute. With
    `--quiet`: nothing.
    """

    def __init__(self, console: "Console") -> None:
        self._console = console
        self._clock = console.services.clock
        self._live: Live | None = None
        self._rich: RichConsole | None = None
        self._started_s = self._clock.monotonic()
        self._counts: Mapping[ScanStatus, int] = {}
        self._total = 0
        self._jobs: Sequence[JobSummary] = ()
        self._failed: Sequence[HostRow] = ()
        self._said: Mapping[ScanStatus, int] = {}
        self._said_at_s: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._console.lines_above = None
        if self._live is not None:
            self._live.stop()
            self._live = None

    def update(
        self,
        counts: Mapping[ScanStatus, int],
        total: int,
        jobs: Sequence[JobSummary],
        failed: Sequence[HostRow],
    ) -> None:
        """The state of things: hosts by status, hosts in all, jobs, failed hosts, newest last."""
        self._counts, self._total = dict(counts), total
        self._jobs, self._failed = jobs, failed
        services = self._console.services
        if self._console.quiet or self._live is not None:
            return
        if can_redraw(services.stderr, services):
            self._start()
        else:
            self._say_line()

    def _say_line(self) -> None:
        now_s = self._clock.monotonic()
        too_soon = self._said_at_s is not None and now_s - self._said_at_s < LINE_EVERY_S
        if self._counts == self._said or too_soon:
            return
        self._said, self._said_at_s = self._counts, now_s
        counts = ", ".join(f"{n:,} {status}" for status, n in self._by_status())
        self._console.note(f"{self._done():,} of {counted(self._total, 'host')} done: {counts}")

    def _start(self) -> None:
        from rich.console import Console as RichConsole
        from rich.live import Live

        services = self._console.services
        colour = self._console.stderr_look().colour
        self._rich = RichConsole(
            file=_Stderr(self._console),  # type: ignore[arg-type]
            force_terminal=True,
            color_system="auto" if colour else None,
            no_color=not colour,
            markup=False,
            highlight=False,
            emoji=False,
            _environ=services.environ,
        )
        self._live = Live(
            get_renderable=self._picture,
            console=self._rich,
            refresh_per_second=REDRAWS_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start(refresh=True)
        self._console.lines_above = self._print_above

    def _print_above(self, text: str) -> None:
        from rich.text import Text

        if self._rich is not None:
            self._rich.print(Text.from_ansi(text), soft_wrap=True)

    def _picture(self) -> "Group":
        from rich.console import Group
        from rich.text import Text

        look = self._console.stderr_look()
        if self._rich is not None:
            self._rich.width = look.width
        elapsed_s = int(self._clock.monotonic() - self._started_s)
        hours, minutes, seconds = elapsed_s // 3600, elapsed_s // 60 % 60, elapsed_s % 60
        lines = [
            look.paint(f"{self._done():,} of {counted(self._total, 'host')}", BOLD)
            + f"  {hours}:{minutes:02}:{seconds:02}",
            self._bar(look),
            "  ".join(look.status(status, f"{n:,} {status}") for status, n in self._by_status()),
            look.paint(self._job_line(), DIM),
        ]
        lines += [self._failed_line(row) for row in reversed(self._failed[-NEWEST_FAILED:])]
        texts = [Text.from_ansi(line, no_wrap=True, overflow="ellipsis") for line in lines if line]
        return Group(*texts)

    def _bar(self, look: Look) -> str:
        width = min(look.width, BAR_WIDTH)
        filled = width * min(self._done(), self._total) // (self._total or 1)
        rest = look.glyphs.rule * (width - filled)
        return look.paint(look.glyphs.bar * filled, GREEN) + look.paint(rest, DIM)

    def _failed_line(self, row: HostRow) -> str:
        look = self._console.stderr_look()
        why = ": ".join(str(part) for part in (row.failure_reason, row.detail) if part)
        return f"{look.status(row.status, escape_controls(row.host))}  {escape_controls(why)}"

    def _job_line(self) -> str:
        if not self._jobs:
            return ""
        shown = ", ".join(f"{job.job_id[:8]} {job.status}" for job in self._jobs[:JOBS_SHOWN])
        more = len(self._jobs) - JOBS_SHOWN
        line = f"{counted(len(self._jobs), 'job')}: {shown}{f' and {more:,} more' * (more > 0)}"
        return escape_controls(line)

    def _by_status(self) -> list[tuple[ScanStatus, int]]:
        return [(s, self._counts[s]) for s in ScanStatus if self._counts.get(s)]

    def _done(self) -> int:
        return sum(n for s, n in self._counts.items() if s in FINISHED or s not in SCHEDULED)


class _Stderr:
    """stderr as rich sees it: a reader that left must not end the program."""

    def __init__(self, console: "Console") -> None:
        self._console = console
        stream = console.services.stderr
        self.encoding = getattr(stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        self._console.write_talk(text)
        return len(text)

    def flush(self) -> None:
        """`write` has done it."""

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._console.services.stderr.fileno()
