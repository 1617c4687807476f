"""The page of a run: its figures, and that whatever a server or a file says is text there."""

import re
import string
from base64 import b64encode
from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from support.example_run import HOSTILE, Page

from sbpam_cli.journal.records import Batch, Run
from sbpam_cli.models import FailureReason, HostRow, ScanStatus
from sbpam_cli.output.escape import escape_controls
from sbpam_cli.report.facts import RunReport, Trouble
from sbpam_cli.report.page import ReportForm, render_report

STARTED = 1_795_403_702.0
JOB = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
CREDENTIAL = "9c711ab3-8fc1-4d66-88d4-08f85117f32e"
MARKS = "\\`*_[]<>#|~&$@"
FORMS: list[ReportForm] = ["html", "md"]


def make_report(host: str, detail: str | None) -> RunReport:
    """A report in which all that others say is this."""
    reason = FailureReason.ACCESS_DENIED
    row = HostRow(host, ScanStatus.FAILED, JOB, reason, detail, detail, detail, detail)
    server = detail or "https://nps.example"
    return RunReport(
        run=Run("20261123-031502-7f3a", STARTED, server, host, detail, CREDENTIAL, "", 1),
        batches=[Batch(1, 0, [host], "rejected", sent_at=STARTED + 1, reason=detail)],
        rows=[row._replace(started_at=STARTED + 5, finished_at=STARTED + 12)],
        counts={ScanStatus.FAILED: 1},
        troubles=[
            Trouble(
                "AccessDenied",
                "Refused.",
                ["Look at `whoami`."],
                [(detail, 1)] if detail else [],
                [row],
            )
        ],
        durations_s=[7.0],
        seen_from=STARTED + 50,
        seen_to=STARTED + 50,
        made_at=STARTED + 90,
    )


def hostile(test: Callable[[str, str | None], None]) -> Callable[[], None]:
    """The test with any text, and with every one of `HOSTILE`."""
    for name in HOSTILE:
        test = example(host=name, detail=name)(test)
    texts = st.text(st.characters() | st.sampled_from(string.punctuation + "\n\r\t "), max_size=40)
    given_any = given(host=texts, detail=st.none() | texts)
    return settings(max_examples=60)(given_any(test))


@cache
def plain_page(form: ReportForm, host: str, detail: str | None) -> str:
    """The page where nobody says anything odd."""
    return render_report(make_report(host, detail), form)


def plain(text: str) -> str:
    """Of two plain texts that which Markdown has in the same way: as code, or not."""
    return "x" if re.fullmatch("[A-Za-z0-9._:/-]+", text) else "x y"


def elements(source: str) -> list[str]:
    """Tags of the page with the attributes that any has, without values."""
    tags = re.findall(r"<(/?[a-z][a-z0-9]*)((?:\"[^\"]*\"|[^>\"])*)>", source)
    return [f"{tag} {' '.join(re.findall(r'([a-z-]+)=', rest))}" for tag, rest in tags]


def squeezed(text: str) -> str:
    return " ".join(text.split())


@hostile
def test_html_shows_it_as_text_and_nothing_more(host: str, detail: str | None) -> None:
    source = render_report(make_report(host, detail), "html")

    assert elements(source) == elements(plain_page("html", "x", "x" if detail else None))
    assert not [c for c in source if ord(c) < 32 and c != "\n"]
    assert source.isascii(), "PowerShell 5.1 decodes and encodes anew what it pipes into a file"
    page = Page(source)
    [cells] = page.hosts()
    assert squeezed(cells[0]) == squeezed(escape_controls(host))
    if detail and escape_controls(detail).strip():
        shown = escape_controls(detail)
        for text in (f"AccessDenied: {shown}", f"rejected: {shown}", f"{shown}, Mon"):
            assert squeezed(text) in page.text


