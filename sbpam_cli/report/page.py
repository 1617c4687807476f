"""A run as one page: HTML that needs nothing else, or Markdown.

Every value goes through the templates' escaping, and before that its controls
are made visible: what a server says can be neither markup nor script.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sbpam_cli import __version__
from sbpam_cli.errors import UsageError
from sbpam_cli.models import HostRow, RunReport, ScanStatus
from sbpam_cli.output.escape import escape_controls
from sbpam_cli.output.moments import utc
from sbpam_cli.output.terminal import UNICODE_GLYPHS, status_kind
from sbpam_cli.wording import counted

if TYPE_CHECKING:
    from jinja2 import Environment

ReportForm = Literal["html", "md"]
REPORT_FORMS: tuple[ReportForm, ...] = ("html", "md")

_NAMED_HOSTS = 20
_SAYINGS = 3
_ORDER = {"good": 0, "going": 1, "waiting": 1}
_BINS = 12
_POINTS = 200
_WIDTHS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
_MARKDOWN = re.compile(r"[\\`*_\[\]<>#|~&$@]")


class Share(NamedTuple):
    """Hosts of one status; `start` and `width` in percent of all."""

    status: ScanStatus
    hosts: int
    start: float
    width: float

    @property
    def percent(self) -> str:
        """`12%`, `< 1%`."""
        return f"{self.width:.0f}%" if self.width >= 0.5 else "< 1%"


class Bin(NamedTuple):
    """Scans that took so long; `width`: percent of the fullest one."""

    label: str
    hosts: int
    width: float


def render_report(report: RunReport, form: ReportForm) -> str:
    """The page, its lines ended by newlines. Raises UsageError without the templating library."""
    environment = _environment(form)
    if form == "html":
        style, script = (_read(environment, name) for name in ("report.css", "report.js"))
        known: dict[str, Any] = {
            "style": style,
            "script": script,
            "policy": _policy(style, script),
        }
    else:
        known = {}
    return environment.get_template(f"report.{form}").render(
        known,
        version=__version__,
        report=report,
        shares=_shares(report.counts),
        bins=_bins(report.durations),
        moments=_moments(report),
        chart=_chart(report) if form == "html" else None,
        numbers={batch.job_id: batch.number for batch in report.batches if batch.job_id},
        columns=_columns(report.rows),
    )


@cache
def _environment(form: ReportForm) -> "Environment":
    try:
        import jinja2
    except ImportError as error:
        raise UsageError(
            "the page cannot be made",
            reason=str(error),
            hint="install it with: pip install 'sbpam-cli[report]'",
        ) from error
    html = form == "html"
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("sbpam_cli.report", "templates"),
        autoescape=html,  # noqa: S701 (Markdown has its own)
        undefined=jinja2.StrictUndefined,
        finalize=_visible if html else _markdown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        time=utc,
        words=_words,
        stopwatch=_stopwatch,
        counted=counted,
        kind=status_kind,
        glyph=lambda status: getattr(UNICODE_GLYPHS, status_kind(status)),
        code=lambda text: text.split("`"),
        plain=_Code,
        reason=_reason,
        system=_system,
        said=_said,
    )
    environment.globals.update(named_hosts=_NAMED_HOSTS)
    return environment


def _visible(value: Any) -> Any:
    # What a template has made is markup already, and its lines are its own.
    plain = isinstance(value, str) and not hasattr(value, "__html__")
    return escape_controls(value) if plain else value


class _Code(str):
    """Text of ours that stands as code in Markdown, where nothing is escaped."""


def _markdown(value: Any) -> str:
    """A value as text that is none of Markdown's marks, tables' and HTML's included."""
    if isinstance(value, _Code):
        return value
    return _MARKDOWN.sub(r"\\\g<0>", escape_controls(str(value)))


