"""`login`, `logout` and `whoami`, whole, against the sandbox."""

import os
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest
from keyring.backends.fail import Keyring
from support.clock import RealWaits
from support.faults import Fault
from support.keyrings import MemoryKeyring
from support.site import Ended, Site

from sbpam_cli.sandbox.people import User
from sbpam_cli.signin.totp import code_maker
from sbpam_cli.system.services import Services

NOMFA, NOMFA_PASSWORD = "CORP\\nomfa", b"Sandbox-Nomfa-1"
DEMO, PUSH = "CORP\\demo", "CORP\\push"


class _Person:
    """Somebody with a keyring, whose environment says nothing yet about the server."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.url = site.server.url
        self.keyring = MemoryKeyring()
        for name in [n for n in site.program.environ if n.startswith("SBPAM_")]:
            if not name.endswith("_HOME"):
                del site.program.environ[name]
        site.program.prepare = self._prepare

    def _prepare(self, services: Services) -> None:
        services.clock = RealWaits(self.site.clock)
        services.keyring = lambda: self.keyring

    def __call__(self, *arguments: str, **how: Any) -> Ended:
        return self.site.program(*arguments, **how)

    def login(self, *more: str, user: str = NOMFA, **how: Any) -> Ended:
        server = ["--server", self.url, "--ca-bundle", self.site.server.ca_file]
        if "answers" not in how and "--token-stdin" not in more and "--password-file" not in more:
            more = (*more, "--password-stdin")
            how = {"stdin": self.user(user).password.encode() + b"\n"} | how
        return self("login", *server, "--username", user, *more, **how)

    def user(self, login: str) -> User:
        return next(user for user in self.site.world.users if user.login == login)

    def kept(self, profile: str = "default") -> set[str]:
        start = f"{profile} {self.url} "
        return {name.removeprefix(start) for name in self.keyring.kept if name.startswith(start)}

    @property
    def config(self) -> Path:
        return self.site.program.folder / "config" / "config.toml"

    def profiles(self) -> dict[str, Any]:
        if not self.config.exists():
            return {}
        profiles: dict[str, Any] = tomllib.loads(self.config.read_text())["profiles"]
        return profiles


@pytest.fixture
def person(site: Site) -> _Person:
    return _Person(site)


def test_login_keeps_secrets_in_the_keyring_and_the_rest_in_the_profile(person: _Person) -> None:
    ended = person.login("--credential", "9c711ab3-8fc1-4d66-88d4-08f85117f32e")
    assert (ended.code, ended.out) == (0, "")
    assert f"signed in to {person.url} as {NOMFA} (profile default)" in ended.err
    assert person.kept() == {"token", "password"}
    assert person.profiles() == {
        "default": {
            "server": person.url,
            "method": "password",
            "username": NOMFA,
            "credential": "9c711ab3-8fc1-4d66-88d4-08f85117f32e",
            "ca_bundle": person.site.server.ca_file,
        }
    }
    if os.name == "posix":
        assert stat.S_IMODE(person.config.stat().st_mode) == 0o600
    assert NOMFA_PASSWORD.decode() not in person.config.read_text() + ended.err


def test_whoami_tells_who_where_until_when_and_whence(person: _Person) -> None:
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


def test_whoami_after_the_token_expired(person: _Person) -> None:
    person.login()
    person.site.clock.move(901)
    ended = person("whoami")
    assert ended.code == 0
    assert ended.rows()[0][4] == "2026-11-23T03:30:02Z"
    assert "signs in again" in ended.err
    person.login("--no-store-password")
    person.site.clock.move(901)
    ended = person("whoami")
    assert (ended.code, ended.out) == (4, "")
    assert "expired at" in ended.err
    assert "sbpam login" in ended.err


def test_logout_leaves_no_secret_and_keeps_the_profile(person: _Person) -> None:
    person.login()
    person.login("--profile", "other")
    assert person("logout").code == 0
    assert person.kept() == set()
    assert person.kept("other") == {"token", "password"}
    assert person("logout", "--all").code == 0
    assert person.keyring.kept == {}
    assert set(person.profiles()) == {"default", "other"}
    ended = person("whoami")
    assert ended.code == 4
    assert "sbpam login" in ended.err


def test_logout_of_nobody(person: _Person) -> None:
    assert person("logout").code == 0
    ended = person("logout", "--profile", "berlin")
    assert ended.code == 2
    assert "no profile 'berlin'" in ended.err


def test_logout_says_when_it_cannot_be_sure(person: _Person) -> None:
    person.login()
    person.keyring = Keyring()  # type: ignore[assignment,no-untyped-call]
    ended = person("logout")
    assert ended.code == 3
    assert "may still be in the keyring" in ended.err


@pytest.mark.parametrize("form", ["problem", "string", "text", "html", "empty"])
@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_wrong_password_writes_nothing(person: _Person, form: Any, status: int) -> None:
    person.site.faults.add(Fault(action="reword", path="signin", body=form, status=status))
    ended = person.login(stdin=b"wrong-geheim")
    assert ended.code == 4
    assert "refused the sign-in" in ended.err
    assert "geheim" not in ended.err
    assert person.profiles() == {}
    assert person.keyring.kept == {}
    assert len(person.site.requests("signin")) == 1


def test_the_totp_secret_is_kept_and_used_from_then_on(person: _Person, tmp_path: Path) -> None:
    secret = person.user(DEMO).totp_secret
    file = tmp_path / "totp"
    file.write_text(f"{secret}\n")
    file.chmod(0o600)
    assert person.login("--totp-secret-file", str(file), user=DEMO).code == 0
    assert person.kept() == {"token", "password", "totp-secret"}
    person.site.clock.move(60)
    assert person.login(user=DEMO).code == 0
    assert person.kept() == {"token", "password", "totp-secret"}
    assert secret not in person.config.read_text()


def test_the_totp_secret_of_one_user_is_not_used_for_another(person: _Person) -> None:
    secret = person.user(DEMO).totp_secret
    assert person.login(user=DEMO, env={"SBPAM_TOTP_SECRET": secret}).code == 0
    assert person.login(user=NOMFA).code == 0
    assert person.kept() == {"token", "password"}


def test_a_code_on_the_command_line(person: _Person) -> None:
    assert person.login("--code", "push", user=PUSH).code == 0
    moment = int(person.site.clock.now()) // 30
    code = code_maker(person.user(DEMO).totp_secret)(moment)
    assert person.login("--code", code, user=DEMO).code == 0


def test_a_wrong_code_is_sent_once(person: _Person) -> None:
    ended = person.login("--code", "123456", user=DEMO)
    assert ended.code == 4
    assert person.profiles() == {}
    assert len(person.site.requests("signin2fa")) == 1


def test_a_person_is_asked_for_everything(person: _Person) -> None:
    server = ["--server", person.url, "--ca-bundle", person.site.server.ca_file]
    ended = person("login", *server, terminal=True, answers=[NOMFA, NOMFA_PASSWORD.decode(), ""])
    assert ended.code == 0, ended.err
    assert [text.split()[0] for text in ended.asked] == ["User", "Password", "MFA"]
    assert person.profiles()["default"]["username"] == NOMFA


def test_a_person_is_asked_for_the_totp_secret(person: _Person) -> None:
    user = person.user(DEMO)
    ended = person.login(
        "--totp", user=DEMO, terminal=True, answers=[user.totp_secret, user.password]
    )
    assert ended.code == 0, ended.err
    assert person.kept() == {"token", "password", "totp-secret"}


@pytest.mark.parametrize("how", [{}, {"terminal": True, "env": {"CI": "true"}}])
def test_where_nobody_is_nothing_is_asked(person: _Person, how: dict[str, Any]) -> None:
    ended = person.login(answers=[], **how)
    assert (ended.code, ended.asked) == (4, [])
    assert "SBPAM_PASSWORD" in ended.err
    assert person.site.requests() == []


def test_a_ready_token(person: _Person) -> None:
    person.login()
    token = person.keyring.kept[f"default {person.url} token"]
    ended = person.login("--profile", "ready", "--token-stdin", stdin=f"{token}\n".encode())
    assert ended.code == 0, ended.err
    assert person.kept("ready") == {"token"}
    assert person.profiles()["ready"]["method"] == "token"
    assert "username" not in person.profiles()["ready"]
    bad = person.login("--profile", "bad", "--token-stdin", stdin=token[:-4].encode())
    assert bad.code == 4
    assert "bad" not in person.profiles()


def test_no_store_keeps_nothing_and_forgets_what_was(person: _Person) -> None:
    person.login()
    assert person.login("--no-store").code == 0
    assert person.keyring.kept == {}
    assert person.profiles()["default"]["username"] == NOMFA


def test_no_store_password_keeps_the_token_alone(person: _Person) -> None:
    person.login()
    assert person.login("--no-store-password").code == 0
    assert person.kept() == {"token"}


def test_a_keyring_that_keeps_nothing_is_exit_3_with_the_profile_written(person: _Person) -> None:
    person.keyring.works = False
    ended = person.login()
    assert ended.code == 3
    assert "the keyring kept nothing" in ended.err
    assert "SBPAM_PASSWORD_FILE" in ended.err
    assert NOMFA_PASSWORD.decode() not in ended.err
    assert set(person.profiles()) == {"default"}
    envelope = person.login("-o", "json").json()
    assert (envelope["result"], envelope["exit_code"], envelope["errors"]) == ("failed", 3, [])


def test_a_profile_that_moves_leaves_no_secret_at_its_old_server(person: _Person) -> None:
    for name in ("token", "totp-secret"):
        person.keyring.kept[f"default https://old:6500 {name}"] = "x"
    person.config.parent.mkdir(mode=0o700)
    person.config.write_text('[profiles.default]\nserver = "old"\ninsecure = true\nnote = 1\n')
    assert person.login().code == 0
    assert {key.split()[1] for key in person.keyring.kept} == {person.url}
    assert "insecure" not in person.profiles()["default"]
    assert person.profiles()["default"]["note"] == 1


def test_whom_to_trust_is_said_anew_as_a_whole(person: _Person) -> None:
    person.login()
    pin = person.site.server.fingerprint
    user, url = ["--username", NOMFA, "--password-stdin"], person.url
    for more, kept in [
        (["--fingerprint", pin.upper()], {"fingerprint": pin}),
        (["--insecure"], {"insecure": True}),
        (["--fingerprint", pin], {"fingerprint": pin}),
    ]:
        ended = person("login", "--server", url, *user, *more, stdin=NOMFA_PASSWORD)
        assert ended.code == 0, ended.err
        trust = {"ca_bundle", "fingerprint", "insecure"} & set(person.profiles()["default"])
        assert {key: person.profiles()["default"][key] for key in trust} == kept
        assert ("TLS is not verified" in ended.err) is ("--insecure" in more)


def test_an_exception_for_one_server_is_none_for_another(person: _Person) -> None:
    person.login("--insecure")
    user = ["--username", NOMFA, "--password-stdin"]
    other_port = f"{person.url[:-1]}{8 if person.url.endswith('9') else 9}"
    ended = person("login", "--server", other_port, *user, stdin=NOMFA_PASSWORD)
    assert ended.code == 6
    elsewhere = person.url.replace("127.0.0.1", "localhost")
    ended = person("login", "--server", elsewhere, *user, stdin=NOMFA_PASSWORD)
    assert ended.code == 6
    assert "not verified" not in ended.err
    assert person.profiles()["default"]["server"] == person.url


@pytest.mark.parametrize(
    "arguments",
    [
        ["--server", "http://nps"],
        ["--server", "https://joe:geheim@nps"],
        ["--server", "nps/path"],
        [],
        ["--server", "nps", "--password-stdin", "--token-stdin"],
        ["--server", "nps", "--method", "token"],
        ["--server", "nps", "--method", "token", "--password-stdin"],
        ["--server", "nps", "--method", "password", "--token-stdin"],
        ["--server", "nps", "--method", "magic"],
        ["--server", "nps", "--profile", "a b"],
        ["--server", "nps", "--fingerprint", "abc"],
        ["--server", "nps", "--totp"],
        ["--server", "nps", "--password-file", "/nothing"],
        ["--server", "nps", "--password", "geheim"],
        ["--server", "nps", "--token", "geheim"],
        ["--server", "nps", "--totp-secret", "geheim"],
    ],
)
def test_wrong_usage_sends_and_writes_nothing(person: _Person, arguments: list[str]) -> None:
    ended = person("login", *arguments)
    assert ended.code == 2
    assert ended.out == ""
    assert "geheim" not in ended.err
    assert not person.config.parent.exists()


def test_the_environment_alone_is_enough_and_leaves_nothing(site: Site) -> None:
    [row] = site.program("whoami", "-o", "json").json()["whoami"]
    assert row == {
        "profile": None,
        "server": site.server.url,
        "user": DEMO,
        "method": "password",
        "expires": None,
        "source": "password: SBPAM_PASSWORD, totp-secret: SBPAM_TOTP_SECRET",
    }
    assert not (site.program.folder / "config").exists()
