"""The faults that tests inject do what their names say: one that did nothing would hide much."""

import json
import socket
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.clock import MovedClock
from support.faults import Fault, Faults, FaultyResponse, StagedWorld
from support.site import Site

from sbpam_cli.sandbox.http import Request
from sbpam_cli.sandbox.people import EXAMPLE_CREDENTIAL_ID
from sbpam_cli.sandbox.routes import App

JOBS = "/api/v1/HostScanJob"
POST = "OuMapping"
NAMES = ["dc01.corp.example", "web01.corp.example", "sql01.corp.example"]


class Asked:
    """The application, and what its responses were."""

    def __init__(self, *rules: Fault) -> None:
        self.clock = MovedClock()
        self.world = StagedWorld(now=self.clock.now, failing_share=0.0)
        self.faults = Faults(self.world)
        self.faults.add(*rules)
        self.app = App(self.world, self.faults)

    def ask(self, method: str, path: str, body: Any = None) -> FaultyResponse:
        token = self.world.issue_token(self.world.person("none"))[0]
        headers = (("Authorization", f"Bearer {token}"), ("Content-Type", "application/json"))
        response = self.app.handle(Request(method, path, headers, json.dumps(body).encode()))
        assert isinstance(response, FaultyResponse)
        return response

    def schedule(self) -> FaultyResponse:
        return self.ask("POST", f"{JOBS}/OuMapping/{EXAMPLE_CREDENTIAL_ID}", NAMES)

    def listed(self) -> list[list[str]]:
        """The hosts of each job that the list has."""
        jobs = json.loads(self.ask("GET", JOBS).body)
        return [[host["dnsHostName"] for host in job["hostScanHostStatus"]] for job in jobs]


@pytest.mark.parametrize(
    ("fault", "status", "ending", "made"),
    [
        (Fault(action="status", path=POST), 503, "reply", 0),
        (Fault(action="status", path=POST, status=429, when="after"), 429, "reply", 1),
        (Fault(action="html200", path=POST), 200, "reply", 0),
        (Fault(action="html200", path=POST, when="after"), 200, "reply", 1),
        (Fault(action="close", path=POST), 504, "close", 0),
        (Fault(action="reset", path=POST, when="after"), 200, "reset", 1),
        (Fault(action="hang", path=POST), 504, "hang", 0),
        (Fault(action="truncate", path=POST), 200, "truncate", 1),
        (Fault(action="twice", path=POST), 200, "reply", 2),
        (Fault(action="revoke", path=POST), 401, "reply", 0),
        (Fault(action="edit", path=POST, edit=lambda job: []), 200, "reply", 1),
        (Fault(action="status", path=POST, nth=2), 200, "reply", 1),
        (Fault(action="status", method="GET", path=POST), 200, "reply", 1),
    ],
)
def test_the_server_acts_or_not_and_the_reply_suffers(
    fault: Fault, status: int, ending: str, made: int
) -> None:
    asked = Asked(fault)
    response = asked.schedule()
    assert (response.status, response.ending) == (status, ending)
    assert list(asked.world.scheduled.values()) == [NAMES] * made
    assert (response.body == b"[]") == (fault.action == "edit")


@pytest.mark.parametrize(
    ("fault", "at_once", "half_way", "then"),
    [
        (Fault(action="later", seconds=90), [], [], [NAMES]),
        (Fault(action="hide_job", seconds=90), [], [], [NAMES]),
        (Fault(action="fill_gradually", seconds=90), [[]], [NAMES[:1]], [NAMES]),
        (Fault(action="leave_out", count=1), [NAMES[1:]], [NAMES[1:]], [NAMES[1:]]),
        (Fault(action="leave_out", names="^WEB"), [NAMES[::2]], [NAMES[::2]], [NAMES[::2]]),
    ],
)
def test_a_job_comes_and_fills_as_the_fault_has_it(
    fault: Fault, at_once: list[Any], half_way: list[Any], then: list[Any]
) -> None:
    asked = Asked(fault)
    response = asked.schedule()
    asked.faults.clear()
    assert (response.ending == "close") == (fault.action == "later")
    seen = [asked.listed()]
    for _ in range(2):
        asked.clock.move(45)
        seen.append(asked.listed())
    assert seen == [at_once, half_way, then]
    [job_id] = asked.world.scheduled
    assert asked.ask("GET", f"{JOBS}/{job_id}").status == 200


def test_overrides_missing_calls_and_moved_paths() -> None:
    asked = Asked()
    asked.world.overrides[NAMES[0]] = {"os": "Fake", "status": None}
    host = json.loads(asked.schedule().body)["hostScanHostStatus"][0]
    assert (host["os"], host["status"]) == ("Fake", None)
    [job_id] = asked.world.scheduled
    [join, *_] = json.loads(asked.ask("GET", f"{JOBS}/{job_id}").body)["hostScanJobHostJoin"]
    assert (join["hostScanHost"]["os"], join["actionQueue"]["status"]) == ("Fake", None)
    asked.world.missing = {"UserToken", "signin2fa"}
    statuses = [asked.ask("GET", "/api/v1/UserToken").status]
    statuses += [asked.ask("POST", path, "0").status for path in ("/signin2fa", "/sigin2fa")]
    assert statuses == [404, 404, 401]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", f"{JOBS}/TruncateAllTables"),
        ("DELETE", f"{JOBS}/truncatealltable%73"),
        ("GET", f"{JOBS}/Host/{EXAMPLE_CREDENTIAL_ID}/Start"),
        ("GET", f"{JOBS}/Host/{EXAMPLE_CREDENTIAL_ID}/Stop"),
    ],
)
def test_a_call_that_nobody_may_make_is_a_violation(method: str, path: str) -> None:
    asked = Asked()
    asked.listed()
    assert asked.world.violations == []
    asked.ask(method, path)
    assert [entry.request.target for entry in asked.world.violations] == [path]


@pytest.mark.parametrize("action", ["reset", "close"])
def test_a_reset_is_one_on_the_wire_and_a_close_is_orderly(site: Site, action: Any) -> None:
    site.faults.add(Fault(action=action))
    context = ssl.create_default_context(cafile=site.server.ca_file)
    address = ("127.0.0.1", int(site.server.url.rpartition(":")[2]))
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


def test_a_body_is_cut_off_and_a_reply_hangs_until_it_is_released(site: Site) -> None:
    site.faults.add(Fault(action="truncate", count=5, nth=1), Fault(action="hang", nth=2))
    context = ssl.create_default_context(cafile=Path(site.server.ca_file))
    with httpx.Client(base_url=site.server.url, verify=context, trust_env=False) as client:
        received: list[bytes] = []
        lost = (httpx.RemoteProtocolError, httpx.ReadError)
        with client.stream("GET", "/api/v1/Health") as response, pytest.raises(lost):
            received.extend(response.iter_raw(1))
        assert (response.headers["Content-Length"], b"".join(received)) == ("7", b"Healt")
        with pytest.raises(httpx.ReadTimeout):
            client.get("/api/v1/Health", timeout=httpx.Timeout(5, read=0.2))
        site.faults.release()
        assert client.get("/api/v1/Health").text == "Healthy"
