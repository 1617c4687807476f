"""The sandbox, call by call: what it refuses, what it returns, in what shape.

One table has every call; what takes several requests is below it. The application is asked
without a socket; the last tests are of the server around it.
"""

import base64
import json
import re
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import httpx
import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.certificates import API_KEY, APPLICATION
from support.clock import MovedClock

from sbpam_cli.errors import UnreachableError
from sbpam_cli.models import FINISHED, ScanStatus
from sbpam_cli.sandbox.http import Request, Response
from sbpam_cli.sandbox.people import EXAMPLE_CREDENTIAL_ID, PLANTED_SECRETS, sample_hosts
from sbpam_cli.sandbox.routes import App
from sbpam_cli.sandbox.serve import SandboxServer
from sbpam_cli.sandbox.world import World

JOBS = "/api/v1/HostScanJob"
SCHEDULE = f"{JOBS}/OuMapping/{EXAMPLE_CREDENTIAL_ID}"
VALIDATE = f"{JOBS}/ValidateImportedCSV"
UNIT = "/api/v1/Host/OuManageResources"
SEARCH = "/api/v1/Credential/Search"
RENEW = "/api/v1/UserToken"
APP_TOKEN = "/WebAppApi/api/v1/AppUserToken"
NOBODY_ID = "11111111-2222-4333-8444-555555555555"
NOMFA = {"Login": "CORP\\nomfa", "Password": "Sandbox-Nomfa-1"}
DEMO = {"Login": "corp\\DEMO", "Password": "Sandbox-Demo-1"}
APP = {"login": APPLICATION, "password": API_KEY, "certificateSerialNumber": "1F"}


class Caller:
    """Asks the application; each kind of token is at hand."""

    def __init__(self) -> None:
        self.clock = MovedClock(1_800_000_000.25)
        self.world = World(now=self.clock.now, failing_share=0.0)
        self.app = App(self.world)

    def token(self, kind: str) -> str:
        people = {user.login: user for user in self.world.users}
        good = self.world.issue_token(people["CORP\\nomfa"])[0]
        if kind == "forged":
            head, payload, signature = good.split(".")
            claims = base64.urlsafe_b64decode(payload + "==").replace(b"nomfa", b"demoo")
            return f"{head}.{base64.urlsafe_b64encode(claims).decode()}.{signature}"
        if kind == "expired":
            self.clock.move(900)
        if kind == "owes MFA":
            return self.world.issue_token(people["CORP\\demo"], owes_mfa=True)[0]
        if kind == "no role":
            return self.world.issue_token(people["CORP\\viewer"])[0]
        return kind if kind in ("", "x", "a.b.c", "\u00e9.\u00e9.\u00e9") else good

    def ask(
        self,
        method: str,
        target: str,
        body: Any = b"",
        *,
        token: str = "good",
        headers: dict[str, str] | None = None,
        serial: str | None = None,
    ) -> Response:
        """token: its kind, or itself; a body that is no bytes goes out as JSON."""
        token = token if token.count(".") == 2 and len(token) > 9 else self.token(token)
        given = {"Authorization": f"Bearer {token}"} if token else {}
        if not isinstance(body, bytes):
            body, given["Content-Type"] = json.dumps(body).encode(), "application/json"
        given |= headers or {}
        request = Request(method, target, tuple(given.items()), body, serial)
        return self.app.handle(request)

    def json(self, *arguments: Any, **more: Any) -> Any:
        response = self.ask(*arguments, **more)
        assert response.status == 200, response.body
        return json.loads(response.body)


@pytest.fixture
def caller() -> Caller:
    return Caller()


JSON = {"Content-Type": "application/json"}
BIG = b'["' + b"x" * (28 << 20) + b'"]'

