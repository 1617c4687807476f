"""Following scans as they go: a display that is redrawn in place, or a line now and then."""

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from sbpam_cli.output.look import can_redraw, height_of
from sbpam_cli.output.picture import Pace, Progress, done_of, draw_picture, statuses_of
from sbpam_cli.wording import counted

if TYPE_CHECKING:
    from sbpam_cli.output.console import Console

REDRAW_EVERY_S = 0.25
REPAINT_EVERY_S = 10.0
LINE_EVERY_S = 60.0
_ROWS_LEFT_ALONE = 2


class LiveProgress:
    """A context manager around a wait; shows on stderr what `update` was last told.

    On a terminal: a display, redrawn at most 4 times a second and gone at the
    end. Elsewhere: a line when counts changed, at most one a minute and the
    last at the end. With `--quiet`: nothing. All is written by the thread that
    calls `update` and `tick`, talk of the others with it.
    """

    def __init__(self, console: "Console") -> None:
        self._console = console
        self._clock = console.services.clock
        self._started_s = self._clock.monotonic()
        self._progress: Progress | None = None
        self._pace = Pace()
        self._area: _Area | None = None
        self._above: deque[str] = deque()
        self._said: Progress | None = None
        self._shown_at_s: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def update(self, progress: Progress) -> None:
        """The state of things now."""
        self._progress = progress
        if progress.is_known:
            self._pace.see(self._clock.monotonic(), done_of(progress.counts))
        services = self._console.services
        if self._area is None and can_redraw(services.stderr, services):
            self._area = _Area()
            self._console.lines_above = self._above.append
        self.tick()

    def tick(self) -> None:
        """Shows what is due; to be called some times a second."""
        progress, now_s = self._progress, self._clock.monotonic()
        every_s = LINE_EVERY_S if self._area is None else REDRAW_EVERY_S
        too_soon = self._shown_at_s is not None and now_s - self._shown_at_s < every_s
        if progress is None or too_soon or self._console.quiet:
            return
        if self._area is None:
            self._say_line()
            return
        self._shown_at_s = now_s
        look = self._console.stderr_look()
        height = height_of(self._console.services.stderr, self._console.services)
        room = max(1, height - _ROWS_LEFT_ALONE)
        elapsed_s = now_s - self._started_s
        pace = self._pace.per_minute()
        lines = draw_picture(progress, pace, elapsed_s, look, room)
        above = "".join(f"{self._above.popleft()}\n" for _ in range(len(self._above)))
        self._console.write_talk(self._area.draw(lines, (look.width, height), above, now_s))

    def clear(self) -> None:
        """Makes room for data on the same terminal; the display comes back below it."""
        if self._area is not None:
            self._console.write_talk(self._area.clear())
            self._shown_at_s = None

    def stop(self) -> None:
        """Ends the display; what was said meanwhile stays."""
        self._console.lines_above = None
        if self._area is not None:
            self._console.write_talk(self._area.close())
            while self._above:
                self._console.write_talk(f"{self._above.popleft()}\n")
        elif self._progress is not None and not self._console.quiet:
            self._say_line()
        self._area = self._progress = None

    def _say_line(self) -> None:
        progress = self._progress
        if progress is None or (self._said and self._said.counts == progress.counts):
            return
        if not progress.counts:
            # Jobs that were asked for by their ids: nothing is known of them yet.
            return
        self._said, self._shown_at_s = progress, self._clock.monotonic()
        counts = ", ".join(f"{n:,} {status}" for status, n in statuses_of(progress.counts))
        done, total = done_of(progress.counts), sum(progress.counts.values())
        self._console.note(f"{done:,} of {counted(total, 'host')} done: {counts}")


class _Area:
    """Lines that are redrawn where they are; gives the text that does it.

    The cursor rests at the beginning of the first line: a terminal that gets
    lower then cuts what is below it, and one that wraps its lines anew, or is
    suspended, leaves it where the next drawing belongs.
    """

    def __init__(self) -> None:
        self._lines: Sequence[str] | None = None
        self._size = (0, 0)
        self._painted_at_s = 0.0
        self._is_open = False

    def draw(self, lines: Sequence[str], size: tuple[int, int], above: str, now_s: float) -> str:
        """Only lines that changed; all of them now and then, in case something else wrote."""
        known = self._lines
        same = known is not None and len(known) == len(lines) and size == self._size and not above
        self._lines, self._size = lines, size
        if same and known is not None and now_s - self._painted_at_s < REPAINT_EVERY_S:
            body = _changes(known, lines)
        else:
            self._painted_at_s = now_s
            body = "\r\n".join(f"{line}\x1b[K" for line in lines) + "\x1b[J" + _up(len(lines) - 1)
        if not body:
            return ""
        if above and known is not None:
            above = _erase(len(known)) + above
        hide, self._is_open = "" if self._is_open else "\x1b[?25l", True
        # No line may wrap, not even in the moment after the terminal got narrower.
        return f"{hide}{above}\x1b[?7l{body}\x1b[?7h"

    def clear(self) -> str:
        """Nothing is shown until the next drawing."""
        known, self._lines = self._lines, None
        return _erase(len(known)) if known is not None else ""

    def close(self) -> str:
        return f"{self.clear()}\x1b[?25h" if self._is_open else ""


def _changes(known: Sequence[str], lines: Sequence[str]) -> str:
    parts, at = [], 0
    for number, (before, line) in enumerate(zip(known, lines, strict=True)):
        if before != line:
            down = f"\x1b[{number - at}B" if number > at else ""
            parts.append(f"{down}\r{line}\x1b[K")
            at = number
    return "".join(parts) + _up(at) if parts else ""


def _erase(rows: int) -> str:
    """Not from the first line on: tmux takes that, at its top, for a page to be kept in history."""
    return "\r\x1b[K" + ("\x1b[B\x1b[J\x1b[A" if rows > 1 else "")


def _up(rows: int) -> str:
    return f"\r\x1b[{rows}A" if rows else "\r"
