"""Following: how often is asked, whatever fails; and when it is over."""

import json
import random
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count, pairwise
from typing import Any

import pytest
from support.clock import Inline, MovedClock
from support.faults import Fault, Faults, StagedWorld
from support.site import CREDENTIAL, Program, Site
from support.tables import slow
from torture.network import MemoryNetwork

from sbpam_cli.sandbox.http import Request, Response
from sbpam_cli.sandbox.routes import App
from sbpam_cli.system.clock import Clock
from sbpam_cli.system.services import Services
from sbpam_cli.system.threads import Done

WAYS = {
    "reset": Fault(action="reset"),
    "closed": Fault(action="close"),
    "no answer in time": Fault(action="hang"),
    "slow": Fault(action="delay", seconds=45.0),
    "500": Fault(action="status", status=500),
    "502, a page": Fault(action="status", status=502),
    "503, come back": Fault(action="status", status=503, headers={"Retry-After": "9"}),
    "504": Fault(action="status", status=504),
    "429": Fault(action="status", status=429, headers={"Retry-After": "3"}),
    "408": Fault(action="status", status=408),
    "400": Fault(action="status", status=400),
    "401": Fault(action="status", status=401),
    "401, a page": Fault(action="status", status=401, body="<!DOCTYPE html><h1>No</h1>"),
    "403": Fault(action="status", status=403),
    "404, a page": Fault(action="status", status=404, body="<!DOCTYPE html><h1>No</h1>"),
    "a portal's page": Fault(action="html200"),
    "no JSON": Fault(action="status", status=200, body="{]"),
    "another JSON": Fault(action="status", status=200, body="[1]"),
    "nothing": Fault(action="status", status=200, body=" "),
    "cut short": Fault(action="truncate"),
    "tokens die": Fault(action="revoke"),
}

SPECIAL = ("no answer in time", "503, come back", "401", "403", "tokens die")
"""Tried in every run of the tests; the others are of their kind."""


@dataclass
class FailingServer:
    """A server in memory. Polls fail as drawn; `asked` has each one's moment and fate.

    takes_s: for each answer. tokens_die_at: every token is refused from then on.
    """

    world: StagedWorld
    clock: MovedClock
    drawn: random.Random
    share: float = 0.3
    takes_s: float = 0.0
    ways: list[str] = field(default_factory=lambda: list(WAYS))
    asked: list[tuple[float, str | None]] = field(default_factory=list)
    tokens_die_at: float = float("inf")

    def __post_init__(self) -> None:
        self.faults = Faults(self.world)
        self.app = App(self.world, self.faults)

    def reach(self, operation: str, what: str) -> str | None:
        return None

    def give_up_turn(self) -> None:
        pass

    def pass_time(self, seconds: float) -> None:
        self.clock.move(seconds)

    def answer(self, request: Request) -> Response:
        fate = None
        if request.method == "GET" and "HostScanJob" in request.target:
            fate = self.drawn.choice(self.ways) if self.drawn.random() < self.share else None
            self.asked.append((self.clock.now(), fate))
        self.clock.move(self.takes_s)
        if self.clock.now() >= self.tokens_die_at:
            self.world.revoke_tokens()
        self.faults.clear()
        self.faults.add(*([WAYS[fate]] if fate else []))
        return self.app.handle(request)


@pytest.fixture
def server(program: Program, clock: MovedClock) -> FailingServer:
    world = StagedWorld(seed=1, now=clock.now, scan_duration_s=300.0, failing_share=0.1)
    server = FailingServer(world, clock, random.Random(0))

    def prepare(services: Services) -> None:
        services.network = lambda: MemoryNetwork(server)
        services.resolve = lambda host, port: [host]
        services.workers = lambda _, clock: Inline(clock)

    program.prepare = prepare
    person = next(user for user in world.users if user.mfa == "totp")
    program.environ |= {
        "SBPAM_SERVER": "https://nps.example",
        "SBPAM_CREDENTIAL": CREDENTIAL,
        "SBPAM_USERNAME": person.login,
        "SBPAM_PASSWORD": person.password,
        "SBPAM_TOTP_SECRET": person.totp_secret,
    }
    return server


