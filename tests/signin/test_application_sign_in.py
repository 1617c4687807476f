"""Signing in as an application: from the environment alone, and by `login`."""

import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.certificates import API_KEY, APPLICATION, FAR, application_environ, issue, write
from support.faults import Fault
from support.listeners import Tunnel
from support.person import Person, clear_environ
from support.site import CREDENTIAL, Ended, Site

HOSTS = ["web01.corp.example", "web02.corp.example"]
TOP_BIT = 0x9A00_0000_0000_0001
"""Its DER octets begin with 00."""


class Machine(Person):
    """Where an application's jobs run: a keyring, certificate files, an environment."""

    def __init__(self, site: Site, folder: Path) -> None:
        super().__init__(site)
        self.folder = folder
        self.environ = site.environ
        self.environ["SBPAM_CREDENTIAL"] = CREDENTIAL

    def equip(self, passphrase: str | None = None, **certificate: Any) -> tuple[str, str]:
        """The environment of an application; returns the files of certificate and key."""
        server = self.site.server
        self.environ |= self.where()
        self.environ |= application_environ(server, self.folder, passphrase, **certificate)
        return self.environ["SBPAM_CLIENT_CERT"], self.environ["SBPAM_CLIENT_KEY"]

    def schedule(self, *more: str, **how: Any) -> Ended:
        return self("schedule", *HOSTS, *more, **how)

    def sign_in(self, cert: str, key: str | None, *more: str, **how: Any) -> Ended:
        """`login` as a person types it, with nothing in the environment."""
        clear_environ(self.site)
        where = ["--server", self.url, "--ca-bundle", self.site.server.ca_file]
        who = ["--username", APPLICATION, "--client-cert", cert]
        who += ["--client-key", key] if key else []
        if "answers" not in how:
            how = {"stdin": API_KEY.encode() + b"\n"} | how
            more = ("--api-key-stdin", *more)
        return self("login", *where, *who, *more, **how)

    def bodies(self) -> list[bytes]:
        """The bodies of the sign-ins."""
        return self.site.bodies("AppUserToken")


@pytest.fixture
def machine(site: Site, tmp_path: Path) -> Machine:
    return Machine(site, tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="pipes with a name are POSIX's")
@pytest.mark.parametrize(
    "variable", ["SBPAM_CLIENT_CERT", "SBPAM_CLIENT_KEY", "SBPAM_CA_BUNDLE", "SSL_CERT_FILE"]
)
def test_a_pipe_that_nobody_writes_to_is_named(machine: Machine, variable: str) -> None:
    machine.equip()
    ca = Path(machine.environ.pop("SBPAM_CA_BUNDLE")).read_bytes()
    silent = machine.folder / "pipe"
    os.mkfifo(silent, 0o600)
    reading, writing = os.pipe()
    os.write(writing, ca)
    os.close(writing)
    environ = {"SBPAM_CA_BUNDLE": f"/dev/fd/{reading}", variable: str(silent)}
    if variable == "SSL_CERT_FILE":
        environ["SBPAM_CA_BUNDLE"] = ""
    ended = machine.schedule(env=environ)
    assert ended.code in (2, 4)
    assert str(silent) in ended.err
    assert "nothing came within 3 seconds" in ended.err
    assert machine.site.requests() == []
    # `--ca-bundle <(cat one.pem another.pem)` works.
    machine.schedule(env={"SBPAM_CA_BUNDLE": f"/dev/fd/{reading}"}).expect(0)
    os.close(reading)


def test_the_environment_alone_is_enough(machine: Machine) -> None:
    machine.equip()
    ended = machine.schedule("-q")
    assert (ended.code, ended.err) == (0, "")
    assert machine.site.scheduled() == HOSTS
    body = b'{"login":"%b","password":"%b","certificateSerialNumber":"1234ABCD"}'
    assert machine.bodies() == [body % (APPLICATION.encode(), API_KEY.encode())]
    assert machine.keyring.kept == {}
    [row] = machine("whoami", "-o", "json").json()["whoami"]
    assert (row["method"], row["user"]) == ("application", APPLICATION)
    assert row["source"] == "api-key: SBPAM_API_KEY"
    # Other versions have the call without its prefix.
    machine.site.world.missing = {"/WebAppApi/api/v1/AppUserToken"}
    assert machine.schedule("--new-run").code == 0


def test_a_passphrase_that_nobody_gave_ends_at_once(machine: Machine) -> None:
    _, key = machine.equip(passphrase="geheim")
    words = f"there is no passphrase for the private key in {key}"
    machine.schedule().expect(4, words, "SBPAM_CLIENT_KEY_PASSWORD", out="")
    assert machine.site.requests() == []


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_leading_00_is_left_out_where_the_server_omits_it(machine: Machine, status: int) -> None:
    machine.equip(serial=TOP_BIT)
    application = machine.user(APPLICATION)
    assert application.certificate_serial == "009A00000000000001"
    assert machine.schedule("--new-run").code == 0
    assert len(machine.bodies()) == 1
    application.certificate_serial = "9A00000000000001"
    machine.site.faults.add(Fault(action="reword", status=status))
    assert machine.schedule("--new-run").code == 0
    assert [b'"009A' in body for body in machine.bodies()] == [True, True, False]


