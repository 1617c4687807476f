"""`schedule --skip-recent`: what was accepted lately, or may have been, is not sent again."""

import pytest
from support.faults import Fault
from support.site import Site

A, B, C = "a.corp.example", "b.corp.example", "c.corp.example"


def test_what_was_accepted_lately_is_skipped(site: Site) -> None:
    first = site.run("schedule", A, C, "-o", "json").json()["run"]
    site.clock.move(3600)
    ended = site.run("schedule", A, C, B, "--skip-recent", "2h").expect(0)
    expected = [(A, "Skipped"), (C, "Skipped"), (B, "Queued")]
    assert ended.statuses() == expected
    assert {row[7] for row in ended.rows()[:2]} == {f"accepted in run {first}"}
    assert site.scheduled() == [A, C, B]
    assert site.run("status", "--offline").statuses() == expected


def test_what_was_accepted_before_is_sent(site: Site) -> None:
    site.run("schedule", A)
    site.clock.move(3 * 3600)
    ended = site.run("schedule", A, "--skip-recent", "2h")
    assert [row[1] for row in ended.rows()] == ["Queued"]
    assert site.scheduled() == [A, A]


def test_what_is_in_doubt_elsewhere_is_not_sent_and_not_forgotten(site: Site) -> None:
    site.faults.add(Fault(action="close", method="POST", path="OuMapping", when="before"))
    doubtful = site.run("schedule", A, "--settle-after", "0", "-o", "json").json()["run"]
    site.faults.clear()
    site.clock.move(60)
    ended = site.run("schedule", A, B, "--skip-recent", "24h", "--settle-after", "0", "-o", "json")
    run = ended.json()["run"]
    assert ended.code == 5
    assert [row["status"] for row in ended.json()["hosts"]] == ["OutcomeUnknown", "Queued"]
    assert f"in doubt in run {doubtful}" in ended.out
    assert site.scheduled() == [B]
    # Not by the commands after it either.
    resumed = site.run("resume", run)
    assert (resumed.code, [row[1] for row in resumed.rows()]) == (5, ["OutcomeUnknown", "Queued"])
    assert site.run("status", run, "--exit-status").code in (5, 8)
    shown = {row[0]: row for row in site.run("runs").rows()}
    assert shown[run][6] == "1"


@pytest.mark.parametrize("when", ["before", "after"])
def test_doubt_is_settled_first(site: Site, when: str) -> None:
    site.work_alone()
    site.world.add_job(["other.corp.example"], age_s=3600.0)
    site.faults.add(Fault(action="close", method="POST", path="OuMapping", when=when))  # type: ignore[arg-type]
    site.faults.add(Fault(action="hide_job", method="POST", path="OuMapping", seconds=100.0))
    assert site.run("schedule", A, "--settle-after", "0").code == 5
    site.faults.clear()
    ended = site.run("schedule", A, B, "--skip-recent", "24h").expect(0)
    wanted = "Skipped" if when == "after" else "Queued"
    assert [row[:2] for row in ended.rows()] == [[A, wanted], [B, "Queued"]]
    assert sorted(site.scheduled()) == [A, B]