HOSTS = [f"web{n:03}.corp.example" for n in range(40)]


def schedule(program: Program, server: FailingServer, jobs: int) -> str:
    ended = program.run("schedule", *HOSTS, "--batch-size", str(len(HOSTS) // jobs), "-o", "json")
    assert ended.code == 0, ended.err
    server.asked.clear()
    return str(ended.json()["run"])


def expected(server: FailingServer) -> list[tuple[str, str]]:
    return [(h, "Failed" if server.world.machine(h).reason else "Complete") for h in HOSTS]


def gaps(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(times)]


@pytest.mark.parametrize("seed", [0, *slow(*range(1, 40))])
def test_three_in_ten_looks_fail_and_it_ends_right(
    server: FailingServer, program: Program, seed: int
) -> None:
    schedule(program, server, jobs=20)
    server.drawn.seed(seed)
    ended = program.run("status", "--watch", "--exit-status").expect(3)
    assert ended.statuses() == expected(server)
    fates = Counter(fate for _, fate in server.asked)
    assert 0.2 < 1 - fates[None] / fates.total() < 0.4
    assert len(fates) > 10
    # At most one warning a minute.
    warnings = ended.err.count("a look failed and")
    assert 1 <= warnings <= (server.asked[-1][0] - server.asked[0][0]) / 60 + 1


@pytest.mark.parametrize("way", [*SPECIAL, *slow(*(way for way in WAYS if way not in SPECIAL))])
def test_each_second_look_fails_in_one_way(
    server: FailingServer, program: Program, way: str
) -> None:
    server.world.scan_duration_s = 60.0
    schedule(program, server, jobs=5)
    server.ways, server.share = [way], 0.5
    ended = program.run("status", "--watch", "-o", "ndjson").expect(0)
    rows = [json.loads(line) for line in ended.out.splitlines()]
    assert sorted((row["host"], row["status"]) for row in rows) == expected(server)
    assert any(fate == way for _, fate in server.asked)


@pytest.mark.parametrize("takes_s", [0.0, *slow(0.3)])
def test_two_looks_a_second_over_all_jobs_whatever_fails(
    server: FailingServer, program: Program, takes_s: float
) -> None:
    server.world.scan_duration_s = 100.0
    schedule(program, server, jobs=20)
    server.ways, server.share = ["reset", "500", "502, a page", "429", "no JSON"], 0.9
    server.takes_s = takes_s
    assert program.run("status", "--watch").code == 0
    assert min(gaps([moment for moment, _ in server.asked])) >= 0.499


@pytest.mark.parametrize(("interval", "longest_s"), [(None, 8.0), ("1s", 2.0)])
def test_a_job_that_fails_is_asked_less_and_less_often(
    server: FailingServer, program: Program, interval: str | None, longest_s: float
) -> None:
    schedule(program, server, jobs=1)
    server.ways, server.share = ["reset"], 1.0
    pace = ["--interval", interval] if interval else []
    assert program.run("status", "--watch", "--timeout", "3m", *pace).code == 124
    found = gaps([moment for moment, _ in server.asked])
    # A wait is drawn from all up to the longest, and noticed half a second later at most.
    assert longest_s / 4 < sum(found) / len(found) < longest_s
    assert longest_s / 2 < max(found) <= longest_s + 0.51


def test_what_the_server_asks_for_is_granted(server: FailingServer, program: Program) -> None:
    schedule(program, server, jobs=10)
    server.ways, server.share = ["503, come back"], 0.3
    assert program.run("status", "--watch").code == 0
    pairs = pairwise(server.asked)
    waits = [later - moment for (moment, fate), (later, _) in pairs if fate is not None]
    assert len(waits) > 5
    assert min(waits) >= 9


@pytest.mark.parametrize(
    ("pace", "first", "last"),
    [([], (2, 2.5), (30, 30.5)), (["--interval", "20s"], (20, 20.5), (20, 20.5))],
)
def test_an_interval_grows_unless_it_is_given(
    server: FailingServer,
    program: Program,
    pace: list[str],
    first: tuple[float, float],
    last: tuple[float, float],
) -> None:
    server.share, server.world.scan_duration_s = 0.0, 600.0
    schedule(program, server, jobs=1)
    program.run("status", "--watch", *pace)
    found = gaps([moment for moment, _ in server.asked])
    assert sorted(found) == found or pace
    assert first[0] <= found[0] <= first[1]
    assert last[0] <= found[-1] <= last[1]


class Slow(Inline):
    """Tasks take five seconds each; notes how many are under way at a time."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.most = 0
        self._due: deque[float] = deque()

    def submit(self, key: object, task: Callable[[], Any]) -> None:
        super().submit(key, task)
        self._due.append(self._clock.monotonic() + 5)
        self.most = max(self.most, len(self._due))

    def next(self, timeout_s: float) -> Done | None:
        now = self._clock.monotonic()
        if not self._due or self._due[0] > now + timeout_s:
            self._clock.sleep(timeout_s)
            return None
        self._clock.sleep(max(0.0, self._due.popleft() - now))
        return super().next(0.0)


@pytest.mark.parametrize(
    "follow", [["status"], ["status", "--watch"], ["schedule", "--watch"], ["cancel", "--watch"]]
)
def test_at_most_four_looks_are_in_flight(site: Site, follow: list[str]) -> None:
    made: list[Slow] = []

    def make(_: int, clock: Clock) -> Slow:
        made.append(Slow(clock))
        return made[-1]

    arguments = [f"h{n}.corp.example" for n in range(12)] + ["--batch-size", "1"]
    if follow[0] != "schedule":
        run = site.run("schedule", *arguments, "-o", "json").json()["run"]
        arguments = [run, "--yes"] if follow[0] == "cancel" else [run]
    site.prepare = lambda services: setattr(services, "workers", make)
    assert site.run(*follow, *arguments).code in (0, 3)
    assert len({target for _, target in site.requests("HostScanJob/") if "Ou" not in target}) == 12
    assert made[-1].most == 4


def test_many_jobs_are_followed_by_the_list(site: Site) -> None:
    site.world.scan_duration_s, site.world.even = 150, True
    hosts = [f"h{n}.corp.example" for n in range(201)]
    site.run("schedule", *hosts, "--batch-size", "1")
    assert site.run("status").code == 0
    began = site.clock.now()
    ended = site.run("status", "--watch").expect(0)
    assert ended.statuses() == [(host, "Complete") for host in hosts]
    gets = [e for e in site.world.log if e.request.method == "GET" and "Host" in e.request.target]
    assert {entry.request.target for entry in gets} == {"/api/v1/HostScanJob"}
    times = [entry.at for entry in gets if entry.at > began]
    assert len(times) > 2
    assert min(gaps(times)) >= 59


def test_ten_minutes_without_a_good_answer_end_it(server: FailingServer, program: Program) -> None:
    run = schedule(program, server, jobs=4)
    server.ways, server.share = ["500", "reset"], 1.0
    began = server.clock.now()
    ended = program.run("status", "--watch").expect(
        6, "no good answer from https://nps.example for 10 minutes", "`sbpam status --watch`"
    )
    assert 600 <= server.clock.now() - began <= 900
    assert [row[0] for row in ended.rows()] == HOSTS
    assert program.run("status", run, "--watch", "--timeout", "1m").code == 124


def test_that_nothing_starts_for_long_is_said_once(server: FailingServer, program: Program) -> None:
    server.share, server.world.scan_duration_s = 0.0, 1e9
    for host in HOSTS:
        server.world.overrides[host] = {"status": 0}
    ended = program.run("schedule", *HOSTS, "--wait", "--timeout", "25m")
    assert ended.err.count("nothing has started for 10 minutes") == 1
    ended.expect(124, "Service Nodes", "timed out; the scans continue on the server")
    # One that runs has started.
    server.world.overrides[HOSTS[0]] = {"status": 1}
    ended = program.run("status", "--watch", "--timeout", "11m")
    assert "nothing has started" not in ended.err


@pytest.mark.parametrize(
    ("environ", "ways", "remedy"),
    [
        ({"SBPAM_TOTP_SECRET": "", "SBPAM_PASSWORD": "", "SBPAM_TOKEN": "{}"}, [], "SBPAM_TOKEN"),
        ({"SBPAM_TOTP_SECRET": "", "SBPAM_TOKEN": "{}"}, ["401, a page"], "SBPAM_TOKEN"),
        ({}, ["tokens die"], "`sbpam login`"),
        pytest.param({}, ["401"], "`sbpam login`", marks=pytest.mark.slow),
    ],
)
def test_a_session_that_cannot_be_renewed_ends_it_with_the_two_commands(
    server: FailingServer, program: Program, environ: dict[str, str], ways: list[str], remedy: str
) -> None:
    server.world.scan_duration_s, server.share = 1e9, 0.0
    run = schedule(program, server, jobs=10)
    token = server.world.issue_token(server.world.person("totp"))[0]
    program.environ |= {name: value.format(token) for name, value in environ.items()}
    began, move = server.clock.now(), server.clock.move
    if not ways:
        server.tokens_die_at = began + 100

    def move_on(seconds: float) -> None:
        move(seconds)
        if ways and server.clock.now() > began + 100:
            server.ways, server.share = ways, 1.0

    server.clock.move = move_on  # type: ignore[method-assign]
    ended = program.run("status", run, "--watch", "-o", "json")
    assert 100 < server.clock.now() - began < 260
    assert [row["host"] for row in ended.json()["hosts"]] == HOSTS
    ended.expect(4, remedy, f"`sbpam status {run} --watch` goes on")


def test_who_is_not_allowed_to_look_is_told_soon(server: FailingServer, program: Program) -> None:
    schedule(program, server, jobs=10)
    server.ways, server.share = ["403"], 1.0
    program.run("status", "--watch").expect(4, "Admin or App")
    assert len(server.asked) == 3
    assert server.asked[-1][0] - server.asked[0][0] < 5


@pytest.mark.parametrize(
    ("second", "fault", "duration_s", "found", "seconds"),
    [
        (HOSTS[1], None, 100.0, ["Queued"] * 3, (90, 300)),
        # A host that was not accepted takes no room, nor does a job that the server lost.
        ("unknown1.corp.example", None, 10.0, ["Running", "NotAccepted", "Queued"], (0, 100)),
        (HOSTS[1], 404, 5000.0, ["Queued"] * 3, (60, 200)),
        (HOSTS[1], 500, 50_000.0, ["Queued"] * 2 + ["NotSent"], (600, 900)),
    ],
)
def test_the_next_batch_waits_until_there_is_room(
    site: Site,
    second: str,
    fault: int | None,
    duration_s: float,
    found: list[str],
    seconds: tuple[float, float],
) -> None:
    site.world.scan_duration_s, site.world.even = duration_s, True
    if fault is not None:
        path = "HostScanJob/[0-9a-f]{8}-"
        site.faults.add(Fault(action="status", status=fault, method="GET", path=path))
    site.work_alone()
    began = site.clock.now()
    how = ("--batch-size", "2", "--max-running", "1")
    ended = site.run("schedule", HOSTS[0], second, HOSTS[2], *how)
    assert ended.code == (6 if fault == 500 else 3 if "NotAccepted" in found else 0)
    assert [row[1] for row in ended.rows()] == found
    assert seconds[0] <= site.clock.now() - began < seconds[1]
    assert len(site.world.scheduled) == (1 if fault == 500 else 2)
    assert ended.err.count("a look failed") <= 12
    assert ("sbpam resume" in ended.err) == ("no good answer" in ended.err) == (fault == 500)


def test_a_post_under_way_is_waited_for(site: Site) -> None:
    waits, waited_often = count(), threading.Event()

    def wait(event: threading.Event, timeout_s: float) -> bool:
        if next(waits) == 3:
            waited_often.set()
        site.clock.move(timeout_s)
        return event.wait(0.02)

    def answer(body: object) -> object:
        assert waited_often.wait(60)
        return body

    site.clock.wait = wait
    site.faults.add(Fault(action="edit", method="POST", path="OuMapping", edit=answer))
    site.run("schedule", *HOSTS[:2], "--batch-size", "1", "--max-running", "1").expect(0)
    assert len(site.world.scheduled) == 2
