"""What is seen while 400 hosts in twenty jobs are watched: screens at moments of the clock."""

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from support.clock import Inline, MovedClock
from support.faults import Fault
from support.screen import Terminal
from support.site import Site
from support.tables import slow

from sbpam_cli.system.services import Services

BEFORE = "$ sbpam status --all --watch"
HEAD = " of 400 hosts"
LARGE = pytest.param((200, 50), "utf-8", marks=pytest.mark.slow)
SIZES = [((80, 24), "utf-8"), ((40, 10), "ascii"), LARGE]


class CountedTerminal(Terminal):
    """One line of it is in use. Counts what is drawn and written, by the second."""

    def __init__(self, columns: int, lines: int, clock: MovedClock) -> None:
        super().__init__(columns, lines, above=f"{BEFORE}\r\n")
        self.clock = clock
        self.drawings: Counter[int] = Counter()
        self.written: Counter[int] = Counter()

    def write(self, text: str) -> int:
        second = int(self.clock.now())
        self.drawings[second] += HEAD in text
        self.written[second] += len(text.encode())
        return super().write(text)


@pytest.fixture
def watched(site: Site) -> Site:
    """Twenty jobs of twenty hosts whose scans take 40 s."""
    world = site.world
    world.scan_duration_s, world.failing_share = 40.0, 0.05
    for job in range(20):
        world.add_job([f"srv{job:02}{n:02}.corp.example" for n in range(20)])
    return site


def watch(
    site: Site,
    size: tuple[int, int],
    look: Callable[[CountedTerminal], None],
    *more: str,
    person: Any = None,
    encoding: str = "utf-8",
) -> CountedTerminal:
    """look: called every two seconds while scans go on."""
    clock, move = site.clock, site.clock.move
    stream = CountedTerminal(*size, clock)
    stream.encoding = encoding
    moments = [clock.now() + at for at in range(2, 38, 2)]

    def move_on(seconds: float) -> None:
        until = clock.now() + seconds
        while moments and moments[0] <= until:
            move(moments.pop(0) - clock.now())
            look(stream)
        move(until - clock.now())

    def prepare(services: Services) -> None:
        stream.serve(services)
        services.prompt = person
        services.workers = lambda _, clock: Inline(clock)

    clock.move = move_on
    site.prepare = prepare
    command = ["status", "--all", "--watch", *more]
    site.run(*command, terminal=True, env=stream.environ).expect(0)
    assert not moments, "it ended before the last moment"
    return stream


@pytest.mark.parametrize(("size", "encoding"), SIZES)
def test_the_display_fits_and_leaves_what_was_above(
    watched: Site, size: tuple[int, int], encoding: str
) -> None:
    heads: list[str] = []

    def look(stream: CountedTerminal) -> None:
        shown = stream.lines()
        heads.extend(line for line in shown if HEAD in line)
        assert shown[0] == BEFORE
        assert HEAD in shown[1]
        assert len(shown) < size[1]
        assert max(map(len, shown)) in range(size[0] - 11, size[0] + 1), "the whole width is used"

    stream = watch(watched, size, look, encoding=encoding)

    assert len(heads) == 18
    assert heads != sorted(heads, reverse=True)
    assert max(stream.drawings.values()) <= 4
    assert max(list(stream.written.values())[:-1]) < 40_000
    end = stream.lines()
    assert not [line for line in end if HEAD in line]
    assert any(line.startswith("400 hosts: 390 Complete, 10 Failed") for line in end)
    assert not stream.screen.cursor.hidden


def test_statuses_reasons_and_jobs_are_counted(watched: Site) -> None:
    screens = []
    watch(watched, (100, 30), lambda stream: screens.append("\n".join(stream.lines())))
    late = screens[-3]
    for sign, status in (("●", "Running"), ("✓", "Complete"), ("✗", "Failed")):
        assert re.search(f"{sign} [0-9]+ {status}", late)
    for words in ("%", " of 20 jobs ended, last answer ", "left", "elapsed 0:00:3"):
        assert words in late
    assert re.search("✗ [0-9]+ (AccessDenied|FailedToConnect|InvalidHostName)", late)


