"""What is printed while scans are watched: rows as hosts finish, the display beside them."""

import io
import json

import pytest
from support.clock import Inline
from support.faults import Fault
from support.screen import Terminal
from support.site import Site

from sbpam_cli.system.services import Services

HOSTS = [f"web{n:02}.corp.example" for n in range(12)]
WAITED = ["schedule", *HOSTS, "--batch-size", "4", "--wait", "-o", "ndjson"]


def lines(text: str) -> list[tuple[str, str]]:
    return [(row["host"], row["status"]) for row in map(json.loads, text.splitlines())]


class Timed(io.StringIO):
    """Notes what the clock showed when each line came."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        self.site = site
        self.moments: list[float] = []

    def write(self, text: str) -> int:
        self.moments += [self.site.clock.now()] * text.count("\n")
        return super().write(text)


@pytest.mark.parametrize("command", ["schedule", "status"])
def test_ndjson_has_each_host_when_it_finishes_and_once(site: Site, command: str) -> None:
    site.world.scan_duration_s, site.world.failing_share = 120.0, 0.3
    outs: list[Timed] = []

    def prepare(services: Services) -> None:
        outs.append(Timed(site))
        services.stdout = outs[-1]
        # Answers take no time: what passes is what the program waits.
        services.workers = lambda _, clock: Inline(clock)

    site.prepare = prepare
    if command == "status":
        assert site.run(*(word for word in WAITED if word != "--wait")).code == 0
        code = site.run("status", "--watch", "--exit-status", "-o", "ndjson").code
    else:
        code = site.run(*WAITED).code
    assert code == 3
    found = lines(outs[-1].getvalue())
    ends = {h: "Failed" if site.world.machine(h).reason else "Complete" for h in HOSTS}
    assert sorted(found) == sorted(ends.items())
    assert [host for host, _ in found] != HOSTS
    # Known at the latest half a minute (the longest interval) after its end, and not before;
    # the looks at the three jobs stand half a second apart.
    for moment, (host, _) in zip(outs[-1].moments, found, strict=True):
        [job] = [job for job in site.world.jobs.values() if host in job.names]
        end = site.world.scan(job, site.world.machine(host), site.clock.now()).finished_at
        assert end is not None
        assert 0 <= moment - end <= 30 + 3 * 0.5
    assert len(set(outs[-1].moments)) > 3


@pytest.mark.parametrize(
    ("paused", "names", "more", "code", "found"),
    [
        # Hosts that never finish come at the end, and what was asked for twice twice.
        (HOSTS[0], "", ["--timeout", "90s"], 124, HOSTS),
        (None, "job run host", [], 0, [*HOSTS, *HOSTS, HOSTS[3]]),
        (None, "run run", [], 0, [*HOSTS, *HOSTS]),
        (None, "", ["--only", "failed"], 0, []),
        (None, "job no-job", [], 2, []),
    ],
)
def test_each_row_is_printed_as_often_as_it_was_asked_for(
    site: Site,
    paused: str | None,
    names: str,
    more: list[str],
    code: int,
    found: list[str],
) -> None:
    site.world.failing_share = 0.4 if "--only" in more else 0.0
    if paused is not None:
        site.world.overrides[paused] = {"status": 7, "statusDescription": None}
    run = site.run("schedule", *HOSTS, "-o", "json").json()["run"]
    [job] = site.world.scheduled
    of_name = {"run": run, "job": job, "no-job": job.replace("4", "5"), "host": HOSTS[3]}
    arguments = [of_name[name] for name in names.split()]
    site.clock.move(5)
    ended = site.run("status", *arguments, "--watch", *more, "-o", "ndjson").expect(code)
    if "--only" in more:
        found = [host for host in HOSTS if site.world.machine(host).reason]
        assert 0 < len(found) < len(HOSTS)
        assert {status for _, status in lines(ended.out)} == {"Failed"}
    assert sorted(host for host, _ in lines(ended.out)) == sorted(found)
    if paused is not None:
        assert lines(ended.out)[-1] == (paused, "Paused")


@pytest.mark.parametrize("with_token", [False, True])
def test_a_server_that_is_not_there_is_not_waited_for(site: Site, with_token: bool) -> None:
    site.run("schedule", *HOSTS)
    if with_token:
        user = next(user for user in site.world.users if "Admin" in user.roles)
        site.environ["SBPAM_TOKEN"] = site.world.issue_token(user)[0]
    site.faults.add(Fault(action="close"))
    before = site.clock.now()
    ended = site.run("status", "--watch").expect(6)
    assert site.clock.now() - before < 60
    assert [row[0] for row in ended.rows()] == HOSTS


def test_rows_and_the_display_share_a_terminal(site: Site) -> None:
    both = Terminal(400, 26, keeps=True)
    site.world.scan_duration_s = 60.0
    site.prepare = both.serve
    assert site.run(*WAITED, env=both.environ).code == 0
    seen = both.seen
    rows = [line for line in seen[-1].splitlines() if line.startswith("{")]
    assert sorted(json.loads(row)["host"] for row in rows) == HOSTS
    # Rows came while the display was there: it was whole and below them, or gone for a moment.
    last = max(n for n, text in enumerate(seen) if "of 12 hosts" in text)
    found = [text for text in seen[: last + 1] if "{" in text]
    for text in found:
        rest = text.rpartition("}")[2].strip()
        assert text.count("of 12 hosts") == ("of 12 hosts" in rest.partition("\n")[0]) == bool(rest)
    assert len(found) > 10
    assert "of 12 hosts" not in seen[-1]


def test_rows_that_go_elsewhere_leave_the_display_alone(site: Site) -> None:
    talk = Terminal(80, 24, keeps=True)
    site.world.scan_duration_s = 60.0
    site.prepare = lambda services: setattr(services, "stderr", talk)
    ended = site.run(*WAITED, env=talk.environ)
    assert sorted(host for host, _ in lines(ended.out)) == HOSTS
    is_there = ["of 12 hosts" in text for text in talk.seen]
    first, last = is_there.index(True), len(is_there) - is_there[::-1].index(True)
    assert all(is_there[first:last])
    assert last - first > 10, "it was drawn again and again"


def test_resume_goes_on_and_follows_to_the_end(site: Site) -> None:
    names = [f"web{n:02}.corp.example" for n in range(6)]
    site.faults.add(Fault(action="status", status=403, method="POST", path="OuMapping", nth=2))
    cut = site.run("schedule", *names, "--batch-size", "2", "--parallel", "1")
    assert (cut.code, {row[1] for row in cut.rows()}) == (4, {"Queued", "NotSent"})
    site.faults.clear()
    ended = site.run("resume", "--wait")
    assert (ended.code, [row[:2] for row in ended.rows()]) == (0, [[n, "Complete"] for n in names])
    assert sorted(name for held in site.world.scheduled.values() for name in held) == names
