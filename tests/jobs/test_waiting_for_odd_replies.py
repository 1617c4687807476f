"""`schedule --wait` and `--max-running` where the server tells less than it knows."""

from support.faults import Fault
from support.site import Site

ONE_JOB = "HostScanJob/[0-9a-f]{8}-"
HOSTS = ["a.corp.example", "b.corp.example"]


def test_an_array_that_is_empty_once_ends_no_wait(site: Site) -> None:
    empty = Fault(
        action="edit",
        method="GET",
        path=ONE_JOB,
        nth=1,
        edit=lambda job: {**job, "hostScanJobHostJoin": []},
    )
    site.faults.add(empty)
    ended = site.program("schedule", *HOSTS, "--wait")
    assert (ended.code, [row[1] for row in ended.rows()]) == (0, ["Complete"] * 2)


def test_a_job_that_is_not_found_once_ends_no_wait(site: Site) -> None:
    site.faults.add(Fault(action="status", status=404, method="GET", path=ONE_JOB, nth=2))
    ended = site.program("schedule", *HOSTS, "--wait")
    assert (ended.code, [row[1] for row in ended.rows()]) == (0, ["Complete"] * 2)


def test_a_job_that_is_gone_ends_a_wait_as_partial(site: Site) -> None:
    site.world.scan_duration_s = 600.0
    site.faults.add(Fault(action="status", status=404, method="GET", path=ONE_JOB))
    began = site.clock.now()
    ended = site.program("schedule", *HOSTS, "--wait", "-o", "json")
    assert ended.code == 3
    assert ended.json()["result"] == "partial"
    assert {row["status"] for row in ended.json()["hosts"]} == {"Unknown"}
    assert 60 <= site.clock.now() - began < 200


def test_a_list_that_lags_loses_no_job(site: Site) -> None:
    hosts = [f"h{n}.corp.example" for n in range(205)]
    site.world.scan_duration_s = 100.0
    site.faults.add(Fault(action="hide_job", method="POST", path="OuMapping", seconds=90.0))
    ended = site.program("schedule", *hosts, "--batch-size", "1", "--wait")
    assert ended.code == 0, ended.err
    assert [(row[0], row[1]) for row in ended.rows()] == [(host, "Complete") for host in hosts]


# `--max-running`.


def crowded(site: Site, *hosts: str) -> tuple[int | None, list[str], float]:
    """Batches of two, one at a time: the code, the statuses, and how long it took."""
    began = site.clock.now()
    ended = site.program("schedule", *hosts, "--batch-size", "2", "--max-running", "1")
    return ended.code, [row[1] for row in ended.rows()], site.clock.now() - began


def test_the_next_batch_waits_until_there_is_room(site: Site) -> None:
    site.world.scan_duration_s = 100.0
    site.world.even = True
    code, found, seconds = crowded(site, *HOSTS, "c.corp.example")
    assert (code, found) == (0, ["Queued"] * 3)
    assert seconds >= 90
    assert len(site.world.scheduled) == 2


def test_a_host_that_was_not_accepted_takes_no_room(site: Site) -> None:
    code, found, seconds = crowded(site, HOSTS[0], "unknown1.corp.example", HOSTS[1])
    assert (code, found) == (3, ["Queued", "NotAccepted", "Queued"])
    assert seconds < 100


def test_a_job_that_the_server_lost_takes_no_room(site: Site) -> None:
    site.world.scan_duration_s = 5000.0
    site.faults.add(Fault(action="status", status=404, method="GET", path=ONE_JOB))
    code, found, seconds = crowded(site, *HOSTS, "c.corp.example")
    assert (code, len(found)) == (0, 3)
    assert 60 <= seconds < 200


def test_a_server_that_fails_for_ten_minutes_ends_the_run(site: Site) -> None:
    site.world.scan_duration_s = 50_000.0
    site.faults.add(Fault(action="status", status=500, method="GET", path=ONE_JOB))
    began = site.clock.now()
    ended = site.program("schedule", *HOSTS, "c.corp.example", "--batch-size", "2",
                         "--max-running", "1")  # fmt: skip
    assert ended.code == 6
    assert [row[1] for row in ended.rows()] == ["Queued", "Queued", "NotSent"]
    assert "no good answer" in ended.err
    assert "sbpam resume" in ended.err
    assert ended.err.count("a look failed") <= 12
    assert 600 <= site.clock.now() - began < 900
