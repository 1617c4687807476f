import csv
import io
import json
import subprocess
import sys
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sbpam_cli.errors import OptionError, SignInError, UnreachableError
from sbpam_cli.models import FORMS, AlikeRows, FailureReason, Form, HostRow, JobSummary, ScanStatus
from sbpam_cli.output.console import Console
from sbpam_cli.output.forms import (
    DOCTOR,
    HOST_COLUMNS,
    HOSTS,
    OU_HOSTS,
    RUNS,
    Envelope,
    Row,
    RowSet,
    choose_form,
    make_printer,
)
from sbpam_cli.system.services import Services

JOB_ID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
RUNNING = HostRow(
    "host.example.local",
    ScanStatus.RUNNING,
    JOB_ID,
    None,
    "Windows Fake Edition",
    "192.168.1.1",
    "10.4.1.1",
    "Running.",
    "7c9e6679-7425-40de-944b-e07fc1f90ae7",
    started_at=1_795_403_702.0,
)
FAILED = HostRow("b.example.local", ScanStatus.FAILED, JOB_ID, FailureReason.ACCESS_DENIED)
DONE = Envelope("status", 0)


def fields(row: HostRow) -> dict[str, object]:
    """What the JSON forms tell of a row; the times are the journal's alone."""
    return {name: getattr(row, name) for name in (*HOST_COLUMNS, "host_id")}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def services(stdout: io.StringIO, **environ: str) -> Services:
    return Services(io.BytesIO(), stdout, io.StringIO(), environ)


def printed(
    form: Form, row_set: RowSet, rows: Sequence[Row], envelope: Envelope = DONE, **environ: str
) -> str:
    stdout = io.StringIO()
    printer = make_printer(form, Console(services(stdout, **environ)), row_set)
    printer.write(iter(rows))
    printer.close(envelope)
    return stdout.getvalue()


def test_tsv_has_a_line_a_host_and_no_header() -> None:
    assert printed("tsv", HOSTS, [RUNNING, FAILED]) == (
        f"host.example.local\tRunning\t{JOB_ID}\t\tWindows Fake Edition\t192.168.1.1\t10.4.1.1"
        f"\tRunning.\nb.example.local\tFailed\t{JOB_ID}\tAccessDenied\t\t\t\t\n"
    )


def test_csv_has_the_header_once_also_without_rows() -> None:
    lines = printed("csv", HOSTS, [RUNNING, FAILED]).split("\n")
    assert lines[0] == ",".join(HOST_COLUMNS)
    assert lines[2] == f"b.example.local,Failed,{JOB_ID},AccessDenied,,,,"
    assert lines[3:] == [""]
    assert printed("csv", OU_HOSTS, []) == "host\n"


@pytest.mark.parametrize("form", ["tsv", "ndjson", "table"])
def test_no_rows_print_nothing(form: Form) -> None:
    assert printed(form, RUNS, []) == ""


def test_ndjson_has_every_field_in_order() -> None:
    first, second = printed("ndjson", HOSTS, [RUNNING, FAILED]).splitlines()
    assert list(json.loads(first).items()) == list(fields(RUNNING).items())
    assert json.loads(second)["os"] is None


def test_other_values_keep_their_kind_in_json_and_are_words_elsewhere() -> None:
    row = ("clock", False, None, 3)
    assert printed("tsv", DOCTOR, [row]) == "clock\tfalse\t\t3\n"
    assert printed("csv", DOCTOR, [row]).splitlines()[1] == "clock,false,,3"
    assert json.loads(printed("ndjson", DOCTOR, [row])) == {
        "check": "clock",
        "ok": False,
        "detail": None,
        "remedy": 3,
    }


def test_streamed_rows_are_out_when_write_returns() -> None:
    for form in ("tsv", "csv", "ndjson"):
        raw = io.BytesIO()
        stdout = io.TextIOWrapper(raw, encoding="utf-8")
        console = Console(Services(io.BytesIO(), stdout, io.StringIO(), {}))
        make_printer(form, console, HOSTS).write([RUNNING])
        assert b"host.example.local" in raw.getvalue()


def test_the_json_object_is_the_documented_one() -> None:
    error = SignInError("Sign-in failed", reason="Bad code", hint="Try again", trace_id="00-a-b-01")
    envelope = Envelope(
        command="schedule",
        exit_code=4,
        server="https://nps.example.com:6500",
        profile="default",
        run="20261123-031502-7f3a",
        jobs=[JobSummary(JOB_ID, ScanStatus.RUNNING, 2)],
        errors=[error],
        accepted_some=True,
    )
    value = json.loads(printed("json", HOSTS, [RUNNING, FAILED], envelope))
    assert list(value.items()) == [
        ("schema", "sbpam/1"),
        ("command", "schedule"),
        ("result", "partial"),
        ("exit_code", 4),
        ("server", "https://nps.example.com:6500"),
        ("profile", "default"),
        ("run", "20261123-031502-7f3a"),
        ("jobs", [{"job_id": JOB_ID, "status": "Running", "hosts": 2}]),
        ("hosts", [fields(RUNNING), fields(FAILED)]),
        (
            "errors",
            [
                {
                    "code": "sign_in",
                    "message": "Sign-in failed: Bad code",
                    "hint": "Try again",
                    "trace_id": "00-a-b-01",
                }
            ],
        ),
    ]
    assert list(value["hosts"][0]) == [*HOST_COLUMNS, "host_id"]
    assert list(value["errors"][0]) == ["code", "message", "hint", "trace_id"]