def test_what_is_said_meanwhile_stands_above(watched: Site) -> None:
    def look(stream: CountedTerminal) -> None:
        shown = stream.lines()
        [head] = [number for number, line in enumerate(shown) if HEAD in line]
        assert all(line.startswith(("GET", "POST", BEFORE, "  ")) for line in shown[:head])
        assert not [line for line in shown[head:] if line.startswith("GET")]

    watch(watched, (120, 30), look, "--verbose")


def test_a_question_stands_alone_and_the_display_comes_back(watched: Site) -> None:
    user = watched.world.person("totp")
    asked: list[list[str]] = []
    streams: list[CountedTerminal] = []

    class Person:
        def secret(self, text: str) -> str:
            asked.append([text, *streams[-1].lines()])
            return watched.world.issue_token(user)[0]

    def look(stream: CountedTerminal) -> None:
        streams.append(stream)
        assert any(HEAD in line for line in stream.lines())
        if len(streams) == 10:
            watched.world.revoke_tokens()

    secrets = dict.fromkeys(("SBPAM_PASSWORD", "SBPAM_TOTP_SECRET"), "")
    watched.environ |= secrets | {"SBPAM_TOKEN": watched.world.issue_token(user)[0]}
    watch(watched, (80, 24), look, person=Person())
    [[question, *shown]] = asked
    assert question.startswith("Token for ")
    assert shown == [BEFORE]


@pytest.mark.parametrize("how", [{}, {"terminal": True, "env": {"TERM": "dumb"}}])
def test_elsewhere_a_line_a_minute(watched: Site, how: dict[str, Any]) -> None:
    watched.world.scan_duration_s = 90.0
    watched.work_alone()
    ended = watched.run("status", "--all", "--watch", **how).expect(0)
    said = [line for line in ended.err.splitlines() if HEAD in line]
    assert len(said) == 3
    assert said[0].startswith("0 of 400 hosts done: ")
    assert said[-1].startswith("400 of 400 hosts done: 390 Complete, 10 Failed")


def test_quiet_shows_nothing(watched: Site) -> None:
    watched.work_alone()
    assert watched.run("status", "--all", "--watch", "--quiet", terminal=True).err == ""


class Taking(Inline):
    """Each task takes ten seconds."""

    def next(self, timeout_s: float) -> Any:
        if timeout_s:
            self._clock.sleep(10)
        return super().next(timeout_s)


SENDING = ["schedule", *(f"h{n:03}.corp.example" for n in range(80))]
SENDING += ["--batch-size", "2", "--parallel", "1"]


HOW_FAR: dict[str, tuple[list[str], str, int]] = {
    "sending": (SENDING, "sent 12 of 40 batches, 24 of 80 hosts, about 5 min left", 6),
    "reading jobs": (["status", "--only", "failed"], "read 12 of 40 jobs", 6),
    "reading the list": (["status", "--all", "--only", "failed"], "read 1 job", 0),
    "reading hosts": (["hosts"], "read 18 hosts", 0),
    "settling": (
        [*SENDING[:3], "--settle-after", "70s"],
        "the outcome is unknown for 2 hosts: looking until 03:16:32Z, 50 s left",
        2,
    ),
}


@pytest.mark.parametrize("terminal", [True, *slow(False)])
@pytest.mark.parametrize("what", HOW_FAR)
def test_how_far_it_is(site: Site, what: str, terminal: bool) -> None:
    command, words, lines_elsewhere = HOW_FAR[what]
    if command[0] == "status":
        site.run(*SENDING)
        site.world.add_job(["other.corp.example"])
        site.clock.move(100)
    if "--settle-after" in command:
        site.faults.add(Fault(action="close", path="OuMapping", nth=1))
    shown = Terminal(90, 24, keeps=True)

    def prepare(services: Services) -> None:
        if terminal:
            shown.serve(services)
        services.workers = lambda _, clock: Taking(clock)

    site.prepare = prepare
    ended = site.run(*command, terminal=terminal, env=shown.environ)
    start = words.split(" ")[0] + " "
    if terminal:
        assert any(words in screen for screen in shown.seen), shown.seen
        assert words not in "\n".join(shown.lines())
        assert not shown.screen.cursor.hidden
    else:
        assert len([x for x in ended.err.splitlines() if x.startswith(start)]) == lines_elsewhere
