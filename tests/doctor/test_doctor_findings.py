"""`sbpam doctor`: all well, and each thing that can be wrong, with its remedy."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trustme
from support.certificates import application_environ
from support.clock import MovedClock
from support.faults import Fault, StagedWorld
from support.keyrings import HangingKeyring, MemoryKeyring
from support.person import clear_environ
from support.site import Program, Site, served

from sbpam_cli.sandbox.people import User
from sbpam_cli.system.clock import Clock

LOCAL = ["profile", "environment", "state folder", "journal", "keyring"]
SECRETS = ["secret token", "secret password", "secret totp-secret"]
SERVER = ["connection", "server", "certificate", "clock", "sign-in", "role"]
posix_only = pytest.mark.skipif(os.name != "posix", reason="modes and owners are POSIX")


class Row(NamedTuple):
    ok: bool | None
    detail: str
    remedy: str | None


class Clinic(Site):
    """A site on the real clock, with a keyring in memory."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, Clock())
        self.keyring: Any = MemoryKeyring()
        self.prepare = lambda services: setattr(services, "keyring", lambda: self.keyring)

    def examine(self, *broken: str, mode: str = "--unattended", **env: str) -> dict[str, Row]:
        """What it finds, if that are the broken ones; a variable set to nothing is unset."""
        ended = self.run("doctor", *[mode] * bool(mode), "-o", "json", env=env)
        envelope = ended.json()
        assert (envelope["errors"], envelope["exit_code"]) == ([], ended.code)
        rows = {row.pop("check"): Row(**row) for row in envelope["doctor"]}
        found = [name for name, row in rows.items() if row.ok is False]
        assert (ended.code, found) == (3 if broken else 0, [*broken])
        return rows

    def use(self, login: str) -> User:
        """Signs in as this user from the environment."""
        user = next(user for user in self.world.users if user.login == login)
        environ = self.environ
        environ.update(SBPAM_USERNAME=login, SBPAM_PASSWORD=user.password, SBPAM_TOTP_SECRET="")
        return user

    def log_in(self, *trust: str, login: str = "CORP\\nomfa", code: str = "0") -> None:
        """Stores a profile and its secrets; the environment is silent from then on."""
        user = self.use(login)
        clear_environ(self)
        trust = trust or ("--ca-bundle", self.server.ca_file)
        server = ["--server", self.server.url, *trust]
        password = user.password.encode()
        who = ["--username", user.login, "--password-stdin", "--code", code]
        assert self.run("login", *server, *who, stdin=password).code == 0


def a_clinic(folder: Path, *tls_files: str) -> AbstractContextManager[Clinic]:
    world = StagedWorld(seed=1, now=time.time, failing_share=0.0)
    return served(Clinic(folder), world, *tls_files)


@pytest.fixture
def clinic(tmp_path: Path) -> Iterator[Clinic]:
    with a_clinic(tmp_path) as clinic:
        yield clinic


def skipped(rows: dict[str, Row], broken: str) -> list[str]:
    why = f"skipped: {broken} is not ok"
    return [name for name, row in rows.items() if row == (None, why, None)]


def test_all_is_well_and_nothing_is_scheduled_recorded_or_stored(clinic: Clinic) -> None:
    rows = clinic.examine(HTTPS_PROXY="http://127.0.0.1:9", NO_PROXY="127.0.0.1")
    assert list(rows) == [*LOCAL, *SECRETS, *SERVER]
    assert f"server {clinic.server.url} (SBPAM_SERVER)" in rows["profile"].detail
    assert rows["secret password"].detail == "from SBPAM_PASSWORD"
    assert rows["server"].detail == "25.12.00000; its certificate is trusted"
    assert "expires 3000-01-01" in rows["certificate"].detail
    methods = {(e.request.method, e.request.target.split("?")[0]) for e in clinic.world.log}
    assert {path for method, path in methods if method != "GET"} == {"/signinBody", "/signin2fa"}
    assert clinic.world.violations == []
    assert not (clinic.folder / "state" / "journal.sqlite3").exists()
    assert not (clinic.folder / "config").exists()
    assert clinic.keyring.kept == {}


def test_a_terminal_is_shown_signs_and_asked_nothing(clinic: Clinic) -> None:
    clinic.environ["SBPAM_PASSWORD"] = ""
    ended = clinic.run("doctor", "--unattended", terminal=True, env={"COLUMNS": "120"}).expect(3)
    assert ended.asked == []
    lines = {line.split("  ")[0]: line for line in ended.out.splitlines()}
    assert "✓ yes" in lines["server"]
    assert "✗ no" in lines["secret password"]
    assert "SBPAM_PASSWORD_FILE" in ended.out


