"""Every fault, as a client over TLS meets it, and the script it is read from."""

import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from support.faults import Fault, Faults

from sbpam_cli.sandbox.http import Request
from sbpam_cli.sandbox.people import EXAMPLE_CREDENTIAL_ID
from sbpam_cli.sandbox.routes import App
from sbpam_cli.sandbox.serve import SandboxServer
from sbpam_cli.sandbox.world import World

pytestmark = pytest.mark.enable_socket

JOBS = "/api/v1/HostScanJob"
SCHEDULE = f"{JOBS}/OuMapping/{EXAMPLE_CREDENTIAL_ID}"
NAMES = [f"host{number}.corp.example" for number in range(10)]


class Clock:
    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(clock: Clock) -> World:
    return World(now=clock)


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def server(world: World, waits: list[float]) -> Iterator[SandboxServer]:
    with SandboxServer(world, sleep=waits.append) as server:
        yield server


@pytest.fixture
def client(server: SandboxServer) -> Iterator[httpx.Client]:
    token, _ = server.world.issue_token(server.world.users[1])
    context = ssl.create_default_context(cafile=server.ca_file)
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(
        base_url=server.url, verify=context, headers=headers, trust_env=False, timeout=5
    ) as client:
        yield client


def listed(client: httpx.Client) -> list[dict[str, Any]]:
    jobs: list[dict[str, Any]] = client.get(JOBS).json()
    return jobs


@pytest.mark.parametrize(("when", "jobs"), [("before", 0), ("after", 1)])
@pytest.mark.parametrize("action", ["status", "html200", "reset", "close"])
def test_a_reply_is_lost_before_or_after_the_job_is_made(
    client: httpx.Client, server: SandboxServer, action: Any, when: Any, jobs: int
) -> None:
    server.faults.add(Fault(action=action, path="OuMapping", when=when, nth=1))
    if action in ("reset", "close"):
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            client.post(SCHEDULE, json=NAMES)
    else:
        reply = client.post(SCHEDULE, json=NAMES)
        assert reply.status_code == (503 if action == "status" else 200)
        assert reply.headers["Content-Type"] == "text/html"
    assert len(server.world.scheduled) == jobs
    assert server.world.log[-1].faults == (action,)
    assert client.post(SCHEDULE, json=NAMES).status_code == 200


@pytest.mark.parametrize("action", ["reset", "close"])
def test_a_reset_is_one_on_the_wire_and_a_close_is_orderly(
    server: SandboxServer, action: Any
) -> None:
    server.faults.add(Fault(action=action))
    context = ssl.create_default_context(cafile=server.ca_file)
    address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
    with (
        socket.create_connection(address) as raw,
        context.wrap_socket(raw, server_hostname="127.0.0.1") as tls,
    ):
        tls.sendall(b"GET /api/v1/Health HTTP/1.1\r\nHost: x\r\n\r\n")
        # Below TLS: Python's ssl reports a reset as an end on some versions.
        try:
            while socket.socket.recv(tls, 65536):
                pass
            ended = "close"
        except ConnectionResetError:
            ended = "reset"
    assert ended == action


def test_a_status_comes_with_headers_and_body(client: httpx.Client, server: SandboxServer) -> None:
    server.faults.add(
        Fault(action="status", status=503, headers={"Server": "Microsoft-HTTPAPI/2.0"}, nth=1),
        Fault(action="status", status=500, nth=2),
        Fault(action="status", status=429, headers={"Retry-After": "7"}, body="slow down", nth=3),
    )
    replies = [client.get(JOBS) for _ in range(3)]
    assert [reply.status_code for reply in replies] == [503, 500, 429]
    assert replies[0].headers["Server"] == "Microsoft-HTTPAPI/2.0"
    assert replies[1].json()["traceId"]
    assert (replies[2].headers["Retry-After"], replies[2].text) == ("7", "slow down")