def test_what_was_left_out_once_stays_out(machine: Machine) -> None:
    machine.equip(serial=TOP_BIT)
    machine.user(APPLICATION).certificate_serial = "9A00000000000001"
    machine.site.world.missing.add("/api/v1/UserToken")
    machine.site.world.token_life_s = 20.0
    machine.site.world.scan_duration_s = 60.0
    assert machine.schedule("--wait").code == 0
    bodies = machine.bodies()
    assert len(bodies) > 3
    assert [b'"009A' in body for body in bodies] == [True] + [False] * (len(bodies) - 1)


@pytest.mark.parametrize(("serial", "times"), [(0x1234ABCD, 1), (TOP_BIT, 2)])
def test_a_refusal_is_final(machine: Machine, serial: int, times: int) -> None:
    machine.equip(serial=serial)
    ended = machine.schedule(env={"SBPAM_API_KEY": "wrong-geheim"}).expect(
        4, "The application or its key is not known.", "SBPAM_API_KEY"
    )
    assert "geheim" not in ended.err
    assert len(machine.bodies()) == times
    assert machine.site.scheduled() == []


@pytest.mark.parametrize("days", [-1, 13])
def test_the_certificates_end_is_said_in_time(machine: Machine, days: int) -> None:
    machine.equip()
    clock = machine.site.clock
    clock.move(FAR.timestamp() - days * 86_400.0 - clock.now())
    verb = "expires" if days > 0 else "expired"
    machine.schedule().expect(0, f"app.crt {verb} on 2049-01-01")
    clock.move((days - 15) * 86_400.0)
    assert "expire" not in machine.schedule("--new-run").err


def test_a_certificate_that_the_server_does_not_know_is_named(machine: Machine) -> None:
    machine.equip()
    cert, key = issue().files(machine.folder)
    environ = {"SBPAM_CLIENT_CERT": cert, "SBPAM_CLIENT_KEY": key}
    machine.schedule(env=environ).expect(6, "does not take the client certificate")
    assert machine.site.scheduled() == []


@pytest.fixture
def tls_proxy(site: Site) -> Iterator[Tunnel]:
    """A proxy behind TLS that would take any client certificate it is shown."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    site.server.authority.issue_cert("127.0.0.1").configure_cert(context)
    site.server.authority.configure_trust(context)
    context.verify_mode = ssl.CERT_OPTIONAL
    proxy = Tunnel(context)
    yield proxy
    proxy.close()


@pytest.mark.parametrize("pinned", [False, True])
def test_a_proxy_sees_no_client_certificate(
    machine: Machine, tls_proxy: Tunnel, pinned: bool
) -> None:
    machine.equip()
    env = {"HTTPS_PROXY": tls_proxy.url}
    if pinned:
        # The pin is the server's: the proxy is judged by the CA.
        env["SBPAM_FINGERPRINT"] = machine.site.server.fingerprint
    ended = machine.schedule("--verbose", env=env).expect(0)
    assert machine.bodies()
    assert tls_proxy.shown
    assert not any(tls_proxy.shown)
    assert "geheim" not in ended.err
    assert not any(b"\nauthorization:" in head.lower() for head in tls_proxy.heads)


def test_login_keeps_paths_in_the_profile_and_secrets_in_the_keyring(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    cert, key = issue(machine.site.server).files(machine.folder, "geheim")
    monkeypatch.chdir(machine.folder)
    passphrase = {"SBPAM_CLIENT_KEY_PASSWORD": "geheim"}
    ended = machine.sign_in("app.crt", "app.key", env=passphrase)
    ended.expect(0, f"as {APPLICATION} (profile default)")
    kept = machine.kept()
    token = kept.pop("token")
    assert kept == {"api-key": API_KEY, "client-key-password": "geheim"}
    assert token
    config = machine.site.config.read_text()
    assert f'client_cert = "{cert}"\nclient_key = "{key}"' in config
    assert "geheim" not in config + ended.err
    assert API_KEY not in config + ended.err
    machine.site.clock.move(1000)
    assert machine.schedule("--credential", CREDENTIAL).code == 0
    assert len(machine.bodies()) == 2
    assert machine("logout").code == 0
    assert machine.keyring.kept == {}
    machine("whoami").expect(4)


def test_another_certificate_leaves_the_profiles_key_alone(machine: Machine) -> None:
    cert, key = issue(machine.site.server).files(machine.folder)
    assert machine.sign_in(cert, key).code == 0
    new = issue(machine.site.server, serial=77)
    both = write(machine.folder / "both.pem", new.cert_pem + new.key_pem())
    assert machine.sign_in(both, None).code == 0
    config = machine.site.config.read_text()
    assert both in config
    assert "client_key" not in config
