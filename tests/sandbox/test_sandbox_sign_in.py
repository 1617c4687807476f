"""The two sign-in steps, applications, and what a token may do; over TLS."""

import base64
import json
import ssl
from collections.abc import Callable, Iterator

import httpx
import pyotp
import pytest

from sbpam_cli.sandbox.people import EXAMPLE_CREDENTIAL_ID
from sbpam_cli.sandbox.serve import SandboxServer
from sbpam_cli.sandbox.world import World

pytestmark = pytest.mark.enable_socket

DEMO = {"Login": "corp\\DEMO", "Password": "Sandbox-Demo-1"}
NOMFA = {"Login": "CORP\\nomfa", "Password": "Sandbox-Nomfa-1"}
JOBS = "/api/v1/HostScanJob"
APP_TOKEN = "/WebAppApi/api/v1/AppUserToken"


class Clock:
    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Iterator[SandboxServer]:
    with SandboxServer(World(now=clock), sleep=lambda _: None) as server:
        yield server


@pytest.fixture
def connect(server: SandboxServer) -> Iterator[Callable[..., httpx.Client]]:
    clients: list[httpx.Client] = []

    def make(cert_path: str = "", key_path: str = "") -> httpx.Client:
        context = ssl.create_default_context(cafile=server.ca_file)
        if cert_path:
            context.load_cert_chain(cert_path, key_path)
        clients.append(httpx.Client(base_url=server.url, verify=context, trust_env=False))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(connect: Callable[..., httpx.Client]) -> httpx.Client:
    return connect()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def code_at(clock: Clock, world: World) -> str:
    return pyotp.TOTP(world.users[0].totp_secret).at(int(clock.time))


def test_password_and_code_give_a_token_for_the_scan_calls(
    client: httpx.Client, clock: Clock, server: SandboxServer
) -> None:
    first = client.post("/signinBody", json=DEMO)
    owing = first.json()
    assert client.get(JOBS, headers=bearer(owing)).status_code == 403
    assert client.get("/api/v1/UserToken", headers=bearer(owing)).status_code == 403

    code = code_at(clock, server.world)
    second = client.post("/signin2fa", json=code, headers=bearer(owing))
    assert second.status_code == 200
    token = second.json()
    assert client.get(JOBS, headers=bearer(token)).json() == []

    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert (claims["iat"], claims["exp"]) == (1_800_000_000, 1_800_000_900)


def test_step_two_wants_the_cookies_of_step_one(client: httpx.Client, clock: Clock) -> None:
    token = client.post("/signinBody", json=NOMFA).json()
    client.cookies.clear()
    assert client.post("/signin2fa", json="0", headers=bearer(token)).status_code == 401


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"0", "application/json", 400),
        (b'"1"', "application/json", 401),
        (b'["0"]', "application/json", 400),
        (b"012345", "application/json", 400),
        (b'"0"', "text/plain", 415),
        (b'"0"', "application/json; charset=utf-8", 200),
    ],
)
def test_the_code_is_a_json_string_and_zero_without_mfa(
    client: httpx.Client, body: bytes, content_type: str, status: int
) -> None:
    token = client.post("/signinBody", json=NOMFA).json()
    headers = bearer(token) | {"Content-Type": content_type}
    assert client.post("/signin2fa", content=body, headers=headers).status_code == status


def test_a_user_without_mfa_needs_no_second_step(client: httpx.Client) -> None:
    token = client.post("/signinBody", json=NOMFA).json()
    assert client.get(JOBS, headers=bearer(token)).status_code == 200


@pytest.mark.parametrize(("offset_s", "status"), [(-60, 401), (-30, 200), (30, 200), (60, 401)])
def test_codes_hold_one_step_either_way(
    client: httpx.Client, clock: Clock, server: SandboxServer, offset_s: int, status: int
) -> None:
    token = client.post("/signinBody", json=DEMO).json()
    code = pyotp.TOTP(server.world.users[0].totp_secret).at(int(clock.time) + offset_s)
    assert client.post("/signin2fa", json=code, headers=bearer(token)).status_code == status