def _read(environment: "Environment", name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _policy(style: str, script: str) -> str:
    """What the page may load: this style and this script, by their digests."""
    from base64 import b64encode
    from hashlib import sha256

    allowed = [
        f"{kind}-src 'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
        for kind, text in (("style", style), ("script", script))
    ]
    return "; ".join(["default-src 'none'", *allowed, "base-uri 'none'", "form-action 'none'"])


# Numbers as a reader wants them.


def _words(seconds: float) -> str:
    """`12 s`, `2 min 5 s`, `1 h 3 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    large, small, units = (*divmod(whole, 60), ("min", "s"))
    if large >= 60:
        large, small, units = (*divmod(large, 60), ("h", "min"))
    return f"{large} {units[0]}" + (f" {small} {units[1]}" if small else "")


def _stopwatch(row: HostRow) -> str:
    """How long the scan took, `0:12` or `1:02:03`; empty where that is not known."""
    if row.started_at is None or row.finished_at is None or row.finished_at < row.started_at:
        return ""
    minutes, seconds = divmod(round(row.finished_at - row.started_at), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _reason(row: HostRow) -> str:
    return ": ".join(filter(None, (row.failure_reason, row.detail)))


def _system(row: HostRow) -> str:
    return " ".join(filter(None, (row.os, row.version)))


def _said(rows: Sequence[HostRow]) -> list[tuple[str, int]]:
    """The most frequent words of the server about some hosts."""
    from collections import Counter

    return Counter(row.detail for row in rows if row.detail).most_common(_SAYINGS)


def _columns(rows: Sequence[HostRow]) -> dict[str, bool]:
    """Which columns of the hosts hold anything."""
    columns: Mapping[str, Callable[[HostRow], object]] = {
        "reason": _reason,
        "system": _system,
        "address": lambda row: row.ip_address,
        "batch": lambda row: row.job_id,
        "time": _stopwatch,
    }
    return {name: any(map(read, rows)) for name, read in columns.items()}


def _shares(counts: Mapping[ScanStatus, int]) -> list[Share]:
    total, start, shares = max(sum(counts.values()), 1), 0.0, []
    # What went well, what goes on, what came to no good.
    for status in sorted(ScanStatus, key=lambda status: _ORDER.get(status_kind(status), 2)):
        if hosts := counts.get(status, 0):
            shares.append(Share(status, hosts, start, 100 * hosts / total))
            start += shares[-1].width
    return shares


def _bins(durations: Sequence[float]) -> list[Bin]:
    """A histogram of ascending durations; the slowest fiftieth may share a last, open bin."""
    if not durations:
        return []
    low, high = durations[0], durations[len(durations) * 49 // 50]
    width = next((w for w in _WIDTHS_S if (high - low) / w < _BINS - 2), _WIDTHS_S[-1])
    first = int(low // width)
    counts = [0] * min(int(high // width) - first + 1, _BINS)
    longer = 0
    for duration in durations:
        place = int(duration // width) - first
        if place < len(counts):
            counts[place] += 1
        else:
            longer += 1
    labels = [
        f"{_words((first + n) * width)} to {_words((first + n + 1) * width)}"
        for n in range(len(counts))
    ]
    if longer:
        counts.append(longer)
        labels.append(f"{_words((first + len(labels)) * width)} and more")
    most = max(counts)
    return [Bin(label, n, 100 * n / most) for label, n in zip(labels, counts, strict=True)]


def _moments(report: RunReport) -> list[tuple[float, str]]:
    """The run in a few lines: when, and what happened."""
    sent = [batch.sent_at for batch in report.batches if batch.sent_at is not None]
    moments = [(report.started, "the run was begun")]
    if sent:
        moments += [(min(sent), "the first batch was sent")]
        if len(sent) > 1:
            moments += [(max(sent), "the last batch was sent")]
    if any(batch.accepted_at is not None for batch in report.batches):
        at, hosts = report.accepted[-1]
        moments += [(at, f"{counted(hosts, 'host')} had been accepted")]
    if report.stopped is not None:
        moments += [(report.stopped, "the command ended")]
    total = report.ended[-1][1] if report.ended else 0
    for share in (0, 0.5, 1) if total > 2 else (1,) if total else ():
        at, hosts = next(point for point in report.ended if point[1] >= max(share * total, 1))
        moments.append((at, f"{hosts:,} of {counted(total, 'scan')} had ended"))
    if report.seen_to is not None:
        moments.append((report.seen_to, "the server was last asked about the scans"))
    return sorted(moments, key=lambda moment: moment[0])


class Chart(NamedTuple):
    """Two lines of `x,y` points in a square of 0 to 100, y downwards."""

    accepted: str
    ended: str
    start: float
    stop: float
    hosts: int


def _chart(report: RunReport) -> Chart | None:
    """How many hosts were accepted, and how many scans had ended, over the time of the run."""
    lines = [report.accepted, report.ended]
    times = [at for line in lines for at, _ in line]
    hosts = max((line[-1][1] for line in lines if line), default=0)
    if not times or max(times) - report.started < 1:
        return None
    start, stop = min(report.started, *times), max(times)
    accepted, ended = (_steps(line, start, stop, hosts) for line in lines)
    return Chart(accepted, ended, start, stop, hosts)


def _steps(line: Sequence[tuple[float, int]], start: float, stop: float, hosts: int) -> str:
    """The points of a line that goes up in steps, one at most for each bit of time."""
    places = {round(_POINTS * (at - start) / (stop - start)): count for at, count in line}
    before, points = 0, ["0,100"]
    for place, count in places.items():
        x = 100 * place / _POINTS
        points += [f"{x:g},{100 - 100 * n / hosts:.4g}" for n in (before, count)]
        before = count
    points.append(f"100,{100 - 100 * before / hosts:.4g}")
    return " ".join(points)
