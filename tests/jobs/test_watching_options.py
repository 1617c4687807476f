"""What goes with watching: rows as hosts finish, `--only`, `--notify`."""

import io
import json
from typing import ClassVar

import pytest
from pyte import Screen, Stream
from support.clock import Inline
from support.faults import Fault
from support.site import Site

from sbpam_cli.system.services import Services

HOSTS = [f"web{n:02}.corp.example" for n in range(12)]


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

    site.program.prepare = prepare
    arguments = ["schedule", *HOSTS, "--batch-size", "4", "-o", "ndjson"]
    code = site.program(*arguments, *(["--wait"] if command == "schedule" else [])).code
    if command == "status":
        assert code == 0
        code = site.program("status", "--watch", "--exit-status", "-o", "ndjson").code
    assert code == 3
    found = lines(outs[-1].getvalue())
    ends = {h: "Failed" if site.world.machine(h).reason else "Complete" for h in HOSTS}
    assert sorted(found) == sorted(ends.items())
    assert [host for host, _ in found] != HOSTS
    # Known at the latest half a minute (the longest interval) after its end, and not before;
    # the polls of the three jobs stand half a second apart.
    for moment, (host, _) in zip(outs[-1].moments, found, strict=True):
        [job] = [job for job in site.world.jobs.values() if host in job.names]
        end = site.world.scan(job, site.world.machine(host), site.clock.now()).finished_at
        assert end is not None
        assert 0 <= moment - end <= 30 + 3 * 0.5
    assert len(set(outs[-1].moments)) > 3


def test_hosts_that_never_finish_come_at_the_end(site: Site) -> None:
    site.world.overrides[HOSTS[0]] = {"status": 7, "statusDescription": None}
    ended = site.program("schedule", *HOSTS, "--wait", "--timeout", "90s", "-o", "ndjson")
    assert ended.code == 124
    assert lines(ended.out)[-1] == (HOSTS[0], "Paused")
    assert sorted(host for host, _ in lines(ended.out)) == HOSTS


def test_what_was_asked_for_twice_is_told_twice(site: Site) -> None:
    site.program("schedule", *HOSTS)
    [job] = site.world.scheduled
    run = site.program("runs").rows()[0][0]
    ended = site.program("status", job, run, HOSTS[3], "--watch", "-o", "ndjson")
    assert sorted(host for host, _ in lines(ended.out)) == sorted([*HOSTS, *HOSTS, HOSTS[3]])


def test_only_filters_what_comes_early_too(site: Site) -> None:
    site.world.failing_share = 0.4
    site.program("schedule", *HOSTS)
    ended = site.program("status", "--watch", "--only", "failed", "-o", "ndjson")
    failing = [host for host in HOSTS if site.world.machine(host).reason]
    assert 0 < len(failing) < len(HOSTS)
    assert sorted(lines(ended.out)) == [(host, "Failed") for host in failing]


def test_an_id_that_is_unknown_prints_nothing(site: Site) -> None:
    site.program("schedule", *HOSTS)
    [job] = site.world.scheduled
    site.clock.move(60)
    unknown = "11111111-2222-4333-8444-555555555555"
    ended = site.program("status", job, unknown, "--watch", "-o", "ndjson")
    assert ended.code == 2
    assert ended.out == ""
    assert "knows no job" in ended.err


@pytest.mark.parametrize("with_token", [False, True])
def test_a_server_that_is_not_there_is_not_waited_for(site: Site, with_token: bool) -> None:
    site.program("schedule", *HOSTS)
    if with_token:
        user = next(user for user in site.world.users if "Admin" in user.roles)
        site.program.environ["SBPAM_TOKEN"] = site.world.issue_token(user)[0]
    site.faults.add(Fault(action="close"))
    before = site.clock.now()
    ended = site.program("status", "--watch")
    assert ended.code == 6
    assert site.clock.now() - before < 60
    assert [row[0] for row in ended.rows()] == HOSTS


class Shown(io.StringIO):
    """A terminal, and its screen after each write."""

    SIZE: ClassVar = {"COLUMNS": "400", "LINES": "50", "TERM": "xterm"}

    def __init__(self) -> None:
        super().__init__()
        self.screen = Screen(400, 50)
        self.stream = Stream(self.screen)
        self.seen: list[str] = []

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.stream.feed(text.replace("\n", "\r\n"))
        self.seen.append("\n".join(line.rstrip() for line in self.screen.display))
        return len(text)


WAITED = ["schedule", *HOSTS, "--batch-size", "4", "--wait", "-o", "ndjson"]


def test_rows_and_the_display_share_a_terminal(site: Site) -> None:
    both = Shown()

    def prepare(services: Services) -> None:
        services.stdout = services.stderr = both

    site.world.scan_duration_s = 60.0
    site.program.prepare = prepare
    assert site.program(*WAITED, env=Shown.SIZE).code == 0
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
    talk = Shown()
    site.world.scan_duration_s = 60.0
    site.program.prepare = lambda services: setattr(services, "stderr", talk)
    ended = site.program(*WAITED, env=Shown.SIZE)
    assert sorted(host for host, _ in lines(ended.out)) == HOSTS
    is_there = ["of 12 hosts" in text for text in talk.seen]
    first, last = is_there.index(True), len(is_there) - is_there[::-1].index(True)
    assert all(is_there[first:last])
    assert last - first > 10, "it was drawn again and again"
