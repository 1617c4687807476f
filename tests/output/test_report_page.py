"""The page of a run: whatever a server or a file says, it is text there."""

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

from sbpam_cli.models import (
    FailureReason,
    HostRow,
    ReportedBatch,
    RunReport,
    ScanStatus,
    Trouble,
)
from sbpam_cli.output.escape import escape_controls
from sbpam_cli.report.page import ReportForm, _bins, render_report

STARTED = 1_795_403_702.0
MARKS = "\\`*_[]<>#|~&$@"


def make_report(host: str, detail: str | None) -> RunReport:
    """A report in which all that others say is this."""
    rejected = ScanStatus.REJECTED
    batch = ReportedBatch(1, 1, "rejected", rejected, None, STARTED + 1, None, None, detail)
    row = HostRow(
        host,
        ScanStatus.FAILED,
        "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        FailureReason.ACCESS_DENIED,
        detail,
        detail,
        detail,
        detail,
        started_at=STARTED + 5,
        finished_at=STARTED + 12,
    )
    return RunReport(
        run_id="20261123-031502-7f3a",
        server=detail or "https://nps.example",
        profile=host,
        username=detail,
        credential_id="9c711ab3-8fc1-4d66-88d4-08f85117f32e",
        started=STARTED,
        stopped=STARTED + 60,
        exit_code=3,
        made_at=STARTED + 90,
        seen_from=STARTED + 50,
        seen_to=STARTED + 50,
        rows=[row],
        counts={ScanStatus.FAILED: 1},
        going=0,
        troubles=[Trouble("AccessDenied", "Refused.", ["Look at `whoami`."], [row])],
        # A command of ours: one line in any case.
        again=f"sbpam schedule {escape_controls(detail)}" if detail else None,
        batches=[batch],
        durations=[7.0],
        accepted=[(STARTED + 2, 1)],
        ended=[(STARTED + 12, 1)],
    )


def hostile(test: Callable[[str, str | None], None]) -> Callable[[], None]:
    """The test, with every name of `HOSTILE` tried in any case."""
    for name in HOSTILE:
        test = example(host=name, detail=name)(test)
    texts = st.text(st.characters() | st.sampled_from(string.punctuation + "\n\r\t "), max_size=40)
    given_any = given(host=texts, detail=st.none() | texts)
    return settings(max_examples=60)(given_any(test))


@cache
def plain_page(form: ReportForm, *, told: bool) -> str:
    """The page where nobody says anything odd."""
    return render_report(make_report("x", "x" if told else None), form)


def elements(source: str) -> list[str]:
    """Tags of the page with the attributes that any has, values left out."""
    tags = re.findall(r"<(/?[a-z][a-z0-9]*)((?:\"[^\"]*\"|[^>\"])*)>", source)
    return [f"{tag} {' '.join(re.findall(r'([a-z-]+)=', rest))}" for tag, rest in tags]


def squeezed(text: str) -> str:
    return " ".join(text.split())


@hostile
def test_html_shows_it_as_text_and_nothing_more(host: str, detail: str | None) -> None:
    source = render_report(make_report(host, detail), "html")

    assert elements(source) == elements(plain_page("html", told=bool(detail)))
    assert not [c for c in source if ord(c) < 32 and c != "\n"]
    page = Page(source)
    [cells] = page.hosts()
    assert squeezed(cells[0]) == squeezed(escape_controls(host))
    if detail and escape_controls(detail).strip():
        said = escape_controls(detail)
        for text in (f"AccessDenied: {said}", f"rejected: {said}", f"host on {said}"):
            assert squeezed(text) in page.text
        assert squeezed(f"succeed: sbpam schedule {said}") in page.text


def rendered(source: str) -> tuple[list[str], list[Token]]:
    """What a reader of the Markdown sees, part by part, and what it is made of."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(source)
    parts = [token for token in tokens if token.type == "inline"]
    texts = ["".join(child.content for child in part.children or ()) for part in parts]
    return texts, tokens


@hostile
def test_markdown_shows_it_as_text_and_nothing_more(host: str, detail: str | None) -> None:
    source = render_report(make_report(host, detail), "md")
    texts, tokens = rendered(source)

    _, expected = rendered(plain_page("md", told=bool(detail)))
    if not detail or escape_controls(detail).strip():
        assert _kinds(tokens) == _kinds(expected)
    shown = {squeezed(text) for text in texts}
    assert squeezed(escape_controls(host)) in shown
    if detail and escape_controls(detail).strip():
        said = escape_controls(detail)
        assert {squeezed(f"{about}: {said}") for about in ("AccessDenied", "rejected")} <= shown
        assert squeezed(said) in shown, "the server's name"
        # Some are marks to one reader of Markdown and not to another: none is left bare.
        assert f"| rejected: {''.join(map(_as_text, said))} |" in source
        assert f"\n```sh\nsbpam schedule {said}\n```\n" in source


def _as_text(character: str) -> str:
    return f"\\{character}" if character in MARKS else character


def _kinds(tokens: Sequence[Token]) -> list[str]:
    inner = {"text", "text_special"}
    kinds = []
    for token in tokens:
        kinds.append(token.type)
        kinds += [child.type for child in token.children or () if child.type not in inner]
    return kinds


def test_the_page_allows_its_own_style_and_script_alone() -> None:
    source = render_report(make_report("a.x.example", None), "html")

    [policy] = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', source)
    policy = policy.replace("&#39;", "'")
    digests = {
        kind: b64encode(sha256(text.encode()).digest()).decode()
        for kind, text in re.findall(r"<(style|script)>(.*?)</\1>", source, re.S)
    }
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digests['style']}';"
        f" script-src 'sha256-{digests['script']}'; base-uri 'none'; form-action 'none'"
    )
    assert not re.search(
        r"\s(src|href|style|on\w+)=\"?(?!\"?#)[^#]", source.partition("<style>")[2]
    )
    assert "url(" not in source
    assert "@import" not in source


@pytest.mark.parametrize(
    ("durations", "rows"),
    [
        ([], []),
        ([0.2], [("0 s to 1 s", 1)]),
        ([61.0, 62.0, 62.5], [("1 min 1 s to 1 min 2 s", 1), ("1 min 2 s to 1 min 3 s", 2)]),
        ([5.0] * 99 + [90_000.0], [("5 s to 6 s", 99), ("6 s and more", 1)]),
        (
            [10.0, 1500.0],
            [
                ("0 s to 5 min", 1),
                ("5 min to 10 min", 0),
                ("10 min to 15 min", 0),
                ("15 min to 20 min", 0),
                ("20 min to 25 min", 0),
                ("25 min to 30 min", 1),
            ],
        ),
    ],
)
def test_the_histogram_has_every_scan_in_one_bin(
    durations: list[float], rows: list[tuple[str, int]]
) -> None:
    report = make_report("a.x.example", None)._replace(durations=durations)
    tables = Page(render_report(report, "html")).tables

    bins = [(row[0], int(row[1])) for row in tables.get("Scans by duration", [])[1:]]
    assert bins == rows


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=300))
def test_no_scan_is_missing_in_the_histogram(durations: list[float]) -> None:
    bins = _bins(sorted(durations))

    assert sum(part.hosts for part in bins) == len(durations)
    assert len(bins) <= 13
    assert max(part.width for part in bins) == 100
