"""Requests through a real CONNECT proxy."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from support.site import Site


@dataclass
class Proxy:
    """`asked`: the request lines and headers it got. `refuses`: its status line instead of 200."""

    port: int
    asked: list[str] = field(default_factory=list)
    refuses: str | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def serve_one(proxy: Proxy, client: socket.socket) -> None:
    with client:
        head = b""
        while b"\r\n\r\n" not in head:
            piece = client.recv(4096)
            if not piece:
                return
            head += piece
        proxy.asked.append(head.decode())
        if proxy.refuses is not None:
            client.sendall(f"HTTP/1.1 {proxy.refuses}\r\nContent-Length: 0\r\n\r\n".encode())
            return
        host, _, port = head.split()[1].decode().rpartition(":")
        with socket.create_connection((host, int(port))) as server:
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=pump, args=(server, client), daemon=True)
            back.start()
            pump(client, server)
            back.join()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    server = socket.create_server(("127.0.0.1", 0))
    proxy = Proxy(server.getsockname()[1])

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = server.accept()
                threading.Thread(target=serve_one, args=(proxy, client), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield proxy
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


def test_through_the_proxy(site: Site, proxy: Proxy) -> None:
    ended = site.program("schedule", "a.corp.example", env={"HTTPS_PROXY": proxy.url})
    assert ended.code == 0, ended
    assert site.scheduled() == ["a.corp.example"]
    authority = site.server.url.removeprefix("https://")
    assert proxy.asked
    for head in proxy.asked:
        assert head.startswith(f"CONNECT {authority} HTTP/1.1\r\n")
        # The token is for the server alone.
        assert "authorization" not in head.lower()


def test_user_and_password_are_for_the_proxy(site: Site, proxy: Proxy) -> None:
    url = proxy.url.replace("http://", "http://me:proxy-pw@")
    ended = site.program("status", "--all", "--verbose", env={"HTTPS_PROXY": url})
    assert ended.code == 0
    assert "Proxy-Authorization: Basic bWU6cHJveHktcHc=" in proxy.asked[0]
    assert "proxy-pw" not in ended.err
    assert all("Proxy-Authorization" not in dict(e.request.headers) for e in site.world.log)


def test_no_proxy_goes_round_it(site: Site, proxy: Proxy) -> None:
    env = {"HTTPS_PROXY": proxy.url, "NO_PROXY": "localhost,127.0.0.0/8"}
    assert site.program("status", "--all", env=env).code == 0
    assert proxy.asked == []


def test_only_the_commands_own_environment_counts(
    site: Site, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    assert site.program("status", "--all").code == 0
    assert proxy.asked == []


@pytest.mark.parametrize(
    "refusal", ["407 Proxy Authentication Required", "403 Forbidden", "502 Bad Gateway"]
)
def test_a_proxy_that_refuses_schedules_nothing(site: Site, proxy: Proxy, refusal: str) -> None:
    proxy.refuses = refusal
    ended = site.program("schedule", "a.corp.example", env={"HTTPS_PROXY": proxy.url})
    assert ended.code == 6
    assert refusal in ended.err
    assert ended.out == ""
    assert site.requests() == []


@pytest.mark.parametrize(
    "url", ["ftp://p:1", "http://p:port", "socks5://me:proxy-pw@p:1", "http://"]
)
def test_a_proxy_that_cannot_be_used(site: Site, url: str) -> None:
    ended = site.program("status", "--all", env={"HTTPS_PROXY": url})
    assert ended.code in (2, 6), ended
    assert "proxy-pw" not in ended.err
    assert site.requests() == []


def test_a_dead_proxy(site: Site) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ended = site.program("status", "--all", env={"HTTPS_PROXY": f"http://127.0.0.1:{port}"})
    assert ended.code == 6
    assert "proxy" in ended.err
    assert site.requests() == []
