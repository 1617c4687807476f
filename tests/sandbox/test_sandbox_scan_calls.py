"""The scan calls: what they refuse, and what they answer; over TLS."""

import json
import re
import ssl
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from sbpam_cli.sandbox.people import EXAMPLE_CREDENTIAL_ID, PLANTED_SECRETS, sample_hosts
from sbpam_cli.sandbox.serve import SandboxServer
from sbpam_cli.sandbox.world import World

pytestmark = pytest.mark.enable_socket

JOBS = "/api/v1/HostScanJob"
SCHEDULE = f"{JOBS}/OuMapping/{EXAMPLE_CREDENTIAL_ID}"
NOBODY_ID = "11111111-2222-4333-8444-555555555555"
JSON = {"Content-Type": "application/json"}


class Clock:
    def __init__(self) -> None:
        self.time = 1_800_000_000.25

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(clock: Clock) -> World:
    return World(now=clock, failing_share=0.0)


@pytest.fixture
def client(world: World) -> Iterator[httpx.Client]:
    token, _ = world.issue_token(world.users[1])
    with SandboxServer(world) as server:
        context = ssl.create_default_context(cafile=server.ca_file)
        with httpx.Client(base_url=server.url, verify=context, trust_env=False) as client:
            client.headers["Authorization"] = f"Bearer {token}"
            yield client


def hosts_of(reply: httpx.Response) -> list[dict[str, Any]]:
    hosts: list[dict[str, Any]] = reply.json()["hostScanHostStatus"]
    return hosts


def test_scheduling_answers_the_status_of_each_host_in_order(
    client: httpx.Client, world: World
) -> None:
    names = sample_hosts()
    reply = client.post(SCHEDULE, json=names)
    assert reply.status_code == 200
    job = reply.json()
    assert set(job) == {"id", "status", "statusDescription", "hostScanHostStatus"}
    assert [host["dnsHostName"] for host in job["hostScanHostStatus"]] == names
    assert {host["status"] for host in job["hostScanHostStatus"]} <= {0, 1}
    assert world.scheduled == {job["id"]: names}
    assert client.get(JOBS).json() == [job]


def test_names_that_the_server_does_not_know_are_left_out(
    client: httpx.Client, world: World
) -> None:
    reply = client.post(SCHEDULE, json=["unknown1.corp.example", "dc01.corp.example"])
    assert [host["name"] for host in hosts_of(reply)] == ["DC01"]
    assert list(world.scheduled.values()) == [["dc01.corp.example"]]


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        (f"{JOBS}/OuMapping/nonsense", b"[]", JSON, 400),
        (f"{JOBS}/OuMapping/{{{EXAMPLE_CREDENTIAL_ID}}}", b"[]", JSON, 400),
        (f"{JOBS}/OuMapping/{EXAMPLE_CREDENTIAL_ID.replace('-', '')}", b"[]", JSON, 400),
        (f"{JOBS}/OuMapping/", b"[]", JSON, 400),
        (f"{JOBS}/OuMapping/{NOBODY_ID}", b"[]", JSON, 404),
        (SCHEDULE, b'["a.example"]', {}, 415),
        (SCHEDULE, b'["a.example"]', {"Content-Type": "text/plain"}, 415),
        (SCHEDULE, b'"a.example"', JSON, 400),
        (SCHEDULE, b'{"hosts": []}', JSON, 400),
        (SCHEDULE, b'["a.example", 1]', JSON, 400),
        (SCHEDULE, b'["a.example", null]', JSON, 400),
        (SCHEDULE, b'["a.example"', JSON, 400),
        (SCHEDULE, b'["\xff"]', JSON, 400),
        (SCHEDULE, b"[" * 100_000, JSON, 400),
        (SCHEDULE, b"", JSON, 400),
    ],
)
def test_scheduling_refuses_with_problem_details(
    client: httpx.Client,
    world: World,
    path: str,
    body: bytes,
    headers: dict[str, str],
    status: int,
) -> None:
    reply = client.post(path, content=body, headers=headers)
    assert reply.status_code == status
    assert reply.headers["Content-Type"].startswith("application/problem+json")
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-00", reply.json()["traceId"])
    assert world.scheduled == {}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"{JOBS}/{NOBODY_ID}", 404),
        ("DELETE", f"{JOBS}/{NOBODY_ID}", 404),
        ("GET", f"{JOBS}/ByHostId/{NOBODY_ID}", 404),
        ("GET", f"{JOBS}/Search", 400),
        ("DELETE", f"{JOBS}/%2e%2e", 400),
        ("DELETE", JOBS, 405),
        ("GET", "/api/v1/Host/OuManageResources", 400),
        ("GET", "/api/v1/Host/OuManageResources?ou=DC%3Dnowhere", 404),
        ("GET", "/api/v1/Host/OuManageResources?ou=DC%3Dx&includeChildOus=maybe", 400),
        ("GET", "/api/v1/Host/OuManageResources?ou=DC%3Dx%FC", 400),
        ("GET", "/api/v1/Host/OuManageResources?ou=OU%3Dx&ou=OU%3Dy", 400),
        ("GET", "/api/v1/Credential/Search?skip=-1", 400),
        ("GET", "/api/v1/Credential/Search?credentialType=configuration", 400),
        ("GET", "/api/v1/Nothing", 404),
    ],
)
def test_other_calls_refuse_too(client: httpx.Client, method: str, path: str, status: int) -> None:
    assert client.request(method, path).status_code == status