def log_in_with_a_code(clinic: Clinic) -> dict[str, str]:
    """As somebody who types a code; returns the keyring's entries."""
    clinic.log_in(login="CORP\\push", code="push")
    clinic.world.log.clear()
    kept: dict[str, str] = clinic.keyring.kept
    return kept


def test_a_stored_session_is_enough_for_a_person(clinic: Clinic) -> None:
    kept = log_in_with_a_code(clinic)
    before = dict(kept)
    rows = clinic.examine(mode="")
    assert rows["sign-in"].detail.startswith("the stored session works, expires ")
    assert rows["role"].ok
    assert {entry.request.method for entry in clinic.world.log} == {"GET"}
    assert kept == before
    # Cron cannot type a code.
    clinic.examine("sign-in")


@pytest.mark.parametrize(
    ("lost", "detail", "ok"),
    [
        (["token"], "no session is stored", None),
        (["token", "password"], "no session is stored", False),
        ([], "does not accept the token", False),
    ],
)
def test_a_person_whose_session_is_over_signs_in_by_hand(
    clinic: Clinic, lost: list[str], detail: str, ok: bool | None
) -> None:
    kept = log_in_with_a_code(clinic)
    for entry in [entry for entry in kept if any(name in entry for name in lost)]:
        del kept[entry]
    clinic.world.revoke_tokens()
    rows = clinic.examine(*["sign-in"] * (ok is False), mode="")
    assert rows["sign-in"].ok is ok
    assert detail in rows["sign-in"].detail
    assert "`sbpam login`" in (rows["sign-in"].remedy or "")
    assert skipped(rows, "sign-in") == ["role"]
    # A code that is refused counts as a failed attempt.
    assert {entry.request.method for entry in clinic.world.log} == {"GET"}


def test_what_is_not_ok_comes_first_and_the_verdict_last(clinic: Clinic) -> None:
    ended = clinic.run("doctor", "--unattended", env={"SBPAM_PASSWORD": "not-it"})
    assert [row[0] for row in ended.rows()][:2] == ["sign-in", "profile"]
    assert ended.err == "A run fails, now or soon: sign-in; not looked at: role.\n"
    clinic.use("CORP\\nomfa")
    ended = clinic.run("doctor", "--unattended")
    assert ended.err == "Nothing that stops a run was found.\n"
    assert clinic.run("doctor", "--unattended", "--quiet").err == ""


UNREACHED = {"HTTPS_PROXY": "http://someone:planted@127.0.0.1:9", "NO_PROXY": ""}
BROKEN = {"HTTPS_PROXY": "http://someone:planted/9@127.0.0.1:80", "NO_PROXY": ""}
WRONG = [
    ({"SBPAM_SERVER": "http://nps.example"}, "profile", "SBPAM_SERVER", "https"),
    ({"SBPAM_STATE_HOME": f"{__file__}/state"}, "state folder", "written", "SBPAM_STATE_HOME"),
    ({"SBPAM_SERVER": "https://nps.invalid"}, "connection", "nps.invalid port 443", "resolver"),
    ({"SBPAM_SERVER": "https://127.0.0.1:9"}, "connection", "127.0.0.1 port 9", "firewall"),
    (UNREACHED, "connection", "the proxy 127.0.0.1 port 9", "firewall"),
    (BROKEN, "connection", "HTTPS_PROXY", "USER:PASSWORD@HOST"),
    ({"SBPAM_CA_BUNDLE": ""}, "server", "is not trusted", "--ca-bundle"),
    ({"SBPAM_FINGERPRINT": "0" * 64}, "server", "another certificate than the pinned", "login"),
    ({"SBPAM_PASSWORD": "not-it"}, "sign-in", "password is incorrect", "from SBPAM_PASSWORD"),
    # What is stored may still be good for minutes; cron needs more.
    ({"SBPAM_TOTP_SECRET": ""}, "sign-in", "code", "SBPAM_TOTP_SECRET"),
    ({"SBPAM_USERNAME": "CORP\\viewer"}, "role", "Admin or App", "Admin or App"),
]


@pytest.mark.parametrize(("env", "check", "detail", "remedy"), WRONG)
def test_what_is_wrong_is_named_once_with_its_remedy(
    clinic: Clinic, env: dict[str, str], check: str, detail: str, remedy: str
) -> None:
    if check == "role":
        clinic.use(env["SBPAM_USERNAME"])
    rows = clinic.examine(check, **env)
    assert detail in rows[check].detail
    assert remedy in (rows[check].remedy or "")
    assert "planted" not in str(rows)
    following = {"profile": ["server"], "state folder": ["journal"]}
    after = following.get(check) or SERVER[SERVER.index(check) + 1 :]
    assert skipped(rows, check) == after
    # A refused sign-in is never repeated: that is what locks accounts.
    assert sum("signinBody" in entry.request.target for entry in clinic.world.log) <= 1