def rendered(source: str) -> tuple[list[str], list[Token]]:
    """What a reader of the Markdown sees, part by part, and what it is made of."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(source)
    parts = [token for token in tokens if token.type == "inline"]
    texts = ["".join(child.content for child in part.children or ()) for part in parts]
    return texts, tokens


@hostile
def test_markdown_shows_it_as_text_and_nothing_more(host: str, detail: str | None) -> None:
    source = render_report(make_report(host, detail), "md")
    assert source.isascii()
    texts, tokens = rendered(source)
    # Many readers of Markdown make links of these.
    assert not re.search(
        r"(?<!\\)://|www\.\w", re.sub("`[A-Za-z0-9._:/-]+`", "", source), re.IGNORECASE
    )

    _, expected = rendered(plain_page("md", plain(host), plain(detail) if detail else detail))
    if not detail or escape_controls(detail).strip():
        assert kinds(tokens) == kinds(expected)
    shown = {squeezed(text) for text in texts}
    assert squeezed(escape_controls(host)) in shown
    if detail and escape_controls(detail).strip():
        text = escape_controls(detail)
        assert {squeezed(f"{about}: {text}") for about in ("AccessDenied", "rejected")} <= shown
        assert squeezed(text) in shown, "the server's name"
        # Some are marks to one reader of Markdown and not to another: none is left bare.
        assert f"| rejected: {escaped(text)} |" in source


def escaped(text: str) -> str:
    marked = "".join(f"\\{c}" if c in MARKS else c for c in text)
    marked = re.sub(r"(?<=\w)\.(?=\w)", r"\\.", marked.replace(":/", r"\:/"))
    return marked.encode("ascii", "xmlcharrefreplace").decode()


def kinds(tokens: Sequence[Token]) -> list[str]:
    found = []
    for token in tokens:
        inner = [child.type for child in token.children or ()]
        found += [token.type, *(kind for kind in inner if kind not in ("text", "text_special"))]
    return found


def test_the_page_allows_its_own_style_and_script_alone() -> None:
    source = render_report(make_report("a.x.example", None), "html")

    [policy] = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', source)
    digests = {
        kind: b64encode(sha256(text.encode()).digest()).decode()
        for kind, text in re.findall(r"<(style|script)>(.*?)</\1>", source, re.S)
    }
    assert policy.replace("&#39;", "'") == (
        f"default-src 'none'; style-src 'sha256-{digests['style']}';"
        f" script-src 'sha256-{digests['script']}'; base-uri 'none'; form-action 'none'"
    )
    body = source.partition("<style>")[2]
    assert not re.search(r"\s(src|href|style|on\w+)=\"?(?!\"?#)[^#]", body)
    assert "url(" not in source
    assert "@import" not in source


def test_the_bar_has_a_part_for_each_status_one_after_the_other() -> None:
    counts = {ScanStatus.FAILED: 1, ScanStatus.RUNNING: 99, ScanStatus.COMPLETE: 300}
    source = render_report(make_report("x", None)._replace(counts=counts), "html")

    parts = re.findall(r'<rect class="(\w+)" x="([\d.]+)%" width="([\d.]+)%"', source)
    assert [" ".join(part) for part in parts] == [
        "good 0.0 75.0",
        "going 75.0 24.75",
        "bad 99.75 0.25",
    ]
    for legend in ("Complete 300 75%", "Running 99 25%", "Failed 1 < 1%"):
        assert legend in Page(source).text


@pytest.mark.parametrize(
    ("durations_s", "bins"),
    [
        ([0.2], [("0:00:00 to 0:00:01", "1", 100.0)]),
        (
            [10.0, 14.9, 15.0, 31.0],
            [
                ("0:00:10 to 0:00:15", "2", 100.0),
                ("0:00:15 to 0:00:30", "1", 50.0),
                ("0:00:30 to 0:01:00", "1", 50.0),
            ],
        ),
        ([43200.0, 90_000.0], [("12:00:00 and more", "2", 100.0)]),
    ],
)
def test_scans_are_counted_by_duration(
    durations_s: list[float], bins: list[tuple[str, str, float]]
) -> None:
    source = render_report(make_report("x", None)._replace(durations_s=durations_s), "html")

    widths = map(float, re.findall(r'<rect width="([\d.]+)%"', source))
    rows = Page(source).tables["Scans by duration"][1:]
    assert [(*row[:2], width) for row, width in zip(rows, widths, strict=True)] == bins


def test_how_long_scans_took() -> None:
    took_s: list[float | None] = [3723.4, 59.6, 0.0, -1.0, None]
    report = make_report("x", None)
    rows = [
        report.rows[0]._replace(finished_at=None if took is None else STARTED + 5 + took)
        for took in took_s
    ]
    report = report._replace(durations_s=[60.0 * n for n in range(1, 41)], rows=rows)

    for form in FORMS:
        assert "half took 0:21:00 or less, the longest 0:40:00" in render_report(report, form)
    cells = Page(render_report(report, "html")).hosts()
    assert [row[5] for row in cells] == ["1:02:03", "0:01:00", "0:00:00", "", ""]


@pytest.mark.parametrize(
    ("counts", "troubles", "verdict"),
    [
        ("Complete 1200", "", "All 1,200 hosts scanned."),
        ("Complete 1", "", "1 of 1 host scanned."),
        ("Complete 2 Skipped 3", "", "2 of 5 hosts scanned, 3 skipped."),
        (
            *("Complete 2 Failed 6 Queued 1", "SystemError 2 Cancelled 4"),
            "2 of 9 hosts scanned, 1 still going, 6 with a problem: Cancelled 4, SystemError 2.",
        ),
        (
            *("Failed 6", "OutcomeUnknown 1 SystemError 2 FailedToConnect 3"),
            "0 of 6 hosts scanned, 6 with a problem: FailedToConnect 3, SystemError 2 and others.",
        ),
    ],
)
def test_the_verdict(counts: str, troubles: str, verdict: str) -> None:
    report = make_report("x", None)
    report = report._replace(
        counts={ScanStatus(status): n for status, n in numbered(counts)},
        troubles=[Trouble(name, "", [], [], [*report.rows] * n) for name, n in numbered(troubles)],
    )
    assert f'<p class="verdict">{verdict}</p>' in render_report(report, "html")
    assert f"\n\n{verdict}\n\n" in render_report(report, "md")


def numbered(text: str) -> list[tuple[str, int]]:
    words = text.split()
    return list(zip(words[::2], map(int, words[1::2]), strict=True))
