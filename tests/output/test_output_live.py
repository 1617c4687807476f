"""The live display by itself: when it writes, and what."""

import io
import random
import re

import pytest
from support.clock import MovedClock

from sbpam_cli.errors import SbpamError
from sbpam_cli.models import FailureReason, HostRow, ScanStatus
from sbpam_cli.output.console import Console
from sbpam_cli.output.live import LiveProgress
from sbpam_cli.output.look import ASCII_GLYPHS, UNICODE_GLYPHS, Look
from sbpam_cli.output.picture import JobProgress, Pace, Progress, draw_picture
from sbpam_cli.system.services import Services

JOB_ID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
JOBS = [JobProgress(JOB_ID, ScanStatus.RUNNING, 3, 4)]


class Terminal(io.StringIO):
    """Counts what is written to it, as a terminal in which nothing was typed."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if text:
            self.writes.append(text)
        return super().write(text)


def make_console(stderr: io.StringIO, *, quiet: bool = False, **environ: str) -> Console:
    services = Services(
        io.BytesIO(), io.StringIO(), stderr, environ, clock=MovedClock(), random=random.Random(1)
    )
    return Console(services, quiet=quiet)


def state(queued: int, complete: int, failed: int = 0, *rows: HostRow) -> Progress:
    counts = {
        ScanStatus.QUEUED: queued,
        ScanStatus.COMPLETE: complete,
        ScanStatus.FAILED: failed,
        ScanStatus.REJECTED: 1,
    }
    return Progress(counts, JOBS, rows)


def test_without_a_terminal_a_change_is_a_line_at_most_one_a_minute_and_the_last_is_said() -> None:
    stderr = io.StringIO()
    console = make_console(stderr)
    clock = console.services.clock
    with LiveProgress(console) as live:
        live.update(state(3, 0))
        clock.sleep(30)
        live.update(state(2, 1))
        clock.sleep(29)
        live.update(state(1, 2))
        clock.sleep(2)
        live.tick()
        clock.sleep(100)
        live.tick()
        assert len(stderr.getvalue().splitlines()) == 2
        live.update(state(1, 2))
        clock.sleep(1)
        live.update(state(0, 3))
        clock.sleep(1)
        live.update(state(0, 2, 1))
    assert stderr.getvalue().splitlines() == [
        "1 of 4 hosts done: 3 Queued, 1 Rejected",
        "3 of 4 hosts done: 1 Queued, 2 Complete, 1 Rejected",
        "4 of 4 hosts done: 3 Complete, 1 Rejected",
        "4 of 4 hosts done: 2 Complete, 1 Failed, 1 Rejected",
    ]


@pytest.mark.parametrize("make", [Terminal, io.StringIO])
def test_quiet_shows_nothing(make: type[io.StringIO]) -> None:
    stderr = make()
    with LiveProgress(make_console(stderr, quiet=True)) as live:
        live.update(state(1, 0))
        live.tick()
    assert stderr.getvalue() == ""


def drawn(no_color: str) -> str:
    stderr = Terminal()
    console = make_console(stderr, COLUMNS="60", TERM="xterm-256color", NO_COLOR=no_color)
    failed = HostRow(
        "bad\x1b]0;x.example.com",
        ScanStatus.FAILED,
        JOB_ID,
        FailureReason.FAILED_TO_CONNECT,
        detail="no route [/red] " + "x" * 100,
    )
    with LiveProgress(console) as live:
        live.update(state(1, 2, 1, failed))
        console.services.clock.sleep(3725)
        console.note("a note [bold]")
        console.error(SbpamError("an error"))
        live.tick()
        console.note("a last one")
    console.note("afterwards")
    return stderr.getvalue()


def test_a_terminal_sees_the_state_and_talk_above_it_and_then_only_the_talk() -> None:
    text = drawn("1")
    # Beyond moving the cursor, erasing its own lines and not wrapping them: nothing.
    plain = re.sub(r"\x1b\[(\?25[lh]|\?7[lh]|[KJ]|\d*[AB])", "", text)
    assert "\x1b" not in plain
    assert "4 of 5 hosts  80%" in plain
    assert "1:02:05" in plain
    assert re.search("○ 1 Queued +✓ 2 Complete +✗ 1 Failed", plain)
    assert "1 job: 1 Running" in plain
    assert "● 3f2504e0 3/4" in plain
    assert r"✗ bad\x1b]0;x.example.com  FailedToConnect: no route [/" in plain
    assert max(map(len, plain.replace("\r", "\n").split("\n"))) < 60
    assert "a note [bold]\nsbpam: an error\n" in plain
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1
    assert text.endswith("\r\x1b[K\x1b[B\x1b[J\x1b[A\x1b[?25ha last one\nafterwards\n")


def test_colours_where_wanted() -> None:
    assert "\x1b[31m✗ 1 Failed" in drawn("")


def test_a_dumb_terminal_gets_lines() -> None:
    stderr = Terminal()
    with LiveProgress(make_console(stderr, TERM="dumb")) as live:
        live.update(state(1, 0))
    assert stderr.getvalue() == "1 of 2 hosts done: 1 Queued, 1 Rejected\n"


def test_a_terminal_that_goes_away_ends_nothing() -> None:
    stderr = Terminal()
    console = make_console(stderr, TERM="xterm")
    with LiveProgress(console) as live:
        stderr.close()
        live.update(state(0, 2))
        console.note("unheard")
        console.services.clock.sleep(1)
        live.tick()
    assert console.lines_above is None


def test_four_drawings_a_second_at_most_and_only_what_changed() -> None:
    stderr = Terminal()
    console = make_console(stderr, TERM="xterm")
    with LiveProgress(console) as live:
        for moment in range(500):
            live.update(state(1000 - moment, moment))
            console.services.clock.sleep(0.01)
        assert 15 <= len(stderr.writes) <= 4 * 5 + 1
        whole = len(stderr.writes[0])
        assert max(map(len, stderr.writes[1:])) < whole
        live.tick()
        before = len(stderr.writes)
        for _ in range(30):
            console.services.clock.sleep(0.25)
            live.tick()
        # The time that has passed, once a second.
        assert 6 <= len(stderr.writes) - before <= 9


def test_no_drawing_wraps_and_all_is_drawn_again_every_ten_seconds() -> None:
    stderr = Terminal()
    console = make_console(stderr, TERM="xterm")
    with LiveProgress(console) as live:
        live.update(state(1, 2))
        for _ in range(4 * 25):
            console.services.clock.sleep(0.25)
            live.tick()
        drawings = list(stderr.writes)
    for drawing in drawings:
        assert re.fullmatch(r"(\x1b\[\?25l)?\x1b\[\?7l[^?]+\x1b\[\?7h", drawing)
    # In case something else wrote there: after 0, 10 and 20 seconds.
    parts = ["3 of 4 hosts", "○ 1 Queued", "1 job: 1 Running", "● 3f2504e0 3/4"]
    assert [all(part in drawing for part in parts) for drawing in drawings].count(True) == 3


def test_at_any_size_nothing_leaves_the_screen() -> None:
    rows = [
        HostRow(f"h{n}.例え.example", ScanStatus.FAILED, detail="理由" * (n % 40))
        for n in range(300)
    ]
    running = [f"r{n}.corp.example" for n in range(200)]
    jobs = [JobProgress(f"{n:08x}-x", ScanStatus.RUNNING, n, 500) for n in range(300)]
    counts = dict.fromkeys(ScanStatus, 1234)
    from rich.cells import cell_len

    for glyphs in (UNICODE_GLYPHS, ASCII_GLYPHS):
        for width in (1, 2, 5, 10, 40, 80, 81, 200, 500):
            for room in (1, 2, 3, 5, 10, 22, 48, 300):
                look = Look(width, False, glyphs)
                progress = Progress(counts, jobs, rows, running)
                lines = draw_picture(progress, 12.0, 100.0, look, room)
                assert len(lines) <= room
                assert max(map(cell_len, lines)) < width
                if width >= 40 and room >= 22:
                    text = "\n".join(lines)
                    assert "h299" in text
                    assert "r0.corp" in text
                    assert "00000000" in text


def test_the_newest_failures_are_the_last_and_all_the_room_is_used() -> None:
    rows = [HostRow(f"h{n:03}.example", ScanStatus.FAILED) for n in range(100)]
    look = Look(80, False, UNICODE_GLYPHS)
    lines = draw_picture(Progress({ScanStatus.FAILED: 100}, (), rows), None, 0.0, look, 30)
    assert len(lines) == 30
    assert [line.split()[1] for line in lines[5:]] == [f"h{n:03}.example" for n in range(75, 100)]


def test_the_pace_is_that_of_the_last_two_minutes() -> None:
    pace = Pace()
    assert pace.per_minute() is None
    for second in range(600):
        pace.see(second, second if second < 300 else 300 + 5 * (second - 300))
        if second == 5:
            assert pace.per_minute() is None
        if second == 60:
            assert pace.per_minute() == 60.0
    assert pace.per_minute() == 300.0


@pytest.mark.parametrize(
    ("pace", "words"),
    [
        (None, ""),
        (0.2, "0 hosts/min"),
        (2000.0, "2,000 hosts/min  under a minute to go"),
        (100.0, "100 hosts/min  about 10 min to go"),
        (10.0, "10 hosts/min  about 1 h 40 min to go"),
    ],
)
def test_the_time_to_go(pace: float | None, words: str) -> None:
    counts = {ScanStatus.QUEUED: 1000, ScanStatus.COMPLETE: 1000}
    line = draw_picture(Progress(counts), pace, 61.0, Look(80, False, UNICODE_GLYPHS), 22)[0]
    assert line == "  ".join(filter(None, ["1,000 of 2,000 hosts  50%", words, "0:01:01"]))
