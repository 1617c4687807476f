"""Exit 4: the server's words, its trace id, what to do; no rows, as nothing was recorded."""

from collections.abc import Callable

import pytest
from support.faults import Fault
from support.site import Ended, Program, Site

HOSTS = ["web01.corp.example", "web02.corp.example", "web03.corp.example"]
WRONG, CODE = "user name or password is incorrect", "The code is not valid."
ROLE = "The role Admin or App is required."


def user(name: str) -> dict[str, str]:
    """Without a code. The sandbox's people have passwords after their names."""
    who = {"SBPAM_USERNAME": f"CORP\\{name}", "SBPAM_PASSWORD": f"Sandbox-{name.title()}-1"}
    return who | {"SBPAM_TOTP_SECRET": ""}


def token_for(site: Site, login: str = "CORP\\demo", *, owes_mfa: bool = False) -> dict[str, str]:
    user = site.world.user(login)
    assert user is not None
    token, _ = site.world.issue_token(user, owes_mfa=owes_mfa)
    return {"SBPAM_TOKEN": token}


CASES: dict[str, tuple[Callable[[Site], dict[str, str]], list[str]]] = {
    "wrong password": (
        lambda _: {"SBPAM_PASSWORD": "wrong"},
        [WRONG, "SBPAM_PASSWORD", "check user name"],
    ),
    "wrong user": (lambda _: {"SBPAM_USERNAME": "CORP\\nobody"}, [WRONG]),
    "locked account": (
        lambda _: user("locked"),
        ["The account is locked", "lock an account for five minutes"],
    ),
    "wrong TOTP secret": (lambda _: {"SBPAM_TOTP_SECRET": "GEZDGNBVGY3TQOJQ" * 2}, [CODE, "clock"]),
    "MFA without a secret": (lambda _: {"SBPAM_TOTP_SECRET": ""}, [CODE, "SBPAM_TOTP_SECRET"]),
    "token that owes MFA": (
        lambda site: token_for(site, owes_mfa=True),
        ["Multi-factor authentication is required.", "MFA"],
    ),
    "missing role": (lambda _: user("viewer"), [ROLE, "role"]),
    "token without the role": (lambda site: token_for(site, "CORP\\viewer"), [ROLE, "role"]),
}


def assert_refused(site: Site, ended: Ended, words: list[str]) -> None:
    ended.expect(4, *words)
    assert {row[1] for row in ended.rows()} <= {"NotSent"}
    assert ended.rows() == [] or "run 20" in ended.err, "what was not recorded has no rows"
    assert len(ended.err.splitlines()) <= 6
    assert site.scheduled() == []


@pytest.mark.parametrize("case", CASES)
def test_server_refuses_once(site: Site, case: str) -> None:
    make_environ, words = CASES[case]
    ended = site.run("schedule", *HOSTS, "--batch-size", "1", env=make_environ(site))
    assert_refused(site, ended, [*words, "trace id: 00-", "→"])
    assert len(site.requests("/signinBody")) <= 1
    assert len(site.requests("in2fa")) <= 1


def test_expired_token(site: Site) -> None:
    environ = token_for(site)
    site.clock.move(960)
    ended = site.run("schedule", *HOSTS, env=environ)
    assert_refused(site, ended, ["token has expired", "trace id: 00-", "SBPAM_TOKEN"])
    assert len(site.requests("/UserToken")) == 1


@pytest.mark.parametrize("form", ["tsv", "json"])
def test_no_server_is_known(program: Program, form: str) -> None:
    environ = {"SBPAM_CREDENTIAL": "9c711ab3-8fc1-4d66-88d4-08f85117f32e", "SBPAM_OUTPUT": form}
    ended = program("schedule", *HOSTS, env=environ).expect(4, "sbpam login", "SBPAM_SERVER")
    assert ended.json()["hosts"] == [] if form == "json" else ended.out == ""


@pytest.mark.parametrize("renewable", [False, True])
def test_token_dies_again_and_again(site: Site, renewable: bool) -> None:
    """Refusals are counted since the last accepted batch."""
    site.faults.add(Fault(action="revoke", method="POST", path="OuMapping", nth=(2, 4)))
    how = ("--batch-size", "1", "--parallel", "1")
    ended = site.run("schedule", *HOSTS, *how, env=user("nomfa") if renewable else token_for(site))
    assert ended.code == (0 if renewable else 4)
    rest = "Queued" if renewable else "NotSent"
    assert [row[1] for row in ended.rows()] == ["Queued", rest, rest]
    assert renewable or "SBPAM_TOKEN" in ended.err
    assert sorted(site.scheduled()) == HOSTS[: 3 if renewable else 1]
