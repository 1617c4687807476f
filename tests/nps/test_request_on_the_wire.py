"""The requests that leave the program, byte for byte where it matters."""

import json

from support.faults import Fault
from support.site import CREDENTIAL, Site

JOB = "9c711ab3-8fc1-4d66-88d4-08f85117f32e"
HOST = {
    "hostScanHostId": "c448d5e8-8078-4d92-8dd3-ee29a6c12f9d",
    "hostId": "70e3fb2d-1cb6-4dbc-ab8d-fa7209aca5dd",
    "name": "string",
    "dnsHostName": "host.example.local",
    "os": "Windows Fake Edition",
    "ipAddress": "192.168.1.1",
    "version": "10.4.1.1",
    "status": None,
    "statusDescription": "Running",
    "failureReason": None,
}
EXAMPLE = {"id": JOB, "status": None, "statusDescription": "Running.", "hostScanHostStatus": [HOST]}


def test_the_scheduling_call(site: Site) -> None:
    hosts = ["web01.corp.example", "web02.corp.example"]
    site.run("schedule", *hosts, "--credential", CREDENTIAL.upper()).expect(0)
    [request] = [at.request for at in site.world.log if "OuMapping" in at.request.target]
    assert request.method == "POST"
    assert request.target == f"/api/v1/HostScanJob/OuMapping/{CREDENTIAL}"
    assert request.header("Content-Type") == "application/json"
    assert request.header("Accept") == "application/json"
    scheme, _, token = request.header("Authorization").partition(" ")
    assert scheme == "Bearer"
    assert token.count(".") == 2
    assert json.loads(request.body) == hosts
    assert request.header("Cookie") == ""


def test_the_sign_in_calls(site: Site) -> None:
    site.run("schedule", "web01.corp.example")
    first, second = (entry.request for entry in site.world.log if "sign" in entry.request.target)
    user = site.world.person("totp")
    assert json.loads(first.body) == {"Login": user.login, "Password": user.password}
    assert first.header("Authorization") == ""
    assert second.target == "/signin2fa"
    code = json.loads(second.body)
    assert isinstance(code, str)
    assert code.isdigit()
    assert second.header("Cookie").startswith("sbpam-mfa=")
    assert second.header("Authorization").startswith("Bearer ")


def test_the_documented_example(site: Site) -> None:
    site.faults.add(Fault(action="edit", path="OuMapping", edit=lambda _: EXAMPLE))
    ended = site.run("schedule", "host.example.local", "-o", "json").expect(0)
    read = {"job_id": JOB, "status": "Running", "failure_reason": None, "detail": None}
    names = {"dnsHostName": "host", "hostId": "host_id", "ipAddress": "ip_address"}
    same = {names.get(name, name): HOST[name] for name in (*names, "os", "version")}
    assert ended.json()["hosts"] == [read | same]
    assert ended.json()["jobs"] == [{"job_id": JOB, "status": "Running", "hosts": 1}]
