"""What a person sees while 400 hosts are watched: whole screens at fixed moments of the clock.

`python tests/support/regenerate.py screens` writes them anew.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyte import Screen, Stream
from support.clock import Inline, MovedClock
from support.site import Site

from sbpam_cli.system.services import Services

SCREENS = Path(__file__).parent / "screens"
BEFORE = "$ sbpam status --all --watch"


class WatchedClock(MovedClock):
    """Does what was arranged for a moment when it passes it."""

    def __init__(self) -> None:
        super().__init__()
        self.arranged: list[tuple[float, Callable[[], None]]] = []

    def move(self, seconds: float) -> None:
        until = self._now + seconds
        while self.arranged and self.arranged[0][0] <= until:
            moment, action = self.arranged.pop(0)
            self._now = moment
            action()
        self._now = until


class _LowerScreen(Screen):
    """Gets lower as terminals do: what is below the cursor goes first."""

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        lines, columns = lines or self.lines, columns or self.columns
        spare = self.lines - 1 - self.cursor.y
        self.lines -= max(0, min(self.lines - lines, spare))
        for y in [y for y in self.buffer if y >= self.lines]:
            del self.buffer[y]
        super().resize(lines, columns)


class ScreenStream:
    """Stdout and stderr of a terminal that is held in memory."""

    encoding = "utf-8"

    def __init__(self, columns: int, lines: int) -> None:
        self.screen = _LowerScreen(columns, lines)
        self.written = 0
        self._feed = Stream(self.screen)
        self.write(f"{BEFORE}\n")

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.written += len(text.encode())
        self._feed.feed(text.replace("\n", "\r\n").replace("\r\r\n", "\r\n"))
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def seen(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip() + "\n"


@pytest.fixture
def clock() -> MovedClock:
    return WatchedClock()


@pytest.fixture
def watched(site: Site) -> Site:
    """Forty jobs of ten hosts whose scans take a minute and a half."""
    world = site.world
    world.scan_duration_s, world.failing_share = 90.0, 0.05
    for job in range(40):
        world.add_job([f"srv{job:02}{n:02}.corp.example" for n in range(10)])
    return site


def run(site: Site, sizes: dict[float, tuple[int, int]], moments: list[float]) -> dict[str, str]:
    """The screens at moments (seconds from the start) and at the end; sizes: from when on."""
    clock, program = site.clock, site.program
    assert isinstance(clock, WatchedClock)
    start, taken = clock.now(), {}
    stream = ScreenStream(*sizes.pop(0.0))
    used: list[Services] = []

    def prepare(services: Services) -> None:
        stream_of_both: Any = stream
        services.stdout = services.stderr = stream_of_both
        services.workers = lambda _, clock: Inline(clock)
        used.append(services)

    def resize(size: tuple[int, int]) -> None:
        environ: Any = used[0].environ
        environ["COLUMNS"], environ["LINES"] = map(str, size)
        stream.screen.resize(size[1], size[0])

    def take(moment: float) -> None:
        taken[f"{moment:03.0f}s"] = stream.seen()
        assert stream.seen().startswith(BEFORE), "what was above is still there"
        assert len(stream.seen().splitlines()) < stream.screen.lines

    arranged: list[tuple[float, Callable[[], None]]] = []
    arranged += [(start + at, lambda size=size: resize(size)) for at, size in sizes.items()]  # type: ignore[misc]
    arranged += [(start + at, lambda at=at: take(at)) for at in moments]  # type: ignore[misc]
    clock.arranged = sorted(arranged, key=lambda pair: pair[0])
    program.prepare = prepare
    columns, lines = stream.screen.columns, stream.screen.lines
    environ = {"COLUMNS": str(columns), "LINES": str(lines), "TERM": "xterm", "NO_COLOR": "1"}
    ended = program("status", "--all", "--watch", terminal=True, env=environ)
    assert ended.code == 0
    assert not clock.arranged, "it ended before the last moment"
    taken["end"] = stream.seen()
    assert stream.written < 20_000 * (clock.now() - start)
    return taken


@pytest.mark.parametrize(
    ("name", "sizes", "moments"),
    [
        ("80x24", {0.0: (80, 24)}, [1.0, 30.0, 60.0, 85.0]),
        ("200x50", {0.0: (200, 50)}, [1.0, 30.0, 60.0, 85.0]),
        (
            "resized",
            {0.0: (200, 50), 40.0: (80, 24), 60.0: (60, 12), 75.0: (120, 40)},
            [30.0, 41.0, 61.0, 76.0],
        ),
    ],
)
def test_screens(
    watched: Site, name: str, sizes: dict[float, tuple[int, int]], moments: list[float]
) -> None:
    for moment, screen in run(watched, dict(sizes), moments).items():
        path = SCREENS / f"{name}-{moment}.txt"
        if os.environ.get("SBPAM_WRITE_SCREENS"):
            path.write_text(screen, encoding="utf-8", newline="\n")
        assert screen == path.read_text(encoding="utf-8"), path.name
