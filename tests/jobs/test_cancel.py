"""`sbpam cancel`: strict about what it takes, and asks before it acts."""

import json
import os
import signal
from typing import Any

import pytest
from support.faults import Fault
from support.site import Site

HOSTS = ("web01.corp.example", "web02.corp.example", "db01.corp.example")


def schedule(site: Site) -> tuple[str, list[str]]:
    """A run of two jobs: its id, and theirs."""
    ended = site.program("schedule", "--batch-size", "2", "-o", "json", *HOSTS)
    assert ended.code == 0
    return ended.json()["run"], [job["job_id"] for job in ended.json()["jobs"]]


@pytest.mark.parametrize(
    "name",
    [
        "TruncateAllTables",
        "../x",
        "{9c711ab3-8fc1-4d66-88d4-08f85117f32e}",
        "urn:uuid:9c711ab3-8fc1-4d66-88d4-08f85117f32e",
        "９c711ab3-8fc1-4d66-88d4-08f85117f32e",  # noqa: RUF001
        "web01.corp.example",
        "9c711ab3-8fc1-4d66-88d4-08f85117f32",
        "",
    ],
)
def test_what_is_no_job_and_no_run_sends_nothing(site: Site, name: str) -> None:
    schedule(site)
    before = len(site.world.log)
    ended = site.program("cancel", "--yes", name)
    assert ended.code == 2
    assert ended.out == ""
    assert len(site.world.log) == before
    assert not site.world.violations


def test_a_job_is_asked_to_stop_and_followed(site: Site) -> None:
    site.world.scan_duration_s = 10_000.0
    _, jobs = schedule(site)
    ended = site.program("cancel", "--yes", jobs[0].upper())
    assert (ended.code, ended.rows()) == (0, [[jobs[0], "stop requested", ""]])
    deleted = [target for method, target in site.requests() if method == "DELETE"]
    assert deleted == [f"/api/v1/HostScanJob/{jobs[0]}"]
    ended = site.program("cancel", "--yes", "--wait", jobs[0])
    assert (ended.code, ended.rows()) == (0, [[jobs[0], "stop requested", "Cancelled"]])


def test_a_job_that_is_gone_once_it_was_stopped_keeps_its_row(site: Site) -> None:
    _, [job, *_] = schedule(site)
    site.faults.add(Fault(action="status", status=404, method="GET", path=f"HostScanJob/{job}"))
    ended = site.program("cancel", "--yes", "--wait", job)
    assert (ended.code, ended.rows()) == (0, [[job, "stop requested", "Unknown"]])


def test_a_run_stands_for_all_its_jobs(site: Site) -> None:
    run, jobs = schedule(site)
    ended = site.program("cancel", "--yes", "-o", "json", run[:20], jobs[1])
    assert ended.code == 0
    assert [row["job_id"] for row in ended.json()["cancel"]] == jobs
    assert ended.json()["server"] == site.server.url


def test_nobody_to_ask_needs_yes(site: Site) -> None:
    _, jobs = schedule(site)
    before = len(site.world.log)
    ended = site.program("cancel", jobs[0])
    assert ended.code == 2
    assert "--yes" in ended.err
    assert len(site.world.log) == before


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 2), ("", 2)])
def test_a_person_is_asked(site: Site, answer: str, code: int) -> None:
    _, jobs = schedule(site)
    ended = site.program("cancel", jobs[0], terminal=True, answers=[answer])
    assert ended.code == code
    assert "stop 1 job?" in ended.asked[0]
    assert any(method == "DELETE" for method, _ in site.requests()) is (code == 0)


def test_an_unknown_job_is_the_servers_word(site: Site) -> None:
    unknown = "00000000-1111-2222-3333-444444444444"
    ended = site.program("cancel", "--yes", unknown)
    assert ended.code == 2
    assert "trace id: " in ended.err
    _, jobs = schedule(site)
    ended = site.program("cancel", "--yes", "-o", "json", jobs[0], unknown)
    assert ended.code == 3
    found = {row["job_id"]: row["status"] for row in json.loads(ended.out)["cancel"]}
    assert found == {jobs[0]: "stop requested", unknown: "unknown"}


def test_a_signal_leaves_the_rest_unasked(site: Site) -> None:
    """It may be the wrong run that is being stopped."""
    run, jobs = schedule(site)

    class Interrupting(list[Any]):
        def append(self, entry: Any) -> None:
            super().append(entry)
            if entry.request.method == "DELETE":
                os.kill(os.getpid(), signal.SIGTERM)

    site.world.log = Interrupting(site.world.log)
    ended = site.program("cancel", "--yes", "--wait", run)
    assert ended.code == 143
    first, second = ended.rows()
    assert first[:2] in ([jobs[0], "no answer"], [jobs[0], "stop requested"])
    assert second == [jobs[1], "not asked", ""]
    assert len([method for method, _ in site.requests() if method == "DELETE"]) == 1


def test_a_server_that_is_gone_is_tried_as_often_as_by_any_command(site: Site) -> None:
    run, _ = schedule(site)
    site.faults.add(Fault(action="close", method="GET", path="Version"))
    began, before = site.clock.now(), len(site.world.log)
    ended = site.program("cancel", "--yes", run)
    assert (ended.code, ended.out) == (6, "")
    assert len(site.world.log) - before == 4
    assert site.clock.now() - began <= 15
    assert ended.err.count("no answer from") == 1


def test_a_server_that_goes_leaves_the_rest_unasked(site: Site) -> None:
    run, jobs = schedule(site)
    site.faults.add(Fault(action="close", method="DELETE"))
    ended = site.program("cancel", "--yes", run)
    assert ended.code == 6
    assert [row[:2] for row in ended.rows()] == [[jobs[0], "no answer"], [jobs[1], "not asked"]]
    assert ended.err.count("no answer from") == 1


def test_a_wait_that_runs_out_keeps_the_rows(site: Site) -> None:
    site.world.scan_duration_s = 10_000.0
    site.faults.add(Fault(action="status", method="DELETE", status=202, body=" "))
    run, jobs = schedule(site)
    ended = site.program("cancel", "--yes", "--wait", "--timeout", "10s", run)
    assert ended.code == 124
    assert ended.rows() == [[job, "stop requested", ""] for job in jobs]
    assert "0 of 0" not in ended.err
