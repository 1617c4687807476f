"""`sbpam report`: which run it is about, what it knows of it, and where it writes."""

import contextlib
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from support.example_run import RUN_ID, Page, record_example
from support.programs import run
from support.site import CREDENTIAL, Program, Site

from sbpam_cli.models import FINISHED, SERVER_STATUSES, FailureReason, HostRow, ScanStatus

HOSTS = ["web01.corp.example", "web02.corp.example", "db01.corp.example"]
FORMS = ["html", "md"]
HTML, MD = "<!doctype html>", f"# Host scans, run {RUN_ID}\n"


def test_the_newest_run_after_it_was_waited_for(site: Site) -> None:
    failed = {"status": 3, "statusDescription": None, "failureReason": 11}
    site.world.overrides["web02.corp.example"] = failed
    scheduled = site.run("schedule", "--wait", "--batch-size", "2", "-o", "json", *HOSTS).expect(3)
    run, jobs = scheduled.json()["run"], [job["job_id"] for job in scheduled.json()["jobs"]]
    asked = len(site.world.log)

    html, md = (site.run("report", "--format", form) for form in FORMS)

    assert (html.code, html.err, md.code, md.err) == (0, "", 0, "")
    assert len(site.world.log) == asked, "of scans that have ended the server has no news"
    page = Page(html.out)
    assert [row[:3] for row in page.hosts()] == [
        ["web02.corp.example", "Failed", "FailedToConnect"],
        ["web01.corp.example", "Complete", ""],
        ["db01.corp.example", "Complete", ""],
    ]
    for shown in (page.text, md.out):
        verdict = "2 of 3 hosts scanned, 1 with a problem: FailedToConnect 1."
        for fact in (verdict, run, site.server.url, jobs[0], CREDENTIAL, "Test-WSMan"):
            assert fact in shown
        assert "not recorded" not in shown
        assert f"sbpam rescan {run}" in shown
    # The server never told when the failed one ended.
    assert "known of 2 hosts" in page.text
    assert sum(int(row[1]) for row in page.tables["Scans by duration"][1:]) == 2
    assert [row[2] for row in page.tables["The batches of the run"][1:]] == [
        "CompletedWithErrors",
        "Complete",
    ]
    # Markdown is for a ticket: what is well is a number there.
    assert "web02.corp.example" in md.out
    assert "web01.corp.example" not in md.out
    assert jobs[1] not in md.out


def test_it_asks_the_server_unless_offline(site: Site) -> None:
    run = site.run("schedule", "-o", "json", *HOSTS).json()["run"]
    site.clock.move(60)
    asked = len(site.world.log)
    before = site.run("report", "--format", "md", "--offline")
    assert len(site.world.log) == asked
    after = site.run("report", run[:-1], "--format", "md")

    assert (before.code, after.code) == (0, 0)
    assert "0 of 3 hosts scanned, 3 still going." in before.out
    assert "half took" not in before.out
    assert "All 3 hosts scanned." in after.out
    assert "half took" in after.out
    assert "\n| Complete | 3 (100%) |\n" in after.out
    again = site.run("report", "--offline", "--format", "md")
    assert again.out == after.out, "what the server said is in the journal"


def test_a_server_that_fails_leaves_what_the_journal_knows(site: Site) -> None:
    assert site.run("schedule", *HOSTS).code == 0
    ended = site.run("report", env={"SBPAM_TOKEN": "no.such.token"}).expect(4)
    assert "3 still going" in Page(ended.out).text
    assert "SBPAM_TOKEN" in ended.err


def test_every_trouble_has_a_remedy(program: Program) -> None:
    bad = [s for s in SERVER_STATUSES if s in FINISHED and s is not ScanStatus.COMPLETE]
    bad += [ScanStatus.UNKNOWN, ScanStatus.NOT_ACCEPTED]
    reasons = [reason for reason in FailureReason if reason is not FailureReason.NO_ERROR]
    rows = [HostRow(f"{status}.x.example".lower(), status) for status in bad]
    rows += [HostRow(f"{r}.x.example".lower(), ScanStatus.FAILED, None, r) for r in reasons]
    connect = FailureReason.FAILED_TO_CONNECT
    rows += [HostRow(f"m{n}.x.example", ScanStatus.FAILED, None, connect) for n in range(8)]
    record_example(program, 40, size=35, rows=rows, username=None)

    page, html = (program("report", RUN_ID, "--offline", "--format", f).out for f in ("md", "html"))

    found = dict(re.findall(r"^## (\w+): .+\n\n(.+)\n\n- ", page, re.M))
    # The doubtful first: scheduling those again by hand is what must not happen.
    assert list(found)[:2] == ["OutcomeUnknown", "FailedToConnect"]
    assert set(found) == {*bad, *reasons, ScanStatus.OUTCOME_UNKNOWN, ScanStatus.INVALID}
    assert all(found.values())
    assert f"`sbpam resume {RUN_ID}`" in page
    assert f"`sbpam rescan {RUN_ID}`" in page
    for shown in (Page(html).text, page.replace("\\", "")):
        for fact in ("not recorded", "unknown: no answer within 2m", "not a host", "hosts.txt:7"):
            assert fact in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["2025"], "no run 2025"),
        ([""], "a run's id is empty"),
        (["--server", "other.example.com"], "no run of https://other.example.com:6500"),
        (["-o", "json"], "--format"),
        (["--format", "pdf"], "--format"),
        (["--out", "nowhere/page.html"], "cannot be written"),
        (["--out", "."], "cannot be written"),
        (["--out", "-", "--open"], "--open"),
    ],
)
def test_what_is_refused(
    program: Program, tmp_path: Path, arguments: list[str], words: str
) -> None:
    assert "no run yet" in program("report").err
    record_example(program, 5)
    (folder := tmp_path / "here").mkdir()
    with contextlib.chdir(folder):
        ended = program("report", "--offline", *arguments)
    assert (ended.code, ended.out, list(folder.iterdir())) == (2, "", [])
    assert words in ended.err
    assert "→" in ended.err


