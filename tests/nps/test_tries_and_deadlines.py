"""Time: connect 10 s, read 60 s, the second step 90 s; tries; total deadlines."""

import socket
from random import Random
from typing import Any

import httpcore
import pytest
from support.clock import MovedClock
from support.faults import Fault
from support.site import Site, bare_services
from support.talk import Heard

from sbpam_cli.nps.client import NpsClient
from sbpam_cli.nps.deadlines import DeadlineNetwork
from sbpam_cli.nps.signing import backoff_s
from sbpam_cli.nps.tls import TlsSettings
from sbpam_cli.nps.transport import NoReplyError, Outgoing, Transport
from sbpam_cli.system.clock import Clock
from sbpam_cli.system.services import Services


class Line:
    """The network, noting every time-out; connecting may fail, reading may take time.

    connects: address and time-out of each. dead: addresses that never answer.
    """

    def __init__(self, clock: MovedClock, connect_fails_s: float | None = None) -> None:
        self.inner = httpcore.SyncBackend()
        self.clock = clock
        self.connect_fails_s = connect_fails_s
        self.connects: list[tuple[str, float]] = []
        self.dead: set[str] = set()
        self.reads: list[float] = []
        self.read_takes_s = 0.0

    def connect_tcp(self, host: str, port: int, timeout: float, **options: Any) -> "Wire":
        self.connects.append((host, timeout))
        if self.connect_fails_s is not None or host in self.dead:
            self.clock.move(min(timeout, self.connect_fails_s or timeout))
            raise httpcore.ConnectTimeout("no")
        return Wire(self, self.inner.connect_tcp(host, port, 10, **options))

    def sleep(self, seconds: float) -> None:
        self.clock.sleep(seconds)


class Wire:
    def __init__(self, line: Line, inner: "httpcore.NetworkStream") -> None:
        self.line = line
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        assert timeout is not None
        self.line.reads.append(timeout)
        self.line.clock.move(self.line.read_takes_s)
        return self.inner.read(max_bytes, 10)

    def start_tls(self, *arguments: Any, **options: Any) -> "Wire":
        return Wire(self.line, self.inner.start_tls(*arguments, **options))


def put(site: Site, line: Any) -> None:
    site.prepare = lambda services: setattr(services, "network", lambda: line)


def test_the_time_outs_of_the_steps(site: Site) -> None:
    line = Line(site.clock)
    put(site, line)
    assert site.run("status", "--all").code == 0
    assert {timeout for _, timeout in line.connects} == {10.0}
    # Sign-in may block until somebody presses a button; the list is a read.
    assert max(line.reads) >= 90
    assert min(line.reads) == 60


def test_a_dead_address_shares_the_time_and_is_not_tried_again(site: Site) -> None:
    line: Any = Line(site.clock)
    line.dead = {"127.0.0.2"}

    def prepare(services: Services) -> None:
        services.network = lambda: line
        services.resolve = lambda host, port: ["127.0.0.2", "127.0.0.1"]

    site.prepare = prepare
    site.faults.add(Fault(action="close", path="HostScanJob$", nth=[1, 2]))
    assert site.run("status", "--all").code == 0
    assert line.connects[:2] == [("127.0.0.2", 5.0), ("127.0.0.1", 5.0)]
    assert len(line.connects) > 3
    assert {address for address, _ in line.connects[2:]} == {"127.0.0.1"}


