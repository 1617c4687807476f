"""The faults that tests inject do what their names say: one that did nothing would hide much."""

import json
import socket
import ssl
from typing import Any

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
