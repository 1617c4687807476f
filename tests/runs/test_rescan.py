"""`rescan`: a new run of what did not succeed in an old one, and of nothing else."""

from typing import Any

import pytest
from support.faults import POST, UNLISTED, Fault
from support.site import CREDENTIAL, Answers, Ended, Site

HOSTS = [f"web{n:02}.corp.example" for n in range(1, 7)]
FAILED, CANCELLED, PARTLY, QUEUED = 3, 4, 5, 0
ACCESS_DENIED, FAILED_TO_CONNECT = 5, 11
OTHER = "11111111-2222-4333-8444-555555555555"


def end_scans(site: Site, **ends: tuple[int, int]) -> None:
    """Status and failure reason of hosts, by their first label; None is told of the others."""
    site.world.overrides.clear()
    for label, (status, reason) in ends.items():
        told = {"status": status, "failureReason": reason, "statusDescription": None}
        site.world.overrides[f"{label}.corp.example"] = told


def scheduled_anew(site: Site, *arguments: str, **how: Any) -> tuple[Ended, list[str]]:
    """How a rescan ended, and what is in a job since."""
    before = len(site.scheduled())
    ended = site.run("rescan", *arguments, **how)
    return ended, site.scheduled()[before:]


@pytest.fixture
def run(site: Site) -> str:
    """A run of which the journal knows no end yet; two of its scans fail, one is cancelled."""
    run = site.run("schedule", *HOSTS, "unknown1.corp.example", "-o", "json").json()["run"]
    failed = {"web01": (FAILED, FAILED_TO_CONNECT), "web02": (FAILED, ACCESS_DENIED)}
    end_scans(site, **failed, web03=(CANCELLED, 0), web04=(QUEUED, 0))
    site.clock.move(60)
    assert isinstance(run, str)
    return run


def test_what_did_not_succeed_is_a_new_run(site: Site, run: str) -> None:
    signed_in = len(site.requests("signin"))
    ended, anew = scheduled_anew(site, "-o", "json", env={"SBPAM_CREDENTIAL": OTHER})
    assert (ended.code, anew) == (3, HOSTS[:3]), ended.err
    assert ended.json()["run"] not in (None, run)
    assert [row["host"] for row in ended.json()["hosts"]] == [*HOSTS[:3], "unknown1.corp.example"]
    assert f"run {run}: 4 hosts to scan again; left out: 1 Queued\n" in ended.err
    assert site.requests("OuMapping")[-1][1].endswith(CREDENTIAL), "the run's own account"
    assert len(site.requests("signin")) - signed_in == 2, "two steps, once"


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        ("FailedToConnect", HOSTS[:1]),
        ("failedtoconnect, cancelled", [HOSTS[0], HOSTS[2]]),
        ("ActionTimeout", []),
    ],
)
def test_only_these_reasons(site: Site, run: str, reasons: str, expected: list[str]) -> None:
    ended, anew = scheduled_anew(site, run[:17], "--reason", reasons)
    assert (ended.code, anew) == (0, expected)
    assert f"{4 - len(expected)} of other reasons" in ended.err


def test_a_later_run_has_taken_them(site: Site, run: str) -> None:
    scheduled_anew(site, run, "--reason", "AccessDenied")
    site.faults.add(Fault(action="status", status=422, **POST))
    scheduled_anew(site, run, "--reason", "Cancelled")
    site.faults.clear()
    ended, anew = scheduled_anew(site, run, "-o", "json")
    assert anew == HOSTS[:1]
    assert "left out: 1 accepted in a later run, 1 that a later run may still send, 1" in ended.err
    ended, anew = scheduled_anew(site, run, "--reason", "FailedToConnect")
    assert (ended.code, ended.out, anew) == (0, "", [])
    # Without a name it is the newest; its scans fail as before.
    ended, anew = scheduled_anew(site, "--reason", "FailedToConnect")
    assert anew == HOSTS[:1]


def test_what_resume_may_send_is_left_to_it(site: Site) -> None:
    site.faults.add(Fault(action="status", status=500, when="after", nth=2, **POST))
    site.faults.add(UNLISTED)
    options = ["--batch-size", "2", "--parallel", "1", "--fail-fast", "--skip-invalid"]
    run = site.run("schedule", *HOSTS, "short", *options, "-o", "json").json()["run"]
    site.faults.clear()
    end_scans(site, **{f"web{n:02}": (FAILED, ACCESS_DENIED) for n in range(1, 7)})
    ended, anew = scheduled_anew(site, run)
    assert anew == HOSTS[:2]
    assert "left out: 2 OutcomeUnknown, 2 NotSent, 1 Invalid\n" in ended.err
    assert f"`sbpam resume {run}` sees to" in ended.err


def test_another_run_was_faster(site: Site, run: str) -> None:
    """Its question is open while another command takes some of the hosts."""

    class Meddler(Answers):
        def line(self, text: str) -> str:
            site.prepare = lambda _: None
            assert site.run("rescan", run, "--reason", "Cancelled").code == 0
            return super().line(text)

    site.prepare = lambda services: setattr(services, "prompt", Meddler(["y"]))
    ended, anew = scheduled_anew(site, run, terminal=True)
    assert (ended.code, anew) == (2, [HOSTS[2]])
    assert "meanwhile" in ended.err


@pytest.mark.parametrize(
    ("options", "answers", "code", "hosts"),
    [
        ([], ["n"], 2, []),
        ([], ["y"], 3, HOSTS[:3]),
        (["--yes"], [], 3, HOSTS[:3]),
        (["--no-input"], [], 3, HOSTS[:3]),
        (["--dry-run"], [], 3, []),
    ],
)
def test_a_person_is_asked(
    site: Site, run: str, options: list[str], answers: list[str], code: int, hosts: list[str]
) -> None:
    ended, anew = scheduled_anew(site, run, *options, terminal=True, answers=answers)
    assert (ended.code, anew, len(ended.asked)) == (code, hosts, len(answers)), ended.err
    assert all("4 hosts" in question for question in ended.asked)
    if options == ["--dry-run"]:
        assert len(site.run("runs").rows()) == 1


def test_to_the_end(site: Site, run: str) -> None:
    end_scans(site, web01=(PARTLY, 0))
    ended, anew = scheduled_anew(site, run, "--reason", "CompletedWithErrors")
    assert (ended.code, anew) == (0, HOSTS[:1])
    options = ["--wait", "--interval", "5s", "--batch-size", "1", "--parallel", "2"]
    end_scans(site, web02=(FAILED, ACCESS_DENIED), web03=(FAILED, ACCESS_DENIED))
    site.world.even = True
    ended, anew = scheduled_anew(site, run, "--reason", "AccessDenied", *options, "--timeout", "9m")
    assert (ended.code, sorted(anew)) == (3, HOSTS[1:3]), ended.err
    assert [row[:2] for row in ended.rows()] == [[host, "Failed"] for host in HOSTS[1:3]]


def test_the_server_must_answer_first(site: Site, run: str) -> None:
    site.faults.add(Fault(action="status", status=500, method="GET", path="HostScanJob"))
    ended, anew = scheduled_anew(site, run)
    assert (ended.code, ended.out, anew) == (6, "", [])


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], [""], ["--reason", "Failled"], ["--reason", ","], ["--server", "other.example"]],
)
def test_no_such_thing(site: Site, run: str, arguments: list[str]) -> None:
    ended, anew = scheduled_anew(site, *arguments)
    assert (ended.code, ended.out, anew) == (2, "", [])
