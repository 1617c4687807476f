"""`login`, `logout` and `whoami`, whole, against the sandbox."""

import io
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from support.certificates import API_KEY, APPLICATION, issue, write
from support.person import DEMO, NOMFA, NOMFA_PASSWORD, Person, clear_environ
from support.site import Site

from sbpam_cli.system.locks import take_turn
from sbpam_cli.system.services import Services


def test_login_keeps_secrets_in_the_keyring_and_the_rest_in_the_profile(person: Person) -> None:
    ended = person.login("--credential", "9c711ab3-8fc1-4d66-88d4-08f85117f32e")
    assert (ended.code, ended.out) == (0, "")
    assert f"signed in to {person.url} as {NOMFA} (profile default)" in ended.err
    assert set(person.kept()) == {"token", "password"}
    assert person.site.profiles() == {
        "default": {
            "server": person.url,
            "method": "password",
            "username": NOMFA,
            "credential": "9c711ab3-8fc1-4d66-88d4-08f85117f32e",
            "ca_bundle": person.site.server.ca_file,
        }
    }
    if os.name == "posix":
        assert stat.S_IMODE(person.site.config.stat().st_mode) == 0o600
    assert NOMFA_PASSWORD not in person.site.config.read_text() + ended.err


def test_a_wrong_password_writes_nothing(person: Person) -> None:
    ended = person.login(stdin=b"wrong-geheim").expect(4, "refused the sign-in")
    assert "geheim" not in ended.err
    assert person.site.profiles() == {}
    assert person.keyring.kept == {}
    assert person.counts() == (1, 0, 0)


def test_the_totp_secret_is_kept_and_used_from_then_on_for_its_user_alone(
    person: Person, tmp_path: Path
) -> None:
    secret = person.user(DEMO).totp_secret
    file = write(tmp_path / "totp", f"{secret}\n".encode())
    assert person.login("--totp-secret-file", file, user=DEMO).code == 0
    assert set(person.kept()) == {"token", "password", "totp-secret"}
    person.site.clock.move(60)
    assert person.login(user=DEMO).code == 0
    assert set(person.kept()) == {"token", "password", "totp-secret"}
    assert secret not in person.site.config.read_text()
    assert person.login(user=NOMFA).code == 0
    assert set(person.kept()) == {"token", "password"}


def test_a_person_is_asked_for_everything(person: Person) -> None:
    """The server first; each question says of whom and where."""
    where = person.url.removeprefix("https://")
    how: dict[str, Any] = {"terminal": True, "env": {"SSL_CERT_FILE": person.site.server.ca_file}}
    ended = person("login", answers=[person.url, NOMFA, NOMFA_PASSWORD, ""], **how).expect(0)
    assert ended.asked == [
        "Server (HOST, HOST:PORT or https://...): ",
        f"User name (DOMAIN\\user) at {where}: ",
        f"Password for {NOMFA} at {where}: ",
        f"MFA code for {NOMFA} at {where} (Enter if none): ",
    ]
    assert person.site.profiles()["default"]["username"] == NOMFA
    user = person.user(DEMO)
    answers = [user.totp_secret, user.password]
    ended = person("login", "--username", DEMO, "--totp", answers=answers, **how).expect(0)
    assert ended.asked[0] == f"TOTP secret for {DEMO} at {where}: "
    assert set(person.kept()) == {"token", "password", "totp-secret"}
    token = person.kept()["token"]
    new = ["login", "--profile", "new", "--server", person.url]
    ended = person(*new, "--method", "token", answers=[token], **how)
    assert (ended.code, ended.asked) == (0, [f"Token for {where}: "])
    assert set(person.kept("new")) == {"token"}
    ended = person("login", "--profile", "newer", answers=["http://nps"], **how).expect(2)
    assert "is not HOST, HOST:PORT or https://HOST:PORT" in " ".join(ended.err.split())


def test_print_token_prints_it_and_keeps_nothing(person: Person) -> None:
    ended = person.login("--print-token").expect(0)
    assert (person.keyring.kept, person.site.profiles()) == ({}, {})
    assert person("credentials", env=person.where() | {"SBPAM_TOKEN": ended.out}).code == 0
    [row] = person.login("--print-token", "-o", "json").json()["login"]
    assert [*row] == ["token"]


