"""No token and no stored secret ever arrives anywhere but at the origin that it belongs to."""

import socket
import ssl
import threading
from collections.abc import Iterator

import pytest
from support import tunnel
from support.faults import Fault
from support.person import NOMFA_PASSWORD, Person
from support.site import CREDENTIAL, Site
from support.tunnel import Tunnel

HOST = "web01.corp.example"


class _Stranger:
    """Another port, over TLS or not: records everything it gets, answers every request well."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self.context = context
        self.received: list[bytes] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.port}"

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._record, args=(connection,), daemon=True).start()

    def _record(self, connection: socket.socket) -> None:
        try:
            if self.context is not None:
                connection = self.context.wrap_socket(connection, server_side=True)
            while data := connection.recv(65536):
                self.received.append(data)
                connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"ey"')
        except OSError:
            pass


class _Scene(Person):
    """The sandbox, signed in to by a profile; strangers on other ports; a proxy."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        site.server.authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
        self.tls, self.plain, self.proxy = _Stranger(context), _Stranger(None), Tunnel()

    def signed_in(self) -> None:
        ended = self.login()
        assert ended.code == 0, ended.err
        self.site.program.environ["SBPAM_CREDENTIAL"] = CREDENTIAL

    def secrets(self) -> list[bytes]:
        """Every token and password that was in play."""
        found = {value.encode() for value in self.keyring.kept.values()} | {NOMFA_PASSWORD.encode()}
        for entry in self.site.world.log:
            words = entry.request.header("Authorization").split()
            found |= {words[-1].encode()} if words else set()
        return sorted(found)

    def elsewhere(self) -> bytes:
        """All that arrived at any other port than the sandbox's, and is not tunnelled TLS."""
        parts = [*self.tls.received, *self.plain.received, *self.proxy.heads]
        return b"".join([*parts, *self.proxy.carried])

    def assert_nothing_leaked(self) -> None:
        everything = self.elsewhere()
        secrets = self.secrets()
        assert len(secrets) > 1
        assert [secret for secret in secrets if secret in everything] == []
        assert b"\nauthorization:" not in everything.lower()
        assert self.tls.received == self.plain.received == []


@pytest.fixture
def scene(site: Site) -> Iterator[_Scene]:
    scene = _Scene(site)
    yield scene
    for stranger in (scene.tls.listener, scene.plain.listener, scene.proxy):
        stranger.close()


@pytest.mark.parametrize("status", [302, 303, 307, 308])
@pytest.mark.parametrize("where", ["tls", "plain", "localhost"])
@pytest.mark.parametrize("path", ["UserToken", "OuMapping", "signinBody", "Version"])
def test_a_redirect_takes_nothing_along(scene: _Scene, path: str, where: str, status: int) -> None:
    scene.signed_in()
    scene.site.clock.move(850 if path == "UserToken" else 0)
    if path == "signinBody":
        scene.site.clock.move(1000)
    elsewhere = {
        "tls": scene.tls.url,
        "plain": scene.plain.url,
        "localhost": f"https://localhost:{scene.tls.port}",
    }[where]
    to = {"Location": f"{elsewhere}/elsewhere"}
    redirect = Fault(action="status", path=path, status=status, headers=to, when="after")
    scene.site.faults.add(redirect)
    ended = scene("schedule", HOST)
    assert any(path in target for _, target in scene.site.requests())
    if path in ("OuMapping", "signinBody"):
        assert ended.code != 0
        assert elsewhere in ended.out + ended.err
    scene.assert_nothing_leaked()


def test_a_stored_secret_does_not_travel_to_another_server(scene: _Scene) -> None:
    scene.signed_in()
    trust = ["--ca-bundle", scene.site.server.ca_file]
    for arguments, env in [
        (["--server", scene.tls.url], {}),
        ([], {"SBPAM_SERVER": scene.tls.url}),
        (["--profile", "default", "--server", f"https://localhost:{scene.tls.port}"], {}),
    ]:
        ended = scene("status", "--all", *arguments, *trust, env=env)
        assert ended.code == 4, ended.err
    for url in (scene.plain.url, f"https://joe:x@127.0.0.1:{scene.tls.port}"):
        assert scene("status", "--all", "--server", url, *trust).code == 2
    assert scene.tls.received == scene.plain.received == []


def test_another_user_is_not_given_the_stored_token(scene: _Scene) -> None:
    scene.signed_in()
    received = len(scene.site.world.log)
    ended = scene("status", "--all", env={"SBPAM_USERNAME": "CORP\\demo"})
    assert ended.code == 4
    assert len(scene.site.world.log) == received


def test_a_proxy_sees_its_own_password_and_a_tunnel(scene: _Scene) -> None:
    scene.site.program.environ["HTTPS_PROXY"] = scene.proxy.url
    scene.signed_in()
    ended = scene("schedule", HOST, "--verbose")
    assert ended.code == 0, ended.err
    assert scene.site.scheduled() == [HOST]
    assert scene.proxy.heads
    for head in scene.proxy.heads:
        assert head.startswith(b"CONNECT 127.0.0.1:")
    assert tunnel.PASSWORD not in ended.err + ended.out
    scene.assert_nothing_leaked()


def test_cookies_of_the_sign_in_go_to_its_second_step_alone(scene: _Scene) -> None:
    scene.signed_in()
    assert scene("schedule", HOST).code == 0
    with_cookie = {at.request.target for at in scene.site.world.log if at.request.header("Cookie")}
    assert with_cookie == {"/signin2fa"}
