"""`schedule --dry-run`: asks, schedules nothing, records nothing."""

import json
from typing import Any

import pytest
from support.faults import Fault
from support.site import CREDENTIAL, Program, Site

HOSTS = ("web01.corp.example", "unknown1.corp.example", "web02.corp.example")


def state_files(program: Program) -> list[str]:
    """What lies in the state folder, the memory of used TOTP codes aside."""
    names = [path.name for path in program.folder.rglob("state/**/*") if path.is_file()]
    return [name for name in names if "journal" in name or "lock" in name]


def test_rows_are_valid_or_invalid(site: Site) -> None:
    ended = site.run("schedule", *HOSTS, "--dry-run").expect(3)
    assert [(row[0], row[1], row[7]) for row in ended.rows()] == [
        ("web01.corp.example", "Valid", ""),
        ("unknown1.corp.example", "Invalid", "The host was not found."),
        ("web02.corp.example", "Valid", ""),
    ]
    assert site.scheduled() == []
    assert site.requests("OuMapping") == []
    assert state_files(site) == []


def test_the_rows_that_are_sent(site: Site) -> None:
    site.run("schedule", *HOSTS, "--dry-run", "--batch-size", "2")
    bodies = [json.loads(body) for body in site.bodies("ValidateImportedCSV")]
    assert [[row.pop("dnsHostName") for row in body] for body in bodies] == [
        [*HOSTS[:2]],
        [*HOSTS[2:]],
    ]
    for row in bodies[0]:
        assert row.pop("credentialId") == CREDENTIAL
        assert set(row.values()) == {None}


def test_a_credential_that_is_not_there(site: Site) -> None:
    unknown = "11111111-2222-4333-8444-555555555555"
    ended = site.run("schedule", HOSTS[0], "--dry-run", "--credential", unknown).expect(3)
    assert ended.rows()[0][7] == "The credential does not exist."


@pytest.mark.parametrize(
    ("edit", "status"),
    [
        (lambda rows: [], "Valid"),
        (lambda rows: [None, 7], "Valid"),
        (lambda rows: [{"ipAddressError": "x", "platformNameError": "y"}], "Valid"),
        (lambda rows: [{"dnsHostNameError": "no"}], "Invalid"),
        (lambda rows: [{"dnsHostName": "WEB01.corp.example.", "dnsHostNameError": 5}], "Invalid"),
        (lambda rows: [{"dnsHostName": "other.example", "dnsHostNameError": "no"}], "Valid"),
        (lambda rows: rows * 3, "Valid"),
    ],
)
def test_only_the_two_errors_of_the_own_row_count(site: Site, edit: Any, status: str) -> None:
    site.faults.add(Fault(action="edit", path="Validate", edit=edit))
    ended = site.run("schedule", HOSTS[0], "--dry-run")
    assert [row[:2] for row in ended.rows()] == [[HOSTS[0], status]]
    assert ended.code == (0 if status == "Valid" else 3)


@pytest.mark.parametrize("status", [404, 405])
def test_a_server_without_the_call(site: Site, status: int) -> None:
    site.faults.add(Fault(action="status", path="Validate", status=status, body=" "))
    ended = site.run("schedule", *HOSTS, "--dry-run", "--batch-size", "1")
    ended.expect(0, "no call for the validation")
    assert [row[1] for row in ended.rows()] == ["Valid"] * 3
    assert len(site.requests("Validate")) == 1


def test_a_server_that_fails_half_way_leaves_a_row_for_each(site: Site) -> None:
    site.faults.add(Fault(action="status", path="Validate", status=500, nth=[2, 3, 4, 5, 6]))
    ended = site.run("schedule", *HOSTS, "--dry-run", "--batch-size", "1").expect(6)
    assert ended.statuses() == [*zip(HOSTS, ["Valid", "NotSent", "NotSent"], strict=True)]
    assert "not checked" in ended.rows()[1][7]


def test_offline_needs_neither_server_nor_credential(program: Program) -> None:
    ended = program("schedule", *HOSTS, "--dry-run", "--offline").expect(0)
    assert [row[1] for row in ended.rows()] == ["Valid"] * 3
    assert state_files(program) == []


def test_offline_sends_nothing(site: Site) -> None:
    how = ("--dry-run", "--offline", "--skip-invalid")
    ended = site.run("schedule", HOSTS[0], "no_fqdn", *how).expect(3)
    assert ended.statuses() == [(HOSTS[0], "Valid"), ("no_fqdn", "Invalid")]
    assert site.requests() == []