@pytest.mark.parametrize("how", [{}, {"terminal": True, "env": {"CI": "true"}}])
def test_where_nobody_is_nothing_is_asked(person: Person, how: dict[str, Any]) -> None:
    assert person.login(answers=[], **how).expect(4, "SBPAM_PASSWORD").asked == []
    assert person.site.requests() == []


def test_a_ready_token(person: Person) -> None:
    person.login()
    token = person.keyring.kept[f"default {person.url} token"]
    person.login("--profile", "ready", "--token-stdin", stdin=f"{token}\n".encode()).expect(0)
    assert set(person.kept("ready")) == {"token"}
    assert person.site.profiles()["ready"]["method"] == "token"
    assert "username" not in person.site.profiles()["ready"]
    person.login("--profile", "bad", "--token-stdin", stdin=token[:-4].encode()).expect(4)
    assert "bad" not in person.site.profiles()


@pytest.mark.parametrize(
    ("option", "kept"), [("--no-store", set()), ("--no-store-password", {"token"})]
)
def test_what_is_not_to_be_kept_is_forgotten(person: Person, option: str, kept: set[str]) -> None:
    person.login()
    assert person.login(option).code == 0
    assert set(person.kept()) == kept
    assert person.site.profiles()["default"]["username"] == NOMFA


def test_a_keyring_that_keeps_nothing_is_exit_3_with_the_profile_written(person: Person) -> None:
    person.keyring.works = False
    ended = person.login().expect(3, "the keyring kept nothing", "SBPAM_PASSWORD_FILE")
    assert NOMFA_PASSWORD not in ended.err
    assert set(person.site.profiles()) == {"default"}
    envelope = person.login("-o", "json").json()
    assert (envelope["result"], envelope["exit_code"], envelope["errors"]) == ("failed", 3, [])


def test_a_profile_that_moves_leaves_no_secret_at_its_old_server(person: Person) -> None:
    for name in ("token", "totp-secret"):
        person.keyring.kept[f"default https://old:6500 {name}"] = "x"
    person.site.write_config('[profiles.default]\nserver = "old"\ninsecure = true\nnote = 1\n')
    assert person.login().code == 0
    assert {key.split()[1] for key in person.keyring.kept} == {person.url}
    assert "insecure" not in person.site.profiles()["default"]
    assert person.site.profiles()["default"]["note"] == 1


def test_whom_to_trust_is_said_anew_as_a_whole(person: Person) -> None:
    person.login()
    pin = person.site.server.fingerprint
    line = ["login", "--server", person.url, "--username", NOMFA, "--password-stdin"]
    trusted = {"SSL_CERT_FILE": person.site.server.ca_file}
    for more, kept in [
        (["--fingerprint", pin.upper()], {"fingerprint": pin}),
        (["--insecure"], {"insecure": True}),
        (["--fingerprint", pin], {"fingerprint": pin}),
        (["--insecure"], {"insecure": True}),
        ([], {}),
    ]:
        ended = person(*line, *more, stdin=NOMFA_PASSWORD.encode(), env=trusted).expect(0)
        profile = person.site.profiles()["default"]
        trust = {"ca_bundle", "fingerprint", "insecure"} & set(profile)
        assert {key: profile[key] for key in trust} == kept
        assert ("TLS is not verified" in ended.err) is ("--insecure" in more)


APART = """
    --password-stdin --token-stdin
    --method token
    --method token --password-stdin
    --method password --token-stdin
    --method application
    --method application --client-cert /nothing
    --method password --client-cert /nothing
    --client-cert /nothing --password-stdin
    --client-cert /nothing --code 123456
    --api-key-stdin --token-stdin
    --api-key-stdin
    --totp
    --password-file /nothing
    --password=geheim
    --token=geheim
    --totp-secret=geheim
    --api-key=geheim
    --client-key-password geheim
"""


@pytest.mark.parametrize("line", ["", *(f"--server nps {x}" for x in APART.strip().splitlines())])
def test_wrong_usage_sends_and_writes_nothing(person: Person, line: str) -> None:
    ended = person("login", *line.split()).expect(2, out="")
    assert "geheim" not in ended.err
    assert not person.site.config.parent.exists()


