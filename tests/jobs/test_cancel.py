"""`sbpam cancel`: strict about what it takes, asks before it acts, says what came of it."""

import os
import signal
from typing import Any

import pytest
from support.faults import Fault
from support.site import Site

HOSTS = ("web01.corp.example", "web02.corp.example", "db01.corp.example")
UNKNOWN = "00000000-1111-2222-3333-444444444444"


def schedule(site: Site) -> tuple[str, list[str]]:
    """A run of two jobs whose scans go on: its id, and theirs."""
    site.world.scan_duration_s = 10_000.0
    ended = site.run("schedule", "--batch-size", "2", "-o", "json", *HOSTS).expect(0)
    return ended.json()["run"], [job["job_id"] for job in ended.json()["jobs"]]


def deleted(site: Site) -> list[str]:
    return [target for method, target in site.requests() if method == "DELETE"]


ID = "9c711ab3-8fc1-4d66-88d4-08f85117f32e"


def test_what_is_no_job_and_no_run_sends_nothing(site: Site) -> None:
    schedule(site)
    before = len(site.world.log)
    for name in (
        *("TruncateAllTables", "../x", f"{{{ID}}}", f"urn:uuid:{ID}", ID.replace("-", "")),
        *("web01.corp.example", ID[:-1], "", ID.replace("9", "\uff19"), f"{ID[:-1]}\uff15"),
    ):
        site.run("cancel", "--yes", name).expect(2, out="")
    assert len(site.world.log) == before
    assert not site.world.violations


@pytest.mark.parametrize(
    ("terminal", "answers", "code"), [(False, [], 2), (True, ["y"], 0), (True, ["n"], 2)]
)
def test_a_person_is_asked_and_a_script_needs_yes(
    site: Site, terminal: bool, answers: list[str], code: int
) -> None:
    _, jobs = schedule(site)
    before = len(site.world.log)
    ended = site.run("cancel", jobs[0], terminal=terminal, answers=answers).expect(code)
    assert ["stop 1 job?" in question for question in ended.asked] == [True] * terminal
    assert ("--yes" in ended.err) == (code == 2)
    assert (len(site.world.log) == before) == (code == 2)


def test_a_run_stands_for_all_its_jobs(site: Site) -> None:
    run, jobs = schedule(site)
    ended = site.run("cancel", "--yes", "-o", "json", run[:20], jobs[1].upper()).expect(0)
    row = {"status": "stop requested", "detail": None}
    assert ended.json()["cancel"] == [{"job_id": job, **row} for job in jobs]
    assert ended.json()["server"] == site.server.url
    assert deleted(site) == [f"/api/v1/HostScanJob/{job}" for job in jobs]


FORGOTTEN = Fault(action="status", status=404, method="GET", path="Job/[0-9a-f]")
IGNORED = Fault(action="status", status=202, method="DELETE", body=" ")


@pytest.mark.parametrize(
    ("status", "over", "row", "code"),
    [
        (200, False, ["stop requested", ""], 0),
        (204, False, ["stop requested", ""], 0),
        (400, True, ["had ended already", "Complete"], 0),
        (404, True, ["had ended already", "Complete"], 0),
        (400, False, ["refused"], 6),
        (403, False, ["refused"], 4),
        (None, False, ["no answer"], 6),
    ],
)
def test_outcome(site: Site, status: int | None, over: bool, row: list[str], code: int) -> None:
    _, jobs = schedule(site)
    if over:
        site.clock.move(20_000)
    lost = Fault(action="close", method="DELETE")
    body = " " if status in (200, 204) else ""
    answer = Fault(action="status", method="DELETE", status=status or 0, body=body)
    site.faults.add(lost if status is None else answer)
    ended = site.run("cancel", "--yes", *jobs)
    # What would befall the next one too leaves it unasked.
    stops = row[0] == "no answer" or code == 4
    rest = ["not asked"] if stops else row
    assert ended.code == code
    assert [found[: len(row) + 1] for found in ended.rows()[:1]] == [[jobs[0], *row]]
    assert ended.rows()[1][:2] == [jobs[1], rest[0]]
    assert len(set(deleted(site))) == (1 if stops else 2)
    assert ended.err.count("no answer from") == (row[0] == "no answer")


def test_an_unknown_job_is_the_servers_word(site: Site) -> None:
    ended = site.run("cancel", "--yes", UNKNOWN, "-o", "json").expect(2)
    assert [row["status"] for row in ended.json()["cancel"]] == ["unknown"]
    assert ended.json()["errors"][0]["trace_id"] is not None
    _, jobs = schedule(site)
    ended = site.run("cancel", "--yes", jobs[0], UNKNOWN).expect(3)
    assert [row[:2] for row in ended.rows()] == [[jobs[0], "stop requested"], [UNKNOWN, "unknown"]]


@pytest.mark.parametrize(
    ("wait", "fault", "code", "detail"),
    [
        (["--wait"], None, 0, "Cancelled"),
        (["--watch", "--interval", "5s"], None, 0, "Cancelled"),
        (["--wait"], FORGOTTEN, 0, "Unknown"),
        (["--wait", "--timeout", "10s"], IGNORED, 124, ""),
    ],
)
def test_a_wait_is_over_once_all_have_ended(
    site: Site, wait: list[str], fault: Fault | None, code: int, detail: str
) -> None:
    run, jobs = schedule(site)
    if fault is not None:
        site.faults.add(fault)
    ended = site.run("cancel", "--yes", *wait, run).expect(code)
    assert ended.rows() == [[job, "stop requested", detail] for job in jobs]
    assert "0 of 0" not in ended.err


def test_a_signal_leaves_the_rest_unasked(site: Site) -> None:
    """It may be the wrong run that is being stopped."""
    run, jobs = schedule(site)

    class Interrupting(list[Any]):
        def append(self, entry: Any) -> None:
            super().append(entry)
            if entry.request.method == "DELETE":
                os.kill(os.getpid(), signal.SIGTERM)

    site.world.log = Interrupting(site.world.log)
    ended = site.run("cancel", "--yes", "--wait", run).expect(143)
    first, second = ended.rows()
    assert first[:2] in ([jobs[0], "no answer"], [jobs[0], "stop requested"])
    assert second == [jobs[1], "not asked", ""]
    assert len(deleted(site)) == 1


def test_a_server_that_is_gone_is_tried_as_often_as_by_any_command(site: Site) -> None:
    run, _ = schedule(site)
    site.faults.add(Fault(action="close", method="GET", path="Version"))
    began, before = site.clock.now(), len(site.world.log)
    ended = site.run("cancel", "--yes", run).expect(6, out="")
    assert len(site.world.log) - before == 4
    assert site.clock.now() - began <= 15
    assert ended.err.count("no answer from") == 1
