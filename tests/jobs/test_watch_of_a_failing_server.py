"""Following while three polls of ten fail, in every way: it ends right, and hammers nobody."""

import json
import random
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from support.clock import Inline, MovedClock
from support.faults import Fault, Faults, StagedWorld
from support.site import CREDENTIAL, Ended, PrivateProgram
from torture.network import MemoryNetwork

from sbpam_cli.sandbox.http import Request, Response
from sbpam_cli.sandbox.routes import App
from sbpam_cli.system.services import Services

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

    takes_s: for each answer.
    """

    world: StagedWorld
    clock: MovedClock
    drawn: random.Random
    share: float = 0.3
    takes_s: float = 0.0
    ways: list[str] = field(default_factory=lambda: list(WAYS))
    asked: list[tuple[float, str | None]] = field(default_factory=list)

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
        self.faults.clear()
        self.faults.add(*([WAYS[fate]] if fate else []))
        return self.app.handle(request)


@pytest.fixture
def server(program: PrivateProgram, clock: MovedClock) -> FailingServer:
    world = StagedWorld(seed=1, now=clock.now, scan_duration_s=300.0, failing_share=0.1)
    server = FailingServer(world, clock, random.Random(0))

    def prepare(services: Services) -> None:
        services.network = lambda: MemoryNetwork(server)
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


def schedule(program: PrivateProgram, jobs: int) -> None:
    ended = program("schedule", *HOSTS, "--batch-size", str(len(HOSTS) // jobs), "-o", "json")
    assert ended.code == 0, ended.err


def expected(server: FailingServer) -> list[tuple[str, str]]:
    return [(h, "Failed" if server.world.machine(h).reason else "Complete") for h in HOSTS]


def statuses(ended: Ended) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in ended.rows()]


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 40))]
)
def test_three_in_ten_polls_fail_and_it_ends_right(
    server: FailingServer, program: PrivateProgram, clock: MovedClock, seed: int
) -> None:
    schedule(program, jobs=20)
    server.drawn.seed(seed)
    server.asked.clear()
    ended = program("status", "--watch", "--exit-status")
    assert ended.code == 3
    assert statuses(ended) == expected(server)
    fates = Counter(fate for _, fate in server.asked)
    assert 0.2 < 1 - fates[None] / fates.total() < 0.4
    assert len(fates) > 10
    # Said, but not each: at most once a minute.
    said = ended.err.count("failed and")
    assert 1 <= said <= (server.asked[-1][0] - server.asked[0][0]) / 60 + 1


@pytest.mark.parametrize(
    "way", [way if way in SPECIAL else pytest.param(way, marks=pytest.mark.slow) for way in WAYS]
)
def test_every_second_poll_fails_in_one_way(
    server: FailingServer, program: PrivateProgram, way: str
) -> None:
    server.world.scan_duration_s = 60.0
    schedule(program, jobs=5)
    server.ways, server.share = [way], 0.5
    ended = program("status", "--watch", "-o", "ndjson")
    assert ended.code == 0, ended.err
    rows = [json.loads(line) for line in ended.out.splitlines()]
    assert sorted((row["host"], row["status"]) for row in rows) == expected(server)
    assert any(fate == way for _, fate in server.asked)


def test_schedule_waits_through_it_too(server: FailingServer, program: PrivateProgram) -> None:
    ended = program("schedule", *HOSTS, "--batch-size", "4", "--wait")
    assert ended.code == 3
    assert statuses(ended) == expected(server)


def test_two_polls_a_second_whatever_fails(server: FailingServer, program: PrivateProgram) -> None:
    schedule(program, jobs=10)
    server.ways, server.share = ["reset", "500", "502, a page", "429", "no JSON"], 0.9
    server.takes_s = 0.3
    server.asked.clear()
    assert program("status", "--watch").code == 0
    times = [moment for moment, _ in server.asked]
    assert all(later - earlier >= 0.499 for earlier, later in pairwise(times))


@pytest.mark.parametrize(("interval", "longest_s"), [(None, 8.0), ("1s", 2.0)])
def test_a_job_that_fails_is_asked_less_and_less_often(
    server: FailingServer, program: PrivateProgram, interval: str | None, longest_s: float
) -> None:
    schedule(program, jobs=1)
    server.ways, server.share = ["reset"], 1.0
    server.asked.clear()
    pace = ["--interval", interval] if interval else []
    assert program("status", "--watch", "--timeout", "3m", *pace).code == 124
    gaps = [later - earlier for (earlier, _), (later, _) in pairwise(server.asked)]
    # A wait is drawn from all up to the longest, and noticed half a second later at most.
    assert longest_s / 4 < sum(gaps) / len(gaps) < longest_s
    assert longest_s / 2 < max(gaps) <= longest_s + 0.51


def test_what_the_server_asks_for_is_granted(
    server: FailingServer, program: PrivateProgram
) -> None:
    schedule(program, jobs=10)
    server.ways, server.share = ["503, come back"], 0.3
    server.asked.clear()
    assert program("status", "--watch").code == 0
    pairs = pairwise(server.asked)
    waits = [later - moment for (moment, fate), (later, _) in pairs if fate is not None]
    assert len(waits) > 5
    assert min(waits) >= 9


def test_tokens_that_are_refused_for_good_end_it_in_a_minute_or_so(
    server: FailingServer, program: PrivateProgram, clock: MovedClock
) -> None:
    schedule(program, jobs=10)
    server.ways, server.share = ["403"], 0.0
    start = clock.now()
    clock_move = clock.move

    def move(seconds: float) -> None:
        clock_move(seconds)
        if clock.now() - start > 100:
            server.share = 1.0

    clock.move = move  # type: ignore[method-assign]
    ended = program("status", "--watch", "-o", "json")
    assert ended.code == 4
    assert 150 < clock.now() - start < 260
    assert len(ended.json()["hosts"]) == len(HOSTS)


def test_who_is_not_allowed_to_look_is_told_so_soon(
    server: FailingServer, program: PrivateProgram, clock: MovedClock
) -> None:
    schedule(program, jobs=10)
    server.ways, server.share = ["403"], 1.0
    server.asked.clear()
    ended = program("status", "--watch")
    assert ended.code == 4
    assert "Admin or App" in ended.err
    assert len(server.asked) == 3
    assert server.asked[-1][0] - server.asked[0][0] < 5


@pytest.mark.parametrize("life_s", [pytest.param(60, marks=pytest.mark.slow), 150])
def test_a_long_watch_renews_its_token(
    server: FailingServer, program: PrivateProgram, life_s: int
) -> None:
    server.world.token_life_s, server.share = life_s, 0.0
    server.world.scan_duration_s = 1800.0
    ended = program("schedule", *HOSTS, "--wait", "-o", "json")
    assert ended.code == 3
    assert [(row["host"], row["status"]) for row in ended.json()["hosts"]] == expected(server)
