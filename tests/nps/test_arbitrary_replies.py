"""Whatever the server answers, the program ends in one of its own ways."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.faults import Fault
from support.site import CREDENTIAL, Ended, Site
from support.tables import JSON

CODES = {0, 2, 3, 4, 5, 6, 8, 124}
HOST_FIELDS = (
    *("status", "statusDescription", "failureReason", "name", "dnsHostName", "os", "ipAddress"),
    *("version", "hostId", "hostScanHost", "actionQueue"),
)
hosts_of_a_job = st.lists(st.dictionaries(st.sampled_from(HOST_FIELDS), JSON) | JSON, max_size=3)
JOBLIKE = st.fixed_dictionaries(
    {"id": st.just(CREDENTIAL)},
    optional={
        "status": JSON,
        "statusDescription": JSON,
        "hostScanHostStatus": hosts_of_a_job | JSON,
        "hostScanJobHostJoin": hosts_of_a_job | JSON,
        "createdDateTimeUtc": JSON,
    },
)
ACCOUNT_FIELDS = ("credentialId", "userName", "domain", "displayName", "platform", "managedType")
accounts_of_a_page = st.lists(st.dictionaries(st.sampled_from(ACCOUNT_FIELDS), JSON) | JSON)
PAGE = st.fixed_dictionaries({"data": accounts_of_a_page}, optional={"recordsTotal": JSON})
BODIES = st.text(max_size=30) | (
    JSON | JOBLIKE | st.lists(JOBLIKE, max_size=2) | PAGE | st.lists(st.text())
).map(json.dumps)
CALLS = {
    "OuMapping": ("schedule", "a.corp.example", "--settle-after", "0", "--new-run"),
    "ValidateImportedCSV": ("schedule", "a.corp.example", "--dry-run"),
    "HostScanJob$": ("status", "--all"),
    f"HostScanJob/{CREDENTIAL}": ("status", CREDENTIAL, "--exit-status"),
    "signinBody": ("status", "--all"),
    "signin2fa": ("status", "--all"),
    "Version": ("schedule", "a.corp.example", "--settle-after", "0", "--new-run"),
    "UserToken": ("status", "--all"),
    "Credential/Search": ("credentials", "a\\b"),
    "Credential/": ("schedule", "a.corp.example", "--credential", "svc-onboard", "--new-run"),
    "OuManageResources": ("hosts", "--ou", "OU=x", "--recursive"),
}


def assert_in_order(ended: Ended) -> None:
    assert ended.code in CODES, ended
    assert "Traceback" not in ended.err
    assert "a bug in sbpam" not in ended.err + ended.out


@pytest.mark.parametrize("call", CALLS)
@settings(
    max_examples=settings().max_examples // 5,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    body=BODIES,
    status=st.sampled_from([200, 200, 200, 201, 204, 400, 401, 404, 500]),
    form=st.sampled_from(["tsv", "csv", "json", "ndjson", "table"]),
    headers=st.fixed_dictionaries(
        {},
        optional={
            "Date": st.sampled_from(["", "soon", "Thu, 01 Jan 1901 00:00:00 GMT", "1", "\u00e9"]),
            "Retry-After": st.sampled_from(["-1", "999999999999", "soon", "\u00b2"]),
            "Set-Cookie": st.sampled_from(["a=b", "=", "a=\u00e9;x", ";;", "a=b=c; path=/"]),
            "Content-Type": st.sampled_from(["", "application/json", "text/html", "x"]),
        },
    ),
)
def test_any_reply_to_any_call(
    site: Site, call: str, body: str, status: int, form: str, headers: dict[str, str]
) -> None:
    site.faults.clear()
    if call == "UserToken":
        site.world.token_life_s = 10
    site.faults.add(
        Fault(action="status", path=call, status=status, body=body or " ", headers=headers)
    )
    assert_in_order(site.run(*CALLS[call], "-o", form))


@settings(
    max_examples=settings().max_examples // 5,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(fields=st.dictionaries(st.sampled_from(HOST_FIELDS[:9]), JSON))
def test_any_value_in_any_field_of_a_host(site: Site, fields: dict[str, Any]) -> None:
    host = "a.corp.example"
    site.world.overrides[host] = fields
    user = next(user for user in site.world.users if user.mfa == "totp")
    env = {"SBPAM_TOKEN": site.world.issue_token(user)[0], "SBPAM_DEBUG": "1"}
    scheduled = site.run(
        "schedule", host, "--new-run", "--settle-after", "0", "-o", "json", env=env
    )
    assert_in_order(scheduled)
    assert [row["host"] for row in scheduled.json()["hosts"]] == [host]
    run = scheduled.json()["run"]
    assert run is not None, scheduled
    for arguments in ([run], ["--all"], [run, "--offline"]):
        ended = site.run("status", *arguments, env=env).expect(0)
        assert_in_order(ended)
        assert all(len(row) == 8 for row in ended.rows())
