"""What the page of a run draws and reckons: the bar, the time line, how long scans took."""

import re

import pytest
from support.example_run import Page

from sbpam_cli.models import HostRow, RunReport, ScanStatus
from sbpam_cli.report.page import ReportForm, render_report

STARTED = 1_795_403_702.0
TOOK_S = [3723.0, 3600.0, 125.0, 59.6, 0.0]
REPORT = RunReport(
    run_id="20261123-031502-7f3a",
    server="https://nps.example",
    profile="default",
    username=None,
    credential_id="9c711ab3-8fc1-4d66-88d4-08f85117f32e",
    started=STARTED,
    stopped=STARTED + 30,
    exit_code=0,
    made_at=STARTED + 200,
    seen_from=STARTED + 100,
    seen_to=STARTED + 100,
    rows=[
        *(
            HostRow(
                f"h{n}.x.example",
                ScanStatus.COMPLETE,
                started_at=STARTED,
                finished_at=STARTED + took_s,
            )
            for n, took_s in enumerate(TOOK_S)
        ),
        HostRow("going.x.example", ScanStatus.RUNNING, started_at=STARTED),
        HostRow("odd.x.example", ScanStatus.COMPLETE, started_at=STARTED, finished_at=STARTED - 1),
    ],
    counts={ScanStatus.FAILED: 1, ScanStatus.RUNNING: 99, ScanStatus.COMPLETE: 300},
    going=99,
    troubles=[],
    again=None,
    batches=[],
    durations=[60.0 * minutes for minutes in range(1, 41)],
    accepted=[(STARTED + 10, 3), (STARTED + 20, 4)],
    ended=[(STARTED + 50, 1), (STARTED + 100, 2)],
)


def attributes(tag: str, source: str) -> list[dict[str, str]]:
    found = re.findall(rf"<{tag} ([^>]*?)/?>", source)
    return [dict(re.findall(r'([a-z]+)="([^"]*)"', text)) for text in found]


def test_the_bar_has_a_piece_for_each_status_one_after_the_other() -> None:
    source = render_report(REPORT, "html")

    bar, _, _ = source.partition("</svg>")
    pieces = [(a["class"], a["x"], a["width"]) for a in attributes("rect", bar)]
    assert pieces == [
        ("good", "0.0%", "75.0%"),
        ("going", "75.0%", "24.75%"),
        ("bad", "99.75%", "0.25%"),
    ]
    legend = re.findall(r"(\w+) ([\d,]+) (< 1%|\d+%)", Page(source).text)
    assert legend == [
        ("Complete", "300", "75%"),
        ("Running", "99", "25%"),
        ("Failed", "1", "< 1%"),
    ]


def test_the_time_line_goes_up_in_steps_accepted_before_ended() -> None:
    source = render_report(REPORT, "html")

    [accepted], [ended] = attributes("polyline", source), attributes("polygon", source)
    # In hundredths of the time and of the hosts; y goes down.
    assert accepted == {"class": "accepted", "points": "0,100 10,100 10,25 20,25 20,0 100,0"}
    assert ended == {
        "class": "ended",
        "points": "0,100 50,100 50,75 100,75 100,50 100,50 100,100",
    }
    assert "4 hosts" in source.partition("<figure>")[2].partition("<svg")[0]


def test_without_any_time_there_is_no_line() -> None:
    source = render_report(REPORT._replace(accepted=[], ended=[]), "html")

    assert "<figure>" not in source


@pytest.mark.parametrize("form", ["html", "md"])
def test_half_nearly_all_and_the_longest(form: ReportForm) -> None:
    source = render_report(REPORT, form)

    assert "Half took 21 min or less, 95 of 100 39 min or less, the longest 40 min." in source


def test_the_fullest_bin_is_the_longest() -> None:
    table = render_report(REPORT, "html").partition("Scans by duration")[2].partition("</table>")[0]

    widths = [a["width"] for a in attributes("rect", table)]
    assert widths == ["80.0%", *["100.0%"] * 7, "20.0%"]


@pytest.mark.parametrize("form", ["html", "md"])
def test_how_long_each_scan_took(form: ReportForm) -> None:
    source = render_report(REPORT, form)

    if form == "html":
        cells = Page(source).hosts()
    else:
        cells = [[c.strip() for c in line.split("|")[1:-1]] for line in source.splitlines()[-9:-2]]
    assert [row[-1] for row in cells] == ["1:02:03", "1:00:00", "2:05", "1:00", "0:00", "", ""]
