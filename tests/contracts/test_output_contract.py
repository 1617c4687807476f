"""Every form carries the same data; nothing that a server says does harm in any of them."""

import csv
import io
import json
import re

import pytest
from support.programs import SBPAM
from support.pty_program import PtyProgram
from support.screen import colourless, is_harmless
from support.site import Site

COLUMNS = ["host", "status", "job_id", "failure_reason", "os", "ip_address", "version", "detail"]
ENVELOPE = ["schema", "command", "result", "exit_code", "server", "profile", "run", "jobs"]
FORMS = ["table", "tsv", "csv", "json", "ndjson"]
HOSTS = ["web01.corp.example", "unknown1.corp.example", "web02.corp.example"]

HOSTILE = {
    "escape": "\x1b[31mred\x1b[0m\x1b]0;title\x07",
    "c1": "a\x9b2J\x85b",
    "markup": "[/bold][red]x[/x]",
    "formula": "=cmd|'/c calc'!A0",
    "plus": "+1+1",
    "at": "@SUM(A1)",
    "row break": "a\nb\r\nc\td",
    "line separators": "a\u2028b\u2029c\x0bd\x0ce",
    "bidi": "\u202egnp.exe\u2066x\u200f",
    "quotes": 'a,"b";c\\n',
    "long": "x" * 1500,
    "nul": "a\x00b",
}


def as_dicts(form: str, out: str) -> list[dict[str, str | None]]:
    """Rows as dictionaries, absent values None."""
    if form == "json":
        rows = json.loads(out)["hosts"]
    elif form == "ndjson":
        rows = [json.loads(line) for line in out.splitlines()]
    elif form == "csv":
        rows = list(csv.DictReader(io.StringIO(out, newline="")))
    else:
        rows = [dict(zip(COLUMNS, line.split("\t"), strict=True)) for line in out.splitlines()]
    return [{name: row[name] or None for name in COLUMNS} for row in rows]


def test_forms_carry_the_same_data(site: Site) -> None:
    site.run("schedule", *HOSTS)
    site.clock.move(60)
    denied = {"status": 3, "statusDescription": "Denied.", "failureReason": 5}
    site.world.overrides["web02.corp.example"] = denied
    site.environ["COLUMNS"] = "400"
    outs = {form: site.run("status", "-o", form).out for form in FORMS}
    rows = as_dicts("json", outs["json"])
    assert [row["host"] for row in rows] == HOSTS
    assert [row["status"] for row in rows] == ["Complete", "NotAccepted", "Failed"]
    assert rows[2]["failure_reason"] == "AccessDenied"
    assert rows[0]["failure_reason"] is None
    for form in ("tsv", "csv", "ndjson"):
        assert as_dicts(form, outs[form]) == rows
    lines = outs["table"].splitlines()
    assert len(lines) == 2 + len(HOSTS)
    for row, line in zip(rows, lines[2:], strict=True):
        for value in row.values():
            assert value is None or value in line


def test_columns_and_envelope_are_pinned(site: Site) -> None:
    outs = {form: site.run("schedule", *HOSTS, "-o", form).out for form in FORMS}
    assert outs["csv"].splitlines()[0] == ",".join(COLUMNS)
    assert all(line.count("\t") == 7 for line in outs["tsv"].splitlines())
    assert outs["tsv"].startswith("web01")
    rows = [json.loads(line) for line in outs["ndjson"].splitlines()]
    envelope = json.loads(outs["json"])
    assert [list(row) for row in rows + envelope["hosts"]] == [[*COLUMNS, "host_id"]] * 6
    assert list(envelope) == [*ENVELOPE, "hosts", "errors", "lists"]
    assert envelope["schema"] == "sbpam/1"
    assert envelope["command"] == "schedule"
    assert (envelope["result"], envelope["exit_code"]) == ("partial", 3)
    assert (envelope["server"], envelope["profile"]) == (site.server.url, "default")
    assert re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{4}", envelope["run"])
    [job] = envelope["jobs"]
    assert list(job) == ["job_id", "status", "hosts"]
    assert job["hosts"] == len(HOSTS)
    assert envelope["errors"] == []
    envelope = site.run("schedule", "short", "-o", "json").json()
    assert list(envelope) == [*ENVELOPE, "hosts", "errors", "lists"]
    assert list(envelope["errors"][0]) == ["code", "message", "hint", "trace_id"]


CASES = {f"web{n:02}.corp.example": value for n, value in enumerate(HOSTILE.values())}


