"""Secrets are planted everywhere and every command is driven; nothing written holds one."""

import base64
import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from support.certificates import API_KEY, APPLICATION, issue, write
from support.faults import POST, Fault
from support.keyrings import MemoryKeyring
from support.process import Running, until
from support.programs import SBPAM
from support.site import Ended, Site
from support.tables import crossed

from sbpam_cli.models import Token
from sbpam_cli.nps.failures import RefusedError, Reply
from sbpam_cli.sandbox.people import PLANTED_SECRETS

HOSTS = ["web01.corp.example", "unknown1.corp.example", "web02.corp.example"]
FORMS = ["table", "tsv", "csv", "json", "ndjson"]
PASSWORD = "planted-p4ssw0rd/é\\x"
PLANTED = {
    "password": PASSWORD,
    "wrong password": "planted-wr0ng-pass",
    "code": "planted-c0de",
    "totp": "PLANTEDTOTPSECRETPLANTEDTOTPSECR",
    "wrong totp": "WRONGTOTPSECRETPWRONGTOTPSECRETP",
    "token": "planted-t0ken.payload.signature",
    "api key": "planted-4pi-key",
    "key password": "planted-k3y-password",
    "passphrase": "planted-p4ssphr4se",
    "proxy": "planted-pr0xy",
    "url": "planted-url-p4ss",
    **{f"reply's {name}": value for name, value in PLANTED_SECRETS.items()},
}


class Ledger:
    """Everything that was written, and what must not be in it."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.written: list[str] = []
        self.codes: list[int] = []
        self.tokens: set[str] = set()
        issue = site.world.issue_token

        def issue_token(*args: object, **how: object) -> tuple[str, str]:
            token, jti = issue(*args, **how)  # type: ignore[arg-type]
            self.tokens |= {token, token.rpartition(".")[2], jti}
            return token, jti

        site.world.issue_token = issue_token  # type: ignore[method-assign]
        user = site.world.user("CORP\\demo")
        assert user is not None
        user.password, user.totp_secret = PASSWORD, PLANTED["totp"]
        site.environ |= {
            "SBPAM_PASSWORD": PASSWORD,
            "SBPAM_TOTP_SECRET": PLANTED["totp"],
            "SBPAM_CLIENT_KEY_PASSWORD": PLANTED["key password"],
        }

    def __call__(self, *arguments: str, **how: object) -> Ended:
        self.site.clock.move(31)
        ended = self.site.run(*arguments, **how)  # type: ignore[arg-type]
        self.written += [ended.out, ended.err, *ended.asked]
        self.codes.append(ended.code)
        assert "Traceback" not in ended.err
        return ended

    def every_form(self, *arguments: str, **how: object) -> None:
        for form in FORMS:
            self(*arguments, "-o", form, **how)

    def check(self) -> None:
        texts = [text.encode("utf-8", "surrogateescape") for text in self.written]
        files = [path for path in self.site.folder.rglob("*") if path.is_file()]
        texts += [path.read_bytes() for path in files if not path.name.startswith("given-")]
        texts += [str(path).encode() for path in files]
        haystack = b"\n".join(texts)
        sessions = set(self.site.world.sessions.values())
        for secret in {*PLANTED.values(), *self.tokens, *sessions}:
            for spelling in spellings(secret):
                place = haystack.find(spelling)
                near = haystack[max(0, place - 200) : place + 200]
                assert place < 0, f"{secret!r} was written: {near!r}"


def spellings(secret: str) -> Iterator[bytes]:
    raw = secret.encode()
    yield raw
    yield secret.encode("utf-16-le")
    yield json.dumps(secret)[1:-1].encode()
    yield quote(secret, safe="").encode()
    yield base64.b64encode(raw).rstrip(b"=")


@pytest.fixture
def ledger(site: Site) -> Iterator[Ledger]:
    ledger = Ledger(site)
    yield ledger
    ledger.check()


LOUD = {"SBPAM_DEBUG": "1"}


def given(site: Site, name: str, secret: str) -> str:
    path = site.folder / f"given-{name}"
    path.write_text(secret + "\n", encoding="utf-8")
    return str(path)


def test_planted_secrets_are_found(site: Site) -> None:
    """The search itself: a secret in a file of the journal's folder is seen."""
    ledger = Ledger(site)
    folder = site.folder / "state"
    folder.mkdir()
    (folder / "journal.sqlite3-wal").write_bytes(b"\0\1" + PASSWORD.encode() + b"\2")
    with pytest.raises(AssertionError, match="was written"):
        ledger.check()