CALLS: dict[str, list[tuple[Any, ...]]] = {
    # method, path, body, status, then what differs: token, headers.
    "scheduling": [
        ("POST", SCHEDULE, ["a.example"], 200),
        ("POST", SCHEDULE.upper(), [], 200),
        ("POST", f"{JOBS}/OuMapping/nonsense", [], 400),
        ("POST", f"{JOBS}/OuMapping/{{{EXAMPLE_CREDENTIAL_ID}}}", [], 400),
        ("POST", f"{JOBS}/OuMapping/{EXAMPLE_CREDENTIAL_ID.replace('-', '')}", [], 400),
        ("POST", f"{JOBS}/OuMapping/", [], 400),
        ("POST", f"{JOBS}/OuMapping/{NOBODY_ID}", [], 404),
        ("POST", SCHEDULE, b'["a.example"]', 415),
        ("POST", SCHEDULE, b'["a.example"]', 415, {"headers": {"Content-Type": "text/plain"}}),
        ("POST", SCHEDULE, "a.example", 400),
        ("POST", SCHEDULE, {"hosts": []}, 400),
        ("POST", SCHEDULE, ["a.example", 1], 400),
        ("POST", SCHEDULE, ["a.example", None], 400),
        ("POST", SCHEDULE, b'["a.example"', 400, {"headers": JSON}),
        ("POST", SCHEDULE, b'["\xff"]', 400, {"headers": JSON}),
        ("POST", SCHEDULE, b"[" * 100_000, 400, {"headers": JSON}),
        ("POST", SCHEDULE, b"", 400, {"headers": JSON}),
        ("POST", SCHEDULE, BIG, 413, {"headers": JSON}),
    ],
    "jobs": [
        ("GET", JOBS, b"", 200),
        ("GET", f"{JOBS}/{NOBODY_ID}", b"", 404),
        ("DELETE", f"{JOBS}/{NOBODY_ID}", b"", 404),
        ("GET", f"{JOBS}/Search", b"", 400),
        ("DELETE", f"{JOBS}/%2e%2e", b"", 400),
        ("DELETE", JOBS, b"", 405),
        ("GET", "/api/v1/Nothing", b"", 404),
        ("POST", VALIDATE, ["x"], 400),
    ],
    "lookups": [
        ("GET", UNIT, b"", 400),
        ("GET", f"{UNIT}?ou=DC%3Dnowhere", b"", 404),
        ("GET", f"{UNIT}?ou=DC%3Dx&includeChildOus=maybe", b"", 400),
        ("GET", f"{SEARCH}?skip=-1", b"", 400),
        ("GET", f"{SEARCH}?credentialType=configuration", b"", 400),
    ],
    "tokens": [
        *(
            ("GET", JOBS, b"", 401, {"token": kind})
            for kind in ("", "x", "a.b.c", "\u00e9.\u00e9.\u00e9", "forged", "expired")
        ),
        ("GET", JOBS, b"", 401, {"headers": {"Authorization": "Basic dTpw"}}),
        ("GET", JOBS, b"", 403, {"token": "owes MFA"}),
        ("GET", JOBS, b"", 403, {"token": "no role"}),
        ("POST", SCHEDULE, ["a.example"], 403, {"token": "no role"}),
        ("GET", RENEW, b"", 200, {"token": "no role"}),
        ("GET", RENEW, b"", 403, {"token": "owes MFA"}),
        ("GET", "/api/v1/Version", b"", 200, {"token": ""}),
        ("GET", "/api/v1/Health", b"", 200, {"token": ""}),
    ],
    "signing in": [
        ("POST", "/signinBody", NOMFA, 200, {"token": ""}),
        ("POST", "/signinBody", DEMO, 200, {"token": ""}),
        ("POST", "/signinBody", {**NOMFA, "Password": "guess"}, 401),
        ("POST", "/signinBody", {**NOMFA, "Login": "CORP\\who"}, 401),
        ("POST", "/signinBody", {"Login": "CORP\\locked", "Password": "Sandbox-Locked-1"}, 401),
        ("POST", "/signinBody", {"Login": APPLICATION, "Password": API_KEY}, 401),
        ("POST", "/signinBody", {"login": "x", "password": "y"}, 400),
        ("POST", "/signinBody", {"Login": "x"}, 400),
        ("POST", "/signinBody", [], 400),
        ("POST", "/signinBody", json.dumps(NOMFA).encode(), 415),
        ("POST", "/signin2fa", "0", 401, {"token": "owes MFA"}),
        ("POST", "/sigin2fa", "0", 404),
        ("POST", "/api/v1/AppUserToken", APP, 404),
        ("POST", APP_TOKEN, APP, 401),
    ],
}


