"""No token and no stored secret ever arrives anywhere but at the origin that it belongs to."""

import ssl
from collections.abc import Iterator

import pytest
from support.faults import Fault
from support.listeners import Stranger
from support.person import Person
from support.site import CREDENTIAL, Site

HOST = "web01.corp.example"


class _Scene(Person):
    """The sandbox, signed in to by a profile; strangers on other ports."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        site.server.authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
        self.tls, self.plain = Stranger(context), Stranger()

    def signed_in(self) -> None:
        self.login().expect(0)
        self.site.environ["SBPAM_CREDENTIAL"] = CREDENTIAL


@pytest.fixture
def scene(site: Site) -> Iterator[_Scene]:
    scene = _Scene(site)
    yield scene
    scene.tls.close()
    scene.plain.close()


@pytest.mark.parametrize(
    ("path", "where", "status"),
    [
        *(("UserToken", "tls", 302), ("OuMapping", "plain", 303), ("signinBody", "localhost", 307)),
        *(("Version", "tls", 308), ("OuMapping", "tls", 307), ("signinBody", "plain", 308)),
    ],
)
def test_a_redirect_takes_nothing_along(scene: _Scene, path: str, where: str, status: int) -> None:
    scene.signed_in()
    scene.site.clock.move({"UserToken": 850, "signinBody": 1000}.get(path, 0))
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
    assert scene.tls.received == scene.plain.received == []


def test_a_stored_secret_does_not_travel_to_another_server(scene: _Scene) -> None:
    scene.signed_in()
    trust = ["--ca-bundle", scene.site.server.ca_file]
    for arguments, env in [
        (["--server", scene.tls.url], {}),
        ([], {"SBPAM_SERVER": scene.tls.url}),
        (["--profile", "default", "--server", f"https://localhost:{scene.tls.port}"], {}),
    ]:
        scene("status", "--all", *arguments, *trust, env=env).expect(4)
    for url in (scene.plain.url, f"https://joe:x@127.0.0.1:{scene.tls.port}"):
        assert scene("status", "--all", "--server", url, *trust).code == 2
    assert scene.tls.received == scene.plain.received == []


def test_another_user_is_not_given_the_stored_token(scene: _Scene) -> None:
    scene.signed_in()
    received = len(scene.site.world.log)
    scene("status", "--all", env={"SBPAM_USERNAME": "CORP\\demo"}).expect(4)
    assert len(scene.site.world.log) == received