def test_a_name_that_nobody_knows(site: Site) -> None:
    def resolve(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    site.prepare = lambda services: setattr(services, "resolve", resolve)
    words = "the name nps.corp.example cannot be resolved: Name or service not known"
    site.run("status", "--all", env={"SBPAM_SERVER": "nps.corp.example"}).expect(6, words)


@pytest.mark.parametrize("given_up", [True, False])
def test_of_a_connection_given_up_nothing_is_delivered_later(given_up: bool) -> None:
    network = DeadlineNetwork(bare_services())
    with socket.create_server(("127.0.0.1", 0)) as server:
        stream = network.connect_tcp("127.0.0.1", server.getsockname()[1])
        peer, _ = server.accept()
        with peer:
            if given_up:
                with network.deadline(0.01), pytest.raises(httpcore.ReadTimeout):
                    stream.read(1)
            stream.close()
            if given_up:
                with pytest.raises(ConnectionResetError):
                    peer.recv(1)
            else:
                assert peer.recv(1) == b""


@pytest.mark.parametrize("connect_fails_s", [0.0, 3.0, 60.0])
def test_no_connection_is_given_up_within_15_seconds(site: Site, connect_fails_s: float) -> None:
    line = Line(site.clock, connect_fails_s)
    put(site, line)
    started = site.clock.monotonic()
    site.run("status", "--all").expect(6, "no answer from")
    assert 1 < len(line.connects) <= 4
    assert site.clock.monotonic() - started <= 16
    assert site.requests() == []


def test_a_read_is_repeated(site: Site) -> None:
    site.faults.add(Fault(action="status", path="HostScanJob$", status=503, nth=[1, 2]))
    site.faults.add(Fault(action="reset", path="HostScanJob$", nth=3))
    ended = site.run("status", "--all", "--verbose").expect(0)
    assert len(site.requests("HostScanJob")) == 4
    assert "attempt 4" in ended.err


def test_a_retry_after_beyond_the_tries_ends_them(site: Site) -> None:
    headers = {"Retry-After": "60"}
    site.faults.add(Fault(action="status", path="HostScanJob$", status=503, headers=headers))
    started = site.clock.monotonic()
    assert site.run("status", "--all").code == 6
    assert len(site.requests("HostScanJob")) == 1
    assert site.clock.monotonic() - started < 15


@pytest.mark.parametrize("action", ["reset", "close", "too slow"])
@pytest.mark.parametrize("path", ["signinBody", "signin2fa"])
def test_a_sign_in_step_is_never_repeated(site: Site, path: str, action: Any) -> None:
    if action == "too slow":
        line = Line(site.clock)
        line.read_takes_s = 1000
        put(site, line)
    else:
        site.faults.add(Fault(action=action, path=path, when="after"))
    assert site.run("status", "--all").code == 6
    assert len(site.requests("signinBody")) == 1
    assert len(site.requests("signin2fa")) <= 1


def test_the_tries_wait_longer_and_longer_with_full_jitter() -> None:
    class Highest(Random):
        def uniform(self, low: float, high: float) -> float:
            assert low == 0
            return high

    services = bare_services(random=Highest())
    waits = [backoff_s(services, attempt) for attempt in range(1, 8)]
    assert waits == [0.5, 1, 2, 4, 8, 8, 8]
    assert backoff_s(services, 10_000) == 8


def transport_of(site: Site, clock: Clock | None = None) -> Transport:
    settings = TlsSettings(ca_bundle=site.server.ca_file)
    services = bare_services(clock=clock or Clock())
    return Transport(services, site.server.url, settings, Heard())


@pytest.mark.parametrize(
    "odd", ["Thu, 01 Jan 1901 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 -1200", "yesterday"]
)
def test_the_servers_clock_comes_from_its_replies(site: Site, odd: str) -> None:
    client = NpsClient(transport_of(site, MovedClock(5000.0)))
    client.version()
    assert client.server_time() == pytest.approx(site.clock.now(), abs=1)
    site.faults.add(
        Fault(action="status", path="Version", status=200, body='"1"', headers={"Date": odd})
    )
    client.version()
    assert client.server_time() == pytest.approx(site.clock.now(), abs=1)


@pytest.mark.parametrize("action", ["reset", "close", "truncate", "hang", "drip"])
def test_what_ends_in_the_middle_or_never_was_sent_and_is_no_matter_of_certificates(
    site: Site, action: Any
) -> None:
    """Of a reply that drips every single read succeeds at once: the whole would take seconds.

    That fails when httpx or httpcore rename what `Transport._open` sets.
    """
    site.faults.add(Fault(action=action, path="Version", seconds=0.1))
    transport, in_time = transport_of(site), action not in ("hang", "drip")
    with pytest.raises(NoReplyError) as raised:
        transport.send(Outgoing("/api/v1/Version", total_s=5 if in_time else 0.3))
    assert (raised.value.sent, raised.value.final) == (True, None)
    assert (raised.value.reason == "no answer in time") != in_time