@pytest.mark.parametrize(("refuses", "status"), [(True, 401), (False, 200)])
def test_a_code_seen_before_is_refused(
    client: httpx.Client, clock: Clock, server: SandboxServer, refuses: bool, status: int
) -> None:
    server.world.refuse_replay = refuses
    code = code_at(clock, server.world)
    answers = []
    for _ in range(2):
        token = client.post("/signinBody", json=DEMO).json()
        answers.append(client.post("/signin2fa", json=code, headers=bearer(token)).status_code)
    assert answers == [200, status]
    clock.time += 30
    token = client.post("/signinBody", json=DEMO).json()
    fresh = client.post("/signin2fa", json=code_at(clock, server.world), headers=bearer(token))
    assert fresh.status_code == 200


def test_push_blocks_in_step_two(clock: Clock) -> None:
    waits: list[float] = []
    with SandboxServer(World(now=clock, push_s=7.0), sleep=waits.append) as server:
        context = ssl.create_default_context(cafile=server.ca_file)
        with httpx.Client(base_url=server.url, verify=context, trust_env=False) as client:
            login = {"Login": "CORP\\push", "Password": "Sandbox-Push-1"}
            token = client.post("/signinBody", json=login).json()
            assert waits == []
            reply = client.post("/signin2fa", json="push", headers=bearer(token))
    assert reply.status_code == 200
    assert waits == [7.0]


def test_the_misspelt_second_step_is_served_only_where_asked_for(
    client: httpx.Client, server: SandboxServer
) -> None:
    token = client.post("/signinBody", json=NOMFA).json()
    assert client.post("/sigin2fa", json="0", headers=bearer(token)).status_code == 404
    server.world.missing = {"signin2fa"}
    assert client.post("/signin2fa", json="0", headers=bearer(token)).status_code == 404
    assert client.post("/sigin2fa", json="0", headers=bearer(token)).status_code == 200


def test_wrong_passwords_lock_the_account(client: httpx.Client, server: SandboxServer) -> None:
    wrong = NOMFA | {"Password": "guess"}
    for _ in range(server.world.lock_after):
        assert "incorrect" in client.post("/signinBody", json=wrong).json()["detail"]
    reply = client.post("/signinBody", json=NOMFA)
    assert (reply.status_code, reply.json()["detail"]) == (401, "The account is locked.")


def test_a_locked_account_and_an_application_cannot_use_the_form(client: httpx.Client) -> None:
    locked = {"Login": "CORP\\locked", "Password": "Sandbox-Locked-1"}
    application = {"Login": "sbpam-app", "Password": "Sandbox-Api-Key-1"}
    for login in (locked, application):
        assert client.post("/signinBody", json=login).status_code == 401


@pytest.mark.parametrize(
    ("form", "content_type", "body"),
    [
        ("problem", "application/problem+json; charset=utf-8", None),
        ("string", "application/json; charset=utf-8", b'"The user name or password'),
        ("text", "text/plain; charset=utf-8", b"The user name or password"),
        ("html", "text/html", b"<!DOCTYPE html>"),
        ("empty", None, b""),
    ],
)
def test_a_refusal_takes_the_form_that_is_set(
    client: httpx.Client, server: SandboxServer, form: str, content_type: str, body: bytes | None
) -> None:
    server.world.refusal_form = form  # type: ignore[assignment]
    server.world.refusal_status = 400
    reply = client.post("/signinBody", json=NOMFA | {"Password": "guess"})
    assert reply.status_code == 400
    assert reply.headers.get("Content-Type") == content_type
    if body is None:
        assert reply.json()["traceId"].startswith("00-")
    else:
        assert reply.content.startswith(body)


@pytest.mark.parametrize("body", [{"login": "x", "password": "y"}, {"Login": "x"}, [], "x"])
def test_sign_in_wants_its_fields_by_their_names(client: httpx.Client, body: object) -> None:
    assert client.post("/signinBody", json=body).status_code == 400


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer x", "Bearer a.b.c", "Basic dTpw", "Bearer \u00e9.\u00e9.\u00e9"],
)
def test_no_token_or_a_wrong_one_is_401(client: httpx.Client, header: str) -> None:
    headers = {b"Authorization": header.encode("latin-1")} if header else {}
    reply = client.get(JOBS, headers=headers)
    assert reply.status_code == 401
    assert reply.headers["WWW-Authenticate"].startswith("Bearer")
    assert reply.json()["traceId"]


