"""A server that asks for the client certificate late, for one location only, as IIS may.

Apache stands in front of the sandbox: TLS 1.2 renegotiates, TLS 1.3 asks after the handshake.
"""

import hashlib
import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.certificates import application_environ
from support.listeners import PASSWORD, Tunnel
from support.process import until
from support.programs import find_program
from support.site import Site

from sbpam_cli.sandbox.http import Request, Response
from sbpam_cli.sandbox.routes import App

pytestmark = pytest.mark.slow
MODULES = Path("/usr/lib/apache2/modules")
NAMES = ("mpm_event", "authz_core", "ssl", "proxy", "proxy_http", "headers")
SERIAL = 0x9A01
HOST = "web01.corp.example"

CONFIGURATION = """
ServerRoot {folder}
ServerName 127.0.0.1
DefaultRuntimeDir {folder}
PidFile {folder}/pid
Mutex sem
ErrorLog {folder}/error.log
LogLevel info
{modules}
User {user}
Group {group}
Listen 127.0.0.1:{port}
SSLEngine on
SSLProtocol {protocol}
SSLSessionCache none
SSLCertificateFile {folder}/server.pem
SSLCACertificateFile {ca}
SSLVerifyClient none
SSLProxyEngine on
SSLProxyCheckPeerName off
SSLProxyCACertificateFile {ca}
RequestHeader unset X-Client-Serial early
ProxyPass / {behind}/
<Location /WebAppApi>
  SSLVerifyClient require
  SSLVerifyDepth 2
  RequestHeader set X-Client-Serial "%{{SSL_CLIENT_M_SERIAL}}s"
</Location>
"""


class _Behind:
    """The sandbox behind the proxy: that tells it who showed which certificate."""

    def __init__(self, app: App) -> None:
        self.app = app

    def handle(self, request: Request) -> Response:
        serial = request.header("X-Client-Serial") or None
        return self.app.handle(replace(request, peer_certificate_serial=serial))


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(params=["TLSv1.2", "TLSv1.3"])
def front(site: Site, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    """The program finds Apache, and has no other way to sign in than the certificate."""
    program = find_program("apache2")
    site.server.app = _Behind(site.server.app)  # type: ignore[assignment]
    leaf = site.server.authority.issue_cert("127.0.0.1", "localhost")
    folder = tmp_path / "apache"
    folder.mkdir()
    leaf.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "apache.conf").write_text(
        CONFIGURATION.format(
            folder=folder,
            modules="\n".join(f"LoadModule {n}_module {MODULES}/mod_{n}.so" for n in NAMES),
            user="www-data" if os.geteuid() == 0 else f"#{os.geteuid()}",
            group="www-data" if os.geteuid() == 0 else f"#{os.getegid()}",
            port=port,
            protocol=request.param,
            ca=site.server.ca_file,
            behind=site.server.url,
        )
    )
    process = subprocess.Popen([program, "-f", str(folder / "apache.conf"), "-DFOREGROUND"])
    try:
        until(lambda: process.poll() is not None or _answers(port))
        assert process.poll() is None, (folder / "error.log").read_text()
        environ = site.environ
        for name in ("SBPAM_PASSWORD", "SBPAM_TOTP_SECRET"):
            del environ[name]
        environ |= application_environ(site.server, tmp_path, serial=SERIAL)
        environ["SBPAM_SERVER"] = f"https://127.0.0.1:{port}"
        yield site
    finally:
        process.terminate()
        process.wait(20)


def assert_signed_in(front: Site) -> None:
    log = front.world.log
    shown = {at.request.target for at in log if at.request.header("X-Client-Serial")}
    assert shown == {"/WebAppApi/api/v1/AppUserToken"}
    [sign_in] = [at.request for at in log if "AppUserToken" in at.request.target]
    assert sign_in.header("X-Client-Serial") == "9A01"
    assert b'"certificateSerialNumber":"009A01"' in sign_in.body
    assert front.scheduled() == [HOST]


def test_it_is_shown_when_it_is_asked_for(front: Site) -> None:
    front.run("schedule", "--wait", HOST).expect(0)
    assert_signed_in(front)


@pytest.mark.parametrize("pinned", [False, True])
def test_through_a_proxy_with_a_password(front: Site, pinned: bool) -> None:
    proxy = Tunnel()
    env = {"HTTPS_PROXY": proxy.url}
    if pinned:
        address = urlsplit(front.environ["SBPAM_SERVER"])
        pem = ssl.get_server_certificate((address.hostname or "", address.port or 0))
        env["SBPAM_FINGERPRINT"] = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    try:
        ended = front.run("schedule", "--verbose", HOST, env=env).expect(0)
    finally:
        proxy.close()
    assert proxy.heads
    assert PASSWORD not in ended.err
    assert_signed_in(front)