@pytest.mark.parametrize("form", FORMS)
def test_hostile_values(site: Site, form: str) -> None:
    fields = ["os", "ipAddress", "version", "statusDescription", "hostId"]
    for host, value in CASES.items():
        site.world.overrides[host] = dict.fromkeys(fields, value)
    for command in (["schedule", *CASES], ["status"], ["status", "--all"]):
        ended = site.run(*command, "-o", form, env={"COLUMNS": "100"}).expect(0)
        assert is_harmless(ended.out + ended.err, "\n\t")
        if form == "table":
            rows = [line.split()[0] for line in ended.out.splitlines() if line.startswith("web")]
            assert rows == list(CASES)
        else:
            assert [row["host"] for row in as_dicts(form, ended.out)] == list(CASES)
        if form == "csv":
            cells = [cell for row in csv.reader(io.StringIO(ended.out, newline="")) for cell in row]
            assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)
        if form in ("json", "ndjson"):
            assert [row["os"] for row in as_dicts(form, ended.out)] == list(CASES.values())
    for host, value in CASES.items():
        site.world.overrides[host] = {"dnsHostName": value, "name": value}
    for command in (["schedule", *CASES], ["status", "--all"]):
        ended = site.run(*command, "-o", form, env={"COLUMNS": "100"})
        assert ended.code in (0, 3), ended
        assert is_harmless(ended.out + ended.err, "\n\t")


def test_terminal_gets_only_our_own_colours(site: Site) -> None:
    site.world.overrides[HOSTS[0]] = {"os": HOSTILE["escape"], "version": "[red]x[/red]"}
    ended = site.run("schedule", *HOSTS, terminal=True, env={"COLUMNS": "300"})
    plain = colourless(ended.out)
    assert is_harmless(plain, "\n\t")
    assert "\\x1b[31mred" in plain
    assert "[red]x[/red]" in plain


@pytest.mark.parametrize(
    ("env", "terminal", "coloured"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"CLICOLOR_FORCE": "1"}, False, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
        ({"FORCE_COLOR": "0"}, False, False),
        ({"NO_COLOR": ""}, True, True),
    ],
)
def test_colour(site: Site, env: dict[str, str], terminal: bool, coloured: bool) -> None:
    ended = site.run("schedule", *HOSTS, "-o", "table", env=env, terminal=terminal)
    assert ("\x1b[" in ended.out) == coloured
    for form in ("tsv", "csv", "json", "ndjson") if coloured else ():
        assert "\x1b" not in site.run("status", "-o", form, env=env, terminal=terminal).out


MANY = [f"h{n:03}.corp.example" for n in range(101)]


@pytest.mark.parametrize(
    ("options", "env", "terminal", "shown"),
    [
        ([], {}, True, 0),
        (["--full"], {}, True, 101),
        (["-o", "table"], {}, True, 101),
        ([], {"SBPAM_OUTPUT": "table"}, True, 101),
        (["-o", "table"], {}, False, 101),
        (["-o", "csv"], {}, True, 101),
    ],
)
def test_a_terminal_gets_100_rows_or_how_to_see_them(
    site: Site, options: list[str], env: dict[str, str], terminal: bool, shown: int
) -> None:
    for hosts, rows in ((MANY, shown), (MANY[:100], 100)):
        plain = {"NO_COLOR": "1", **env}
        ended = site.run("schedule", *hosts, *options, env=plain, terminal=terminal)
        assert re.findall(r"(?m)^h\d+\.corp\.example", ended.out) == hosts[:rows]
        told = re.findall("(?m)^every row: `sbpam status [-0-9a-f]+ --full`, or -o csv$", ended.out)
        assert len(told) == (rows < len(hosts))
        if "csv" not in options:
            counts = f"{len(hosts)} hosts: {len(hosts)} Queued"
            assert counts in (ended.out if told else ended.err)


def test_times_are_local_on_a_terminal_and_utc_elsewhere(site: Site) -> None:
    site.run("schedule", *HOSTS)
    environ = site.environ | {"TZ": "Asia/Kolkata", "COLUMNS": "300", "NO_COLOR": "1"}
    there = PtyProgram([SBPAM, "runs"], environ)
    try:
        assert there.end() == 0
        assert " 2026-11-23 08:45:02 " in there.screen
    finally:
        there.close()
    for form in FORMS:
        assert "2026-11-23T03:15:02Z" in site.run("runs", "-o", form, env=environ).out


def test_quiet_leaves_errors_only(site: Site) -> None:
    assert site.run("schedule", *HOSTS[:1], "--quiet").err == ""
    assert site.run("schedule", "short", "--quiet").err != ""


def test_verbose_shows_requests_without_headers_or_bodies(site: Site) -> None:
    ended = site.run("schedule", *HOSTS, "--verbose")
    assert re.search(r"POST /api/v1/HostScanJob/OuMapping/\S+.* 200", ended.err)
    assert "POST /signinBody" in ended.err
    assert "Bearer" not in ended.err
    assert "web01.corp.example" not in ended.err
    assert site.run("schedule", *HOSTS).err.count("POST") == 0
