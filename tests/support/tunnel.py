"""A CONNECT proxy that asks for a user and password, and keeps what it saw."""

import base64
import socket
import ssl
import threading
from contextlib import suppress
from typing import Any

PASSWORD = "pr0xy-geheim"
_EXPECTED = b"Basic " + base64.b64encode(f"joe:{PASSWORD}".encode())


class Tunnel:
    """Runs until `close`.

    context: it is reached over TLS itself. refusal: its status line to whoever has the password.
    heads: of each request to it.
    carried: what went through, both ways. shown: the client's certificate of each connection.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.heads: list[bytes] = []
        self.carried: list[bytes] = []
        self.shown: list[Any] = []
        self.refusal = ""
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        scheme = "http" if context is None else "https"
        self.url = f"{scheme}://joe:{PASSWORD}@127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._take, args=(connection,), daemon=True).start()

    def _take(self, client: socket.socket) -> None:
        with suppress(OSError):
            if self._context is not None:
                client = self._context.wrap_socket(client, server_side=True)
                self.shown.append(client.getpeercert())
            with client:
                self._tunnel(client)

    def _tunnel(self, client: socket.socket) -> None:
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
            threading.Thread(target=self._pour, args=(server, client), daemon=True).start()
            self._pour(client, server)

    def _pour(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError, ValueError):
            while data := source.recv(65536):
                self.carried.append(data)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
