"""`sbpam doctor`: all well, and each thing that can be wrong, with its remedy."""

import datetime
import os
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trustme
from keyring.backend import KeyringBackend
from support.clock import MovedClock, RealWaits
from support.faults import Fault, Faults
from support.keyrings import HangingKeyring, MemoryKeyring
from support.site import Ended, PrivateProgram

from sbpam_cli.sandbox.people import User
from sbpam_cli.sandbox.rehearsal import describe
from sbpam_cli.sandbox.serve import SandboxServer
from sbpam_cli.sandbox.world import World
from sbpam_cli.system.clock import SystemClock
from sbpam_cli.system.services import Services

HERE = ["environment", "config folder", "profile", "state folder", "lock", "journal"]
SECRETS = ["unfinished runs", "keyring", "secret token", "secret password", "secret totp-secret"]
SERVER = ["proxy", "dns", "tcp", "tls", "certificate", "version", "clock", "health"]
SIGN_IN = ["sign-in", "token", "role"]
posix_only = pytest.mark.skipif(os.name != "posix", reason="modes and owners are POSIX")


class Row(NamedTuple):
    ok: bool | None
    detail: str
    remedy: str | None


class Clinic:
    """A sandbox on the real clock, a program pointed at it, and a keyring in memory."""

    def __init__(self, program: PrivateProgram, server: SandboxServer) -> None:
        self.program, self.server = program, server
        self.world, self.faults = server.world, server.faults
        self.keyring: KeyringBackend = MemoryKeyring()
        program.prepare = lambda services: setattr(services, "keyring", lambda: self.keyring)

    def __call__(self, **env: str) -> tuple[int, dict[str, Row]]:
        """Exit code and rows; a variable set to nothing is as good as unset."""
        ended = self.program("doctor", "-o", "json", env=env)
        envelope = ended.json()
        assert envelope["errors"] == []
        assert envelope["exit_code"] == ended.code
        return ended.code, {row.pop("check"): Row(**row) for row in envelope["doctor"]}

    def use(self, login: str) -> User:
        """Signs in as this user from the environment."""
        user = next(user for user in self.world.users if user.login == login)
        environ = self.program.environ
        environ.update(SBPAM_USERNAME=login, SBPAM_PASSWORD=user.password, SBPAM_TOTP_SECRET="")
        return user

    def log_in(self, login: str = "CORP\\nomfa") -> None:
        """Stores a profile and its secrets; the environment is silent from then on."""
        user = self.use(login)
        for name in [n for n in self.program.environ if n.startswith("SBPAM_")]:
            if not name.endswith("_HOME"):
                del self.program.environ[name]
        server = ["--server", self.server.url, "--ca-bundle", self.server.ca_file]
        password = user.password.encode()
        who = ["--username", login, "--password-stdin"]
        assert self.program("login", *server, *who, stdin=password).code == 0


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Clinic]]:
    """Makes clinics; takes the server's TLS files where they matter."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def make(ca_file: str | None = None, **how: Any) -> Clinic:
            world, faults = World(seed=1, now=time.time, failing_share=0.0), Faults(seed=1)
            server = stack.enter_context(SandboxServer(world, faults, **how))
            stack.callback(faults.release)
            program = PrivateProgram(tmp_path, SystemClock())
            program.environ.update(describe(server).environment)
            program.environ["SBPAM_CA_BUNDLE"] = ca_file or server.ca_file
            return Clinic(program, server)

        yield make


@pytest.fixture
def clinic(serve: Callable[..., Clinic]) -> Clinic:
    return serve()


def certified(clinic: Callable[..., Clinic], folder: Path, days: float) -> Clinic:
    """A clinic whose server's certificate expires in `days`."""
    ca, end = trustme.CA(), datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    leaf = ca.issue_cert("127.0.0.1", not_before=end - datetime.timedelta(90), not_after=end)
    chain, key, ca_file = (str(folder / name) for name in ("chain.pem", "key.pem", "ca.pem"))
    leaf.cert_chain_pems[0].write_to_path(chain)
    leaf.private_key_pem.write_to_path(key)
    ca.cert_pem.write_to_path(ca_file)
    return clinic(ca_file, tls_files=(chain, key))


def wrong(rows: dict[str, Row]) -> list[str]:
    return [name for name, row in rows.items() if row.ok is False]


def skipped(rows: dict[str, Row], why: str) -> list[str]:
    return [name for name, row in rows.items() if row == (None, f"skipped: {why}", None)]


