"""The table for people: what gives way on a narrow screen, and what never does."""

import io
import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from sbpam_cli.models import FailureReason, HostRow, ScanStatus
from sbpam_cli.outcome import Outcome
from sbpam_cli.output.columns import CREDENTIALS, DOCTOR, HOSTS, KNOWN_HOSTS, RUNS, Row, RowSet
from sbpam_cli.output.console import Console
from sbpam_cli.output.forms import Printer
from sbpam_cli.system.services import Services

JOB_ID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
WHY = "The RPC server is unavailable: open TCP 135 in the firewall of the host, then try again"
HOST, FAILED = "host.example.local", "db01.emea.corp.example.com"
ROWS = [
    HostRow(HOST, ScanStatus.RUNNING, JOB_ID, None, "Windows Fake", "192.168.1.1", "10.4", "Going"),
    HostRow(
        *(FAILED, ScanStatus.FAILED, JOB_ID, FailureReason.FAILED_TO_CONNECT),
        *("Windows Server 2019 Datacenter", "10.2.3.4", "10.0.17763", WHY),
    ),
]
KNOWN = (
    *(FAILED, True, "2026-11-23T03:15:02Z", "Windows Server 2019", "10.2.3.4", "svc-scan (CORP)"),
    *(True, "CN=DB01,OU=Databases,OU=Servers,DC=emea,DC=corp,DC=example,DC=com"),
)


class Screen(io.TextIOWrapper):
    """Keeps its own encoding, as a terminal does; what a pipe gets is UTF-8."""

    def isatty(self) -> bool:
        return True


def table(row_set: RowSet, rows: Sequence[Row], width: int, encoding: str = "utf-8") -> list[str]:
    raw = io.BytesIO()
    stdout = Screen(raw, encoding=encoding) if encoding != "utf-8" else io.TextIOWrapper(raw)
    environ = {"COLUMNS": str(width), "TERM": "dumb"}
    services = Services(io.BytesIO(), stdout, io.StringIO(), environ)
    printer = Printer("table", Console(services), row_set)
    printer.write(rows)
    printer.close("status", Outcome())
    return [line.rstrip() for line in raw.getvalue().decode(encoding).splitlines()]


@pytest.mark.parametrize(
    ("row_set", "width", "titles"),
    [
        (HOSTS, 130, "HOST  STATUS  JOB ID  FAILURE REASON  OS  IP ADDRESS  DETAIL"),
        (HOSTS, 90, "HOST  STATUS  JOB ID  FAILURE REASON  DETAIL"),
        (HOSTS, 80, "HOST  STATUS  FAILURE REASON  DETAIL"),
        (HOSTS, 60, "HOST  STATUS  FAILURE REASON"),
        (HOSTS, 40, "HOST  STATUS"),
        (KNOWN_HOSTS, 170, "HOST  ENROLLED  LAST SCAN  OS  IP ADDRESS  SERVICE ACCOUNT  WINRM"),
        (KNOWN_HOSTS, 100, "HOST  ENROLLED  LAST SCAN  IP ADDRESS  SERVICE ACCOUNT  WINRM"),
        (KNOWN_HOSTS, 80, "HOST  ENROLLED  LAST SCAN  WINRM"),
        (KNOWN_HOSTS, 60, "HOST  ENROLLED  WINRM"),
    ],
)
def test_the_narrower_the_fewer_columns(row_set: RowSet, width: int, titles: str) -> None:
    lines = table(row_set, ROWS if row_set is HOSTS else [KNOWN], width)
    assert re.split(r" {2,}", lines[0]) == titles.split("  ")
    assert max(map(len, lines)) <= width
    assert row_set is HOSTS or len(lines) == 3, "a host takes a line"
    if "JOB ID" in titles:
        assert JOB_ID[:8] in lines[2]
        assert JOB_ID[:9] not in lines[2]
    if "DETAIL" in titles:
        start = lines[0].index("DETAIL")
        assert " ".join(line[start:].strip() for line in lines[3:]) == WHY


@settings(deadline=None)
@given(st.integers(1, 250), st.integers(1, 250), st.sampled_from(ScanStatus), st.text())
def test_host_and_status_stay(width: int, length: int, status: ScanStatus, detail: str) -> None:
    host = "h" * length + ".example.com"
    lines = table(HOSTS, [*ROWS, HostRow(host, status, JOB_ID, detail=detail)], width)
    [line] = [line for line in lines if line.startswith(host)]
    assert line.split()[2] == status
    needed = max(len(host), len(FAILED)) + max(len(status), 7) + 2 + 4
    assert max(map(cell_len, lines)) <= max(width, needed)


def test_empty_columns_are_left_out() -> None:
    rows = [HostRow("a.example.com", ScanStatus.ACCEPTED, JOB_ID)]
    assert table(HOSTS, rows, 80)[0].split() == ["HOST", "STATUS", "JOB", "ID"]


def test_wide_and_combining_characters_keep_columns_straight() -> None:
    rows = [
        HostRow("日本語.example.com", ScanStatus.COMPLETE, None, None, "e\u0301x", "10.0.0.1"),
        HostRow("plain.example.com", ScanStatus.COMPLETE, None, None, "日本", "10.0.0.2"),
    ]
    lines = table(HOSTS, rows, 120)
    ends = {cell_len(line[: line.index("10.0.0.")]) for line in lines[2:]}
    assert ends == {lines[0].index("IP ADDRESS")}


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_every_status_has_a_sign_in_an_old_locale(encoding: str) -> None:
    rows = [HostRow("a.example.com", status, detail="é") for status in ScanStatus]
    lines = table(HOSTS, rows, 80, encoding)
    assert [re.split(r"[ |]+", line)[2] for line in lines[2:]] == list(ScanStatus)


def test_numbers_stand_right_and_run_ids_whole() -> None:
    left = (4, 1, 0, "https://a", "c", "hosts.csv", None, 3, 0, 2, "c")
    run = ("20261123-031502-7f3a", "finished", "2026-11-23T03:15:02Z", 5, *left)
    big = ("20261122-031502-0000", "open", "2026-11-22T03:15:02Z", 120000, *left)
    lines = table(RUNS, [run, big], 200)
    assert lines[2].index(" 5 ") + 2 == lines[3].index("120000") + 6
    narrow = table(RUNS, [run, big], 30)
    assert [line.split()[0] for line in narrow[2:]] == [run[0], big[0]]


def test_remedies_wrap_and_credential_ids_are_whole() -> None:
    rows = [("clock", False, "4 minutes behind", WHY), ("server", True, "responds", None)]
    lines = table(DOCTOR, rows, 60)
    start = lines[0].index("REMEDY")
    assert max(map(len, lines)) <= 60
    assert " ".join(line[start:] for line in lines[2:-1]) == WHY
    assert lines[2].split()[1:3] == ["✗", "no"]
    assert lines[-1].split() == ["server", "✓", "yes", "responds"]
    row = (JOB_ID, "svc-scan", "EXAMPLE", "Scanner " * 5, "dc01.example.com", "Windows", "Managed")
    assert table(CREDENTIALS, [row], 80)[2].startswith(f"{JOB_ID}  svc-scan")
