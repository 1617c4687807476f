"""`sbpam report`: which run it is about, from where it knows, and where it writes."""

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


def section(markdown: str, name: str) -> list[str]:
    """The lines of a Markdown page that tell something, under that heading."""
    _, _, rest = markdown.partition(f"\n## {name}\n")
    return [line for line in rest.partition("\n## ")[0].splitlines() if line]


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
    assert [row[:2] for row in page.hosts()] == [
        ["web01.corp.example", "Complete"],
        ["web02.corp.example", "Failed"],
        ["db01.corp.example", "Complete"],
    ]
    assert page.hosts()[1][2] == "FailedToConnect"
    for told in (page.text, md.out):
        for fact in (run, site.server.url, *jobs, CREDENTIAL, "Test-WSMan"):
            assert fact in told
        assert "not recorded" not in told
        assert "had not ended" not in told
        # On whatever machine it is pasted: not the server of that one's profile.
        where = f"--profile default --server {site.server.url}"
        again = f"sbpam schedule {where} --credential {CREDENTIAL} -"
        assert f"sbpam status {run} --only failed | {again}" in told
    # The one that failed never told when it ended.
    assert "Known of 2 hosts." in page.text
    assert sum(int(row[1]) for row in page.tables["Scans by duration"][1:]) == 2
    assert any("3 hosts had been accepted" in line for line in section(md.out, "Time line"))
    assert any("2 of 2 scans had ended" in line for line in section(md.out, "Time line"))


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
    assert [line for line in section(after.out, "Outcome") if "Complete" in line]


def test_every_trouble_says_what_to_do(program: PrivateProgram) -> None:
    bad = [s for s in SERVER_STATUSES if s in FINISHED and s is not ScanStatus.COMPLETE]
    bad += [ScanStatus.UNKNOWN, ScanStatus.NOT_ACCEPTED]
    reasons = [reason for reason in FailureReason if reason is not FailureReason.NO_ERROR]
    rows = [HostRow(f"{status}.x.example".lower(), status) for status in bad]
    rows += [
        HostRow(f"{reason}.x.example".lower(), ScanStatus.FAILED, None, reason)
        for reason in reasons
    ]
    connect = FailureReason.FAILED_TO_CONNECT
    rows += [HostRow(f"m{n}.x.example", ScanStatus.FAILED, None, connect) for n in range(8)]
    record_example(program, 40, size=35, rows=rows)

    page = program("report", "--format", "md").out

    todo = "\n".join(section(page, "What to do"))
    found = dict(re.findall(r"^### (\w+): .+\n(.+)\n- ", todo, re.M))
    # The doubtful first: scheduling those again by hand is what must not happen.
    assert next(iter(found)) == "OutcomeUnknown"
    assert set(found) == {*bad, *reasons, ScanStatus.OUTCOME_UNKNOWN, ScanStatus.INVALID}
    assert all(found.values())
    assert f"`sbpam resume {RUN_ID}`" in todo
    only = re.search(r"--only (\S+) \|", todo)
    assert only is not None
    assert set(only[1].split(",")) == {s.lower() for s in bad if s in FINISHED}


@pytest.mark.parametrize("form", FORMS)
def test_states_of_batches_that_never_became_jobs(program: PrivateProgram, form: str) -> None:
    record_example(program, 30, size=20, username=None)

    told = program("report", RUN_ID, "--format", form).out

    told = Page(told).text if form == "html" else told
    assert "not recorded" in told
    assert "unknown" in told
    assert "no answer within 2m" in told
    assert "not a host" in told
    assert "hosts.txt:7" in told
    assert "exit code 5" in told


def test_without_times_it_says_so(program: PrivateProgram) -> None:
    record_example(program, 30, timed=False)

    page = Page(program("report").out)

    assert "Not known: the journal holds no scan with its beginning and end." in page.text
    assert "Scans by duration" not in page.tables


def test_no_run_and_an_unknown_one(program: PrivateProgram) -> None:
    for arguments in (["report"], ["report", "2026"], ["report", ""]):
        ended = program(*arguments)
        assert (ended.code, ended.out) == (2, "")
        assert "run" in ended.err
        assert "→" in ended.err


def test_html_is_refused_by_a_terminal_and_markdown_is_not(program: PrivateProgram) -> None:
    record_example(program, 5)

    refused = program("report", terminal=True)
    shown = program("report", "--format", "md", terminal=True)

    assert (refused.code, refused.out) == (2, "")
    assert "sbpam report > report.html" in refused.err
    assert shown.code == 0
    assert shown.out.startswith(f"# Host scans, run {RUN_ID}\n")


def test_a_person_sends_the_page_to_a_file(program: PrivateProgram) -> None:
    record_example(program, 5)

    kept = program("report", terminal=True, stdout_terminal=False)
    refused = program("report", stdout_terminal=True)

    assert (kept.code, kept.out.startswith("<!doctype html>")) == (0, True)
    assert (refused.code, refused.out) == (2, "")


def test_forms_of_rows_are_no_forms_of_a_page(program: PrivateProgram) -> None:
    record_example(program, 5)

    for option in ("tsv", "json"):
        ended = program("report", "-o", option)
        assert (ended.code, ended.out) == (2, "")
        assert "--format" in ended.err
    unknown = program("report", "--format", "pdf")
    assert (unknown.code, unknown.out) == (2, "")
    # The variable is for commands with rows, and set for all of them.
    page = program("report", env={"SBPAM_OUTPUT": "json"}).out
    assert page.startswith("<!doctype html>")
    assert page.endswith("</html>\n")


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


PROGRAM = "import sys; from sbpam_cli.main import main; sys.exit(main(sys.argv[1:]))"


@pytest.mark.skipif(os.name != "posix", reason="a POSIX pipe")
def test_a_reader_that_leaves(program: PrivateProgram) -> None:
    record_example(program, 5000)

    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "report"],
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


def test_a_missing_library(program: PrivateProgram) -> None:
    record_example(program, 5)

    ended = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.modules['jinja2'] = None; {PROGRAM}", "report"],
        env=program.environ,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )

    assert (ended.returncode, ended.stdout) == (2, "")
    assert "sbpam-cli[report]" in ended.stderr
