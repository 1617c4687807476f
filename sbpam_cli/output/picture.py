"""What the live display shows: lines for a terminal of any size."""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sbpam_cli.models import FINISHED, SCHEDULED, HostRow, ScanStatus
from sbpam_cli.output.escape import escape_controls
from sbpam_cli.output.look import BOLD, DIM, GREEN, RED, Look
from sbpam_cli.output.table import GAP, cell_width, cut
from sbpam_cli.wording import counted

WIDTH_AT_MOST = 80
"""A terminal that gets narrower wraps wider lines anew: they would scroll away, and come back."""
BAR_WIDTH = 60
_PACE_OVER_S = 120.0
_PACE_AFTER_S = 10.0
_WITH_GAPS_FROM = 20
_LINES_OF_COUNTS = 3
_JOBS_ACROSS = WIDTH_AT_MOST // len("12345678 1/1")


class JobProgress(NamedTuple):
    """A job, and how many of its hosts have ended."""

    job_id: str
    status: ScanStatus
    done: int
    hosts: int


class Progress(NamedTuple):
    """How far scans are. `counts` holds every host.

    failed: the newest of those that ended without success, newest last.
    running: the names of some that run now. is_known: the server was asked
    about every job.
    """

    counts: Mapping[ScanStatus, int]
    jobs: Sequence[JobProgress] = ()
    failed: Sequence[HostRow] = ()
    running: Sequence[str] = ()
    is_known: bool = True


def statuses_of(counts: Mapping[ScanStatus, int]) -> list[tuple[ScanStatus, int]]:
    """The statuses that there are, in their usual order."""
    return [(status, counts[status]) for status in ScanStatus if counts.get(status)]


def done_of(counts: Mapping[ScanStatus, int]) -> int:
    """How many hosts cannot change any more."""
    return sum(n for s, n in counts.items() if s in FINISHED or s not in SCHEDULED)


class _Section(NamedTuple):
    """A heading and lines of which as many are shown as fit: the last ones, or the first."""

    heading: str
    lines: Sequence[str]
    last: bool = False


class Pace:
    """How many hosts end a minute, over the last two minutes."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def see(self, now_s: float, done: int) -> None:
        """So many had ended at that moment."""
        self._seen.append((now_s, done))
        while len(self._seen) > 1 and self._seen[1][0] <= now_s - _PACE_OVER_S:
            self._seen.popleft()

    def per_minute(self) -> float | None:
        """As of the last look; None for as long as it cannot be told."""
        if not self._seen:
            return None
        (since_s, before), (now_s, done) = self._seen[0], self._seen[-1]
        over_s = now_s - since_s
        return 60.0 * (done - before) / over_s if over_s >= _PACE_AFTER_S else None


def draw_picture(
    progress: Progress, pace: float | None, elapsed_s: float, look: Look, room: int
) -> list[str]:
    """At most `room` lines, each narrower than the terminal; `pace` in hosts a minute."""
    look = look._replace(width=min(look.width, WIDTH_AT_MOST))
    counts = statuses_of(progress.counts)
    lines = [_head(progress, pace, elapsed_s, look), _bar(progress.counts, look)]
    lines += _flow([_marked(s, f"{n:,} {s}", look) for s, n in counts], look)[:_LINES_OF_COUNTS]
    sections = [
        _jobs(progress, look, room),
        _failed(progress, look, room),
        _running(progress, look),
    ]
    sections = [section for section in sections if section.lines]
    gap = 1 if room >= _WITH_GAPS_FROM else 0
    left = room - len(lines) - gap * len(sections)
    for section, given in zip(sections, _share(left, sections), strict=True):
        if given:
            shown = section.lines[-given + 1 :] if section.last else section.lines[: given - 1]
            lines += [""] * gap + [section.heading, *(shown if given > 1 else ())]
    return lines[:room]


def _share(room: int, sections: Sequence[_Section]) -> list[int]:
    """Lines for each, its heading's among them: the same for all who want so many."""
    wanted = [len(section.lines) + 1 for section in sections]
    given = [0] * len(sections)
    while room > 0 and given != wanted:
        for number, most in enumerate(wanted):
            if room > 0 and given[number] < most:
                given[number] += 1
                room -= 1
    return given