def test_no_server(program: Program) -> None:
    ended = program.run("doctor").expect(3)
    rows = {row[0]: row[1:] for row in ended.rows()}
    assert ended.err == "A run fails, now or soon: profile; not looked at: server.\n"
    assert {len(row) for row in ended.rows()} == {4}
    assert rows["profile"][0] == "false"
    assert "SBPAM_SERVER" in rows["profile"][2]
    assert rows["server"][1] == "skipped: profile is not ok"


def test_what_was_just_typed_is_a_usage_error(clinic: Clinic) -> None:
    clinic.examine("profile", SBPAM_PROFILE="nobody", SBPAM_SERVER="")
    assert clinic.run("doctor", "--server", "http://nps.corp.example").code == 2
    assert clinic.run("doctor", "--profile", "nobody", env={"SBPAM_SERVER": ""}).code == 2


@pytest.mark.parametrize("days", [-1, 10, 40])
def test_certificate_that_ends(tmp_path: Path, days: int) -> None:
    ca, ends = trustme.CA(), datetime.now(UTC) + timedelta(days=days + 0.2)
    leaf = ca.issue_cert("127.0.0.1", not_before=ends - timedelta(90), not_after=ends)
    chain, key, ca_file = (str(tmp_path / name) for name in ("chain.pem", "key.pem", "ca.pem"))
    leaf.cert_chain_pems[0].write_to_path(chain)
    leaf.private_key_pem.write_to_path(key)
    ca.cert_pem.write_to_path(ca_file)
    with a_clinic(tmp_path, chain, key) as clinic:
        broken = {-1: ["server"], 10: ["certificate"]}.get(days, [])
        rows = clinic.examine(*broken, SBPAM_CA_BUNDLE=ca_file)
    if days < 0:
        assert "expired" in rows["server"].detail
        assert "needs a new certificate" in (rows["server"].remedy or "")
    else:
        assert f"in {days} days" in rows["certificate"].detail
        assert rows["role"].ok


@pytest.mark.parametrize("pinned", [False, True])
def test_certificate_that_is_not_judged_by_an_authority(clinic: Clinic, pinned: bool) -> None:
    pin = clinic.server.fingerprint
    clinic.log_in(*(("--fingerprint", pin) if pinned else ("--insecure",)))
    rows = clinic.examine(SBPAM_CA_BUNDLE="")
    told = "the pinned one" if pinned else "its certificate is not verified"
    assert told in rows["server"].detail
    assert pinned or "--fingerprint" in (rows["server"].remedy or "")
    assert f"fingerprint {pin}" in rows["certificate"].detail
    assert "(profile)" in rows["profile"].detail
    assert "MemoryKeyring answers" in rows["keyring"].detail
    assert rows["secret password"].detail == "from keyring"


@pytest.mark.parametrize(("skew_s", "ok"), [(60, True), (3600, False), (-3600, False)])
def test_clocks_that_differ(clinic: Clinic, skew_s: int, ok: bool) -> None:
    clinic.world.now = lambda: time.time() + skew_s
    rows = clinic.examine(*["clock"] * (not ok))
    assert ("behind the server's" if skew_s > 0 else "ahead of") in rows["clock"].detail
    assert "NTP" in (rows["clock"].remedy or "")


def test_server_that_fails(clinic: Clinic) -> None:
    clinic.faults.add(Fault(action="status", status=500, path="Version"))
    clinic.clock = MovedClock(time.time())
    clinic.clock.moment_s = 0.2
    rows = clinic.examine("server")
    assert "HTTP 500" in rows["server"].detail
    assert "trace id" in rows["server"].detail
    assert skipped(rows, "server") == SERVER[2:]


def test_server_that_never_answers(clinic: Clinic) -> None:
    clinic.faults.add(Fault(action="hang", path="Version"))
    clinic.clock = MovedClock(time.time())
    rows = clinic.examine("server")
    assert rows["server"].detail == "no answer within 75 seconds"
    assert rows["server"].remedy


@pytest.mark.parametrize("given", [False, True])
def test_keyring_that_never_answers(clinic: Clinic, given: bool) -> None:
    clinic.log_in()
    hanging = clinic.keyring = HangingKeyring()
    clinic.clock = MovedClock(time.time())
    clinic.clock.moment_s = 0.2
    broken = [] if given else ["keyring", "secret password", "sign-in"]
    try:
        rows = clinic.examine(*broken, SBPAM_PASSWORD="Sandbox-Nomfa-1" if given else "")
    finally:
        hanging.release.set()
    assert "did not answer within 3 seconds" in rows["keyring"].detail
    assert given or "SBPAM_PASSWORD_FILE" in (rows["keyring"].remedy or "")


