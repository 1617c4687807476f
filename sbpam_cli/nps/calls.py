"""What all calls share: how often they are tried, and the server's clock."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from sbpam_cli.errors import Interrupted
from sbpam_cli.nps.failures import failed_answer, no_answer
from sbpam_cli.nps.transport import CONNECT_TIMEOUT_S, NoReplyError, Outgoing, Reply, Transport

if TYPE_CHECKING:
    from sbpam_cli.system.services import Services

TOTAL_S = 120.0
_TRIES = 4
_TRIES_WITHIN_S = 15.0
_BACKOFF_FIRST_S = 0.5
_YEAR_3000 = 32_503_680_000.0
_BACKOFF_LONGEST_S = 8.0


def read_date(text: str | None) -> float | None:
    """An HTTP date as epoch seconds; None for what is none."""
    from datetime import UTC
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(text or "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def retry_after_s(reply: Reply, now: float) -> float | None:
    """`Retry-After` as seconds from `now` (epoch, server's clock); None where absent or odd."""
    text = reply.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    moment = read_date(text)
    return max(0.0, moment - now) if moment is not None else None


def backoff_s(services: "Services", attempt: int, longest_s: float = _BACKOFF_LONGEST_S) -> float:
    """How long to wait before the try after `attempt` (1-based): doubling, full jitter."""
    return services.random.uniform(
        0.0, min(longest_s, _BACKOFF_FIRST_S * 2.0 ** min(attempt - 1, 16))
    )


class Calls:
    """The calls of one server, without any yet. Threads may share it.

    stop: ends waiting between tries with Interrupted when it is set.
    """

    def __init__(
        self,
        services: "Services",
        transport: Transport,
        *,
        stop: threading.Event | None = None,
    ) -> None:
        self._services = services
        self._transport = transport
        self._stop = stop or threading.Event()
        self._offset_s = 0.0

    @property
    def origin(self) -> str:
        return self._transport.origin

    @property
    def clock_offset_s(self) -> float:
        """The server's clock minus ours, seconds, from the newest reply's `Date`."""
        return self._offset_s

    def server_time(self) -> float:
        """The server's clock, epoch seconds."""
        return self._services.clock.now() + self._offset_s

    def _send(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        token: str | None = None,
        total_s: float = TOTAL_S,
        **how: object,
    ) -> Reply:
        """Once, and what the reply says of the server's clock is kept. Raises NoReplyError."""
        out = Outgoing(
            method=method,
            path=path,
            body=body,
            token=token,
            total_s=total_s,
            **how,  # type: ignore[arg-type]
        )
        reply = self._transport.send(out)
        served = read_date(reply.headers.get("date"))
        if served is not None and 0 < served < _YEAR_3000:
            self._offset_s = served - self._services.clock.now()
        return reply

    def _try(
        self,
        send: Callable[[int, float], Reply],
        again: Callable[[Reply | NoReplyError], bool],
    ) -> Reply:
        """Up to 4 tries within 15 s, as long as `again` says that one more may help.

        send: takes the number of the try and the seconds for connecting.
        """
        clock = self._services.clock
        until = clock.monotonic() + _TRIES_WITHIN_S
        attempt = 0
        while True:
            attempt += 1
            left_s = max(until - clock.monotonic(), 1.0)
            wait_s = backoff_s(self._services, attempt)
            result: Reply | NoReplyError
            try:
                result = send(attempt, min(CONNECT_TIMEOUT_S, left_s))
                wait_s = max(wait_s, retry_after_s(result, self.server_time()) or 0.0)
            except NoReplyError as error:
                result = error
            last = attempt >= _TRIES or clock.monotonic() + wait_s >= until
            if last or not again(result):
                if isinstance(result, NoReplyError):
                    raise no_answer(self.origin, result) from None
                return result
            if clock.wait(self._stop, wait_s):
                raise Interrupted("interrupted", signal_number=2)


def check_success(reply: Reply, what: str) -> None:
    """Raises what `failed_answer` makes of anything but data with a 2xx."""
    if not 200 <= reply.status < 300 or reply.is_web_page:
        raise failed_answer(reply, what)
