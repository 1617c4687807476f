"""A network back end for httpcore that keeps total deadlines, over a server's addresses too.

httpx's time-outs bound one read or write, so a reply that drips a byte at a
time outlives them all. Here every operation of a thread ends at the deadline
that the thread has set.
"""

import math
import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl

    import httpcore

    from sbpam_cli.system.services import Services

_LONGEST_S = 86_400.0
_WRITE_BYTES = 256 * 1024
_GIVE_UP = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


class DeadlineNetwork:
    """Wraps `Services.network` (by shape: httpcore is not imported here)."""

    def __init__(self, services: "Services") -> None:
        self._inner = services.network()
        self._clock = services.clock
        self._resolve = services.resolve
        self._current = threading.local()
        self._answered: dict[str, str] = {}

    @contextmanager
    def deadline(self, seconds: float) -> Iterator[None]:
        """Everything this thread does on the network within ends in that time."""
        self._current.until = self._clock.monotonic() + seconds
        try:
            yield
        finally:
            self._current.until = math.inf

    def remaining(self, timeout_s: float | None) -> float:
        """What is left for one operation; raises httpcore's time-out when nothing is."""
        left_s: float = getattr(self._current, "until", math.inf) - self._clock.monotonic()
        if left_s <= 0:
            import httpcore

            raise httpcore.ReadTimeout("the total deadline has passed")
        return min(left_s, _LONGEST_S if timeout_s is None else timeout_s)

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, **options: Any
    ) -> "_DeadlineStream":
        """Addresses share the time: a dead one must not cost all. The last to answer is first."""
        import httpcore

        try:
            addresses = self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise httpcore.ConnectError(f"the name {host} cannot be resolved: {why}") from error
        addresses.sort(key=lambda address: address != self._answered.get(host))
        until = self._clock.monotonic() + self.remaining(timeout)
        failure: Exception = httpcore.ConnectError(f"the name {host} has no address")
        for tried, address in enumerate(addresses):
            left_s = max(until - self._clock.monotonic(), 0.1)
            share_s = left_s / (len(addresses) - tried)
            try:
                stream = self._inner.connect_tcp(address, port, timeout=share_s, **options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
                continue
            self._answered[host] = address
            return _DeadlineStream(stream, self)
        raise failure


class _DeadlineStream:
    def __init__(self, inner: "httpcore.NetworkStream", network: DeadlineNetwork) -> None:
        self._inner = inner
        self._network = network
        self.close, self.get_extra_info = inner.close, inner.get_extra_info

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            return self._inner.read(max_bytes, self._network.remaining(timeout))
        except BaseException:
            self._give_up()
            raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            for start in range(0, len(buffer), _WRITE_BYTES):
                piece = buffer[start : start + _WRITE_BYTES]
                self._inner.write(piece, self._network.remaining(timeout))
        except BaseException:
            self._give_up()
            raise

    def _give_up(self) -> None:
        """Of a connection that is given up the kernel must deliver nothing later."""
        with suppress(AttributeError, OSError):
            plain = self._inner.get_extra_info("socket")
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _GIVE_UP)

    def start_tls(
        self,
        ssl_context: "ssl.SSLContext",
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> "_DeadlineStream":
        left_s = self._network.remaining(timeout)
        stream = self._inner.start_tls(ssl_context, server_hostname, left_s)
        return _DeadlineStream(stream, self._network)