def test_all_is_well(clinic: Clinic) -> None:
    code, rows = clinic()
    assert code == 0
    assert list(rows) == [*HERE, *SECRETS, *SERVER, *SIGN_IN]
    assert wrong(rows) == []
    assert clinic.server.url in rows["profile"].detail
    assert "(SBPAM_SERVER)" in rows["profile"].detail
    assert rows["secret password"].detail == "from SBPAM_PASSWORD"
    assert "TLSv1.3" in rows["tls"].detail
    assert "expires 3000-01-01" in rows["certificate"].detail
    assert rows["version"].detail == "25.12.00000"
    assert "in 15 minutes" in rows["token"].detail


def test_nothing_is_scheduled_recorded_or_stored(clinic: Clinic) -> None:
    clinic()
    methods = {(e.request.method, e.request.target.split("?")[0]) for e in clinic.world.log}
    assert {path for method, path in methods if method != "GET"} == {"/signinBody", "/signin2fa"}
    assert not [entry for entry in clinic.world.log if entry.violation]
    assert not (clinic.program.folder / "state" / "journal.sqlite3").exists()
    assert not (clinic.program.folder / "config").exists()
    assert isinstance(clinic.keyring, MemoryKeyring)
    assert clinic.keyring.kept == {}


def test_a_terminal_is_shown_signs_and_asked_nothing(clinic: Clinic) -> None:
    clinic.program.environ["SBPAM_PASSWORD"] = ""
    ended = clinic.program("doctor", terminal=True, env={"COLUMNS": "120"})
    assert ended.code == 3
    assert ended.asked == []
    lines = {line.split("  ")[0]: line for line in ended.out.splitlines()}
    assert "✓ yes" in lines["tls"]
    assert "✗ no" in lines["secret password"]
    assert "SBPAM_PASSWORD_FILE" in ended.out


def test_rows_in_a_pipe(clinic: Clinic) -> None:
    clinic.use("CORP\\nomfa")
    ended = clinic.program("doctor")
    assert ended.code == 0
    assert ended.err == ""
    assert {len(row) for row in ended.rows()} == {4}
    assert ["version", "true", "25.12.00000", ""] in ended.rows()
    assert clinic.program("doctor", "-o", "csv").out.startswith("check,ok,detail,remedy\n")


def test_stored_profile(clinic: Clinic) -> None:
    clinic.log_in()
    code, rows = clinic()
    assert (code, wrong(rows)) == (0, [])
    assert "(profile)" in rows["profile"].detail
    assert "MemoryKeyring answers in" in rows["keyring"].detail
    assert rows["secret password"].detail == "from keyring"
    if os.name == "posix":
        assert "(0700), config.toml (0600)" in rows["config folder"].detail


def test_wrong_password_is_tried_once(clinic: Clinic) -> None:
    code, rows = clinic(SBPAM_PASSWORD="not-it")
    assert (code, wrong(rows)) == (3, ["sign-in"])
    assert "The user name or password is incorrect." in rows["sign-in"].detail
    assert "came from SBPAM_PASSWORD" in (rows["sign-in"].remedy or "")
    assert skipped(rows, "not signed in") == ["token", "role"]
    steps = [e for e in clinic.world.log if "signin" in e.request.target]
    assert len(steps) == 1


def test_second_factor_that_needs_a_person(clinic: Clinic) -> None:
    """What is stored may still be good for minutes; cron needs more."""
    code, rows = clinic(SBPAM_TOTP_SECRET="")
    assert (code, wrong(rows)) == (3, ["sign-in"])
    assert "SBPAM_TOTP_SECRET" in (rows["sign-in"].remedy or "")


def test_no_server(program: PrivateProgram) -> None:
    ended = program("doctor", "-o", "json")
    rows = {row.pop("check"): Row(**row) for row in ended.json()["doctor"]}
    assert ended.code == 3
    assert "no server is known" in rows["profile"].detail
    assert "SBPAM_SERVER" in (rows["profile"].remedy or "")
    assert skipped(rows, "no server") == [*SERVER, *SIGN_IN]


def test_name_without_address(clinic: Clinic) -> None:
    code, rows = clinic(SBPAM_SERVER="https://nps.invalid:6500")
    assert (code, wrong(rows)) == (3, ["dns"])
    assert "nps.invalid has no address: " in rows["dns"].detail
    assert skipped(rows, "no address") == [*SERVER[2:], *SIGN_IN]