def test_the_json_object_of_a_failure_without_rows() -> None:
    envelope = Envelope("runs", 6, errors=[UnreachableError("No connection")])
    value = json.loads(printed("json", RUNS, [], envelope))
    assert value["runs"] == []
    assert value["result"] == "failed"
    assert value["run"] is None
    assert value["errors"][0] == {
        "code": "unreachable",
        "message": "No connection",
        "hint": None,
        "trace_id": None,
    }


@pytest.mark.parametrize("count", [1, 999, 1000, 1001, 2500])
@pytest.mark.parametrize("form", FORMS)
def test_every_row_is_printed_once_and_in_order(form: Form, count: int) -> None:
    hosts = [f"h{n:04}.example.com" for n in range(count)]
    text = printed(form, OU_HOSTS, [(host,) for host in hosts])
    if form == "json":
        assert [row["host"] for row in json.loads(text)["hosts"]] == hosts
    elif form == "ndjson":
        assert [json.loads(line)["host"] for line in text.splitlines()] == hosts
    else:
        header_lines = {"table": 2, "csv": 1, "tsv": 0}[form]
        assert text.splitlines()[header_lines:] == hosts


cell = (
    st.none()
    | st.integers(0)
    | st.booleans()
    | st.text()
    | st.text("\\\t\n\r\x1b\x7f\u202e\ud800=,\"'é")
)
rows_of_four = st.lists(st.tuples(cell, cell, cell, cell), max_size=4)


@settings(deadline=None)
@given(rows_of_four, st.sampled_from(FORMS), st.integers(1, 200))
def test_whatever_the_values_no_control_leaves_and_no_row_breaks(
    rows: list[Row], form: Form, columns: int
) -> None:
    text = printed(form, DOCTOR, rows, COLUMNS=str(columns))
    text.encode()
    assert not set(text) & {*map(chr, [*range(10), *range(11, 32), 127]), "\u202e"} - {"\t"}
    if form == "tsv":
        assert [line.count("\t") for line in text.split("\n")[:-1]] == [3] * len(rows)
    else:
        assert "\t" not in text
    if form == "csv":
        assert [len(line) for line in csv.reader(io.StringIO(text))] == [4] * (len(rows) + 1)
    if form == "json":
        assert [tuple(row.values()) for row in json.loads(text)["doctor"]] == rows
    if form == "ndjson":
        assert [tuple(json.loads(line).values()) for line in text.splitlines()] == rows


def test_the_form_is_the_option_then_the_environment_then_what_stdout_is() -> None:
    assert choose_form(None, services(io.StringIO())) == "tsv"
    assert choose_form(None, services(Terminal())) == "table"
    assert choose_form(None, services(Terminal(), SBPAM_OUTPUT="csv")) == "csv"
    assert choose_form("json", services(Terminal(), SBPAM_OUTPUT="csv")) == "json"
    with pytest.raises(OptionError, match="xml"):
        choose_form(None, services(io.StringIO(), SBPAM_OUTPUT="xml"))


def test_results() -> None:
    assert Envelope("schedule", 0).result == "success"
    assert Envelope("schedule", 3, accepted_some=True).result == "partial"
    assert Envelope("schedule", 3).result == "failed"


def test_neither_a_streamed_form_nor_json_nor_an_error_imports_rich() -> None:
    program = """
import io, sys
from sbpam_cli.errors import SbpamError
from sbpam_cli.output import live, summary, table
from sbpam_cli.output.console import Console
from sbpam_cli.output.forms import HOSTS, Envelope, make_printer
from sbpam_cli.system.services import Services
console = Console(Services(io.BytesIO(), io.StringIO(), io.StringIO(), {"FORCE_COLOR": "1"}))
assert "json" not in sys.modules
for form in ("tsv", "csv", "ndjson", "json"):
    printer = make_printer(form, console, HOSTS)
    printer.write([("é.example.com", "Failed", None, None, None, None, None, None, None)])
    printer.close(Envelope("status", 0))
console.error(SbpamError("It failed"))
print(sorted(m for m in sys.modules if m.partition(".")[0] in ("rich", "typer", "httpx")))
"""
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout == "[]\n"


@pytest.mark.parametrize("form", FORMS)
@given(st.lists(st.text(max_size=6), max_size=4), st.none() | st.text(max_size=6))
def test_rows_that_are_alike_are_printed_as_any_others(
    form: Form, names: list[str], detail: str | None
) -> None:
    same = HostRow("", ScanStatus.VALID, detail=detail)
    outs = []
    for rows in (AlikeRows(names, same), [same._replace(host=name) for name in names]):
        stdout = io.StringIO()
        printer = make_printer(form, Console(services(stdout)), HOSTS)
        printer.write(rows)
        printer.close(DONE)
        outs.append(stdout.getvalue())

    assert outs[0] == outs[1]
    assert list(AlikeRows(names, same)) == rows