@pytest.mark.parametrize("kind", CALLS)
def test_a_call_has_its_status_and_a_refusal_its_form(kind: str) -> None:
    for method, path, body, status, *more in CALLS[kind]:
        caller = Caller()
        response = caller.ask(method, path, body, **(more[0] if more else {}))
        told = (method, path, body if len(str(body)) < 200 else "...", more)
        headers = dict(response.headers)
        assert response.status == status, told
        assert headers["Date"] == "Fri, 15 Jan 2027 08:00:00 GMT" or "expired" in str(more)
        if status in (400, 401, 403, 415):
            assert headers["Content-Type"].startswith("application/problem+json"), told
            problem = json.loads(response.body)
            assert problem["status"] == status
            assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-00", problem["traceId"])
        if status == 401 and path == JOBS:
            assert headers["WWW-Authenticate"].startswith("Bearer")
        assert caller.world.jobs == {} or status == 200


def second_step(caller: Caller, login: dict[str, str], code: Any, **more: Any) -> Response:
    first = caller.ask("POST", "/signinBody", login, token="")
    assert first.status == 200
    cookie = dict(first.headers)["Set-Cookie"].partition(";")[0]
    token = json.loads(first.body)
    headers = {"Cookie": cookie} | more.pop("headers", {})
    return caller.ask("POST", "/signin2fa", code, token=token, headers=headers)


@pytest.mark.parametrize(
    ("code", "headers", "status"),
    [
        ("0", {}, 200),
        (b'"0"', {"Content-Type": "application/json; charset=utf-8"}, 200),
        ("1", {}, 401),
        (0, {}, 400),
        (["0"], {}, 400),
        (b"012345", JSON, 400),
        (b'"0"', {"Content-Type": "text/plain"}, 415),
        ("0", {"Cookie": "sbpam-mfa=other"}, 401),
    ],
)
def test_the_code_is_a_json_string_with_the_cookie_of_step_one(
    caller: Caller, code: Any, headers: dict[str, str], status: int
) -> None:
    assert second_step(caller, NOMFA, code, headers=headers).status == status


@pytest.mark.parametrize(("off_s", "status"), [(-60, 401), (-30, 200), (30, 200), (60, 401)])
def test_a_code_of_the_next_or_last_half_minute_is_good_once(
    caller: Caller, off_s: int, status: int
) -> None:
    totp = pyotp.TOTP(caller.world.users[0].totp_secret)
    code = totp.at(int(caller.clock.now()) + off_s)
    first = second_step(caller, DEMO, code)
    assert first.status == status
    if status == 200:
        assert caller.ask("GET", JOBS, token=json.loads(first.body)).status == 200
        assert second_step(caller, DEMO, code).status == 401
        caller.clock.move(90)
        assert second_step(caller, DEMO, totp.at(int(caller.clock.now()))).status == 200


def test_five_refusals_lock_the_account(caller: Caller) -> None:
    details = [
        json.loads(caller.ask("POST", "/signinBody", login, token="").body)["detail"]
        for login in [{**NOMFA, "Password": "guess"}] * 5 + [NOMFA]
    ]
    assert [detail.endswith("is locked.") for detail in details] == [False] * 5 + [True]


@pytest.mark.parametrize(
    ("body", "serial", "status"),
    [
        (APP, "1F", 200),
        (APP, "001F", 200),
        (APP, None, 401),
        (APP, "2F", 401),
        (APP | {"password": "x"}, "1F", 401),
        (APP | {"login": "x"}, "1F", 401),
        (APP | {"certificateSerialNumber": "01F"}, "1F", 401),
        ({"login": APPLICATION, "password": API_KEY}, "1F", 400),
    ],
)
def test_an_application_is_its_key_its_certificate_and_its_serial(
    caller: Caller, body: Any, serial: str | None, status: int
) -> None:
    application = caller.world.user(APPLICATION)
    assert application is not None
    application.certificate_serial = "1F"
    assert caller.ask("POST", APP_TOKEN, body, token="", serial=serial).status == status


