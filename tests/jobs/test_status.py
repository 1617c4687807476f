"""`sbpam status`: by run, job and host; from both reply shapes; its options and codes."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.clock import MovedClock
from support.faults import Fault, StagedWorld
from support.site import Site, served
from support.tables import crossed

from sbpam_cli.models import SERVER_STATUSES, FailureReason

HOSTS = ["web01.corp.example", "web02.corp.example", "web03.corp.example"]
LIST = "/api/v1/HostScanJob"
ONE_BY_ONE = ("--batch-size", "2", "--parallel", "1")
NOBODY = "11111111-2222-4333-8444-555555555555"


def start(site: Site, *hosts: str) -> tuple[str, list[str]]:
    """Schedules and lets the scans end; the run and its jobs."""
    ended = site.run("schedule", *(hosts or HOSTS), *ONE_BY_ONE, "-o", "json").expect(0)
    report = ended.json()
    site.clock.move(60)
    return report["run"], [job["job_id"] for job in report["jobs"]]


def test_the_newest_run_a_prefix_jobs_and_hosts_show_the_same(site: Site) -> None:
    run, jobs = start(site)
    expected = site.run("status").rows()
    assert [row[0] for row in expected] == HOSTS
    assert {row[1] for row in expected} == {"Complete"}
    assert site.run("status", run).rows() == expected
    assert site.run("status", run[:-1]).rows() == expected
    assert site.run("status", *jobs).rows() == expected
    assert site.run("status", *(job.upper() for job in jobs)).rows() == expected
    assert site.run("status", *HOSTS).rows() == expected
    assert site.run("status", HOSTS[0].upper() + ".").rows() == expected[:1]
    # The list has the other of the two shapes.
    assert site.run("status", "--all").rows() == expected
    # Arguments keep their order.
    mixed = site.run("status", HOSTS[1], jobs[1], HOSTS[0])
    assert mixed.rows() == [expected[1], expected[2], expected[0]]


SPELLINGS: list[tuple[Any, str | None, str, str]] = [
    (spelt, None, status.value, "")
    for number, status in enumerate(SERVER_STATUSES)
    for spelt in (number, float(number), str(number), status.value, f" {status.swapcase()} ")
]
ODD: list[tuple[Any, str | None, str, str]] = [
    *((pending, None, "Pending", "") for pending in (-1, "-1", 10, "10", "pending")),
    (-2, None, "Unknown", ""),
    (42, None, "Unknown", "status 42"),
    (42, "Busy", "Unknown", "status 42; Busy"),
    (1, "Complete", "Complete", ""),
    (42, "Running.", "Running", ""),
    (3, "WinRM did not answer.", "Failed", "WinRM did not answer."),
    (None, "Completed with errors.", "CompletedWithErrors", ""),
    ("Bogus", None, "Unknown", "status Bogus"),
    (True, None, "Unknown", "status bool"),
    (2.5, None, "Unknown", "status 2.5"),
    ([1, 2], None, "Unknown", "status list"),
    ({"x": 1}, None, "Unknown", "status dict"),
    ({"x": 1}, "Failed", "Failed", ""),
    *((huge, None, "Unknown", f"status {'9' * 2000}") for huge in ("9" * 5000, int("9" * 4000))),
]


def test_every_status_is_shown_right_in_both_shapes(site: Site) -> None:
    cases = {f"host{n:02}.corp.example": case for n, case in enumerate(SPELLINGS + ODD)}
    for host, (value, description, _, _) in cases.items():
        site.world.overrides[host] = {"status": value, "statusDescription": description}
    expected = [(host, status, detail) for host, (_, _, status, detail) in cases.items()]
    for arguments in (["schedule", *cases], ["status"], ["status", "--all"]):
        rows = site.run(*arguments).expect(0).rows()
        assert [(row[0], row[1], row[7]) for row in rows] == expected


def test_every_failure_reason_is_shown_right_in_both_shapes(site: Site) -> None:
    names = list(FailureReason)
    numbers = range(len(names))
    spelt: list[Any] = [*numbers, *map(str, numbers), *names, *map(str.upper, names)]
    odd: list[Any] = [12, -1, "Nonsense", 1.5, [], {}, False, 10**4000]
    hosts = [f"host{n:02}.corp.example" for n in range(len(spelt + odd))]
    for host, value in zip(hosts, spelt + odd, strict=True):
        site.world.overrides[host] = {"status": 3, "statusDescription": "", "failureReason": value}
    expected = ["" if name == "NoError" else str(name) for name in names] * 4
    for arguments in (["schedule", *hosts], ["status"], ["status", "--all"]):
        rows = site.run(*arguments).rows()
        assert [row[3] for row in rows] == expected + ["UnknownError"] * len(odd)
        told = [row[7].startswith("failure reason ") for row in rows]
        assert told == [False] * len(spelt) + [True] * len(odd)


@pytest.mark.parametrize("nothing", [None, ""])
def test_silence_about_a_status(site: Site, nothing: str | None) -> None:
    host = HOSTS[0]
    site.world.overrides[host] = {"status": nothing, "statusDescription": nothing}
    for arguments, status in (
        (["schedule", host], "Accepted"),
        (["status"], "Unknown"),
        (["status", "--all"], "Unknown"),
    ):
        assert site.run(*arguments).statuses() == [(host, status)]


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        (NOBODY, "The host scan job does not exist."),
        ("1999", "no run 1999"),
        ("nobody.corp.example", "knows a scan of nobody.corp.example"),
        ("", "empty"),
        # Bytes of the command line that are no UTF-8.
        ("caf\udce9", "no run caf"),
        ("caf\udce9.corp.example", "knows a scan of caf"),
    ],
)
def test_what_nobody_knows(site: Site, argument: str, words: str) -> None:
    start(site)
    for form in ("tsv", "json"):
        ended = site.run("status", argument, "-o", form).expect(2, words)
        assert ("trace id: 00-" in ended.err) == (argument == NOBODY)
        if form == "json":
            [error] = ended.json()["errors"]
            assert ended.json()["hosts"] == []
            assert (error["trace_id"] is not None) == (argument == NOBODY)
        else:
            assert ended.out == ""
    site.run("status", "--offline", argument).expect(2, out="")


@pytest.mark.parametrize(
    "arguments",
    [[], ["--all", "--offline"], ["--all", "x.example"], ["--offline", "--watch"], ["--only", ","]],
)
def test_what_cannot_be_shown_asks_nobody(site: Site, arguments: list[str]) -> None:
    assert site.run("status", *arguments).code == 2
    assert site.requests() == []


def test_a_host_that_only_the_server_knows(site: Site, tmp_path: Path) -> None:
    start(site, HOSTS[0])
    _, [newer] = start(site, HOSTS[0], HOSTS[1])
    start(site, HOSTS[2])
    elsewhere = {"SBPAM_STATE_HOME": str(tmp_path / "elsewhere")}
    before = len(site.requests())
    ended = site.run("status", HOSTS[0], HOSTS[2], env=elsewhere).expect(0)
    assert ended.statuses() == [(HOSTS[0], "Complete"), (HOSTS[2], "Complete")]
    assert ended.rows()[0][2] == newer
    assert site.requests()[before:].count(("GET", LIST)) == 1


def test_a_host_of_the_journal_needs_no_list(site: Site) -> None:
    start(site, HOSTS[0])
    start(site, HOSTS[0])
    before = len(site.requests())
    ended = site.run("status", HOSTS[0])
    assert ended.rows()[0][2] == list(site.world.scheduled)[-1]
    assert ("GET", LIST) not in site.requests()[before:]


def test_a_job_that_the_server_forgot(site: Site) -> None:
    _, [job, *_] = start(site, HOSTS[0])
    del site.world.jobs[job]
    ended = site.run("status").expect(0)
    assert ended.statuses() == [(HOSTS[0], "Unknown")]
    assert "does not know this job any more" in ended.rows()[0][7]
    assert site.run("status", job).rows() == ended.rows()
    over = site.run("status", "--watch", "--exit-status")
    assert (over.code, over.rows()) == (3, ended.rows())


@pytest.mark.parametrize("hosts", [None, [], [None, {}]])
def test_jobs_that_tell_nothing_of_hosts_are_counted(site: Site, hosts: list[None] | None) -> None:
    _, jobs = start(site)
    mute = {"hostScanHostStatus": hosts}

    def without_hosts(reply: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**job, **mute} for job in reply]

    site.faults.add(Fault(action="edit", method="GET", path="HostScanJob$", edit=without_hosts))
    ended = site.run("status", "--all", "-o", "json")
    ended.expect(0, "the server reports no hosts of 2 jobs")
    assert ended.json()["hosts"] == []
    assert [job["job_id"] for job in ended.json()["jobs"]] == jobs


@pytest.mark.parametrize(
    ("only", "shown"),
    [
        ("FAILED, queued", ["web02"]),
        ("complete", ["web03"]),
        ("problems", ["web02", "web04", "bad"]),
        ("Running,Problems", ["web01", "web02", "web04", "bad"]),
        ("paused", []),
    ],
)
def test_only_filters_rows_and_nothing_else(site: Site, only: str, shown: list[str]) -> None:
    for number, status in enumerate((1, 3, 2, 5), 1):
        host = f"web0{number}.corp.example"
        site.world.overrides[host] = {"status": status, "statusDescription": None}
    hosts = [*HOSTS, "web04.corp.example", "bad"]
    assert site.run("schedule", *hosts, "--skip-invalid").code == 3
    ended = site.run("status", "--only", only, "--exit-status", "-o", "json").expect(8)
    assert [row["host"].partition(".")[0] for row in ended.json()["hosts"]] == shown
    assert sum(job["hosts"] for job in ended.json()["jobs"]) == 4


ENDS: dict[tuple[int | None, ...], int] = {
    **dict.fromkeys([(0,), (1,), (7,), (8,), (9,), (10,), (None,), (3, 0)], 8),
    **dict.fromkeys([(3,), (4,), (5,), (6,), (2, 3)], 3),
    (2,): 0,
}


@pytest.mark.parametrize(("found", "doubt"), crossed(ENDS, [False, True]))
def test_exit_8_before_5_before_3(site: Site, found: tuple[int | None, ...], doubt: bool) -> None:
    code = ENDS[found]
    for host, status in zip(HOSTS, found, strict=False):
        site.world.overrides[host] = {"status": status, "statusDescription": None}
    if doubt:
        site.faults.add(Fault(action="close", path="OuMapping", nth=3))
    site.run("schedule", *HOSTS, "--batch-size", "1", "--parallel", "1", "--settle-after", "0")
    site.clock.move(60)
    assert site.run("status").code == 0
    ended = site.run("status", "--exit-status").expect(5 if doubt and code != 8 else code)
    assert (ended.rows()[2][1] == "OutcomeUnknown") == doubt


def test_offline_says_as_of_when_and_asks_nobody(site: Site) -> None:
    run, [job, *_] = start(site)
    before = len(site.requests())
    only_the_journal = dict.fromkeys(site.server.environment(), "")
    for arguments in ([], [run], [job], [HOSTS[0]]):
        ended = site.run("status", "--offline", *arguments, env=only_the_journal).expect(0)
        assert ended.rows()[0][:2] == [HOSTS[0], "Queued"]
        assert all(row[7] == "as of 2026-11-23T03:15:02Z" for row in ended.rows())
    assert len(site.requests()) == before
    online = site.run("status", "-o", "json").json()
    ended = site.run("status", "--offline", "-o", "json")
    assert {row["status"] for row in ended.json()["hosts"]} == {"Complete"}
    assert "as of 2026-11-23T03:16" in ended.json()["hosts"][0]["detail"]
    assert len(online["jobs"]) == 2
    assert ended.json()["jobs"] == online["jobs"]


def test_offline_dates_a_batch_in_doubt_by_when_it_was_lost(site: Site) -> None:
    site.faults.add(Fault(action="close", path="OuMapping", nth=2))
    busy = {"Retry-After": "60"}
    site.faults.add(Fault(action="status", path="OuMapping", nth=3, status=503, headers=busy))
    one_by_one = ["--batch-size", "1", "--parallel", "1", "--settle-after", "0"]
    site.work_alone()
    assert site.run("schedule", *HOSTS, *one_by_one).code == 5

    offline = site.run("status", "--offline", "-o", "json").json()

    # The third was accepted a minute later; the run ended then.
    dated = [(row["status"], row["detail"].rpartition("as of ")[2]) for row in offline["hosts"]]
    assert [(status, moment[:16]) for status, moment in dated] == [
        ("Queued", "2026-11-23T03:15"),
        ("OutcomeUnknown", "2026-11-23T03:15"),
        ("Queued", "2026-11-23T03:16"),
    ]
    assert [job["job_id"] for job in offline["jobs"]] == list(site.world.scheduled)


@given(invalid=st.sets(st.integers(0, 6)))
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_hosts_that_were_not_sent_stand_where_asked_for(site: Site, invalid: set[int]) -> None:
    names = [f"bad{n}" if n in invalid else f"web{n}.corp.example" for n in range(7)]
    how = ["--skip-invalid", "--batch-size", "2", "--new-run"]
    asked = site.run("schedule", *how, "-", stdin="\n".join(names).encode())
    assert [row[0] for row in asked.rows()] == names

    # Nothing is recorded if nothing can be sent.
    for arguments in [["--offline"], []] if len(invalid) < 7 else []:
        assert [row[0] for row in site.run("status", *arguments).rows()] == names


@pytest.mark.parametrize("action", ["close", "status"])
def test_a_server_that_fails_leaves_the_rows_of_the_journal(site: Site, action: Any) -> None:
    _, [job, *_] = start(site)
    site.faults.add(Fault(action=action, path="HostScanJob", status=500))
    for arguments in ([], [job], [HOSTS[0]]):
        ended = site.run("status", *arguments, "-o", "json").expect(6)
        report = ended.json()
        assert (report["hosts"][0]["host"], report["hosts"][0]["status"]) == (HOSTS[0], "Queued")
        assert "as of 2026-11-23T03:15:0" in report["hosts"][0]["detail"]
        assert report["errors"]
    assert len(site.run("status").rows()) == len(HOSTS)


def test_run_is_named_if_there_is_exactly_one(site: Site) -> None:
    first, [job, *_] = start(site, HOSTS[0])
    second, _ = start(site, HOSTS[1])
    for arguments, run in (
        ([], second),
        ([first], first),
        ([first, job, HOSTS[0]], first),
        ([first, second], None),
        ([job], None),
        (["--all"], None),
    ):
        assert site.run("status", *arguments, "-o", "json").json()["run"] == run


def test_the_newest_run_is_of_the_named_server(site: Site, clock: MovedClock) -> None:
    run, _ = start(site, HOSTS[0])
    with served(Site(site.folder, clock), StagedWorld(seed=2, now=clock.now)) as other:
        clock.move(60)
        newer, _ = start(other, HOSTS[1])
    assert site.run("status", "--offline", "-o", "json").json()["run"] == run
    for name in ("SBPAM_SERVER", "SBPAM_USERNAME"):
        del site.environ[name]
    ended = site.run("status", "--offline", "-o", "json")
    assert (ended.json()["run"], ended.json()["server"]) == (newer, other.server.url)
    third = site.run("status", "--server", "third.example")
    third.expect(2, "no run of https://third.example:6500 yet")
    # A run knows its own server, and is refused with another one.
    assert site.run("status", "--offline", run).code == 0
    site.run("status", run, "--server", other.server.url).expect(2, other.server.url)
    site.run("status", "--offline", run, newer).expect(2, "several servers")
