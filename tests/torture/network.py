"""A network in memory: real HTTP/1.1 between httpcore and the sandbox, TLS skipped.

The server's end reads what httpcore writes and no more: a length, no chunks, one request
after the other. A parser for everything took longer than the answers.
"""

from typing import Any, Protocol

import httpcore
from support.faults import FaultyResponse

from sbpam_cli.sandbox.http import Request, Response


class Wire(Protocol):
    """What the network asks its world. `reach` answers the failure that is due, or None."""

    def reach(self, operation: str, what: str) -> str | None: ...
    def give_up_turn(self) -> None: ...
    def pass_time(self, seconds: float) -> None: ...
    def answer(self, request: Request) -> Response: ...


class MemoryNetwork(httpcore.NetworkBackend):
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def connect_tcp(self, host: str, *_: Any, **how: Any) -> httpcore.NetworkStream:
        _connect(self._wire, "connect", host, how["timeout"])
        return MemoryStream(self._wire)


def _connect(wire: Wire, operation: str, host: str, timeout: float | None) -> None:
    failure = wire.reach(operation, host)
    if failure == "time-out":
        wire.pass_time(timeout or 0.0)
        raise httpcore.ConnectTimeout("timed out")
    if failure is not None:
        raise httpcore.ConnectError(failure)


class MemoryStream(httpcore.NetworkStream):
    """The client's end of a connection, with the server behind it."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._received = b""
        self._coming = b""
        self._ended = False
        self._reset = False
        self._delay_s = 0.0
        self._drip_s = 0.0
        self._hangs = False
        self._what = ""

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        _connect(self._wire, "tls", server_hostname or "", timeout)
        return self

    def get_extra_info(self, info: str) -> Any:
        return self._ended if info == "is_readable" else None

    def close(self) -> None:
        self._ended = self._reset = True

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if buffer[:4] in (b"GET ", b"POST"):
            self._what = buffer.partition(b" HTTP")[0].decode()
        if self._reset:
            raise httpcore.WriteError("reset")
        if "OuMapping" in self._what:
            self._wire.give_up_turn()
        failure = self._wire.reach("write", self._what)
        if failure is None or failure.endswith("after"):
            self._receive(buffer)
        if failure is not None:
            self._reset = True
            if failure.startswith("time-out"):
                self._wire.pass_time(timeout or 0.0)
                raise httpcore.WriteTimeout("timed out")
            raise httpcore.WriteError("reset")

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._reset:
            raise httpcore.ReadError("reset")
        if "OuMapping" in self._what:
            self._wire.give_up_turn()
        if not self._drip_s:
            self._fail_read(self._wire.reach("read", self._what), timeout)
        wait_s = self._delay_s + (self._drip_s if self._coming else 0.0)
        if self._hangs or (timeout is not None and wait_s > timeout):
            self._wire.pass_time(timeout or 0.0)
            raise httpcore.ReadTimeout("timed out")
        self._wire.pass_time(wait_s)
        self._delay_s = 0.0
        count = 1 if self._drip_s else max_bytes
        piece, self._coming = self._coming[:count], self._coming[count:]
        if not piece and not self._ended:
            raise httpcore.ReadError("the test's server has nothing to say")
        return piece

    def _fail_read(self, failure: str | None, timeout: float | None) -> None:
        if failure == "reset":
            self._reset = True
            raise httpcore.ReadError("reset")
        if failure == "time-out":
            self._wire.pass_time(timeout or 0.0)
            raise httpcore.ReadTimeout("timed out")
        if failure in ("end", "part"):
            self._coming = self._coming[: len(self._coming) // 2 if failure == "part" else 0]
            self._ended = True
        if failure == "drip":
            self._drip_s = 1.0

    def _receive(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        first, *rest = head.decode("ascii").split("\r\n")
        pairs = (line.partition(": ") for line in rest)
        headers = tuple((name.title(), value) for name, _, value in pairs)
        length = int(dict(headers).get("Content-Length", "0"))
        if len(body) >= length:
            self._received = body[length:]
            method, target, _ = first.split(" ")
            self._answer(Request(method, target, headers, body[:length]))

    def _answer(self, request: Request) -> None:
        how = self._wire.answer(request)
        assert isinstance(how, FaultyResponse)
        if how.ending in ("reset", "close"):
            self._reset, self._ended = how.ending == "reset", True
            return
        self._hangs, self._delay_s, self._drip_s = how.ending == "hang", how.delay_s, how.drip_s
        headers = [*how.headers, ("Content-Length", str(len(how.body)))]
        lines = [f"HTTP/1.1 {how.status} ", *(f"{name}: {value}" for name, value in headers)]
        body = how.body
        if how.ending == "truncate":
            body, self._ended = body[: how.keep_bytes], True
        self._coming += "\r\n".join([*lines, "", ""]).encode() + body