@pytest.mark.parametrize(
    "arguments", [["--password-stdin", "geheim"], ["geheim"], ["--password-stdin", "--", "-geheim"]]
)
def test_a_mistyped_secret_is_not_repeated(person: Person, arguments: list[str]) -> None:
    ended = person("login", "--server", "nps", *arguments).expect(2)
    assert "geheim" not in ended.err + ended.out
    assert "login takes no arguments" in ended.err


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("device", "not a file"),
        ("folder", "not a file"),
        ("missing", "No such file"),
        ("silent pipe", "nothing came within 3 seconds"),
        ("pipe", None),
        ("file\r", None),
    ],
)
def test_what_a_password_file_may_be(
    person: Person, tmp_path: Path, what: str, why: str | None
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_text(f"{NOMFA_PASSWORD}\r\n")
    reading, writing = os.pipe()
    os.write(writing, NOMFA_PASSWORD.encode())
    os.close(writing)
    path = {
        "device": "/dev/zero",
        "folder": str(tmp_path),
        "missing": str(tmp_path / "nothing"),
        "silent pipe": str(tmp_path / "pipe"),
        "pipe": f"/dev/fd/{reading}",
        "file\r": f"{tmp_path / 'file'}\r",
    }[what]
    ended = person.login("--password-file", path)
    os.close(reading)
    assert ended.code == (2 if why else 0), ended.err
    assert (why or "signed in") in ended.err
    assert why is None or path in ended.err


def test_stdin_without_an_end_is_too_long_for_a_secret(person: Person) -> None:
    class Endless(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return b"x" * (size or 0)

    person.prepare = lambda services: setattr(services, "stdin", Endless())
    person.login().expect(2, "--password-stdin is too long for a secret")


@pytest.mark.parametrize("what", ["below a file", "a link"])
def test_a_config_that_cannot_be_written_is_found_before_a_question(
    person: Person, tmp_path: Path, what: str
) -> None:
    """A password typed for nothing is a nuisance; a code is good only once."""
    (tmp_path / "elsewhere.toml").write_text("")
    (tmp_path / "config").mkdir(mode=0o700)
    (tmp_path / "config" / "config.toml").symlink_to(tmp_path / "elsewhere.toml")
    folder = tmp_path / ("elsewhere.toml" if what == "below a file" else "config")
    ended = person.login(terminal=True, answers=["x", ""], env={"SBPAM_CONFIG_HOME": str(folder)})
    assert (ended.code, ended.asked) == (2, [])
    assert str(folder) in "".join(ended.err.split("\n  "))
    assert person.site.requests() == []


def test_a_folder_whose_name_is_not_utf_8_is_fine(person: Person, tmp_path: Path) -> None:
    folder = tmp_path / "caf\udce9"
    assert person.login(env={"SBPAM_CONFIG_HOME": str(folder)}).code == 0
    assert "nomfa" in person("whoami", env={"SBPAM_CONFIG_HOME": str(folder)}).out


def test_two_logins_at_once_both_leave_a_profile(person: Person) -> None:
    """The second waits for its turn, and then reads what the first one wrote."""

    def elsewhere(services: Services) -> None:
        turn = take_turn(services, f"profiles {person.site.config}", services.clock.sleep)
        turn.__enter__()

        def finish(seconds: float) -> None:
            person.site.write_config('[profiles.other]\nserver = "https://other"\n')
            turn.__exit__(None, None, None)

        services.clock.sleep = finish  # type: ignore[method-assign]

    person.prepare = elsewhere
    assert person.login("--profile", "mine").code == 0
    assert set(person.site.profiles()) == {"mine", "other"}


def test_controls_never_reach_a_question(site: Site, tmp_path: Path) -> None:
    """A carriage return in a file's name would rewrite the line that asks for its passphrase."""
    clear_environ(site)
    host = site.server.url.removeprefix("https://")
    cert, key = issue(site.server).files(tmp_path, "geheim")
    odd = tmp_path / "a.key\rPassword for root\x1b[2K: "
    Path(key).rename(odd)
    where = ["--server", site.server.url, "--ca-bundle", site.server.ca_file]
    who = ["--username", APPLICATION, "--client-cert", cert, "--client-key", str(odd)]
    ended = site.run("login", *where, *who, terminal=True, answers=["geheim", API_KEY]).expect(3)
    shown = rf"{tmp_path}/a.key\rPassword for root\x1b[2K: "
    assert ended.asked == [
        f"Passphrase for the private key in {shown} ({APPLICATION} at {host}): ",
        f"API key for {APPLICATION} at {host}: ",
    ]
