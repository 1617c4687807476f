"""Proxies: which one leads to the server, what it sees, and who is named if it fails."""

from collections.abc import Iterator

import pytest
from support.listeners import PASSWORD, Tunnel
from support.site import Program, Site

from sbpam_cli.nps.proxies import choose_proxy

ORIGIN = "https://nps.corp.example:6500"


@pytest.fixture
def proxy() -> Iterator[Tunnel]:
    tunnel = Tunnel()
    yield tunnel
    tunnel.close()


def name_of(url: str) -> str:
    return f"the proxy {url.rpartition('@')[2].removeprefix('http://')}"


@pytest.mark.parametrize(
    ("environ", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ({"HTTPS_PROXY": "p:1"}, "http://p:1"),
        ({"HTTPS_PROXY": "http://upper:1", "https_proxy": "http://lower:1"}, "http://lower:1"),
        ({"ALL_PROXY": "http://all:1"}, "http://all:1"),
        ({"ALL_PROXY": "http://all:1", "HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ({"HTTP_PROXY": "http://plain:1"}, None),
        ({"HTTPS_PROXY": ""}, None),
        ({"HTTPS_PROXY": " \t", "ALL_PROXY": " p:1\r"}, "http://p:1"),
    ],
)
def test_the_variables(environ: dict[str, str], proxy: str | None) -> None:
    assert choose_proxy(environ, ORIGIN) == proxy


@pytest.mark.parametrize(
    ("entry", "origin", "direct"),
    [
        ("*", ORIGIN, True),
        ("corp.example", ORIGIN, True),
        (".corp.example", ORIGIN, True),
        ("*.corp.example", ORIGIN, True),
        ("NPS.CORP.EXAMPLE", ORIGIN, True),
        ("other, nps.corp.example ,x", ORIGIN, True),
        ("nps.corp.example:6500", ORIGIN, True),
        ("nps.corp.example:443", ORIGIN, False),
        ("orp.example", ORIGIN, False),
        ("10.0.0.0/8", "https://10.1.2.3:6500", True),
        ("10.2.0.0/16", "https://10.1.2.3:6500", False),
        ("::1", "https://[::1]:6500", True),
        ("[::1]:6500", "https://[::1]:6500", True),
        ("localhost", "https://localhost", True),
        (",,", ORIGIN, False),
    ],
)
def test_exceptions(entry: str, origin: str, direct: bool) -> None:
    environ = {"HTTPS_PROXY": "http://p:1", "NO_PROXY": entry}
    assert choose_proxy(environ, origin) == (None if direct else "http://p:1")


class System:
    """What `urllib.request` has on Windows or macOS."""

    def __init__(self, settings: str, bypass: str, proxies: dict[str, str]) -> None:
        setattr(self, settings, lambda: proxies)
        setattr(self, bypass, lambda host: host.endswith(".corp.example"))


@pytest.mark.parametrize(
    "names",
    [
        ("getproxies_registry", "proxy_bypass_registry"),
        ("getproxies_macosx_sysconf", "proxy_bypass_macosx_sysconf"),
    ],
)
def test_the_systems_own_settings_have_exceptions(names: tuple[str, str]) -> None:
    system = System(*names, {"https": "http://system:1"})
    for environ, origin, chosen in [
        ({}, "https://other.example", "http://system:1"),
        ({}, ORIGIN, None),
        ({"HTTPS_PROXY": "http://p:1"}, ORIGIN, "http://p:1"),
        ({"NO_PROXY": "other.example"}, "https://other.example", None),
    ]:
        assert choose_proxy(environ, origin, system) == chosen
    assert choose_proxy({}, ORIGIN, System(*names, {})) is None


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("socks5://me:proxy-pw@p:1", "socks5:// is not supported"),
        ("ftp://p:1", "ftp:// is not supported"),
        ("http://p:port", "http://HOST:PORT"),
        ("http://me:proxy/pw@p:1", "http://HOST:PORT"),
        ("http://", "http://HOST:PORT"),
        ("http://ü.example", "http://HOST:PORT"),
    ],
)
def test_a_proxy_that_cannot_be_used(program: Program, url: str, why: str) -> None:
    ended = program.run(
        "status", "--all", env={"HTTPS_PROXY": url, "SBPAM_SERVER": "nps", "SBPAM_TOKEN": "a.b.c"}
    ).expect(2, "the proxy in HTTPS_PROXY or ALL_PROXY cannot be used", why)
    assert "pw" not in ended.err


def test_the_proxy_gets_its_password_and_the_server_its_token(site: Site, proxy: Tunnel) -> None:
    line = ["schedule", "a.corp.example", "--verbose"]
    ended = site.run(*line, env={"HTTPS_PROXY": proxy.url}).expect(0)
    assert site.scheduled() == ["a.corp.example"]
    authority = site.server.url.removeprefix("https://")
    assert proxy.heads
    for head in proxy.heads:
        assert head.startswith(f"CONNECT {authority} HTTP/1.1\r\n".encode())
        assert b"\nauthorization" not in head.lower()
    assert PASSWORD not in ended.err
    assert all("Proxy-Authorization" not in dict(e.request.headers) for e in site.world.log)


def test_no_proxy_goes_round_it(site: Site, proxy: Tunnel, monkeypatch: pytest.MonkeyPatch) -> None:
    env = {"HTTPS_PROXY": proxy.url, "NO_PROXY": "localhost,127.0.0.0/8"}
    assert site.run("status", "--all", env=env).code == 0
    # The process's environment is not the command's.
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    assert site.run("status", "--all").code == 0
    assert proxy.heads == []


@pytest.mark.parametrize(
    ("refusal", "tries", "words"),
    [
        # Repeated, it would lock the account that the proxy asks for.
        ("407 Proxy Authentication Required", 1, "asks for a user and a password"),
        ("403 Forbidden", 1, "does not allow this"),
        ("502 Bad Gateway", 4, "no answer from"),
    ],
)
@pytest.mark.parametrize("line", [["status", "--all"], ["schedule", "a.corp.example"]])
def test_a_proxy_that_refuses(
    site: Site, proxy: Tunnel, line: list[str], refusal: str, tries: int, words: str
) -> None:
    proxy.refusal = refusal
    site.run(*line, env={"HTTPS_PROXY": proxy.url}).expect(
        6, name_of(proxy.url), words, refusal, out=""
    )
    assert len(proxy.heads) == tries
    assert site.requests() == []


def test_a_dead_proxy_is_named_and_not_the_server(site: Site) -> None:
    url = "http://127.0.0.1:9"
    words = f"no answer from {name_of(url)}\n  Connection refused"
    ended = site.run("status", "--all", env={"HTTPS_PROXY": url}).expect(6, words)
    assert site.server.url not in ended.err
    assert site.requests() == []


def test_what_happens_beyond_the_proxy_names_both(site: Site, proxy: Tunnel) -> None:
    del site.environ["SBPAM_CA_BUNDLE"]
    ended = site.run("status", "--all", env={"HTTPS_PROXY": proxy.url}).expect(6)
    both = f"{site.server.url} through {name_of(proxy.url)}"
    assert f"the certificate of {both} is not trusted" in ended.err