@pytest.mark.parametrize(
    ("line", "streams", "begins"),
    [
        ("", {}, HTML),
        ("--format md", {}, MD),
        ("--format md --out -", {"terminal": True}, MD),
        ("", {"terminal": True, "stdout_terminal": False}, HTML),
        # The variable is for commands with rows, and set for all of them.
        ("", {"env": {"SBPAM_OUTPUT": "json"}}, HTML),
    ],
)
def test_page_on_stdout(program: Program, line: str, streams: dict[str, Any], begins: str) -> None:
    record_example(program, 5)
    ended = program("report", "--offline", *line.split(), **streams)
    assert (ended.code, ended.out[: len(begins)]) == (0, begins)


@pytest.mark.parametrize(
    ("line", "terminal", "name", "begins"),
    [
        ("", True, f"sbpam-{RUN_ID}.html", HTML),
        ("--format md", True, f"sbpam-{RUN_ID}.md", MD),
        ("--open", False, f"sbpam-{RUN_ID}.html", HTML),
        ("--out page.MD", False, "page.MD", MD),
        ("--out page", False, "page", HTML),
        ("--out page.md --format html --open", True, "page.md", HTML),
        *[("--out \x1b[2J", False, "\x1b[2J", HTML)] * (os.name == "posix"),
    ],
)
def test_a_page_in_a_file(
    program: Program, tmp_path: Path, line: str, terminal: bool, name: str, begins: str
) -> None:
    record_example(program, 5)
    opened: list[str] = []

    def open_page(address: str) -> bool:
        opened.append(address)
        return False

    program.prepare = lambda services: setattr(services, "open_page", open_page)
    (folder := tmp_path / "a folder").mkdir()
    (folder / name).write_text("what was there before")

    with contextlib.chdir(folder):
        ended = program("report", "--offline", *line.split(), terminal=terminal)

    assert (ended.code, ended.out) == (0, f"{folder / name}\n".replace("\x1b", r"\x1b"))
    assert ("no browser could be started" in ended.err) == ("--open" in line)
    assert (folder / name).read_text().startswith(begins)
    assert [path.name for path in folder.iterdir()] == [name]
    assert opened == ([(folder / name).as_uri()] if "--open" in line else [])


def test_the_real_opener_with_a_browser_that_fails(program: Program, tmp_path: Path) -> None:
    record_example(program, 5)
    out = str(tmp_path / "page.html")
    ended = program("report", "--offline", "--out", out, "--open", env={"BROWSER": "false %s"})
    assert (ended.code, ended.out) == (0, f"{out}\n")


@pytest.mark.skipif(os.name != "posix", reason="links and devices")
def test_what_is_no_file_is_not_replaced(program: Program, tmp_path: Path) -> None:
    record_example(program, 5)
    (tmp_path / "link").symlink_to(tmp_path / "page.html")
    (tmp_path / "page.html").touch()
    (tmp_path / "device").symlink_to("/dev/null")
    for name in ("link", "device"):
        assert program("report", "--offline", "--out", str(tmp_path / name)).code == 0
        assert (tmp_path / name).is_symlink()
    assert (tmp_path / "page.html").read_text().startswith(HTML)


@pytest.mark.skipif(os.name != "posix", reason="limits are POSIX's")
def test_a_page_that_does_not_fit_leaves_the_older_one(program: Program, tmp_path: Path) -> None:
    record_example(program, 500)
    (page := tmp_path / "page.html").write_text("yesterday's")
    limited = ["sh", "-c", 'ulimit -f 128 && exec "$@"', "sh", sys.executable, "-m", "sbpam_cli"]
    ended = run([*limited, "report", "--offline", "--out", str(page)], program.environ)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert f"{page} cannot be written" in ended.stderr
    assert [(path.name, path.read_text()) for path in tmp_path.glob("*page*")] == [
        ("page.html", "yesterday's")
    ]


def test_times_are_local_with_utc_beside_them(program: Program) -> None:
    record_example(program, 5)
    command = [sys.executable, "-m", "sbpam_cli", "report", "--offline"]
    ended = run(command, {**program.environ, "TZ": "Asia/Kolkata"}, encoding="ascii", check=True)
    moment = "2026-11-23T03:00:02Z"
    shown = f'<time datetime="{moment}" title="{moment}">Mon 23 Nov 2026, 08:30 UTC+05:30</time>'
    assert shown in ended.stdout
