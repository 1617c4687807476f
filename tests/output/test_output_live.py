import io
import random
import re
import threading

import pytest

from sbpam_cli.errors import SbpamError
from sbpam_cli.models import FailureReason, HostRow, JobSummary, ScanStatus
from sbpam_cli.output.console import Console
from sbpam_cli.output.live import LiveProgress
from sbpam_cli.services import Services

JOBS = [JobSummary("3f2504e0-4f89-41d3-9a0c-0305e82c3301", ScanStatus.RUNNING, 4)]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Hands:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.time_s = 1000.0

    def now(self) -> float:
        return self.time_s

    def monotonic(self) -> float:
        return self.time_s

    def sleep(self, seconds: float) -> None:
        self.time_s += seconds

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        self.time_s += timeout_s
        return event.is_set()


def make_console(stderr: io.StringIO, *, quiet: bool = False, **environ: str) -> Console:
    services = Services(
        io.BytesIO(), io.StringIO(), stderr, environ, clock=Hands(), random=random.Random(1)
    )
    return Console(services, quiet=quiet)


def counts(queued: int, complete: int, failed: int = 0) -> dict[ScanStatus, int]:
    return {
        ScanStatus.QUEUED: queued,
        ScanStatus.COMPLETE: complete,
        ScanStatus.FAILED: failed,
        ScanStatus.REJECTED: 1,
    }


def test_without_a_terminal_a_change_is_a_line_at_most_one_a_minute() -> None:
    stderr = io.StringIO()
    console = make_console(stderr)
    clock = console.services.clock
    with LiveProgress(console) as live:
        live.update(counts(3, 0), 4, JOBS, [])
        clock.sleep(30)
        live.update(counts(2, 1), 4, JOBS, [])
        clock.sleep(29)
        live.update(counts(1, 2), 4, JOBS, [])
        clock.sleep(2)
        live.update(counts(1, 2), 4, JOBS, [])
        clock.sleep(100)
        live.update(counts(1, 2), 4, JOBS, [])
    assert stderr.getvalue().splitlines() == [
        "1 of 4 hosts done: 3 Queued, 1 Rejected",
        "3 of 4 hosts done: 1 Queued, 2 Complete, 1 Rejected",
    ]


@pytest.mark.parametrize("stderr", [Terminal(), io.StringIO()])
def test_quiet_shows_nothing(stderr: io.StringIO) -> None:
    with LiveProgress(make_console(stderr, quiet=True)) as live:
        live.update(counts(1, 0), 2, JOBS, [])
    assert stderr.getvalue() == ""


def drawn(no_color: str) -> str:
    stderr = Terminal()
    console = make_console(stderr, COLUMNS="60", TERM="xterm-256color", NO_COLOR=no_color)
    failed = HostRow(
        "bad\x1b]0;x.example.com",
        ScanStatus.FAILED,
        JOBS[0].job_id,
        FailureReason.FAILED_TO_CONNECT,
        detail="no route [/red] " + "x" * 100,
    )
    with LiveProgress(console) as live:
        live.update(counts(1, 2, 1), 5, JOBS, [failed])
        console.services.clock.sleep(3725)
        console.note("a note [bold]")
        console.error(SbpamError("an error"))
    console.note("afterwards")
    return stderr.getvalue()


def test_a_terminal_sees_the_state_and_talk_above_it_and_then_only_the_talk() -> None:
    text = drawn("1")
    # Beyond moving the cursor and erasing its own lines, nothing: no colour, no title.
    plain = re.sub(r"\x1b\[(\?25[lh]|2K|1A)", "", text)
    assert "\x1b" not in plain
    assert "4 of 5 hosts  1:02:05" in plain
    assert "○ 1 Queued  ✓ 2 Complete  ✗ 1 Failed  ✗ 1 Rejected" in plain
    assert "1 job: 3f2504e0 Running" in plain
    assert r"✗ bad\x1b]0;x.example.com  FailedToConnect: no route [/" in plain
    assert max(map(len, plain.replace("\r", "\n").split("\n"))) <= 60
    assert "a note [bold]\n" in plain
    assert "sbpam: an error\n" in plain
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1
    assert text.endswith("afterwards\n")


def test_colours_where_wanted() -> None:
    assert "\x1b[31m✗ 1 Failed" in drawn("")


def test_a_dumb_terminal_gets_lines() -> None:
    stderr = Terminal()
    with LiveProgress(make_console(stderr, TERM="dumb")) as live:
        live.update(counts(1, 0), 2, JOBS, [])
    assert stderr.getvalue() == "1 of 2 hosts done: 1 Queued, 1 Rejected\n"


def test_a_terminal_that_goes_away_ends_nothing() -> None:
    stderr = Terminal()
    console = make_console(stderr, TERM="xterm")
    with LiveProgress(console) as live:
        stderr.close()
        live.update(counts(0, 2), 2, JOBS, [])
        console.note("unheard")
    assert console.lines_above is None
