"""`whoami` and `logout`, against the sandbox."""

import re
from typing import Any

import pytest
from keyring.backends.fail import Keyring
from keyring.errors import KeyringLocked
from support.keyrings import MemoryKeyring
from support.person import DEMO, NOMFA, Person
from support.site import Site


def test_whoami_tells_who_where_until_when_and_whence(person: Person) -> None:
    person.login()
    before = len(person.site.world.log)
    [row] = person("whoami", "-o", "json").json()["whoami"]
    assert row == {
        "profile": "default",
        "server": person.url,
        "user": NOMFA,
        "method": "password",
        "expires": "2026-11-23T03:30:02Z",
        "source": "token: keyring, password: keyring",
    }
    ended = person("whoami", env={"SBPAM_PASSWORD": "geheim"})
    assert ended.rows()[0][-1] == "token: keyring, password: SBPAM_PASSWORD"
    assert "geheim" not in ended.out + ended.err
    assert len(person.site.world.log) == before


def test_whoami_after_the_token_expired(person: Person) -> None:
    person.login()
    person.site.clock.move(901)
    ended = person("whoami").expect(0)
    assert ended.rows()[0][4] == "2026-11-23T03:30:02Z"
    assert "signs in again" in ended.err
    person.login("--no-store-password")
    person.site.clock.move(901)
    person("whoami").expect(4, "expired at", "sbpam login", out="")


def test_logout_leaves_no_secret_and_keeps_the_profile(person: Person) -> None:
    person.login()
    person.login("--profile", "other")
    assert person("logout").code == 0
    assert set(person.kept()) == set()
    assert set(person.kept("other")) == {"token", "password"}
    assert person("logout", "--all").code == 0
    assert person.keyring.kept == {}
    assert set(person.site.profiles()) == {"default", "other"}
    person("whoami").expect(4, "sbpam login")


def test_logout_of_nobody(person: Person) -> None:
    assert person("logout").code == 0
    person("logout", "--profile", "berlin").expect(2, "no profile 'berlin'")


class LockedKeyring(MemoryKeyring):
    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringLocked


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [(Keyring, "where it works"), (LockedKeyring, "unlock it and run this again")],
)
def test_a_keyring_that_cannot_be_used_is_named_with_its_remedy(
    person: Person, kind: type[Any], remedy: str
) -> None:
    person.login()
    person.keyring = kind()
    person("logout").expect(3, "may still be in the keyring (", remedy)
    for ended in (person.login(), person("credentials", "-q")):
        assert ("unlock it" in ended.err) is (kind is LockedKeyring)


@pytest.mark.parametrize("where", ["keyring", "SBPAM_TOKEN"])
def test_whoami_asks_the_server_whether_each_token_works(person: Person, where: str) -> None:
    person.login()
    env = {"SBPAM_TOKEN": person.kept()["token"]} if where == "SBPAM_TOKEN" else {}
    before = person.counts()
    person("whoami", "--check", env=env).expect(0, f"the token from {where} works")
    person.site.world.revoke_tokens()
    ended = person("whoami", "--check", env=env).expect(4)
    refused = re.findall(r"the token from (\S+) does not work: ", ended.err)
    assert refused == [*env, "keyring"]
    assert ("put a fresh one into SBPAM_TOKEN" in ended.err) == bool(env)
    assert len(ended.rows()) == 1
    assert person.counts()[:2] == before[:2]


def test_the_environment_alone_is_enough_and_leaves_nothing(site: Site) -> None:
    [row] = site.run("whoami", "-o", "json").json()["whoami"]
    assert row == {
        "profile": None,
        "server": site.server.url,
        "user": DEMO,
        "method": "password",
        "expires": None,
        "source": "password: SBPAM_PASSWORD, totp-secret: SBPAM_TOTP_SECRET",
    }
    assert not (site.folder / "config").exists()