def test_a_reply_hangs_until_it_is_released(client: httpx.Client, server: SandboxServer) -> None:
    server.faults.add(Fault(action="hang", path="OuMapping", when="after"))
    with pytest.raises(httpx.ReadTimeout):
        client.post(SCHEDULE, json=NAMES, timeout=httpx.Timeout(5, read=0.2))
    assert len(server.world.scheduled) == 1
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(client.post, SCHEDULE, json=NAMES)
        server.faults.release()
        assert waiting.result().status_code == 200


def test_a_body_drips_byte_by_byte(
    client: httpx.Client, server: SandboxServer, waits: list[float]
) -> None:
    server.faults.add(Fault(action="drip", seconds=0.5))
    body = client.get("/api/v1/Health").text
    assert body == "Healthy"
    assert waits == [0.5] * len(body)


@pytest.mark.parametrize(("count", "kept"), [(0, 3), (5, 5)])
def test_a_body_is_cut_off(
    client: httpx.Client, server: SandboxServer, count: int, kept: int
) -> None:
    server.faults.add(Fault(action="truncate", count=count))
    received: list[bytes] = []
    lost = (httpx.RemoteProtocolError, httpx.ReadError)
    with client.stream("GET", "/api/v1/Health") as reply, pytest.raises(lost):
        received.extend(reply.iter_raw(1))
    assert (reply.headers["Content-Length"], len(received)) == ("7", kept)


def test_delays_add_to_the_latency(world: World) -> None:
    waits: list[float] = []
    faults = Faults([Fault(action="delay", seconds=2.0, path="Health")])
    with SandboxServer(world, faults, latency_s=0.25, sleep=waits.append) as server:
        context = ssl.create_default_context(cafile=server.ca_file)
        with httpx.Client(base_url=server.url, verify=context, trust_env=False) as client:
            client.get("/api/v1/Version")
            client.get("/api/v1/Health")
    assert waits == [0.25, 2.25]


def test_a_reply_can_be_edited(client: httpx.Client, server: SandboxServer) -> None:
    server.faults.add(Fault(action="edit", edit=lambda job: job | {"hostScanHostStatus": None}))
    assert client.post(SCHEDULE, json=NAMES).json()["hostScanHostStatus"] is None
    assert list(server.world.scheduled.values()) == [NAMES]


def test_the_server_acts_twice(client: httpx.Client, server: SandboxServer) -> None:
    server.faults.add(Fault(action="twice", path="OuMapping"))
    job_id = client.post(SCHEDULE, json=NAMES).json()["id"]
    assert list(server.world.scheduled.values()) == [NAMES, NAMES]
    assert listed(client)[0]["id"] == job_id


def test_the_job_appears_later(client: httpx.Client, server: SandboxServer, clock: Clock) -> None:
    server.faults.add(Fault(action="later", path="OuMapping", seconds=90))
    with pytest.raises(httpx.RemoteProtocolError):
        client.post(SCHEDULE, json=NAMES)
    ((job_id, names),) = server.world.scheduled.items()
    assert names == NAMES
    clock.time += 89
    assert listed(client) == []
    assert client.get(f"{JOBS}/{job_id}").status_code == 404
    clock.time += 1
    assert [job["id"] for job in listed(client)] == [job_id]
    created = client.get(f"{JOBS}/{job_id}").json()["createdDateTimeUtc"]
    assert created == "2027-01-15T08:01:30.0000000"


def test_the_list_lacks_the_job_for_a_while(
    client: httpx.Client, server: SandboxServer, clock: Clock
) -> None:
    server.faults.add(Fault(action="hide_job", seconds=30))
    job_id = client.post(SCHEDULE, json=NAMES).json()["id"]
    assert listed(client) == []
    assert client.get(f"{JOBS}/{job_id}").status_code == 200
    clock.time += 30
    assert [job["id"] for job in listed(client)] == [job_id]