def test_success(ledger: Ledger) -> None:
    run = ledger("schedule", *HOSTS, "-o", "json", "--verbose", env=LOUD).json()
    assert run["exit_code"] == 3
    ledger.every_form("status", "--verbose", env=LOUD)
    ledger.every_form("status", run["jobs"][0]["job_id"], "--verbose", env=LOUD)
    ledger.every_form("status", HOSTS[0], "--all", env=LOUD)
    ledger.every_form("status", "--offline", env=LOUD)
    ledger.every_form("whoami", "--verbose", env=LOUD)
    ledger.every_form("runs")
    ledger("runs", "show", run["run"])
    ledger("resume", run["run"], "--verbose")
    ledger("schedule", HOSTS[0], "--wait", "--verbose", env=LOUD)
    ledger("schedule", HOSTS[2], "--dry-run", "--verbose", env=LOUD)
    ledger("schedule", HOSTS[2], terminal=True, env=LOUD)
    ledger("runs", "prune", "--older-than", "1d")
    assert 4 not in ledger.codes
    graph = json.dumps({"title": "Oops", "credential": PLANTED_SECRETS, **PLANTED_SECRETS})
    ledger.site.faults.add(Fault(action="status", path="HostScanJob", status=500, body=graph))
    ledger("status", "--verbose", env=LOUD)
    assert ledger.codes[-1] == 6


def test_service_accounts_and_their_secrets(ledger: Ledger) -> None:
    """Every row of the search holds a password, a salt and a private key."""
    site = ledger.site
    assert PLANTED_SECRETS["privateKey"] in json.dumps(site.world.credentials)
    for text in ("", "svc-scan", "planted"):
        ledger.every_form("credentials", text, "--verbose", env=LOUD)
    ledger("credentials", terminal=True)
    for name in ("svc-onboard", "svc-scan", "svc-discovered", "nobody", "planted-password"):
        ledger("schedule", *HOSTS, "--credential", name, "--verbose", env=LOUD)
        ledger("schedule", *HOSTS, "--credential", name, "--dry-run", "-o", "json", env=LOUD)
    ledger("hosts", "--ou", "OU=Servers,DC=corp,DC=example", "--verbose", env=LOUD)
    for row in site.world.credentials:
        row |= {"displayName": None, "domain": None, "managedType": {"p": row["password"]}}
    ledger.every_form("credentials", "--verbose", env=LOUD)
    for edit in (lambda reply: reply["data"], lambda reply: {"data": reply["data"][0]}):
        site.faults.clear()
        site.faults.add(Fault(action="edit", path="Credential", edit=edit))
        ledger.every_form("credentials", "--verbose", env=LOUD)
        ledger("schedule", *HOSTS, "--credential", "svc-onboard", "--verbose", env=LOUD)
    assert {0, 2, 6} <= set(ledger.codes)
    assert 4 not in ledger.codes


@pytest.mark.parametrize("terminal", [False, True])
def test_login_and_logout(ledger: Ledger, terminal: bool) -> None:
    site, keyring = ledger.site, MemoryKeyring()
    site.prepare = lambda services: setattr(services, "keyring", lambda: keyring)
    for name in ("SBPAM_PASSWORD", "SBPAM_TOTP_SECRET", "SBPAM_USERNAME", "SBPAM_SERVER"):
        del site.environ[name]
    where = ["login", "--server", site.server.url, "--username", "CORP\\demo", "--verbose"]
    files = ["--password-file", given(site, "password", PASSWORD)]
    totp = ["--totp-secret-file", given(site, "totp", PLANTED["totp"])]
    ledger(*where, *files, *totp, terminal=terminal, env=LOUD)
    assert PASSWORD in keyring.kept.values()
    ledger("schedule", *HOSTS, "--verbose", env=LOUD)
    ledger.every_form("whoami", env=LOUD)
    wrong = given(site, "wrong", PLANTED["wrong password"])
    ledger(*where, "--password-file", wrong, *totp, env=LOUD)
    ledger(*where, *files, "--code", PLANTED["code"], env=LOUD)
    ledger(*where, "--password-stdin", stdin=PASSWORD.encode() + b"\n", env=LOUD)
    ledger(*where, *files, "--totp", "--no-store", terminal=True, answers=[PLANTED["totp"]])
    ledger(*where, terminal=True, answers=[PLANTED["wrong password"], PLANTED["code"]])
    token = site.world.issue_token(site.world.users[0])[0]
    for value in (token, PLANTED["token"], PLANTED["token"] + " and more"):
        ledger(*where, "--method", "token", "--token-stdin", stdin=value.encode(), env=LOUD)
    ledger(*where, "--method", "token", "--token-file", given(site, "token", token), env=LOUD)
    ledger(*where, "--token-file", str(site.folder / "nowhere"))
    ledger("logout", "--verbose", env=LOUD)
    ledger("logout", "--all", env=LOUD)