def test_tokens_die_of_age_of_tampering_and_of_revocation(
    client: httpx.Client, clock: Clock, server: SandboxServer
) -> None:
    token = client.post("/signinBody", json=NOMFA).json()
    head, payload, signature = token.split(".")
    forged = base64.urlsafe_b64encode(
        base64.urlsafe_b64decode(payload + "==").replace(b"nomfa", b"demoo")
    ).decode()
    assert client.get(JOBS, headers=bearer(f"{head}.{forged}.{signature}")).status_code == 401

    clock.time += 899
    renewed = client.get("/api/v1/UserToken", headers=bearer(token)).json()
    clock.time += 1
    assert client.get(JOBS, headers=bearer(token)).status_code == 401
    assert client.get(JOBS, headers=bearer(renewed)).status_code == 200
    server.world.revoke_tokens()
    assert client.get(JOBS, headers=bearer(renewed)).status_code == 401


def test_a_missing_role_is_403_for_scans_but_can_renew(client: httpx.Client) -> None:
    login = {"Login": "CORP\\viewer", "Password": "Sandbox-Viewer-1"}
    token = client.post("/signinBody", json=login).json()
    schedule = f"{JOBS}/OuMapping/{EXAMPLE_CREDENTIAL_ID}"
    reply = client.post(schedule, json=["a.example"], headers=bearer(token))
    assert (reply.status_code, reply.json()["status"]) == (403, 403)
    assert client.get("/api/v1/UserToken", headers=bearer(token)).status_code == 200


def test_an_application_is_its_certificate_its_key_and_its_serial(
    connect: Callable[..., httpx.Client], server: SandboxServer
) -> None:
    cert_path, key_path, serial = server.issue_client_certificate("sbpam-app")
    other_cert, other_key, other_serial = server.issue_client_certificate("somebody else")
    body = {
        "login": "sbpam-app",
        "password": "Sandbox-Api-Key-1",
        "certificateSerialNumber": serial,
    }
    with_cert = connect(cert_path, key_path)
    reply = with_cert.post(APP_TOKEN, json=body)
    assert reply.status_code == 200
    assert server.world.log[-1].request.peer_certificate_serial == serial
    assert with_cert.get(JOBS, headers=bearer(reply.json())).status_code == 200

    assert connect().post(APP_TOKEN, json=body).status_code == 401
    assert connect(other_cert, other_key).post(APP_TOKEN, json=body).status_code == 401
    for wrong in ({"password": "x"}, {"login": "x"}, {"certificateSerialNumber": other_serial}):
        assert with_cert.post(APP_TOKEN, json=body | wrong).status_code == 401
    assert with_cert.post(APP_TOKEN, json=body).status_code == 200


def test_the_application_call_can_move(
    connect: Callable[..., httpx.Client], server: SandboxServer
) -> None:
    cert_path, key_path, serial = server.issue_client_certificate("sbpam-app")
    body = {
        "login": "sbpam-app",
        "password": "Sandbox-Api-Key-1",
        "certificateSerialNumber": serial,
    }
    client = connect(cert_path, key_path)
    assert client.post("/api/v1/AppUserToken", json=body).status_code == 404
    server.world.missing = {APP_TOKEN}
    assert client.post(APP_TOKEN, json=body).status_code == 404
    assert client.post("/api/v1/AppUserToken", json=body).status_code == 200


def test_a_certificate_of_another_authority_is_refused(
    connect: Callable[..., httpx.Client], clock: Clock
) -> None:
    with SandboxServer(World(now=clock)) as stranger:
        cert_path, key_path, _ = stranger.issue_client_certificate("sbpam-app")
        client = connect(cert_path, key_path)
    with pytest.raises((httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)):
        client.get("/api/v1/Version")