def test_a_job_has_the_known_hosts_in_order_and_is_listed(caller: Caller) -> None:
    names = ["unknown1.corp.example", *sample_hosts()]
    job = caller.json("POST", SCHEDULE, names)
    assert set(job) == {"id", "status", "statusDescription", "hostScanHostStatus"}
    hosts = job["hostScanHostStatus"]
    assert [host["dnsHostName"] for host in hosts] == names[1:]
    assert [[one.job_id, one.names] for one in caller.world.jobs.values()] == [
        [job["id"], names[1:]]
    ]
    assert caller.json("GET", JOBS) == [job]
    ids = [host[key] for host in hosts for key in ("hostScanHostId", "hostId")]
    assert len({*ids, job["id"]}) == len(ids) + 1
    assert all(re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", one) for one in ids)


def test_the_single_job_is_the_entity_graph_with_its_secrets(caller: Caller) -> None:
    job_id = caller.json("POST", SCHEDULE, sample_hosts())["id"]
    caller.clock.move(3)
    response = caller.ask("GET", f"{JOBS}/{job_id.upper()}")
    job = json.loads(response.body)
    assert not {"hostScanHostStatus", "status"} & set(job)
    assert job["createdByUserName"] == "CORP\\nomfa"
    assert job["createdDateTimeUtc"] == "2027-01-15T08:00:00.2500000"
    assert job["modifiedDateTimeUtc"] == "0001-01-01T00:00:00"
    joins = job["hostScanJobHostJoin"]
    assert [join["hostScanHost"]["dnsHostName"] for join in joins] == sample_hosts()
    assert joins[0]["hostScanJob"] == {}
    queues = [join["actionQueue"] for join in joins]
    assert {None if queue is None else queue["status"] for queue in queues} == {None, 1}
    assert [secret for secret in PLANTED_SECRETS.values() if secret not in str(job)] == []


@given(
    moments=st.lists(st.floats(0, 100), min_size=2, max_size=30).map(sorted),
    duration_s=st.floats(0, 80),
    cancelled_after_s=st.none() | st.floats(0, 80),
)
def test_a_scan_only_goes_forward_and_ends(
    moments: list[float], duration_s: float, cancelled_after_s: float | None
) -> None:
    clock = MovedClock()
    world = World(now=clock.now, scan_duration_s=duration_s, failing_share=0.5)
    job, start = world.add_job(sample_hosts(), EXAMPLE_CREDENTIAL_ID, "CORP\\somebody"), clock.now()
    ranks = {ScanStatus.QUEUED: 0, ScanStatus.RUNNING: 1}
    for machine in map(world.machine, job.names):
        job.cancelled_at, seen = None, []
        for moment in moments:
            if cancelled_after_s is not None and moment >= cancelled_after_s:
                job.cancelled_at = start + cancelled_after_s
            scan = world.scan(job, machine, start + moment)
            assert (scan.status in FINISHED) == (scan.finished_at is not None)
            seen.append(scan.status)
        assert [ranks.get(status, 2) for status in seen] == sorted(
            ranks.get(status, 2) for status in seen
        )
        assert len(set(seen) & FINISHED) <= 1
        assert world.scan(job, machine, start + 101).status in FINISHED


def test_the_same_seed_gives_the_same_world() -> None:
    bodies = []
    for seed in (1, 1, 2):
        caller = Caller()
        caller.app = App(World(seed=seed, now=caller.clock.now))
        caller.world = caller.app.world
        bodies.append(caller.ask("POST", SCHEDULE, sample_hosts()).body)
    assert bodies[0] == bodies[1] != bodies[2]


@given(
    method=st.sampled_from(["GET", "POST", "DELETE"]),
    target=st.sampled_from(["/signinBody", "/signin2fa", SCHEDULE, f"{JOBS}/"]) | st.text(),
    body=st.binary()
    | st.recursive(st.none() | st.text(), st.lists).map(json.dumps).map(str.encode),
)
def test_no_request_upsets_the_application(method: str, target: str, body: bytes) -> None:
    caller = Caller()
    assert 200 <= caller.ask(method, target, body, headers=JSON).status < 500


@pytest.fixture
def server(caller: Caller) -> Iterator[SandboxServer]:
    with SandboxServer(caller.world) as server:
        yield server


def connect(server: SandboxServer) -> httpx.Client:
    context = ssl.create_default_context(cafile=server.ca_file)
    return httpx.Client(base_url=server.url, verify=context, trust_env=False)


def test_a_post_without_a_length_is_refused(server: SandboxServer) -> None:
    with connect(server) as client:
        response = client.post("/signinBody", content=iter([b"{}"]))
    assert response.status_code == 411


def test_closing_waits_for_nobody_and_a_taken_port_is_an_error(caller: Caller) -> None:
    with SandboxServer(caller.world) as server:
        port = int(server.url.rpartition(":")[2])
        second = SandboxServer(caller.world, port=port)
        with pytest.raises(UnreachableError, match=f"port {port}"):
            second.__enter__()
        silent, idle = socket.create_connection(("127.0.0.1", port)), connect(server)
        idle.get("/api/v1/Health")
    with pytest.raises(httpx.TransportError):
        idle.get("/api/v1/Health")
    silent.close()
    idle.close()