def echo(secret: str, status: int, path: str) -> list[Fault]:
    """Answers that repeat a secret of the request: a problem's fields, JSON, text, HTML."""
    problem = {
        "title": f"bad {secret}",
        "detail": f"The value '{secret}' is wrong.",
        "traceId": f"00-{secret}-00",
        "errors": {f"Password {secret}": [f"not {secret}"]},
    }
    bodies = {
        "application/problem+json": json.dumps(problem),
        "application/json": json.dumps(f"no: {secret}"),
        "text/plain": f"no: {secret}",
        "text/html": f"<html><title>{secret}</title>{secret}</html>",
    }
    return [
        Fault(action="status", status=status, body=body, headers={"Content-Type": kind}, path=path)
        for kind, body in bodies.items()
    ]


@pytest.mark.parametrize(("status", "kind"), crossed([400, 401, 403, 500, 200], range(4)))
def test_server_repeats_the_password(ledger: Ledger, status: int, kind: int) -> None:
    ledger.site.faults.add(echo(PLANTED["wrong password"], status, "signinBody")[kind])
    wrong = {"SBPAM_PASSWORD": PLANTED["wrong password"], **LOUD}
    ledger("schedule", *HOSTS, "--verbose", env=wrong)
    ledger("schedule", *HOSTS, "-o", "json", env=wrong)
    ledger("whoami", env=wrong)
    ledger("login", "--no-store", "--verbose", env=wrong)


@pytest.mark.parametrize(
    ("status", "kind"), crossed([302, 400, 401, 403, 422, 500, 503, 200], range(4))
)
def test_server_repeats_the_token(ledger: Ledger, status: int, kind: int) -> None:
    site = ledger.site
    token = site.world.issue_token(site.world.users[0])[0]
    env = {"SBPAM_TOKEN": token, **LOUD}
    ledger("schedule", *HOSTS, "--verbose", env=env)
    fault = echo(token, status, "HostScanJob|UserToken|Credential|OuManage")[kind]
    site.faults.add(fault)
    for arguments in (
        ["schedule", "web03.corp.example", "--settle-after", "1s"],
        ["schedule", "web04.corp.example", "-o", "json", "--settle-after", "0"],
        ["schedule", "web05.corp.example", "--dry-run"],
        ["status", "--verbose"],
        ["status", "--all", "-o", "json"],
        ["resume", "--settle-after", "0"],
        ["whoami"],
        ["credentials", "--verbose"],
        ["hosts", "--ou", "OU=x", "--verbose"],
    ):
        ledger(*arguments, env=env)
    site.faults.clear()
    # What the server said of a batch is kept in the journal.
    ledger.every_form("status", "--offline")
    ledger("runs", "show", "-o", "json")


def test_nothing_secret_in_reprs() -> None:
    """An object that lands in a message by mistake brings no secret along."""
    token = Token(PLANTED["token"], None, None)
    cookie = {"set-cookie": f"s={PLANTED['token']}"}
    reply = Reply(401, cookie, PLANTED["token"].encode(), cookie, (PLANTED["token"],))
    error = RefusedError("refused", reply)
    assert str(error) == "refused"
    for one in (token, reply, error):
        assert PLANTED["token"] not in repr(one) + str(one)


def test_wrong_secrets(ledger: Ledger) -> None:
    for env in (
        {"SBPAM_TOTP_SECRET": PLANTED["wrong totp"]},
        {"SBPAM_TOTP_SECRET": PLANTED["wrong totp"] + "!!not base32"},
        {"SBPAM_TOKEN": PLANTED["token"]},
        {"SBPAM_TOKEN": PLANTED["token"] + "\nsecond line"},
        {"SBPAM_PASSWORD": "", "SBPAM_PASSWORD_FILE": "/nonexistent"},
        {"SBPAM_API_KEY": PLANTED["api key"], "SBPAM_PASSWORD": ""},
        {"SBPAM_SERVER": f"https://demo:{PLANTED['url']}@nps.example"},
        {"SBPAM_SERVER": f"demo:{PLANTED['url']}@nps.example:6500"},
    ):
        ledger("schedule", *HOSTS, "--verbose", env={**env, **LOUD})
        ledger("whoami", "-o", "json", env={**env, **LOUD})
        assert ledger.codes[-2] in (2, 4)