def test_refused_port(clinic: Clinic) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        code, rows = clinic(SBPAM_SERVER=f"https://127.0.0.1:{port}")
    assert (code, wrong(rows)) == (3, ["tcp"])
    assert f"127.0.0.1 port {port} cannot be reached: " in rows["tcp"].detail
    assert skipped(rows, "no connection") == [*SERVER[3:], *SIGN_IN]


def test_untrusted_certificate(clinic: Clinic) -> None:
    code, rows = clinic(SBPAM_CA_BUNDLE="")
    assert (code, wrong(rows)) == (3, ["tls"])
    assert "is not trusted" in rows["tls"].detail
    assert "--ca-bundle" in (rows["tls"].remedy or "")
    assert skipped(rows, "no TLS connection") == [*SERVER[4:], *SIGN_IN]
    assert clinic.world.log == []


@pytest.mark.parametrize("days", [-1, 10, 40])
def test_certificate_that_ends(serve: Callable[..., Clinic], tmp_path: Path, days: int) -> None:
    clinic = certified(serve, tmp_path, days + 0.2)
    code, rows = clinic()
    if days < 0:
        assert (code, wrong(rows)) == (3, ["tls"])
        assert "expired" in rows["tls"].detail
        assert "renews it" in (rows["tls"].remedy or "")
    else:
        assert (code, wrong(rows)) == ((3, ["certificate"]) if days == 10 else (0, []))
        assert f"in {days} days" in rows["certificate"].detail
        assert rows["role"].ok


def test_pinned_certificate(clinic: Clinic) -> None:
    pin = clinic.server.fingerprint
    code, rows = clinic(SBPAM_CA_BUNDLE="", SBPAM_FINGERPRINT=pin)
    assert (code, wrong(rows)) == (0, [])
    assert "pinned" in rows["tls"].detail
    code, rows = clinic(SBPAM_FINGERPRINT="0" * 64)
    assert (code, wrong(rows)) == (3, ["tls"])
    assert "another certificate than the pinned one" in rows["tls"].detail


@pytest.mark.parametrize(("skew_s", "ok"), [(60, True), (3600, False), (-3600, False)])
def test_clocks_that_differ(clinic: Clinic, skew_s: int, ok: bool) -> None:
    clinic.world.now = lambda: time.time() + skew_s
    code, rows = clinic()
    assert (code, wrong(rows)) == ((0, []) if ok else (3, ["clock"]))
    assert ("behind the server's" if skew_s > 0 else "ahead of") in rows["clock"].detail
    assert "NTP" in (rows["clock"].remedy or "")


def test_role_that_is_missing(clinic: Clinic) -> None:
    clinic.use("CORP\\viewer")
    code, rows = clinic()
    assert (code, wrong(rows)) == (3, ["role"])
    assert "The role Admin or App is required." in rows["role"].detail
    assert "Admin or App" in (rows["role"].remedy or "")


def test_server_that_is_unwell(clinic: Clinic) -> None:
    clinic.use("CORP\\nomfa")
    clinic.faults.add(Fault(action="status", status=500, path="Health", nth=1))
    code, rows = clinic()
    assert (code, wrong(rows)) == (3, ["health"])
    assert "HTTP 500" in rows["health"].detail
    assert rows["role"].ok
    clinic.world.missing.add("/api/v1/Health")
    code, rows = clinic()
    assert (code, rows["health"].ok) == (0, None)


def test_server_that_fails(clinic: Clinic) -> None:
    clinic.faults.add(Fault(action="status", status=500, path="Version"))
    clinic.program.clock = RealWaits(MovedClock(time.time()), 0.2)
    code, rows = clinic()
    assert (code, wrong(rows)) == (3, ["version"])
    assert "HTTP 500" in rows["version"].detail
    assert "trace id" in rows["version"].detail
    assert skipped(rows, "the server does not answer") == [*SERVER[6:], *SIGN_IN]


def test_server_that_never_answers(clinic: Clinic) -> None:
    clinic.faults.add(Fault(action="hang", path="Version"))
    clinic.program.clock = MovedClock(time.time())
    started = time.monotonic()
    code, rows = clinic()
    assert (code, wrong(rows)) == (3, ["tls"])
    assert rows["tls"].detail == "no answer within 30 seconds"
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("given", [False, True])
def test_keyring_that_never_answers(clinic: Clinic, given: bool) -> None:
    clinic.log_in()
    hanging = clinic.keyring = HangingKeyring()
    clinic.program.clock = RealWaits(MovedClock(time.time()), 0.2)
    try:
        code, rows = clinic(SBPAM_PASSWORD="Sandbox-Nomfa-1" if given else "")
    finally:
        hanging.release.set()
    assert "did not answer within 3 seconds" in rows["keyring"].detail
    assert wrong(rows) == ([] if given else ["keyring", "secret password", "sign-in"])
    assert code == (0 if given else 3)
    assert given or "SBPAM_PASSWORD_FILE" in (rows["keyring"].remedy or "")


