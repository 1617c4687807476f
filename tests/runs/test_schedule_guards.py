"""Guards of `schedule`: how many, asked or not, stopping early, waiting."""

import pytest
from support.faults import POST, UNLISTED, Fault
from support.process import host_names
from support.site import Ended, Site

HOSTS = [f"web{n:02}.corp.example" for n in range(1, 5)]
ONE_BY_ONE = ["--batch-size", "1", "--parallel", "1"]


def test_more_hosts_than_the_guard(site: Site) -> None:
    site.run("schedule", *HOSTS, "--max-hosts", "3").expect(2, "--max-hosts", out="")
    assert site.requests() == []
    duplicates = [name.upper() for name in HOSTS]
    assert site.run("schedule", *HOSTS, *duplicates, "--max-hosts", "4").code == 0
    assert site.scheduled() == HOSTS


def ask(site: Site, answers: list[str], *options: str, count: int = 1001, **env: str) -> Ended:
    path = site.folder / "hosts.txt"
    path.write_text("\n".join(host_names(count)))
    return site.run("schedule", str(path), *options, terminal=True, answers=answers, env=env)


@pytest.mark.parametrize("answers", [["n"], [""], ["yep"], []])
def test_many_hosts_are_asked_about_and_declined(site: Site, answers: list[str]) -> None:
    [question] = ask(site, answers).expect(2, out="").asked
    assert site.requests() == []
    assert "1,001" in question
    assert site.server.url in question


@pytest.mark.parametrize(
    ("answers", "options", "count", "env"),
    [
        (["y"], [], 1001, {}),
        ([" YES "], [], 1001, {}),
        ([], [], 1000, {}),
        ([], ["--yes"], 1001, {}),
        ([], ["--no-input"], 1001, {}),
        ([], [], 1001, {"CI": "true"}),
    ],
)
def test_many_hosts_that_are_agreed_to_or_not_asked_about(
    site: Site, answers: list[str], options: list[str], count: int, env: dict[str, str]
) -> None:
    ended = ask(site, answers, *options, count=count, **env).expect(0)
    assert len(ended.asked) == len(answers)
    assert len(site.scheduled()) == count


def test_no_question_in_a_pipe_that_is_read_unasked(site: Site) -> None:
    ended = site.run("schedule", stdin="\n".join(host_names(1001)).encode())
    assert (ended.code, ended.asked) == (0, [])
    assert len(site.scheduled()) == 1001
    assert len(site.requests("OuMapping")) == 3


@pytest.mark.parametrize("form", ["tsv", "csv", "json", "ndjson", "table"])
def test_empty_list_that_is_allowed(site: Site, form: str) -> None:
    ended = site.run("schedule", "-", "--allow-empty", "-o", form, stdin=b"# none\n").expect(0)
    assert site.requests("OuMapping") == []
    if form == "json":
        assert (ended.json()["result"], ended.json()["hosts"]) == ("success", [])
    else:
        header = "host,status,job_id,failure_reason,os,ip_address,version,detail\n"
        assert ended.out == (header if form == "csv" else "")


@pytest.mark.parametrize(
    ("fault", "code", "first"),
    [
        (Fault(action="status", status=422, nth=2, **POST), 3, "Rejected"),
        (Fault(action="status", status=500, when="after", nth=2, **POST), 5, "OutcomeUnknown"),
    ],
)
def test_fail_fast(site: Site, fault: Fault, code: int, first: str) -> None:
    site.faults.add(fault, UNLISTED)
    ended = site.run("schedule", *HOSTS, *ONE_BY_ONE, "--fail-fast").expect(code)
    assert [row[1] for row in ended.rows()] == ["Queued", first, "NotSent", "NotSent"]
    assert len(site.requests("OuMapping")) == 2


def test_own_output_is_a_list_again(site: Site) -> None:
    site.world.overrides["web02.corp.example"] = {"status": 3, "statusDescription": "Denied."}
    site.run("schedule", *HOSTS)
    site.clock.move(60)
    failed = site.run("status", "--only", "failed")
    assert [row[0] for row in failed.rows()] == ["web02.corp.example"]
    site.world.scheduled.clear()
    site.run("schedule", "-", stdin=failed.out.encode()).expect(0)
    assert site.scheduled() == ["web02.corp.example"]


def test_timeout_of_the_wait(site: Site) -> None:
    site.world.scan_duration_s = 3600
    started = site.clock.now()
    ended = site.run("schedule", *HOSTS, "--wait", "--timeout", "1m", "-o", "json")
    envelope = ended.json()
    assert (ended.code, envelope["result"], envelope["exit_code"]) == (124, "partial", 124)
    assert [error["code"] for error in envelope["errors"]] == ["timeout"]
    assert [row["host"] for row in envelope["hosts"]] == HOSTS
    assert {row["status"] for row in envelope["hosts"]} <= {"Queued", "Running"}
    assert 60 <= site.clock.now() - started < 120
    assert "status" in ended.err


def test_lock_is_free_while_it_waits(site: Site) -> None:
    """A second command for the same list may start while the first one follows its scans."""
    site.world.scan_duration_s = 60
    move, codes = site.clock.move, list[int]()

    def meddle(seconds: float) -> None:
        move(seconds)
        looks = [method for method, _ in site.requests("HostScanJob/") if method == "GET"]
        if looks and not codes:
            codes.append(-1)
            codes[0] = site.run("schedule", *HOSTS, "--new-run").code

    site.clock.move = meddle
    assert site.run("schedule", *HOSTS, "--wait").code == 0
    assert codes == [0]
    assert len(site.world.scheduled) == 2


def test_five_failures_stop_a_run_only_in_a_row(site: Site) -> None:
    nth = [1, 2, 3, 4, 6, 7, 8, 9]
    busy = {"Retry-After": "0"}
    site.faults.add(Fault(action="status", status=503, headers=busy, nth=nth, **POST))
    names = [f"h{n}.corp.example" for n in range(3)]
    site.run("schedule", *names, "--batch-size", "1", "--parallel", "1").expect(0)
    assert sorted(site.scheduled()) == names


@pytest.mark.parametrize(("hours", "goes_on"), [(11, True), (13, False)])
def test_a_run_is_continued_for_twelve_hours(site: Site, hours: int, goes_on: bool) -> None:
    site.faults.add(Fault(action="status", status=403, **POST))
    assert site.run("schedule", "a.corp.example").code == 4
    site.faults.clear()
    site.clock.move(hours * 3600)
    ended = site.run("schedule", "a.corp.example").expect(0)
    assert ("continuing run" in ended.err) is goes_on
