"""A run as one page: HTML that needs nothing else, or Markdown.

Every value goes through the templates' escaping, and before that its controls
are made visible: nothing that a server says can be markup or script.
"""

import re
from bisect import bisect
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from sbpam_cli import __version__
from sbpam_cli.models import HostRow, ScanStatus
from sbpam_cli.output.escape import escape_controls
from sbpam_cli.output.summary import status_kind
from sbpam_cli.report.facts import RunReport, scan_duration_s
from sbpam_cli.wording import counted, utc

if TYPE_CHECKING:
    from jinja2 import Environment

ReportForm = Literal["html", "md"]

_NAMED_HOSTS = 20
_COLUMNS = ("Host", "Status", "Reason", "System", "Address", "Scan took", "Batch")
_ORDER = {"good": 0, "going": 1, "waiting": 1}
_EDGES_S = (0, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200)
_MARKDOWN = re.compile(r"[\\`*_\[\]<>#|~&$@]")


def render_report(report: RunReport, form: ReportForm) -> str:
    """The page, its lines ended by newlines."""
    environment = _environment(form)
    assert environment.loader is not None
    style, script = (
        environment.loader.get_source(environment, f"report.{kind}")[0] for kind in ("css", "js")
    )
    numbers: dict[str | None, str] = {
        batch.job_id: str(batch.number) for batch in report.batches if batch.job_id
    }
    return environment.get_template(f"report.{form}").render(
        style=style,
        script=script,
        policy=_policy(style=style, script=script),
        version=__version__,
        report=report,
        run=report.run,
        shares=_shares(report.counts),
        bins=_bins(report.durations_s),
        columns=_COLUMNS,
        cells=lambda row: _cells(row, numbers),
        named_hosts=_NAMED_HOSTS,
    )


@cache
def _environment(form: ReportForm) -> "Environment":
    import jinja2

    def finalize(value: Any) -> Any:
        # What a template has made, or calls safe, is markup already.
        if hasattr(value, "__html__"):
            return value
        text = escape_controls(str(value))
        return text if form == "html" else _MARKDOWN.sub(r"\\\g<0>", text)

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("sbpam_cli.report", "templates"),
        autoescape=form == "html",  # noqa: S701 (Markdown has its own)
        undefined=jinja2.StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        counted=counted,
        code=lambda text: text.split("`"),
        kind=status_kind,
        number=lambda count: f"{count:,}",
        stopwatch=_stopwatch,
        time=utc,
    )
    return environment


def _policy(**texts: str) -> str:
    """What the page may load: this style and this script, by their digests."""
    from base64 import b64encode
    from hashlib import sha256

    digests = {kind: sha256(text.encode()).digest() for kind, text in texts.items()}
    allowed = [f"{kind}-src 'sha256-{b64encode(own).decode()}'" for kind, own in digests.items()]
    return "; ".join(["default-src 'none'", *allowed, "base-uri 'none'", "form-action 'none'"])


def _stopwatch(seconds: float) -> str:
    """`0:02:05`."""
    from datetime import timedelta

    return str(timedelta(seconds=round(seconds)))


def _cells(row: HostRow, batch_numbers: Mapping[str | None, str]) -> list[str]:
    """A host's values, one for each of `_COLUMNS`."""
    took_s = scan_duration_s(row)
    return [
        row.host,
        row.status,
        ": ".join(filter(None, (row.failure_reason, row.detail))),
        " ".join(filter(None, (row.os, row.version))),
        row.ip_address or "",
        "" if took_s is None else _stopwatch(took_s),
        batch_numbers.get(row.job_id, ""),
    ]


def _shares(counts: Mapping[ScanStatus, int]) -> list[tuple[ScanStatus, int, float, float]]:
    """Status, hosts, where its part of the bar starts and how wide it is, in percent.

    What went well, then what is not over, then what went wrong.
    """
    total, start, shares = max(sum(counts.values()), 1), 0.0, []
    for status in sorted(ScanStatus, key=lambda status: _ORDER.get(status_kind(status), 2)):
        if hosts := counts.get(status, 0):
            shares.append((status, hosts, start, 100 * hosts / total))
            start += 100 * hosts / total
    return shares


def _bins(durations_s: Sequence[float]) -> list[tuple[str, int, float]]:
    """A histogram of ascending durations: label, scans, percent of the fullest bin."""
    places = [bisect(_EDGES_S, duration_s) for duration_s in durations_s]
    ends = [f"to {_stopwatch(edge_s)}" for edge_s in _EDGES_S[1:]] + ["and more"]
    span = range(places[0], places[-1] + 1) if places else ()
    most = max((places.count(place) for place in span), default=0)
    bins = []
    for place in span:
        label = f"{_stopwatch(_EDGES_S[place - 1])} {ends[place - 1]}"
        bins.append((label, places.count(place), 100 * places.count(place) / most))
    return bins
