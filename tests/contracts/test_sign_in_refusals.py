"""Exit 4: the server's words, its trace id, what to do; no rows, as nothing was recorded."""

from collections.abc import Callable

import pytest
from support.faults import Fault
from support.site import Ended, PrivateProgram, Site

HOSTS = ["web01.corp.example", "web02.corp.example", "web03.corp.example"]
PASSWORD_ONLY = {
    "SBPAM_USERNAME": "CORP\\nomfa",
    "SBPAM_PASSWORD": "Sandbox-Nomfa-1",
    "SBPAM_TOTP_SECRET": "",
}


def token_for(site: Site, login: str = "CORP\\demo", *, owes_mfa: bool = False) -> dict[str, str]:
    user = site.world.user(login)
    assert user is not None
    token, _ = site.world.issue_token(user, owes_mfa=owes_mfa)
    return {"SBPAM_TOKEN": token}


def expired_token(site: Site) -> dict[str, str]:
    environ = token_for(site)
    site.clock.move(site.world.token_life_s + 60)
    return environ


def long_expired_token(site: Site) -> dict[str, str]:
    environ = token_for(site)
    site.clock.move(86_400)
    return environ


CASES: dict[str, tuple[Callable[[Site], dict[str, str]], list[str]]] = {
    "wrong password": (
        lambda _: {"SBPAM_PASSWORD": "wrong"},
        ["user name or password is incorrect", "SBPAM_PASSWORD"],
    ),
    "wrong user": (
        lambda _: {"SBPAM_USERNAME": "CORP\\nobody"},
        ["user name or password is incorrect"],
    ),
    "locked account": (
        lambda _: {"SBPAM_USERNAME": "CORP\\locked", "SBPAM_PASSWORD": "Sandbox-Locked-1"},
        ["locked"],
    ),
    "wrong TOTP secret": (
        lambda _: {"SBPAM_TOTP_SECRET": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"},
        ["The code is not valid.", "clock"],
    ),
    "MFA without a secret": (
        lambda _: {"SBPAM_TOTP_SECRET": ""},
        ["The code is not valid.", "SBPAM_TOTP_SECRET"],
    ),
    "token that owes MFA": (
        lambda site: token_for(site, owes_mfa=True),
        ["Multi-factor authentication is required.", "MFA"],
    ),
    "missing role": (
        lambda _: {
            "SBPAM_USERNAME": "CORP\\viewer",
            "SBPAM_PASSWORD": "Sandbox-Viewer-1",
            "SBPAM_TOTP_SECRET": "",
        },
        ["The role Admin or App is required.", "role"],
    ),
    "token without the role": (
        lambda site: token_for(site, "CORP\\viewer"),
        ["The role Admin or App is required.", "role"],
    ),
}


def assert_refused(site: Site, ended: Ended, words: list[str]) -> None:
    assert ended.code == 4, ended
    assert {row[1] for row in ended.rows()} <= {"NotSent"}
    assert ended.rows() == [] or "run 20" in ended.err, "what was not recorded has no rows"
    for word in words:
        assert word in ended.err
    assert len(ended.err.splitlines()) <= 6
    assert site.scheduled() == []


@pytest.mark.parametrize("case", CASES)
def test_server_refuses(site: Site, case: str) -> None:
    make_environ, words = CASES[case]
    ended = site.program("schedule", *HOSTS, env=make_environ(site))
    assert_refused(site, ended, words)
    assert "trace id: 00-" in ended.err
    assert "→" in ended.err


@pytest.mark.parametrize("make_environ", [expired_token, long_expired_token])
def test_expired_token(site: Site, make_environ: Callable[[Site], dict[str, str]]) -> None:
    ended = site.program("schedule", *HOSTS, env=make_environ(site))
    assert_refused(site, ended, ["token has expired", "trace id: 00-", "SBPAM_TOKEN"])
    assert len(site.requests("/UserToken")) == 1


@pytest.mark.parametrize("form", ["problem", "string", "text", "html", "empty"])
@pytest.mark.parametrize("status", [400, 401, 403])
def test_refusals_in_any_wording(site: Site, form: str, status: int) -> None:
    site.faults.add(Fault(action="reword", body=form, status=status))
    ended = site.program("schedule", *HOSTS, env={"SBPAM_PASSWORD": "wrong"})
    words = [] if form == "empty" else ["user name or password is incorrect"]
    assert_refused(site, ended, words)
    assert len(site.requests("/signin")) == 1
    assert "<" not in ended.err


@pytest.mark.parametrize("case", CASES)
def test_no_step_of_a_refused_sign_in_is_repeated(site: Site, case: str) -> None:
    make_environ, _ = CASES[case]
    site.program("schedule", *HOSTS, "--batch-size", "1", env=make_environ(site))
    assert len(site.requests("/signinBody")) <= 1
    assert len(site.requests("in2fa")) <= 1


def test_refusal_in_json(site: Site) -> None:
    ended = site.program("schedule", *HOSTS, "-o", "json", env={"SBPAM_PASSWORD": "wrong"})
    envelope = ended.json()
    assert (ended.code, envelope["exit_code"], envelope["result"]) == (4, 4, "failed")
    assert envelope["hosts"] == []
    [error] = envelope["errors"]
    assert error["code"] == "sign_in"
    assert "user name or password is incorrect" in error["message"]
    assert error["trace_id"].startswith("00-")
    assert error["hint"]
    assert envelope["run"] is None


def test_nothing_is_recorded_before_sign_in_succeeds(site: Site) -> None:
    site.program("schedule", *HOSTS, env={"SBPAM_PASSWORD": "wrong"})
    ended = site.program("status", "--offline")
    assert ended.out == ""


@pytest.mark.parametrize("form", ["tsv", "json"])
def test_no_server_is_known(program: PrivateProgram, form: str) -> None:
    environ = {"SBPAM_CREDENTIAL": "9c711ab3-8fc1-4d66-88d4-08f85117f32e", "SBPAM_OUTPUT": form}
    ended = program("schedule", *HOSTS, env=environ)
    assert ended.code == 4
    assert "sbpam login" in ended.err
    assert "SBPAM_SERVER" in ended.err
    assert ended.json()["hosts"] == [] if form == "json" else ended.out == ""


def test_no_user_is_known(site: Site) -> None:
    nobody = {"SBPAM_USERNAME": "", "SBPAM_PASSWORD": "", "SBPAM_TOTP_SECRET": ""}
    ended = site.program("schedule", *HOSTS, env=nobody)
    assert_refused(site, ended, ["login", "SBPAM_USERNAME"])
    assert site.requests("/signin") == []


def test_no_password_and_nobody_to_ask(site: Site) -> None:
    ended = site.program("schedule", *HOSTS, env={"SBPAM_PASSWORD": ""})
    assert_refused(site, ended, ["password", "SBPAM_PASSWORD"])
    assert site.requests("/signin") == []
    assert ended.asked == []


def test_input_errors_come_before_sign_in(site: Site) -> None:
    ended = site.program("schedule", "short", env={"SBPAM_PASSWORD": "wrong"})
    assert ended.code == 2
    assert site.requests() == []


def test_token_dies_in_the_middle_and_cannot_be_renewed(site: Site) -> None:
    site.faults.add(Fault(action="revoke", method="POST", path="OuMapping", nth=3))
    ended = site.program(
        "schedule", *HOSTS, "--batch-size", "1", "--parallel", "1", env=token_for(site)
    )
    assert ended.code == 4
    assert [row[1] for row in ended.rows()] == ["Queued", "Queued", "NotSent"]
    assert "SBPAM_TOKEN" in ended.err
    assert site.scheduled() == HOSTS[:2]


def test_token_dies_in_the_middle_and_is_renewed(site: Site) -> None:
    site.faults.add(Fault(action="revoke", method="POST", path="OuMapping", nth=3))
    ended = site.program(
        "schedule", *HOSTS, "--batch-size", "1", "--parallel", "1", env=PASSWORD_ONLY
    )
    assert ended.code == 0, ended.err
    assert [row[1] for row in ended.rows()] == ["Queued"] * 3
    assert site.scheduled() == HOSTS


def test_role_is_taken_away_in_the_middle(site: Site) -> None:
    site.faults.add(
        Fault(action="status", status=403, method="POST", path="OuMapping", nth=2),
    )
    ended = site.program("schedule", *HOSTS, "--batch-size", "1", "--parallel", "1")
    assert ended.code == 4
    assert [row[1] for row in ended.rows()] == ["Queued", "NotSent", "NotSent"]
    assert site.scheduled() == HOSTS[:1]
    assert "trace id" in ended.err