def damage(path: Path) -> str:
    path.write_bytes(b"not a database at all, but long enough to be read as one" * 40)
    return "not a database"


def outdate(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    return "written by a newer sbpam"


def tear(path: Path) -> str:
    """Opens well; only reading all of it shows what is wrong."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'batch_names'"
        ).fetchone()
    content = bytearray(path.read_bytes())
    size = int.from_bytes(content[16:18], "big")
    content[(root - 1) * size : (root - 1) * size + 8] = b"\xff" * 8
    path.write_bytes(content)
    return "damaged"


@pytest.mark.parametrize("harm", [damage, outdate, tear])
def test_journal_that_cannot_be_used(clinic: Clinic, harm: Callable[[Path], str]) -> None:
    clinic.use("CORP\\nomfa")
    assert clinic.program("schedule", "web01.corp.example").code == 0
    words = harm(clinic.program.folder / "state" / "journal.sqlite3")
    code, rows = clinic()
    assert (code, wrong(rows)) == (3, ["journal"])
    assert words in rows["journal"].detail
    assert rows["journal"].remedy
    assert skipped(rows, "the journal cannot be used") == ["unfinished runs"]
    assert rows["role"].ok


def test_unfinished_run_is_named_and_breaks_nothing(clinic: Clinic) -> None:
    clinic.use("CORP\\nomfa")
    clinic.faults.add(Fault(action="reset", when="after", method="POST", path="OuMapping"))
    how = ["--settle-after", "0", "-o", "json"]
    run = clinic.program("schedule", "web01.corp.example", *how).json()["run"]
    code, rows = clinic()
    assert (code, wrong(rows)) == (0, [])
    assert rows["unfinished runs"].detail == f"{run} (1 in doubt, 0 not scheduled)"
    assert rows["unfinished runs"].remedy == f"`sbpam resume {run}`"


def test_folder_that_cannot_be_made(clinic: Clinic, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, rows = clinic(SBPAM_STATE_HOME=str(tmp_path / "file" / "state"))
    assert (code, wrong(rows)) == (3, ["state folder"])
    assert "SBPAM_STATE_HOME" in (rows["state folder"].remedy or "")
    why = "no state folder"
    assert skipped(rows, why) == ["lock", "journal", "unfinished runs"]


@posix_only
def test_state_that_ends_with_the_container_is_said(clinic: Clinic) -> None:
    if not os.path.ismount("/dev/shm"):
        pytest.skip("/dev/shm is no file system of its own")
    import tempfile

    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        code, rows = clinic(SBPAM_STATE_HOME=f"{folder}/state")
    assert code == 0
    assert "on tmpfs: what it holds may end with the container" in rows["state folder"].detail
    assert "volume" in (rows["state folder"].remedy or "")


@posix_only
def test_secret_file_that_others_can_read_is_said(clinic: Clinic, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(clinic.use("CORP\\nomfa").password + "\n")
    file.chmod(0o644)
    code, rows = clinic(SBPAM_PASSWORD="", SBPAM_PASSWORD_FILE=str(file))
    assert code == 0
    assert rows["secret password"].detail == f"from SBPAM_PASSWORD_FILE: {file} (0644)"
    assert f"chmod 600 {file}" in (rows["secret password"].remedy or "")
    file.unlink()
    code, rows = clinic(SBPAM_PASSWORD="", SBPAM_PASSWORD_FILE=str(file))
    assert wrong(rows) == ["secret password", "sign-in"]


def test_token_method(clinic: Clinic) -> None:
    """Whoever hands over a token each time renews it; a stored one just ends."""
    clinic.use("CORP\\nomfa")
    user = next(user for user in clinic.world.users if user.login == "CORP\\nomfa")
    token = clinic.world.issue_token(user, owes_mfa=False)[0]
    code, rows = clinic(SBPAM_TOKEN=token)
    assert (code, wrong(rows)) == (0, [])
    assert "nothing here makes a new one" in rows["token"].detail
    ended = clinic.program("login", "--method", "token", "--token-stdin", stdin=token.encode())
    assert ended.code == 0
    code, rows = clinic()
    assert (code, wrong(rows)) == (3, ["token"])


@posix_only
def test_client_certificate(clinic: Clinic) -> None:
    environ = describe(clinic.server).application_environment
    clinic.program.environ.update(environ, SBPAM_PASSWORD="", SBPAM_TOTP_SECRET="")
    code, rows = clinic()
    assert (code, wrong(rows)) == (0, [])
    assert rows["sign-in"].detail == "works unattended as sbpam-app"
    assert Path(environ["SBPAM_CLIENT_CERT"]).stem in rows["client certificate"].detail
    Path(environ["SBPAM_CLIENT_KEY"]).chmod(0o644)
    code, rows = clinic()
    assert code == 3
    assert "other users can read the private key" in rows["client certificate"].detail


def test_settings_that_cannot_be_read(clinic: Clinic) -> None:
    """What a cron job inherits is a finding; what was just typed is a usage error."""
    code, rows = clinic(SBPAM_SERVER="http://nps.corp.example")
    assert (code, wrong(rows)) == (3, ["profile"])
    assert "SBPAM_SERVER" in rows["profile"].detail
    assert skipped(rows, "the settings cannot be read")[-1] == "role"
    assert clinic(SBPAM_PROFILE="nobody", SBPAM_SERVER="")[0] == 3
    assert clinic.program("doctor", "--server", "http://nps.corp.example").code == 2
    assert clinic.program("doctor", "--profile", "nobody", env={"SBPAM_SERVER": ""}).code == 2


def test_proxy_is_named_and_checked_instead_of_the_server(clinic: Clinic) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        code, rows = clinic(HTTPS_PROXY=f"http://someone:planted@127.0.0.1:{port}", NO_PROXY="")
        away = clinic(HTTPS_PROXY=f"http://127.0.0.1:{port}", NO_PROXY="127.0.0.1")[1]
    assert (code, wrong(rows)) == (3, ["tcp"])
    assert rows["proxy"].detail == f"http://127.0.0.1:{port} (HTTPS_PROXY, with a user)"
    assert f"port {port}" in rows["tcp"].detail
    assert away["proxy"].detail == "none for this server: NO_PROXY excepts it from HTTPS_PROXY"
    _, rows = clinic(HTTPS_PROXY="http://someone:1234/planted@127.0.0.1:80", NO_PROXY="")
    assert wrong(rows) == ["proxy"]
    assert "1234" not in str(rows["proxy"])


def test_differences_from_a_terminal(clinic: Clinic) -> None:
    nothing = dict.fromkeys(("HOME", "LANG", "LC_ALL", "LC_CTYPE"), "")
    _, rows = clinic(PATH="/usr/bin:/bin", **nothing)
    assert rows["environment"].ok
    for words in ("no terminal", "HOME unset", "PATH /usr/bin:/bin", "locale unset"):
        assert words in rows["environment"].detail
    if os.name == "posix":
        assert "set HOME" in (rows["environment"].remedy or "")


def test_no_secret_in_any_form(clinic: Clinic) -> None:
    user = clinic.use("CORP\\nomfa")
    clinic.log_in()
    assert isinstance(clinic.keyring, MemoryKeyring)
    planted = [user.password, "planted-proxy", *clinic.keyring.kept.values()]
    given = {"SBPAM_PASSWORD": "planted-wrong", "SBPAM_API_KEY": "planted-key"}
    seen: list[Ended] = []
    for env in ({}, given, {"HTTPS_PROXY": "http://u:planted-proxy@127.0.0.1:1", "NO_PROXY": ""}):
        clinic.world.lock_after = 0
        for form in ("table", "tsv", "csv", "json", "ndjson"):
            seen.append(clinic.program("doctor", "--verbose", "-o", form, env=env))
    assert {ended.code for ended in seen} == {0, 3}
    assert len({secret for secret in planted if len(secret) > 10}) >= 3
    text = "".join(ended.out + ended.err for ended in seen)
    assert [secret for secret in (*planted, *given.values()) if secret in text] == []


def test_requests_are_shown_and_nothing_is_said_twice(clinic: Clinic) -> None:
    clinic.program.prepare = _without_keyring
    ended = clinic.program("doctor", "--verbose")
    assert "GET /api/v1/Version 200" in ended.err
    assert "keyring" in ended.out
    assert "keyring" not in ended.err


def _without_keyring(services: Services) -> None:
    from keyring.backends.fail import Keyring

    services.keyring = Keyring