def test_a_large_body_is_refused_by_iis(client: httpx.Client, world: World) -> None:
    world.body_limit_bytes = 1000
    names = [f"host{number}.corp.example" for number in range(100)]
    reply = client.post(SCHEDULE, json=names)
    assert (reply.status_code, reply.headers["Content-Type"]) == (413, "text/html")
    assert client.post(SCHEDULE, json=names[:10]).status_code == 200


def test_scans_run_to_their_end_by_the_clock_alone(
    client: httpx.Client, world: World, clock: Clock
) -> None:
    names = [f"host{number}.corp.example" for number in range(200)]
    world.failing_share = 0.3
    world.scan_duration_s = 60.0
    job_id = client.post(SCHEDULE, json=names).json()["id"]
    seen = set()
    for _ in range(7):
        (job,) = client.get(JOBS).json()
        seen |= {host["status"] for host in job["hostScanHostStatus"]}
        clock.time += 10
    (job,) = client.get(JOBS).json()
    outcomes = [host["status"] for host in job["hostScanHostStatus"]]
    assert seen == {0, 1, 2, 3}
    assert set(outcomes) == {2, 3}
    assert 30 <= outcomes.count(3) <= 90
    assert (job["id"], job["status"], job["statusDescription"]) == (
        job_id,
        5,
        "CompletedWithErrors.",
    )
    failed = [host for host in job["hostScanHostStatus"] if host["status"] == 3]
    assert len({host["failureReason"] for host in failed}) > 3


def test_the_single_job_is_the_entity_graph_with_its_secrets(
    client: httpx.Client, world: World, clock: Clock
) -> None:
    world.scan_duration_s, world.spread = 10.0, 0.0
    names = [f"host{number}.corp.example" for number in range(50)]
    listed = client.post(SCHEDULE, json=names).json()
    clock.time += 3
    reply = client.get(f"{JOBS}/{listed['id'].upper()}")
    job = reply.json()
    assert "hostScanHostStatus" not in job
    assert "status" not in job
    assert job["createdByUserName"] == "CORP\\nomfa"
    assert job["createdFromAddress"] == "127.0.0.1"
    assert job["createdDateTimeUtc"] == "2027-01-15T08:00:00.2500000"
    assert job["modifiedDateTimeUtc"] == "0001-01-01T00:00:00"
    joins = job["hostScanJobHostJoin"]
    assert [join["hostScanHost"]["dnsHostName"] for join in joins] == names
    assert joins[0]["hostScanJob"] == {}
    queues = [join["actionQueue"] for join in joins]
    assert {None if queue is None else queue["status"] for queue in queues} == {None, 1}
    assert set(PLANTED_SECRETS.values()) == {
        secret for secret in PLANTED_SECRETS.values() if secret in reply.text
    }
    host_id = listed["hostScanHostStatus"][0]["hostId"]
    assert joins[0]["hostScanHost"]["hostId"] == host_id