def test_torn_journal(clinic: Clinic) -> None:
    """It opens well; only reading all of it shows what is wrong."""
    clinic.use("CORP\\nomfa")
    assert clinic.run("schedule", "web01.corp.example").code == 0
    path = clinic.folder / "state" / "journal.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'batch_names'"
        (root,) = connection.execute(query).fetchone()
    content = bytearray(path.read_bytes())
    size = int.from_bytes(content[16:18], "big")
    content[(root - 1) * size : (root - 1) * size + 8] = b"\xff" * 8
    path.write_bytes(content)
    rows = clinic.examine("journal")
    assert "damaged" in rows["journal"].detail
    assert ".recover" in (rows["journal"].remedy or "")
    assert rows["role"].ok


def test_journal_with_an_odd_value(clinic: Clinic) -> None:
    clinic.use("CORP\\nomfa")
    assert clinic.run("schedule", "web01.corp.example").code == 0
    with closing(sqlite3.connect(clinic.folder / "state" / "journal.sqlite3")) as odd, odd:
        odd.execute("UPDATE runs SET started = 'x'")
    rows = clinic.examine("journal")
    assert "odd value in runs" in rows["journal"].detail


def test_unfinished_run_is_named_and_breaks_nothing(clinic: Clinic) -> None:
    clinic.use("CORP\\nomfa")
    clinic.faults.add(Fault(action="reset", method="POST", path="OuMapping"))
    how = ["--settle-after", "0", "-o", "json"]
    run = clinic.run("schedule", "web01.corp.example", *how).json()["run"]
    rows = clinic.examine()
    newest = f"1 unfinished run, the newest {run} (1 in doubt, 0 not scheduled)"
    assert newest in rows["journal"].detail
    assert rows["journal"].remedy == f"`sbpam resume {run}`"


@posix_only
def test_state_that_ends_with_the_container_is_told(clinic: Clinic) -> None:
    if not os.path.ismount("/dev/shm"):
        pytest.skip("/dev/shm is no file system of its own")
    import tempfile

    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        rows = clinic.examine(SBPAM_STATE_HOME=f"{folder}/state")
    assert "on tmpfs: what it holds may end with the container" in rows["state folder"].detail
    assert "volume" in (rows["state folder"].remedy or "")


@posix_only
def test_secret_file_that_others_can_read_is_told(clinic: Clinic, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(clinic.use("CORP\\nomfa").password + "\n")
    file.chmod(0o644)
    rows = clinic.examine(SBPAM_PASSWORD="", SBPAM_PASSWORD_FILE=str(file))
    assert rows["secret password"].detail == f"from SBPAM_PASSWORD_FILE: {file} (0644)"
    assert f"chmod 600 {file}" in (rows["secret password"].remedy or "")
    file.unlink()
    clinic.examine("secret password", "sign-in", SBPAM_PASSWORD="", SBPAM_PASSWORD_FILE=str(file))


def test_token_method(clinic: Clinic) -> None:
    """Whoever hands over a token each time renews it; a stored one just ends."""
    token = clinic.world.issue_token(clinic.use("CORP\\nomfa"))[0]
    rows = clinic.examine(SBPAM_TOKEN=token)
    assert "the token works, expires" in rows["sign-in"].detail
    clinic.run("login", "--method", "token", "--token-stdin", stdin=token.encode()).expect(0)
    clinic.examine("sign-in")
    clinic.examine(mode="")


@posix_only
def test_client_certificate(clinic: Clinic, tmp_path: Path) -> None:
    environ = application_environ(clinic.server, tmp_path)
    clinic.environ.update(environ, SBPAM_PASSWORD="", SBPAM_TOTP_SECRET="")
    rows = clinic.examine()
    assert rows["sign-in"].detail == "works unattended as sbpam-app"
    assert Path(environ["SBPAM_CLIENT_CERT"]).stem in rows["client certificate"].detail
    Path(environ["SBPAM_CLIENT_KEY"]).chmod(0o644)
    rows = clinic.examine("client certificate", "server")
    assert "other users can read the private key" in rows["client certificate"].detail


def test_differences_from_a_terminal(clinic: Clinic) -> None:
    nothing = dict.fromkeys(("HOME", "LANG", "LC_ALL", "LC_CTYPE"), "")
    rows = clinic.examine(PATH="/usr/bin:/bin", **nothing)
    assert rows["environment"].ok
    for words in ("no terminal", "HOME unset", "PATH /usr/bin:/bin", "LANG unset"):
        assert words in rows["environment"].detail
    if os.name == "posix":
        assert "set HOME" in (rows["environment"].remedy or "")


def test_requests_are_shown_and_nothing_is_told_twice(clinic: Clinic) -> None:
    from keyring.backends.fail import Keyring

    clinic.keyring = Keyring()  # type: ignore[no-untyped-call]
    ended = clinic.run("doctor", "--unattended", "--verbose")
    assert "GET /api/v1/Version 200" in ended.err
    assert "keyring" in ended.out
    assert "keyring" not in ended.err
