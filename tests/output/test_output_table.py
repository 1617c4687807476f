import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from sbpam_cli.models import FailureReason, HostRow, JobSummary, ScanStatus
from sbpam_cli.output.forms import CREDENTIALS, DOCTOR, HOSTS, RUNS, Row, RowSet
from sbpam_cli.output.look import ASCII_GLYPHS, UNICODE_GLYPHS, Glyphs, Look, look_at
from sbpam_cli.output.summary import host_summary
from sbpam_cli.output.table import cell_width, table_text, wrap
from sbpam_cli.system.services import Services

JOB_ID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
WHY = "The RPC server is unavailable: open TCP 135 in the firewall of the host, then try again"
ROWS = [
    HostRow(
        "host.example.local",
        ScanStatus.RUNNING,
        JOB_ID,
        None,
        "Windows Fake Edition",
        "192.168.1.1",
        "10.4.1.1",
        "Running.",
    ),
    HostRow(
        "db01.emea.corp.example.com",
        ScanStatus.FAILED,
        JOB_ID,
        FailureReason.FAILED_TO_CONNECT,
        "Windows Server 2019 Datacenter",
        "10.2.3.4",
        "10.0.17763",
        WHY,
    ),
]


def table(
    row_set: RowSet,
    rows: list[Row],
    width: int,
    *,
    colour: bool = False,
    glyphs: Glyphs = UNICODE_GLYPHS,
) -> list[str]:
    return "".join(table_text(row_set, rows, Look(width, colour, glyphs))).splitlines()


def columns_of(lines: list[str]) -> list[str]:
    return re.split(r" {2,}", lines[0])


def test_a_wide_table_shows_everything_in_columns() -> None:
    lines = table(HOSTS, [*ROWS], 300)
    assert columns_of(lines) == [
        *("HOST", "STATUS", "JOB ID", "FAILURE REASON"),
        *("OS", "IP ADDRESS", "VERSION", "DETAIL"),
    ]
    assert set(lines[1]) == {"─"}
    assert len(lines[1]) == max(map(len, lines))
    assert re.split(r" {2,}", lines[3]) == [
        *("db01.emea.corp.example.com", "✗ Failed", JOB_ID, "FailedToConnect"),
        *("Windows Server 2019 Datacenter", "10.2.3.4", "10.0.17763", WHY),
    ]
    starts = {line.index(word) for line, word in zip(lines[2:], ("Running.", WHY), strict=True)}
    assert starts == {lines[0].index("DETAIL")}


def test_at_120_columns_ids_shorten_and_the_detail_wraps() -> None:
    lines = table(HOSTS, [*ROWS], 120)
    assert max(map(len, lines)) <= 120
    assert JOB_ID not in lines[2]
    assert JOB_ID[:8] in lines[2]
    start = lines[0].index("DETAIL")
    assert " ".join(line[start:].strip() for line in lines[3:]) == WHY


def test_at_80_columns_what_says_why_is_kept() -> None:
    lines = table(HOSTS, [*ROWS], 80)
    assert max(map(len, lines)) <= 80
    assert columns_of(lines)[:2] == ["HOST", "STATUS"]
    assert "FAILURE REASON" in columns_of(lines)
    assert "DETAIL" in columns_of(lines)
    assert {"VERSION", "OS", "IP ADDRESS"}.isdisjoint(columns_of(lines))


def test_at_40_columns_host_and_status_are_left_and_whole() -> None:
    lines = table(HOSTS, [*ROWS], 40)
    assert columns_of(lines) == ["HOST", "STATUS"]
    assert lines[2].split() == ["host.example.local", "●", "Running"]
    assert lines[3].split() == ["db01.emea.corp.example.com", "✗", "Failed"]


@settings(deadline=None)
@given(st.integers(1, 250), st.integers(1, 250), st.sampled_from(ScanStatus), st.text())
def test_host_and_status_never_give_way(
    width: int, length: int, status: ScanStatus, detail: str
) -> None:
    host = "h" * length + ".example.com"
    rows: list[Row] = [*ROWS, HostRow(host, status, JOB_ID, detail=detail)]
    lines = table(HOSTS, rows, width, glyphs=ASCII_GLYPHS)
    (line,) = [line for line in lines if line.startswith(host)]
    assert line.split()[2] == status
    if len(host) <= 64:
        needed = max(len(host), 26) + 2 + max(len(status), 7) + 2
        assert max(map(cell_width, lines)) <= max(width, needed)


def test_one_monstrous_name_costs_the_others_nothing() -> None:
    monster = HostRow("x" * 253, ScanStatus.INVALID, detail="hosts.txt:7: label too long")
    lines = table(HOSTS, [*ROWS, monster], 120)
    (line,) = [line for line in lines if line.startswith("x" * 253)]
    assert line.split()[1:] == ["✗", "Invalid", "hosts.txt:7:", "label", "too", "long"]
    lines.remove(line)
    assert lines == table(HOSTS, [*ROWS, monster._replace(host="x")], 120)[:-1]


def test_empty_columns_are_left_out() -> None:
    rows: list[Row] = [HostRow("a.example.com", ScanStatus.ACCEPTED, JOB_ID)]
    assert columns_of(table(HOSTS, rows, 80)) == ["HOST", "STATUS", "JOB ID"]


