"""`sbpam hosts`: which of the hosts that the server knows are listed."""

from typing import Any

import pytest
from support.faults import Fault
from support.site import Site

DAY_S = 86_400
SERVERS = "ou = servers , DC=CORP,dc=example"
ROWS: list[dict[str, Any]] = [
    {"label": "web01", "unit": "OU=Servers,DC=corp,DC=example", "ago_s": 30 * DAY_S},
    {"label": "web02", "unit": "OU=Servers,DC=corp,DC=example", "ago_s": 30 * DAY_S - 60},
    {"label": "db01", "unit": "OU=Db,OU=Servers,DC=corp,DC=example", "ago_s": None},
    {"label": "odd01", "unit": "OU=A\\,OU=Servers,DC=corp,DC=example", "off": True, "ago_s": 1},
    {"label": "new01", "unit": "OU=Servers,DC=corp,DC=example", "candidate": True, "ago_s": None},
]


def furnish(site: Site) -> None:
    model, now = site.world.resources[0], site.world.now()
    site.world.resources = [
        model
        | {
            "dnsHostName": f"{row['label'].upper()}.corp.example",
            "distinguishedName": f"CN={row['label']},{row['unit']}",
            "managedResourceId": None if row.get("candidate") else model["id"],
            "lastScan": None if row["ago_s"] is None else now - row["ago_s"],
            "disableWinRm": row.get("off", False),
        }
        for row in ROWS
    ]


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        ("", "web01 web02 db01 odd01"),
        ("--not-enrolled", "new01"),
        ("--not-scanned-for 30d", "web01 db01"),
        ("--winrm-disabled", "odd01"),
        (["--ou", SERVERS], "web01 web02"),
        (["--ou", SERVERS, "--recursive"], "web01 web02 db01"),
        (["--ou", SERVERS, "--recursive", "--not-scanned-for", "30d"], "web01 db01"),
        (["--ou", "OU=a\\,ou=servers,DC=corp,DC=example"], "odd01"),
    ],
)
def test_which_hosts_are_listed(site: Site, options: str | list[str], labels: str) -> None:
    furnish(site)
    given = options.split() if isinstance(options, str) else options
    ended = site.run("hosts", *given).expect(0)
    assert ended.out == "".join(f"{label}.corp.example\n" for label in labels.split())
    assert ("rotates, its local" in ended.err) == ("--not-enrolled" in given)
    assert site.requests("OuManageResources") == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--recursive", "--ou"),
        ("--ou Servers", "OU=Servers"),
        ("--not-enrolled --winrm-disabled", "enrolled"),
        ("--not-enrolled --not-scanned-for 1d", "enrolled"),
    ],
)
def test_what_makes_no_sense_is_refused(site: Site, options: str, words: str) -> None:
    site.run("hosts", *options.split()).expect(2, words, out="")


def test_every_page_is_read_and_other_forms_have_all_columns(site: Site) -> None:
    furnish(site)
    model = site.world.resources[0]
    names = [f"srv{n}.corp.example" for n in range(250)]
    site.world.resources = [model | {"dnsHostName": name} for name in names]
    ended = site.run("hosts", "-o", "json")
    rows = ended.json()["hosts"]
    assert [row["host"] for row in rows] == names
    assert list(rows[0])[1:] == [
        *("enrolled", "last_scan", "os", "ip_address", "service_account", "winrm"),
        "distinguished_name",
    ]
    assert (rows[0]["enrolled"], rows[0]["winrm"]) == (True, True)
    assert "planted" not in ended.out + ended.err
    assert len(site.requests("ManagedResource/Search")) == 3


def test_names_and_units_that_are_not_known_are_reported(site: Site) -> None:
    furnish(site)
    rows = [{"dnsHostName": "web09"}, {"dnsHostName": "a.corp.example"}, "?"]
    page = {"data": rows, "recordsTotal": 3}
    site.faults.add(Fault(action="edit", path="ManagedResource/Search", edit=lambda _: page))
    site.run("hosts").expect(3, '"web09" is a short name', out="a.corp.example\n")
    site.run("hosts", "--ou", SERVERS).expect(3, "3 hosts without a distinguished name", out="")


def test_an_account_is_found_by_the_name_of_the_console(site: Site) -> None:
    wanted = next(row for row in site.world.credentials if row["userName"] == "svc-onboard")
    ended = site.run("credentials", "windows d")
    assert [row[0] for row in ended.rows()] == [wanted["credentialId"]]
    ended = site.run("schedule", "web01.corp.example", "--credential", "Windows Demo").expect(0)
    assert "planted" not in ended.out + ended.err
    assert next(iter(site.world.jobs.values())).credential_id == wanted["credentialId"]