def _head(progress: Progress, pace: float | None, elapsed_s: float, look: Look) -> str:
    done, total = done_of(progress.counts), sum(progress.counts.values())
    parts = [
        (f"{done:,} of {counted(total, 'host')}", BOLD),
        (f"{100 * done // (total or 1)}%", ""),
    ]
    if pace is not None:
        parts.append((f"{pace:,.0f} hosts/min", ""))
        if round(pace) and done < total:
            parts.append((_to_go((total - done) / pace), ""))
    seconds = int(elapsed_s)
    parts.append((f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}", DIM))
    return _line(look, *parts)


def _to_go(minutes: float) -> str:
    """In words that change seldom."""
    if minutes < 1:
        return "under a minute to go"
    whole = round(minutes)
    if whole < 60:
        return f"about {whole} min to go"
    return f"about {whole // 60} h {whole % 60} min to go"


def _bar(counts: Mapping[ScanStatus, int], look: Look) -> str:
    width, total = min(look.width - 1, BAR_WIDTH), sum(counts.values()) or 1
    good = width * counts.get(ScanStatus.COMPLETE, 0) // total
    bad = width * done_of(counts) // total - good
    bar, rule = look.glyphs.bar, look.glyphs.rule
    rest = look.paint(rule * (width - good - bad), DIM)
    return look.paint(bar * good, GREEN) + look.paint(bar * bad, RED) + rest


def _jobs(progress: Progress, look: Look, room: int) -> _Section:
    """Those that are going first; several in a line."""
    jobs = sorted(progress.jobs, key=lambda job: job.done == job.hosts)
    states = Counter(job.status for job in jobs)
    said = ", ".join(f"{n:,} {status}" for status, n in statuses_of(states))
    digits = len(f"{max((job.hosts for job in jobs), default=0):,}")
    cells = [
        _marked(job.status, f"{job.job_id[:8]} {job.done:>{digits},}/{job.hosts:,}", look)
        for job in jobs[: room * _JOBS_ACROSS]
    ]
    return _Section(_line(look, (f"{counted(len(jobs), 'job')}: {said}", DIM)), _flow(cells, look))


def _failed(progress: Progress, look: Look, room: int) -> _Section:
    rows = progress.failed[-room:]
    count = done_of(progress.counts) - progress.counts.get(ScanStatus.COMPLETE, 0)
    heading = _line(look, (f"{count:,} not Complete, the newest last", DIM))
    return _Section(heading, [_failed_line(row, look) for row in rows], last=True)


def _failed_line(row: HostRow, look: Look) -> str:
    glyph, sgr = look.sign(row.status)
    why = ": ".join(str(part) for part in (row.failure_reason or row.status, row.detail) if part)
    return _line(look, (f"{glyph} {escape_controls(row.host)}", sgr), (escape_controls(why), ""))


def _running(progress: Progress, look: Look) -> _Section:
    count = progress.counts.get(ScanStatus.RUNNING, 0)
    cells = [_marked(ScanStatus.RUNNING, escape_controls(host), look) for host in progress.running]
    return _Section(_line(look, (f"{count:,} running", DIM)), _flow(cells, look))


def _marked(status: ScanStatus, label: str, look: Look) -> tuple[str, str]:
    glyph, sgr = look.sign(status)
    return f"{glyph} {label}", sgr


def _flow(cells: Sequence[tuple[str, str]], look: Look) -> list[str]:
    """Cells of one width, as many in a line as fit."""
    widest = max((cell_width(text) for text, _ in cells), default=0)
    across = max(1, (look.width - 1 + len(GAP)) // (widest + len(GAP)))
    padded = [(text + " " * (widest - cell_width(text)), sgr) for text, sgr in cells]
    return [_line(look, *padded[first : first + across]) for first in range(0, len(cells), across)]


def _line(look: Look, *parts: tuple[str, str]) -> str:
    """Texts with their colours (SGR parameters), cut one cell before the terminal's edge."""
    room, painted = look.width - 1, []
    for text, sgr in parts:
        ellipsis = look.glyphs.ellipsis
        if room <= len(ellipsis):
            break
        shown = cut(text, room, ellipsis)
        painted.append(look.paint(shown, sgr) if sgr else shown)
        room -= cell_width(shown) + len(GAP)
    return GAP.join(painted)
