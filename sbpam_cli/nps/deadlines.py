"""A network back end for httpcore that keeps total deadlines.

httpx's time-outs bound one read or write, so a reply that drips a byte at a
time outlives them all. Here every operation of a thread ends at the deadline
that the thread has set.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl

    import httpcore

    from sbpam_cli.system.clock import Clock

_WRITE_BYTES = 256 * 1024


class DeadlineNetwork:
    """Wraps an `httpcore.NetworkBackend` (by shape: httpcore is not imported here)."""

    def __init__(self, inner: "httpcore.NetworkBackend", clock: "Clock") -> None:
        self._inner = inner
        self._clock = clock
        self._current = threading.local()

    @contextmanager
    def deadline(self, seconds: float) -> Iterator[None]:
        """Everything this thread does on the network within ends in that time."""
        self._current.until = self._clock.monotonic() + seconds
        try:
            yield
        finally:
            self._current.until = None

    def remaining(self, timeout_s: float | None) -> float | None:
        """What is left for one operation; raises httpcore's time-out when nothing is."""
        until = getattr(self._current, "until", None)
        if until is None:
            return timeout_s
        left = float(until) - self._clock.monotonic()
        if left <= 0:
            import httpcore

            raise httpcore.ReadTimeout("the total deadline has passed")
        return left if timeout_s is None else min(left, timeout_s)

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, **options: Any
    ) -> "_DeadlineStream":
        stream = self._inner.connect_tcp(host, port, timeout=self.remaining(timeout), **options)
        return _DeadlineStream(stream, self)

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)


class _DeadlineStream:
    def __init__(self, inner: "httpcore.NetworkStream", network: DeadlineNetwork) -> None:
        self._inner = inner
        self._network = network

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._network.remaining(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _WRITE_BYTES):
            piece = buffer[start : start + _WRITE_BYTES]
            self._inner.write(piece, self._network.remaining(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: "ssl.SSLContext",
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> "_DeadlineStream":
        inner = self._inner.start_tls(
            ssl_context, server_hostname, self._network.remaining(timeout)
        )
        return _DeadlineStream(inner, self._network)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