def test_nothing_from_a_value_acts_on_the_terminal_or_is_markup() -> None:
    host = "evil\x1b]0;x\x07[/red]\u202e\\.example.com"
    lines = table(HOSTS, [HostRow(host, ScanStatus.FAILED, detail="a\nb\x9b2J")], 200)
    assert r"evil\x1b]0;x\x07[/red]\u202e\.example.com" in lines[2]
    assert r"a\nb\x9b2J" in lines[2]
    assert len(lines) == 3


def test_wide_and_combining_characters_keep_columns_straight() -> None:
    rows: list[Row] = [
        HostRow("日本語.example.com", ScanStatus.COMPLETE, None, None, "e\u0301x", "10.0.0.1"),
        HostRow("plain.example.com", ScanStatus.COMPLETE, None, None, "日本", "10.0.0.2"),
    ]
    lines = table(HOSTS, rows, 120)
    ends = {cell_len(line[: line.index("10.0.0.")]) for line in lines[2:]}
    assert ends == {lines[0].index("IP ADDRESS")}


def test_colours_change_nothing_but_the_colour() -> None:
    rows: list[Row] = [HostRow("a.example.com", status, JOB_ID) for status in ScanStatus]
    plain = table(HOSTS, [*ROWS, *rows], 80)
    coloured = table(HOSTS, [*ROWS, *rows], 80, colour=True)
    assert [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in coloured] == plain
    assert any("\x1b[31m✗ Failed\x1b[0m" in line for line in coloured)
    assert not any("\x1b" in line for line in plain)


def test_every_status_has_a_glyph_that_ascii_has_too() -> None:
    rows: list[Row] = [HostRow("a.example.com", status) for status in ScanStatus]
    lines = table(HOSTS, rows, 80, glyphs=ASCII_GLYPHS)
    assert all(line.isascii() for line in lines)
    assert [line.split()[2] for line in lines[2:]] == list(ScanStatus)


def test_numbers_stand_right_and_run_ids_whole() -> None:
    run = ("20261123-031502-7f3a", "finished", "2026-11-23T03:15:02Z", 5, 4, 1, 0, "https://a", "c")
    big = ("20261122-031502-0000", "open", "2026-11-22T03:15:02Z", 120000, 4, 1, 0, "https://a", "")
    lines = table(RUNS, [run, big], 200)
    assert lines[2].index(" 5 ") + 2 == lines[3].index("120000") + 6
    narrow = table(RUNS, [run, big], 30)
    assert [line.split()[0] for line in narrow[2:]] == [run[0], big[0]]


def test_remedies_wrap_and_are_never_dropped() -> None:
    rows: list[Row] = [("clock", False, "4 minutes behind", WHY), ("server", True, "answers", None)]
    lines = table(DOCTOR, rows, 60)
    assert max(map(len, lines)) <= 60
    start = lines[0].index("REMEDY")
    assert " ".join(line[start:] for line in lines[2:-1]) == WHY
    assert lines[2].split()[1:3] == ["✗", "no"]
    assert lines[-1].split() == ["server", "✓", "yes", "answers"]


def test_credential_ids_are_whole_at_80_columns() -> None:
    row = (JOB_ID, "svc-scan", "EXAMPLE", "Scanner " * 5, "dc01.example.com", "Windows", "Managed")
    lines = table(CREDENTIALS, [row], 80)
    assert lines[2].startswith(f"{JOB_ID}  svc-scan")
    assert max(map(len, lines)) <= 80


@settings(deadline=None)
@given(st.text(), st.integers(4, 50))
def test_wrapping_keeps_to_the_width_and_loses_only_white_space(text: str, width: int) -> None:
    lines = wrap(text, width, "…")
    assert all(cell_width(line) <= width for line in lines)
    assert len(lines) <= 6
    if not lines[-1].endswith("…"):
        assert "".join("".join(lines).split()) == "".join(text.split())


def test_a_long_word_is_broken_and_a_long_text_is_cut() -> None:
    assert wrap("aaaa bbbbbbbbbbbb cc", 6, "...") == ["aaaa", "bbbbbb", "bbbbbb", "cc"]
    assert wrap("word " * 100, 9, "...") == ["word word"] * 5 + ["word w..."]


@pytest.mark.parametrize(
    ("environ", "width"), [({"COLUMNS": "123"}, 123), ({"COLUMNS": "0"}, 80), ({}, 80)]
)
def test_the_width_is_that_of_columns_or_80_without_a_terminal(
    environ: dict[str, str], width: int
) -> None:
    stdout = io.StringIO()
    services = Services(io.BytesIO(), stdout, io.StringIO(), environ)
    assert look_at(stdout, services).width == width


def test_the_summary_counts_by_status_and_names_three_jobs() -> None:
    counts = {ScanStatus.REJECTED: 12, ScanStatus.ACCEPTED: 1988, ScanStatus.FAILED: 0}
    jobs = [JobSummary(f"job-{n}", ScanStatus.RUNNING, 500) for n in range(5)]
    assert host_summary(counts, jobs) == [
        "2,000 hosts: 1,988 Accepted, 12 Rejected",
        "5 jobs: job-0, job-1, job-2 and 2 more",
    ]
    assert host_summary({ScanStatus.COMPLETE: 1}, jobs[:1]) == [
        "1 host: 1 Complete",
        "1 job: job-0",
    ]
    assert host_summary({}, []) == ["0 hosts"]