def test_the_passphrase_of_a_client_key(ledger: Ledger) -> None:
    """Right and wrong, from every source, and kept; the key's own text is a secret too."""
    site, keyring = ledger.site, MemoryKeyring()
    site.prepare = lambda services: setattr(services, "keyring", lambda: keyring)
    (folder := site.folder / "keys").mkdir()
    issued = issue(site.server)
    cert, key = issued.files(folder, PLANTED["passphrase"])
    both = write(folder / "given-app.p12", issued.pkcs12(PLANTED["passphrase"]))
    Path(key).rename(folder / "given-app.key")
    key = str(folder / "given-app.key")
    variable = "SBPAM_CLIENT_KEY_PASSWORD"
    api_key = given(site, "api-key", API_KEY)
    who = {"SBPAM_USERNAME": APPLICATION, "SBPAM_PASSWORD": "", "SBPAM_TOTP_SECRET": ""} | LOUD
    right, wrong = PLANTED["passphrase"], PLANTED["key password"]
    for files in (["--client-cert", cert, "--client-key", key], ["--client-cert", both]):
        pem = dict(zip(("SBPAM_CLIENT_CERT", "SBPAM_CLIENT_KEY"), files[1::2], strict=False))
        for passphrase in (right, wrong, ""):
            alone = {**who, **pem, "SBPAM_API_KEY": API_KEY}
            by_variable = {**alone, variable: passphrase}
            by_file = {**alone, variable: "", f"{variable}_FILE": given(site, "pass", passphrase)}
            for env in (by_variable, by_file):
                ledger("schedule", HOSTS[0], "--verbose", env=env)
                ledger("whoami", "-o", "json", env=env)
                ledger("doctor", "-o", "json", env=env)
            assert (ledger.codes[-3] == 0) is (passphrase == right), ledger.written[-9:]
            login = ("login", *files, "--api-key-file", api_key, "--verbose")
            ledger(*login, terminal=True, answers=[passphrase], env=who | {variable: ""})
            assert (ledger.codes[-1] == 0) is (passphrase == right), ledger.written[-3:]
    assert right in keyring.kept.values()
    ledger("schedule", HOSTS[2], "--verbose", env={**who, variable: ""})
    assert ledger.codes[-1] == 0
    for line in issued.key_pem().decode().splitlines()[1:-1]:
        assert line not in "\n".join(ledger.written)


def test_network_fails(ledger: Ledger) -> None:
    untrusted = {"SBPAM_CA_BUNDLE": "", **LOUD}
    ledger("schedule", *HOSTS, "--verbose", env=untrusted)
    ledger("schedule", *HOSTS, "--verbose", env={"SBPAM_FINGERPRINT": "0" * 64, **LOUD})
    for scheme in ("http", "https", "socks5", "nonsense"):
        proxy = f"{scheme}://someone:{PLANTED['proxy']}@127.0.0.1:9"
        for name in ("HTTPS_PROXY", "ALL_PROXY"):
            ledger("schedule", *HOSTS, "--verbose", env={name: proxy, "NO_PROXY": "", **LOUD})
            ledger("login", "--no-store", "--verbose", env={name: proxy, "NO_PROXY": "", **LOUD})
    for action in ("reset", "close", "truncate", "html200"):
        ledger.site.faults.clear()
        ledger.site.faults.add(Fault(action=action))
        ledger("schedule", *HOSTS, "--verbose", env=LOUD)
    assert 0 not in ledger.codes


@pytest.mark.parametrize("seam", ["network", "database", "keyring"])
def test_unforeseen_errors(ledger: Ledger, seam: str) -> None:
    site = ledger.site

    def fail(*_: object) -> object:
        raise RuntimeError(f"unforeseen: {PASSWORD}")

    site.prepare = lambda services: setattr(services, seam, fail)
    ledger("schedule", *HOSTS, "--verbose", env=LOUD)
    ledger("schedule", *HOSTS, "-o", "json")
    ledger("status", env=LOUD)


def test_replies_that_are_broken(ledger: Ledger) -> None:
    """Secrets next to what cannot be parsed."""
    site = ledger.site
    ledger("schedule", *HOSTS)
    site.clock.move(20)
    odds: list[dict[str, Any]] = [{"hostScanJobHostJoin": odd} for odd in (7, [7, "x"])]
    for odd in [*odds, {"id": []}]:
        site.faults.clear()
        edit = partial(lambda reply, odd: reply | odd, odd=odd)
        site.faults.add(Fault(action="edit", edit=edit, method="GET", path="Job/[0-9a-f]{8}"))
        ledger.every_form("status", "--verbose", env=LOUD)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_process_list_and_files_while_it_runs(site: Site) -> None:
    """The real process in the middle of a POST: its command line, and the journal's -wal."""
    ledger = Ledger(site)
    site.faults.add(Fault(action="hang", when="after", nth=2, **POST))
    environ = site.environ | {"HOME": str(site.folder), **LOUD}
    one_by_one = ("--batch-size", "1", "--parallel", "1")
    command = [SBPAM, "schedule", *HOSTS[::2], *one_by_one, "--verbose"]
    running = Running(command, environ, site.folder)
    try:
        until(lambda: len(site.requests("OuMapping")) == 2)
        ledger.written.append(Path(f"/proc/{running.pid}/cmdline").read_text())
        assert (site.folder / "state" / "journal.sqlite3").exists()
        ledger.check()
        site.faults.release()
        assert "POST /signinBody" in running.end().err
        ledger.check()
    finally:
        running.stop()
