"""Servers of a test's own on a loopback port: strangers to the program, and a proxy."""

import base64
import socket
import ssl
import threading
from contextlib import suppress
from typing import Any

PASSWORD = "pr0xy-geheim"
_EXPECTED = b"Basic " + base64.b64encode(f"joe:{PASSWORD}".encode())


class Listener:
    """Takes connections until `close`; over TLS with a context."""

    user = ""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if context else 'http'}://{self.user}127.0.0.1:{self.port}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._take, args=(connection,), daemon=True).start()

    def _take(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            if self._context is not None:
                client = self._context.wrap_socket(client, server_side=True)
            with client:
                self.meet(client)

    def meet(self, client: socket.socket) -> None:
        raise NotImplementedError


class Stranger(Listener):
    """Records everything it gets; answers every request well."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.received: list[bytes] = []
        self._ended = threading.Semaphore(0)
        super().__init__(context)

    def all_bytes(self) -> bytes:
        """What one connection brought, to its end."""
        assert self._ended.acquire(timeout=10)
        return b"".join(self.received)

    def _take(self, client: socket.socket) -> None:
        super()._take(client)
        self._ended.release()

    def meet(self, client: socket.socket) -> None:
        while data := client.recv(65536):
            self.received.append(data)
            client.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"ey"')


class Tunnel(Listener):
    """A CONNECT proxy that asks for a user and password, and keeps what it saw.

    refusal: its status line to whoever has the password. heads: of each request to it.
    shown: the client's certificate of each connection over TLS.
    """

    user = f"joe:{PASSWORD}@"

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.heads: list[bytes] = []
        self.shown: list[Any] = []
        self.refusal = ""
        super().__init__(context)

    def meet(self, client: socket.socket) -> None:
        if isinstance(client, ssl.SSLSocket):
            self.shown.append(client.getpeercert())
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        self.heads.append(head)
        known = _EXPECTED in head and head.startswith(b"CONNECT ")
        if self.refusal or not known:
            refusal = self.refusal or "407 Proxy Authentication Required"
            client.sendall(f"HTTP/1.1 {refusal}\r\n\r\n".encode())
            return
        host, _, port = head.split()[1].decode().rpartition(":")
        with socket.create_connection((host, int(port))) as server:
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            threading.Thread(target=_pour, args=(server, client), daemon=True).start()
            _pour(client, server)


def _pour(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError, ValueError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