def test_the_current_job_of_a_host_is_its_newest(client: httpx.Client) -> None:
    client.post(SCHEDULE, json=["dc01.corp.example", "dc02.corp.example"])
    newest = client.post(SCHEDULE, json=["DC01.corp.example"]).json()
    host_id = newest["hostScanHostStatus"][0]["hostId"]
    assert client.get(f"{JOBS}/ByHostId/{host_id}").json()["id"] == newest["id"]


@pytest.mark.parametrize(
    ("form", "status", "reason"),
    [("integer", 3, int), ("name", "Failed", str), ("null", None, type(None))],
)
def test_enumerations_take_the_form_that_is_set(
    client: httpx.Client, world: World, form: str, status: object, reason: type
) -> None:
    world.status_form = form  # type: ignore[assignment]
    world.scan_duration_s = 0.0
    world.failing_share = 1.0
    job = client.post(SCHEDULE, json=["dc01.corp.example"]).json()
    entity = client.get(f"{JOBS}/{job['id']}").json()
    for shape in (
        job["hostScanHostStatus"][0],
        entity["hostScanJobHostJoin"][0]["actionQueue"],
    ):
        assert shape["status"] == status
        assert isinstance(shape["failureReason"], reason)
        assert (shape["statusDescription"] == "Failed") == (form == "null")
    assert job["status"] == status


def test_overrides_reach_both_shapes(client: httpx.Client, world: World) -> None:
    world.overrides["host.example.local"] = {
        "os": "Windows Fake Edition",
        "status": None,
        "statusDescription": "Running",
    }
    job = client.post(SCHEDULE, json=["host.example.local"]).json()
    host = job["hostScanHostStatus"][0]
    join = client.get(f"{JOBS}/{job['id']}").json()["hostScanJobHostJoin"][0]
    assert host["os"] == join["hostScanHost"]["os"] == "Windows Fake Edition"
    assert host["status"] is join["actionQueue"]["status"] is None
    assert host["statusDescription"] == join["actionQueue"]["statusDescription"] == "Running"


def test_cancelling_is_accepted_and_stops_what_has_not_ended(
    client: httpx.Client, world: World, clock: Clock
) -> None:
    world.cancel_takes_s = 2.0
    names = [f"host{number}.corp.example" for number in range(60)]
    job_id = client.post(SCHEDULE, json=names).json()["id"]
    clock.time += 10
    reply = client.delete(f"{JOBS}/{job_id}")
    assert (reply.status_code, reply.content) == (202, b"")
    assert 4 not in {host["status"] for host in client.get(JOBS).json()[0]["hostScanHostStatus"]}
    clock.time += 2
    (job,) = client.get(JOBS).json()
    assert {host["status"] for host in job["hostScanHostStatus"]} == {2, 4}
    assert job["status"] == 4


def test_validation_gives_the_rows_back_with_what_is_wrong(
    client: httpx.Client, world: World
) -> None:
    good = {"dnsHostName": "dc01.corp.example", "credentialId": EXAMPLE_CREDENTIAL_ID, "x": 1}
    rows = [
        good,
        good | {"dnsHostName": "unknown.corp.example"},
        good | {"dnsHostName": "not a name"},
        good | {"credentialId": NOBODY_ID},
    ]
    answer = client.post(f"{JOBS}/ValidateImportedCSV", json=rows).json()
    assert answer[0]["x"] == 1
    assert [row["dnsHostNameError"] is None for row in answer] == [True, False, False, True]
    assert [row["credentialNameError"] is None for row in answer] == [True, True, True, False]
    assert client.post(f"{JOBS}/ValidateImportedCSV", json=["x"]).status_code == 400
    assert world.jobs == {}