def test_the_job_fills_gradually(client: httpx.Client, server: SandboxServer, clock: Clock) -> None:
    server.faults.add(Fault(action="fill_gradually", seconds=20))
    job = client.post(SCHEDULE, json=NAMES).json()
    sizes = []
    for _ in range(3):
        entity = client.get(f"{JOBS}/{job['id']}").json()
        sizes.append((len(listed(client)[0]["hostScanHostStatus"]),))
        assert len(entity["hostScanJobHostJoin"]) == sizes[-1][0]
        clock.time += 10
    assert job["hostScanHostStatus"] == []
    assert sizes == [(0,), (5,), (10,)]


@pytest.mark.parametrize(
    ("fault", "left"),
    [
        (Fault(action="leave_out", count=3), NAMES[3:]),
        (Fault(action="leave_out", names="^HOST[1-9]"), NAMES[:1]),
    ],
)
def test_hosts_are_left_out(
    client: httpx.Client, server: SandboxServer, fault: Fault, left: list[str]
) -> None:
    server.faults.add(fault)
    reply = client.post(SCHEDULE, json=NAMES).json()
    assert [host["dnsHostName"] for host in reply["hostScanHostStatus"]] == left
    assert list(server.world.scheduled.values()) == [left]


def test_tokens_are_revoked(client: httpx.Client, server: SandboxServer) -> None:
    server.faults.add(Fault(action="revoke", nth=2))
    assert [client.get(JOBS).status_code for _ in range(3)] == [200, 401, 401]


def test_faults_combine(client: httpx.Client, server: SandboxServer) -> None:
    server.faults.add(
        Fault(action="twice", path="OuMapping"),
        Fault(action="status", status=500, when="after", path="OuMapping"),
    )
    assert client.post(SCHEDULE, json=NAMES).status_code == 500
    assert len(server.world.scheduled) == 2


@pytest.mark.parametrize(
    ("rule", "hits"),
    [
        (Fault(action="status", status=500, nth=2), [2]),
        (Fault(action="status", status=500, nth=(1, 4)), [1, 4]),
        (Fault(action="status", status=500, every=3), [3, 6]),
        (Fault(action="status", status=500, method="post"), []),
        (Fault(action="status", status=500, path="/HEALTH$"), [1, 2, 3, 4, 5, 6]),
        (Fault(action="status", status=500, path="Version"), []),
    ],
)
def test_rules_choose_their_requests(world: World, rule: Fault, hits: list[int]) -> None:
    app = App(world, Faults([rule]))
    statuses = [app.handle(Request("GET", "/api/v1/Health?x=Version")).status for _ in range(6)]
    assert [number for number, status in enumerate(statuses, 1) if status == 500] == hits


def test_probabilities_repeat_with_the_seed(world: World) -> None:
    def statuses(seed: int) -> list[int]:
        app = App(world, Faults([Fault(action="status", probability=0.3)], seed=seed))
        return [app.handle(Request("GET", "/api/v1/Health")).status for _ in range(200)]

    assert statuses(1) == statuses(1) != statuses(2)
    assert 30 <= statuses(1).count(503) <= 90


def test_closing_does_not_wait_for_hanging_and_idle_clients(world: World) -> None:
    arrived = threading.Semaphore(0)

    def note(version: str) -> str:
        arrived.release()
        return version

    faults = Faults([Fault(action="edit", edit=note), Fault(action="hang", when="after")])
    with ThreadPoolExecutor(10) as pool, SandboxServer(world, faults) as server:
        context = ssl.create_default_context(cafile=server.ca_file)
        address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
        silent = socket.create_connection(address)
        idle = context.wrap_socket(socket.create_connection(address), server_hostname="127.0.0.1")

        def ask() -> None:
            httpx.get(f"{server.url}/api/v1/Version", verify=context, timeout=60)

        waiting = [pool.submit(ask) for _ in range(10)]
        assert all(arrived.acquire(timeout=20) for _ in waiting)
    for future in waiting:
        assert isinstance(future.exception(timeout=20), httpx.TransportError)
    assert idle.recv(1) == b""
    idle.close()
    silent.close()
