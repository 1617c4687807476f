"""`sbpam status`: by run, job and host; from both reply shapes; its options and codes."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.faults import Fault
from support.site import Ended, PrivateProgram, Site

from sbpam_cli.models import SERVER_STATUSES, FailureReason

HOSTS = ["web01.corp.example", "web02.corp.example", "web03.corp.example"]
ONE_JOB = "HostScanJob/[0-9a-f]{8}-"
ONE_BY_ONE = ("--batch-size", "2", "--parallel", "1")
NOBODY = "11111111-2222-4333-8444-555555555555"


def start(site: Site, *hosts: str) -> tuple[str, list[str]]:
    """Schedules and lets the scans end; the run and its jobs."""
    ended = site.program("schedule", *(hosts or HOSTS), *ONE_BY_ONE, "-o", "json")
    assert ended.code == 0, ended
    report = ended.json()
    site.clock.move(60)
    return report["run"], [job["job_id"] for job in report["jobs"]]


def statuses(ended: Ended) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in ended.rows()]


def test_the_newest_run_a_prefix_jobs_and_hosts_show_the_same(site: Site) -> None:
    run, jobs = start(site)
    expected = site.program("status").rows()
    assert [row[0] for row in expected] == HOSTS
    assert {row[1] for row in expected} == {"Complete"}
    assert site.program("status", run).rows() == expected
    assert site.program("status", run[:-1]).rows() == expected
    assert site.program("status", *jobs).rows() == expected
    assert site.program("status", *(job.upper() for job in jobs)).rows() == expected
    assert site.program("status", *HOSTS).rows() == expected
    assert site.program("status", HOSTS[0].upper() + ".").rows() == expected[:1]
    # The list has the other of the two shapes.
    assert site.program("status", "--all").rows() == expected


def test_arguments_keep_their_order(site: Site) -> None:
    _, jobs = start(site)
    ended = site.program("status", HOSTS[1], jobs[1], HOSTS[0])
    assert [row[0] for row in ended.rows()] == [HOSTS[1], HOSTS[2], HOSTS[0]]


SPELLINGS: list[tuple[Any, str, str]] = [
    (spelt, status.value, "")
    for number, status in enumerate(SERVER_STATUSES)
    for spelt in (number, str(number), status.value, status.value.swapcase())
]
ODD: list[tuple[Any, str, str]] = [
    (-1, "Pending", ""),
    ("-1", "Pending", ""),
    (42, "Unknown", "status 42"),
    ("Bogus", "Unknown", "status Bogus"),
    (True, "Unknown", "status bool"),
    (2.5, "Unknown", "status 2.5"),
    ([1, 2], "Unknown", "status list"),
    ({"x": 1}, "Unknown", "status dict"),
    (10**30, "Unknown", f"status {10**30}"),
]


def test_every_status_is_shown_right_in_both_shapes(site: Site) -> None:
    cases = {f"host{n:02}.corp.example": case for n, case in enumerate(SPELLINGS + ODD)}
    for host, (value, _, _) in cases.items():
        site.world.overrides[host] = {"status": value, "statusDescription": None}
    expected = [(host, status, detail) for host, (_, status, detail) in cases.items()]

    def shown(ended: Ended) -> list[tuple[str, str, str]]:
        assert ended.code == 0
        return [(row[0], row[1], row[7]) for row in ended.rows()]

    assert shown(site.program("schedule", *cases)) == expected
    assert shown(site.program("status")) == expected
    assert shown(site.program("status", "--all")) == expected


def test_every_failure_reason_is_shown_right_in_both_shapes(site: Site) -> None:
    names = list(FailureReason)
    spelt: list[Any] = [
        *range(len(names)),
        *map(str, range(len(names))),
        *names,
        *map(str.upper, names),
    ]
    hosts = [f"host{n:02}.corp.example" for n in range(len(spelt))]
    for host, value in zip(hosts, spelt, strict=True):
        site.world.overrides[host] = {"status": 3, "statusDescription": "", "failureReason": value}
    expected = [["" if name == "NoError" else str(name)] for name in names] * 4
    for arguments in (["schedule", *hosts], ["status"], ["status", "--all"]):
        assert [row[3:4] for row in site.program(*arguments).rows()] == expected


def test_silence_about_a_status(site: Site) -> None:
    host = HOSTS[0]
    site.world.overrides[host] = {"status": None, "statusDescription": None}
    assert statuses(site.program("schedule", host)) == [(host, "Accepted")]
    assert statuses(site.program("status")) == [(host, "Unknown")]
    assert statuses(site.program("status", "--all")) == [(host, "Unknown")]

    def without_queue(job: Any) -> Any:
        job["hostScanJobHostJoin"][0]["actionQueue"] = None
        return job

    site.faults.add(Fault(action="edit", path="HostScanJob/[0-9a-f]", edit=without_queue))
    assert statuses(site.program("status")) == [(host, "Queued")]


def test_the_description_wins_over_the_integer(site: Site) -> None:
    host = HOSTS[0]
    site.world.overrides[host] = {"status": 1, "statusDescription": "Completed with errors."}
    assert statuses(site.program("schedule", host)) == [(host, "CompletedWithErrors")]
    assert statuses(site.program("status")) == [(host, "CompletedWithErrors")]


@pytest.mark.parametrize(
    "edit",
    [
        lambda job: {**job, "hostScanJobHostJoin": None},
        lambda job: {"id": job["id"]},
        lambda job: {**job, "hostScanJobHostJoin": 7},
    ],
)
def test_a_null_array_leaves_what_the_journal_has(site: Site, edit: Any) -> None:
    start(site, *HOSTS[:2])
    site.faults.add(Fault(action="edit", path="HostScanJob/[0-9a-f]", edit=edit))
    ended = site.program("status")
    assert ended.code == 0
    assert [row[0] for row in ended.rows()] == HOSTS[:2]
    assert {row[1] for row in ended.rows()} == {"Queued"}
    assert all("as of 20" in row[7] for row in ended.rows())


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        (NOBODY, "The host scan job does not exist."),
        ("1999", "no run 1999"),
        ("nobody.corp.example", "knows a scan of nobody.corp.example"),
        ("", "empty"),
    ],
)
def test_what_nobody_knows(site: Site, argument: str, words: str) -> None:
    start(site)
    for form in ("tsv", "json"):
        ended = site.program("status", argument, "-o", form)
        assert ended.code == 2
        assert words in ended.err
        assert ("trace id: 00-" in ended.err) == (argument == NOBODY)
        if form == "json":
            [error] = ended.json()["errors"]
            assert ended.json()["hosts"] == []
            assert (error["trace_id"] is not None) == (argument == NOBODY)
        else:
            assert ended.out == ""


def test_no_run_yet(site: Site) -> None:
    ended = site.program("status")
    assert ended.code == 2
    assert site.requests() == []


def test_a_host_that_only_the_server_knows(site: Site, tmp_path: Any) -> None:
    start(site, HOSTS[0])
    _, [newer] = start(site, HOSTS[0], HOSTS[1])
    start(site, HOSTS[2])
    elsewhere = {"SBPAM_STATE_HOME": str(tmp_path / "elsewhere")}
    before = len(site.requests())
    ended = site.program("status", HOSTS[0], HOSTS[2], env=elsewhere)
    assert ended.code == 0, ended
    assert statuses(ended) == [(HOSTS[0], "Complete"), (HOSTS[2], "Complete")]
    assert ended.rows()[0][2] == newer
    asked = site.requests()[before:]
    assert asked.count(("GET", "/api/v1/HostScanJob")) == 1


def test_a_host_of_the_journal_needs_no_list(site: Site) -> None:
    start(site, HOSTS[0])
    start(site, HOSTS[0])
    ended = site.program("status", HOSTS[0])
    newest = list(site.world.scheduled)[-1]
    assert ended.rows()[0][2] == newest
    assert ("GET", "/api/v1/HostScanJob") not in site.requests()


def test_a_job_that_the_server_forgot(site: Site) -> None:
    _, [job, *_] = start(site, HOSTS[0])
    del site.world.jobs[job]
    ended = site.program("status")
    assert ended.code == 0
    assert statuses(ended) == [(HOSTS[0], "Unknown")]
    assert "does not know this job any more" in ended.rows()[0][7]
    assert site.program("status", job).rows() == ended.rows()
    over = site.program("status", "--watch", "--exit-status")
    assert (over.code, over.rows()) == (3, ended.rows())
    assert site.program("status", NOBODY).code == 2


def test_a_host_that_one_look_does_not_name_is_not_forgotten(site: Site) -> None:
    """A null in the graph is no word about the host: it must not be scheduled again for it."""
    start(site, *HOSTS[:2])

    def without_second(job: dict[str, Any]) -> dict[str, Any]:
        job["hostScanJobHostJoin"][1]["hostScanHost"] = None
        return job

    site.faults.add(Fault(action="edit", method="GET", path=ONE_JOB, edit=without_second))
    ended = site.program("status")
    assert statuses(ended) == [(HOSTS[0], "Complete"), (HOSTS[1], "Queued")]
    site.faults.clear()
    again = site.program("schedule", "--skip-recent", "24h", *HOSTS[:2])
    assert [row[1] for row in again.rows()] == ["Skipped"] * 2
    assert sorted(site.scheduled()) == sorted(HOSTS[:2])


def test_only_filters_rows_and_nothing_else(site: Site) -> None:
    site.world.overrides[HOSTS[1]] = {"status": 3, "statusDescription": "It broke."}
    start(site)
    ended = site.program("status", "--only", "FAILED,queued", "--exit-status", "-o", "json")
    assert ended.code == 3
    report = ended.json()
    assert [row["host"] for row in report["hosts"]] == [HOSTS[1]]
    assert sum(job["hosts"] for job in report["jobs"]) == 3
    assert statuses(site.program("status", "--only", "complete")) == [
        (HOSTS[0], "Complete"),
        (HOSTS[2], "Complete"),
    ]
    assert site.program("status", "--only", "paused").out == ""


@pytest.mark.parametrize(
    ("text", "hint"), [("faild", "did you mean Failed?"), ("xyzzy", "Queued"), (",", "Queued")]
)
def test_only_of_an_unknown_status(site: Site, text: str, hint: str) -> None:
    ended = site.program("status", "--only", text)
    assert ended.code == 2
    assert hint in ended.err
    assert site.requests() == []


@pytest.mark.parametrize(
    ("status", "code"),
    [
        *((name, 8) for name in (0, 1, 7, 8, 9, 10, None)),
        (2, 0),
        *((number, 3) for number in (3, 4, 5, 6)),
    ],
)
def test_exit_status(site: Site, status: int | None, code: int) -> None:
    site.world.overrides[HOSTS[0]] = {"status": status, "statusDescription": None}
    start(site, HOSTS[0], HOSTS[1])
    assert site.program("status", "--exit-status").code == code
    assert site.program("status").code == 0


def test_exit_status_in_doubt(site: Site) -> None:
    site.faults.add(Fault(action="close", path="OuMapping", nth=2))
    site.program("schedule", *HOSTS, "--batch-size", "2", "--settle-after", "0", "--parallel", "1")
    site.clock.move(60)
    ended = site.program("status", "--exit-status")
    assert statuses(ended)[2] == (HOSTS[2], "OutcomeUnknown")
    assert ended.code == 5


def test_offline_says_as_of_when_and_asks_nobody(site: Site) -> None:
    run, [job, *_] = start(site)
    before = len(site.requests())
    only_the_journal = {
        name: ""
        for name in site.program.environ
        if name.startswith("SBPAM_") and "HOME" not in name
    }
    for arguments in ([], [run], [job], [HOSTS[0]]):
        ended = site.program("status", "--offline", *arguments, env=only_the_journal)
        assert ended.code == 0, ended
        assert ended.rows()[0][:2] == [HOSTS[0], "Queued"]
        assert all(row[7] == "as of 2026-11-23T03:15:02Z" for row in ended.rows())
    assert len(site.requests()) == before
    online = site.program("status", "-o", "json").json()
    ended = site.program("status", "--offline")
    assert statuses(ended)[0] == (HOSTS[0], "Complete")
    assert "as of 2026-11-23T03:16" in ended.rows()[0][7]
    assert len(online["jobs"]) == 2
    assert site.program("status", "--offline", "-o", "json").json()["jobs"] == online["jobs"]


def test_offline_dates_a_batch_in_doubt_by_when_it_was_lost(site: Site) -> None:
    site.faults.add(Fault(action="close", path="OuMapping", nth=2))
    busy = {"Retry-After": "60"}
    site.faults.add(Fault(action="status", path="OuMapping", nth=3, status=503, headers=busy))
    one_by_one = ["--batch-size", "1", "--parallel", "1", "--settle-after", "0"]
    assert site.program("schedule", *HOSTS, *one_by_one).code == 5

    offline = site.program("status", "--offline", "-o", "json").json()

    # The third was accepted a minute later; the run ended then.
    assert [(row["status"], row["detail"].rpartition("as of ")[2]) for row in offline["hosts"]] == [
        ("Queued", "2026-11-23T03:15:02Z"),
        ("OutcomeUnknown", "2026-11-23T03:15:02Z"),
        ("Queued", "2026-11-23T03:16:02Z"),
    ]
    assert [job["job_id"] for job in offline["jobs"]] == list(site.world.scheduled)


@given(invalid=st.sets(st.integers(0, 6)))
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_hosts_that_were_not_sent_stand_where_they_were_asked_for(
    site: Site, invalid: set[int]
) -> None:
    names = [f"bad{n}" if n in invalid else f"web{n}.corp.example" for n in range(7)]
    how = ["--skip-invalid", "--batch-size", "2", "--new-run"]
    asked = site.program("schedule", *how, "-", stdin="\n".join(names).encode())
    assert [row[0] for row in asked.rows()] == names

    # Nothing is recorded where nothing can be sent.
    shown = [["--offline"], []] if len(invalid) < 7 else []
    for arguments in shown:
        assert [row[0] for row in site.program("status", *arguments).rows()] == names
    if shown:
        page = site.program("report", "--offline").out
        assert all(name in page for name in names)


@pytest.mark.parametrize("argument", [NOBODY, "nobody.corp.example", "1999"])
def test_offline_knows_the_journal_alone(site: Site, argument: str) -> None:
    start(site, HOSTS[0])
    ended = site.program("status", "--offline", argument)
    assert ended.code == 2
    assert ended.out == ""


@pytest.mark.parametrize(
    "arguments", [["--all", "--offline"], ["--all", "x.example"], ["--offline", "--watch"]]
)
def test_what_does_not_go_together(program: PrivateProgram, arguments: list[str]) -> None:
    assert program("status", *arguments).code == 2


@pytest.mark.parametrize("action", ["close", "status"])
def test_a_server_that_fails_leaves_the_rows_of_the_journal(site: Site, action: Any) -> None:
    _, [job, *_] = start(site)
    site.faults.add(Fault(action=action, path="HostScanJob", status=500))
    for arguments in ([], [job], [HOSTS[0]]):
        ended = site.program("status", *arguments, "-o", "json")
        assert ended.code == 6
        report = ended.json()
        assert report["hosts"][0]["host"] == HOSTS[0]
        assert report["hosts"][0]["status"] == "Queued"
        assert "as of 2026-11-23T03:15:02Z" in report["hosts"][0]["detail"]
        assert report["errors"]
    assert len(site.program("status").rows()) == len(HOSTS)


def test_run_is_named_where_there_is_exactly_one(site: Site) -> None:
    first, [job, *_] = start(site, HOSTS[0])
    second, _ = start(site, HOSTS[1])

    def named(*arguments: str) -> Any:
        return site.program("status", *arguments, "-o", "json").json()["run"]

    assert named() == second
    assert named(first) == first
    assert named(first, second) is None
    assert named(job) is None
    assert named(HOSTS[0]) is None
    assert named("--all") is None


def test_a_run_knows_its_server(site: Site) -> None:
    run, _ = start(site, HOSTS[0])
    del site.program.environ["SBPAM_SERVER"]
    assert site.program("status", run).code == 0
    ended = site.program("status", run, "--server", "other.example")
    assert ended.code == 2
    assert "other.example" in ended.err


def test_watch_follows_to_the_end(site: Site) -> None:
    site.world.scan_duration_s = 300
    site.program("schedule", *HOSTS)
    ended = site.program("status", "--watch")
    assert ended.code == 0
    assert {row[1] for row in ended.rows()} == {"Complete"}
    polls = [path for _, path in site.requests("HostScanJob/") if "OuMapping" not in path]
    assert len(polls) > 1


def test_watch_to_a_time_out(site: Site) -> None:
    site.program("schedule", *HOSTS)
    site.world.overrides[HOSTS[0]] = {"status": 7, "statusDescription": None}
    ended = site.program("status", "--watch", "--timeout", "2m", "-o", "json")
    assert ended.code == 124
    report = ended.json()
    assert report["hosts"][0]["status"] == "Paused"
    assert report["errors"][0]["code"] == "timeout"


def test_watch_outlives_a_server_that_goes_away(site: Site) -> None:
    site.world.scan_duration_s = 300
    site.program("schedule", *HOSTS)
    site.faults.add(Fault(action="status", path="HostScanJob/[0-9a-f]", nth=[2, 3, 4, 5, 6]))
    ended = site.program("status", "--watch")
    assert ended.code == 0
    assert {row[1] for row in ended.rows()} == {"Complete"}


def test_many_jobs_are_read_from_the_list(site: Site) -> None:
    hosts = [f"h{n}.corp.example" for n in range(201)]
    started = site.program("schedule", *hosts, "--batch-size", "1")
    assert started.code == 0
    site.clock.move(60)
    before = len(site.requests())
    ended = site.program("status")
    assert [row[:2] for row in ended.rows()] == [[host, "Complete"] for host in hosts]
    asked = [path for _, path in site.requests()[before:] if "HostScanJob" in path]
    assert asked == ["/api/v1/HostScanJob"]


def test_json_of_no_rows_is_still_an_object(site: Site) -> None:
    ended = site.program("status", "--all", "-o", "json")
    assert ended.code == 0
    assert json.loads(ended.out)["hosts"] == []