def test_an_organisational_unit_gives_its_hosts(client: httpx.Client) -> None:
    path = "/api/v1/Host/OuManageResources"
    servers = "ou=servers, dc=CORP,DC=example"
    own = client.get(path, params={"ou": servers}).json()
    nested = client.get(path, params={"ou": servers, "includeChildOus": "true"}).json()
    assert "dc01.corp.example" in own
    assert set(nested) - set(own) == {"ws-1002.corp.example"}
    odd = client.get(path, params={"ou": 'OU=Büro\\, "Süd",DC=corp,DC=example'})
    assert odd.json() == ["ws-3001.corp.example"]


def test_credentials_come_in_pages(client: httpx.Client, clock: Clock) -> None:
    path = "/api/v1/Credential/Search"
    token, _ = (world := World(now=clock, credential_count=120)).issue_token(world.users[1])
    with SandboxServer(world) as server:
        context = ssl.create_default_context(cafile=server.ca_file)
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=server.url, verify=context, headers=headers) as many:
            found: list[str] = []
            while len(found) < 119:
                query = f"?credentialType=Configuration&skip={len(found)}&take=50"
                page = many.get(path + query).json()
                assert page["recordsTotal"] == 119
                found += [row["id"] for row in page["data"]]
    assert len(set(found)) == 119
    rows = client.get(path, params={"filterText": "SVC-SCAN"}).json()["data"]
    assert {row["domain"] for row in rows} == {"CORP", "EMEA"}
    (unmanaged,) = client.get(path, params={"filterText": "discovered"}).json()["data"]
    assert unmanaged["credentialId"] is None


def test_version_and_health_need_no_sign_in(client: httpx.Client) -> None:
    client.headers.pop("Authorization")
    assert client.get("/api/v1/Version").json() == "25.12.00000"
    assert client.get("/api/v1/Health").text == "Healthy"


def test_the_date_is_the_worlds(client: httpx.Client, clock: Clock) -> None:
    clock.time = 1_900_000_000.0
    date = parsedate_to_datetime(client.get("/api/v1/Version").headers["Date"])
    assert date.timestamp() == clock.time


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", f"{JOBS}/TruncateAllTables"),
        ("DELETE", f"{JOBS}/truncatealltable%73"),
        ("GET", f"{JOBS}/Host/{NOBODY_ID}/Start"),
        ("GET", f"{JOBS}/Host/{NOBODY_ID}/Stop"),
    ],
)
def test_calls_that_nobody_may_make_are_found_out(
    client: httpx.Client, world: World, method: str, path: str
) -> None:
    client.get(JOBS)
    assert world.violations == []
    assert client.request(method, path).status_code == 200
    (entry,) = world.violations
    assert entry.request.target == path


def test_the_log_holds_every_request_as_it_came(client: httpx.Client, world: World) -> None:
    client.post(SCHEDULE, json=["dc01.corp.example"], headers={"X-Mark": "1"})
    client.get("/api/v1/nothing")
    first, second = world.log
    assert (first.request.method, first.request.target, first.status) == ("POST", SCHEDULE, 200)
    assert json.loads(first.request.body) == ["dc01.corp.example"]
    assert first.request.header("x-mark") == "1"
    assert first.at == 1_800_000_000.25
    assert second.status == 404


def test_an_older_version_lacks_calls(client: httpx.Client, world: World) -> None:
    world.missing = {"OuManageResources", "ValidateImportedCSV", "UserToken"}
    assert client.get("/api/v1/UserToken").status_code == 404
    assert client.post(f"{JOBS}/ValidateImportedCSV", json=[]).status_code == 404
    assert client.get("/api/v1/Host/OuManageResources?ou=DC%3Dx").status_code == 404
    assert client.get(JOBS).status_code == 200
    world.missing = set()
    world.version = "4.1.0.1"
    assert client.get("/api/v1/Host/OuManageResources?ou=DC%3Dx").content == b""
