"""A run as one page: HTML that needs nothing else, or Markdown; ASCII in either case.

Every value goes through the templates' escaping, and before that its controls are made
visible: nothing that a server says can be markup, script or a link.
"""

import re
from bisect import bisect
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Literal

from sbpam_cli import __version__
from sbpam_cli.jobs.rows import job_summaries
from sbpam_cli.models import HostRow, ScanStatus
from sbpam_cli.output.escape import escape_controls
from sbpam_cli.output.summary import status_kind
from sbpam_cli.report.facts import RunReport, scan_duration_s
from sbpam_cli.wording import counted, local_words, utc

if TYPE_CHECKING:
    from jinja2 import Environment

ReportForm = Literal["html", "md"]

_COLUMNS = ("Host", "Status", "Reason", "System", "Address", "Scan took", "Batch")
_ORDER = {"good": 0, "going": 1, "waiting": 1}
_EDGES_S = (0, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200)
# The last two are where readers of Markdown see a link in `www.x.example` or `https://`.
_MARKDOWN = re.compile(r"[\\`*_\[\]<>#|~&$@]|:(?=/)|(?<=\w)\.(?=\w)")

_NAME = re.compile(r"[A-Za-z0-9._:/-]+", re.ASCII)


def render_report(report: RunReport, form: ReportForm) -> str:
    """The page in ASCII, its lines ended by newlines."""
    environment = _environment(form)
    assert environment.loader is not None
    style, script = (
        environment.loader.get_source(environment, f"report.{kind}")[0] for kind in ("css", "js")
    )
    numbers: dict[str | None, str] = {
        batch.job_id: str(batch.number) for batch in report.batches if batch.job_id
    }
    text = environment.get_template(f"report.{form}").render(
        style=style,
        script=script,
        policy=_policy(style=style, script=script),
        version=__version__,
        report=report,
        run=report.run,
        ends={job.job_id: job.status for job in job_summaries(report.batches)},
        shares=_shares(report.counts),
        bins=_bins(report.durations_s),
        took=_took(report.durations_s, len(report.rows)),
        columns=_COLUMNS,
        cells=lambda row: _cells(row, numbers),
    )
    # Windows PowerShell 5.1 decodes and encodes anew what it pipes into a file.
    return text.encode("ascii", "xmlcharrefreplace").decode()


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
        local=local_words,
        name=_in_code,
        utc=utc,
    )
    return environment


def _in_code(text: str) -> str:
    """What is a name, an address or an id as Markdown's code, which is never a link."""
    from markupsafe import Markup

    return Markup(f"`{text}`") if _NAME.fullmatch(text) else text  # noqa: S704 (plain letters)


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


def _took(durations_s: Sequence[float], hosts: int) -> str:
    """Part of a sentence; durations_s: ascending, of so many hosts."""
    if not (many := len(durations_s)):
        return ""
    half, longest = _stopwatch(durations_s[many // 2]), _stopwatch(durations_s[-1])
    known = f"; known of {counted(many, 'host')}" if many < hosts else ""
    return f"half took {half} or less, the longest {longest}{known}"


def _cells(row: HostRow, batch_numbers: Mapping[str | None, str]) -> list[str]:
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
    found = sorted(filter(counts.get, ScanStatus), key=lambda s: _ORDER.get(status_kind(s), 2))
    widths = [100 * counts[status] / sum(counts.values()) for status in found]
    starts = accumulate(widths, initial=0.0)
    return list(zip(found, [counts[s] for s in found], starts, widths, strict=False))


def _bins(durations_s: Sequence[float]) -> list[tuple[str, int, float]]:
    """A histogram: label, scans, percent of the fullest bin."""
    ends = [f"to {_stopwatch(edge_s)}" for edge_s in _EDGES_S[1:]] + ["and more"]
    counts = Counter(bisect(_EDGES_S, duration_s) - 1 for duration_s in durations_s)
    span = range(min(counts), max(counts) + 1) if counts else ()
    percent = 100 / max(counts.values(), default=1)
    return [
        (f"{_stopwatch(_EDGES_S[place])} {ends[place]}", counts[place], percent * counts[place])
        for place in span
    ]
