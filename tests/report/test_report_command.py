"""`sbpam report`: which run it is about, what it knows of it, and where it writes."""

import io
import os
import re
import subprocess
import sys

import pytest
from support.example_run import RUN_ID, Page, record_example
from support.site import CREDENTIAL, PrivateProgram, Site

from sbpam_cli.models import FINISHED, SERVER_STATUSES, FailureReason, HostRow, ScanStatus

HOSTS = ["web01.corp.example", "web02.corp.example", "db01.corp.example"]
FORMS = ["html", "md"]


def test_the_newest_run_after_it_was_waited_for(site: Site) -> None:
    failed = {"status": 3, "statusDescription": None, "failureReason": 11}
    site.world.overrides["web02.corp.example"] = failed
    scheduled = site.program("schedule", "--wait", "--batch-size", "2", "-o", "json", *HOSTS)
    assert scheduled.code == 3
    run, jobs = scheduled.json()["run"], [job["job_id"] for job in scheduled.json()["jobs"]]
    asked = len(site.world.log)

    html, md = (site.program("report", "--format", form) for form in FORMS)

    assert (html.code, html.err, md.code, md.err) == (0, "", 0, "")
    assert len(site.world.log) == asked, "the server is not asked"
    page = Page(html.out)
    assert [row[:3] for row in page.hosts()] == [
        ["web01.corp.example", "Complete", ""],
        ["web02.corp.example", "Failed", "FailedToConnect"],
        ["db01.corp.example", "Complete", ""],
    ]
    for shown in (page.text, md.out):
        for fact in (run, site.server.url, *jobs, CREDENTIAL, "Test-WSMan"):
            assert fact in shown
        assert "not recorded" not in shown
        assert "had not ended" not in shown
        # On whatever machine it is pasted: not the server of that one's profile.
        target = f"--profile default --server {site.server.url}"
        again = f"sbpam schedule {target} --credential {CREDENTIAL} -"
        assert f"sbpam status {run} --only failed | {again}" in shown
    # The server never told when the failed one ended.
    assert "Known of 2 hosts." in page.text
    assert sum(int(row[1]) for row in page.tables["Scans by duration"][1:]) == 2
    assert [row[2] for row in page.tables["The batches of the run"][1:]] == [
        "CompletedWithErrors",
        "Complete",
    ]


def test_what_status_saw_is_in_the_next_report(site: Site) -> None:
    run = site.program("schedule", "-o", "json", *HOSTS).json()["run"]
    before = site.program("report", "--format", "md")
    site.clock.move(60)
    assert site.program("status", run).code == 0
    after = site.program("report", run[:-1], "--format", "md")

    assert "3 scans had not ended then" in before.out
    assert f"`sbpam status {run}` asks again" in before.out
    assert "Not known: the journal holds no scan" in before.out
    assert "had not ended" not in after.out
    assert "Half took" in after.out
    assert "\n| Complete | 3 | 100% |\n" in after.out


def test_every_trouble_has_a_remedy(program: PrivateProgram) -> None:
    bad = [s for s in SERVER_STATUSES if s in FINISHED and s is not ScanStatus.COMPLETE]
    bad += [ScanStatus.UNKNOWN, ScanStatus.NOT_ACCEPTED]
    reasons = [reason for reason in FailureReason if reason is not FailureReason.NO_ERROR]
    rows = [HostRow(f"{status}.x.example".lower(), status) for status in bad]
    rows += [HostRow(f"{r}.x.example".lower(), ScanStatus.FAILED, None, r) for r in reasons]
    connect = FailureReason.FAILED_TO_CONNECT
    rows += [HostRow(f"m{n}.x.example", ScanStatus.FAILED, None, connect) for n in range(8)]
    record_example(program, 40, size=35, rows=rows)

    page = program("report", "--format", "md").out

    found = dict(re.findall(r"^### (\w+): .+\n\n(.+)\n\n- ", page, re.M))
    # The doubtful first: scheduling those again by hand is what must not happen.
    assert list(found)[:2] == ["OutcomeUnknown", "FailedToConnect"]
    assert set(found) == {*bad, *reasons, ScanStatus.OUTCOME_UNKNOWN, ScanStatus.INVALID}
    assert all(found.values())
    assert f"`sbpam resume {RUN_ID}`" in page
    only = re.search(r"--only (\S+) \|", page)
    assert only is not None
    assert set(only[1].split(",")) == {s.lower() for s in bad if s in FINISHED}


@pytest.mark.parametrize("form", FORMS)
def test_batches_that_never_became_jobs(program: PrivateProgram, form: str) -> None:
    record_example(program, 30, size=20, username=None)

    source = program("report", RUN_ID, "--format", form).out

    shown = Page(source).text if form == "html" else source
    facts = ("not recorded", "unknown: no answer within 2m", "not a host", "hosts.txt:7")
    assert [fact for fact in (*facts, "exit code 5") if fact not in shown] == []


@pytest.mark.parametrize("arguments", [[], ["2026"], [""]])
def test_no_such_run(program: PrivateProgram, arguments: list[str]) -> None:
    ended = program("report", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert "run" in ended.err
    assert "→" in ended.err


@pytest.mark.parametrize(
    ("arguments", "streams", "code", "shown"),
    [
        ([], {"terminal": True}, 2, "sbpam report > report.html"),
        ([], {"stdout_terminal": True}, 2, "sbpam report > report.html"),
        (["--format", "md"], {"terminal": True}, 0, f"# Host scans, run {RUN_ID}\n"),
        ([], {"terminal": True, "stdout_terminal": False}, 0, "<!doctype html>"),
        (["-o", "tsv"], {}, 2, "--format"),
        (["-o", "json"], {}, 2, "--format"),
        (["--format", "pdf"], {}, 2, "--format"),
        # The variable is for commands with rows, and set for all of them.
        ([], {"env": {"SBPAM_OUTPUT": "json"}}, 0, "<!doctype html>"),
    ],
)
def test_where_a_page_goes(
    program: PrivateProgram, arguments: list[str], streams: dict[str, bool], code: int, shown: str
) -> None:
    record_example(program, 5)

    ended = program("report", *arguments, **streams)  # type: ignore[arg-type]

    assert ended.code == code
    if code == 0:
        assert ended.out.startswith(shown)
    else:
        assert ended.out == ""
        assert shown in ended.err


@pytest.mark.parametrize("form", FORMS)
def test_utf8_whatever_the_locale(program: PrivateProgram, form: str) -> None:
    row = HostRow("a.x.example", ScanStatus.FAILED, detail="Zugriff verweigert: Schlüssel 日本")
    record_example(program, 5, rows=[row])
    raw = io.BytesIO()
    narrow = io.TextIOWrapper(raw, encoding="cp1252")
    program.prepare = lambda services: setattr(services, "stdout", narrow)

    ended = program("report", "--format", form)

    assert ended.code == 0
    assert "Schlüssel 日本" in raw.getvalue().decode("utf-8")


@pytest.mark.skipif(os.name != "posix", reason="a POSIX pipe")
def test_a_reader_that_leaves(program: PrivateProgram) -> None:
    record_example(program, 5000)

    with subprocess.Popen(
        [sys.executable, "-m", "sbpam_cli", "report"],
        env=program.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.read(100)
        running.stdout.close()
        assert running.wait(60) == 141
        assert running.stderr.read() == b""
