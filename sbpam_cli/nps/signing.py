"""How calls are sent, how often, as whom; and the sign-in itself.

Reads are repeated, because a read may be. A sign-in step is not once its first byte has left:
refusals lock accounts, and a second push wakes somebody up.
"""

import threading
from dataclasses import replace
from typing import Protocol

from sbpam_cli.errors import Interrupted, ServerError, SignInError, UnreachableError
from sbpam_cli.models import END_OF_TIME, Token
from sbpam_cli.nps import replies as wire
from sbpam_cli.nps.decoding import WireError
from sbpam_cli.nps.failures import (
    NotFoundError,
    RefusedError,
    Reply,
    check_success,
    read_date,
    retry_after_s,
)
from sbpam_cli.nps.transport import CONNECT_TIMEOUT_S, TOTAL_S, NoReplyError, Outgoing, Transport
from sbpam_cli.system.services import Services

_TRIES = 4
_TRIES_WITHIN_S = 15.0
_BACKOFF_FIRST_S = 0.5
_BACKOFF_LONGEST_S = 8.0


class Tokens(Protocol):
    """Where the bearer token of a call comes from (`signin.session`)."""

    def token(self, *, lasting: bool = False) -> Token: ...
    def renew(self, refused: Token) -> Token: ...


def backoff_s(services: Services, attempt: int, longest_s: float = _BACKOFF_LONGEST_S) -> float:
    """How long to wait before the try after `attempt` (1-based): doubling, full jitter."""
    doubled_s = _BACKOFF_FIRST_S * 2.0 ** min(attempt - 1, 16)
    return services.random.uniform(0.0, min(longest_s, doubled_s))


class SignedInCalls:
    """The calls of one server, without any but the sign-in. Threads may share it.

    stop: ends waiting with Interrupted when it is set.
    clock_offset_s: the server's clock minus ours, from the newest reply's `Date`.
    tokens: where those of the calls come from, set by the session that owns the client.
    """

    tokens: Tokens

    def __init__(self, transport: Transport, stop: threading.Event | None = None) -> None:
        self._services = transport.services
        self.origin = transport.origin
        self.clock_offset_s = 0.0
        self._issued_offset_s: float | None = None
        self._transport = transport
        self._stop = stop
        self._cookies: dict[str, str] = {}

    def server_time(self) -> float:
        """The server's clock, epoch seconds."""
        return self._services.clock.now() + self.clock_offset_s

    @property
    def jobs_offset_s(self) -> float:
        """The same offset by the newest token's `iat`, if there is one: a front end writes none."""
        return self.clock_offset_s if self._issued_offset_s is None else self._issued_offset_s

    def pause(self, seconds: float) -> None:
        """Waits. Raises Interrupted if `stop` is set meanwhile."""
        clock = self._services.clock
        if self._stop is None:
            clock.sleep(seconds)
        elif clock.wait(self._stop, seconds):
            raise Interrupted("interrupted", signal_number=2)

    # Sending: once, a few times, signed in, and whatever is no success raised.

    def _send(self, out: Outgoing) -> Reply:
        reply = self._transport.send(out)
        served = read_date(reply.headers.get("date"))
        if served is not None and 0 < served < END_OF_TIME:
            self.clock_offset_s = served - self._services.clock.now()
        return reply

    def _try(self, out: Outgoing) -> Reply:
        """Up to 4 tries within 15 s, as long as one more may help and may be made."""
        clock = self._services.clock
        until = clock.monotonic() + _TRIES_WITHIN_S
        result: Reply | NoReplyError
        for attempt in range(1, _TRIES + 1):
            connect_s = min(CONNECT_TIMEOUT_S, max(until - clock.monotonic(), 1.0))
            wait_s = backoff_s(self._services, attempt)
            try:
                result = self._send(replace(out, attempt=attempt, connect_s=connect_s))
                wait_s = max(wait_s, retry_after_s(result, self.server_time()) or 0.0)
                may_help = result.status in (408, 429) or result.status >= 500
                may = may_help and out.repeat == "reads"
            except NoReplyError as error:
                result = error
                surely_unsent = out.repeat == "unsent" and not error.sent
                may = error.final is None and (out.repeat == "reads" or surely_unsent)
            if not may or attempt == _TRIES or clock.monotonic() + wait_s >= until:
                break
            self.pause(wait_s)
        if isinstance(result, Reply):
            return result
        hint = "check the address, the network and the proxy; `--verbose` shows each try"
        what, why = f"no answer from {result.peer}", result.reason
        failure = result.final or UnreachableError(what, reason=why, hint=hint)
        failure.hint = out.acts if out.acts and result.sent else failure.hint
        raise failure from None

    def _ask(self, out: Outgoing) -> Reply:
        """A signed-in request and its answer. A refused token is renewed once."""
        token = self.tokens.token(lasting=bool(out.acts))
        reply = self._try(replace(out, token=token.value))
        if reply.status != 401:
            return reply
        try:
            token = self.tokens.renew(token)
        except SignInError as error:
            if error.reason is None:
                error.reason, error.trace_id = reply.problem()
            raise
        return self._try(replace(out, token=token.value))

    def _read(self, out: Outgoing, what: str, unknown: str | None = None) -> Reply:
        """unknown: what a 404 means that the server does not know."""
        reply = self._ask(out)
        # A web page is not the application's word: a proxy or an empty IIS gave it.
        if unknown is not None and reply.status == 404 and not reply.is_web_page:
            raise NotFoundError(f"the server knows no {unknown}", **reply.words())
        try:
            check_success(reply, what)
        except ServerError as error:
            error.retry_after_s = retry_after_s(reply, self.server_time())
            raise
        return reply

    # Signing in. Each step raises RefusedError for 400, 401 and 403.

    def sign_in(self, login: str, password: str) -> Token:
        """Step 1, `POST /signinBody` [vendor]: a token good for step 2 where MFA is on."""
        body = {"Login": login, "Password": password}
        out = Outgoing("/signinBody", method="POST", body=body, secret=password)
        return self._step("the sign-in", out)

    def second_step(self, token: Token, code: str | int) -> Token:
        """Step 2, `POST /signin2fa` [live], with step 1's cookies; a number goes bare.

        May block until somebody presses a button on a phone. 404: once at `/sigin2fa`, as the
        mission's document spells it; then RefusedError too.
        """
        out = Outgoing("/signin2fa", method="POST", body=code, secret=str(code), token=token.value)
        out = replace(out, cookies=self._cookies)
        return self._step("the second sign-in step", out, "/sigin2fa")

    def application_token(self, login: str, api_key: str, serial: str) -> Token:
        """`POST /WebAppApi/api/v1/AppUserToken` [live module]; 404: without the prefix [guess]."""
        body = {"login": login, "password": api_key, "certificateSerialNumber": serial}
        path = "/api/v1/AppUserToken"
        out = Outgoing(f"/WebAppApi{path}", method="POST", body=body, secret=api_key)
        return self._step("the application's sign-in", out, path)

    def fresh_token(self, token: Token) -> Token:
        """`GET /api/v1/UserToken` [vendor's script]: a fresh token for a current one."""
        reply = self._try(Outgoing("/api/v1/UserToken", token=token.value))
        return self._token_in(reply, "the token's renewal")

    def _step(self, what: str, out: Outgoing, *others: str) -> Token:
        """others: the paths to try after a 404."""
        for path in (out.path, *others):
            reply = self._try(replace(out, path=path, repeat="unsent", read_s=TOTAL_S))
            if reply.status != 404:
                break
        if reply.status in (400, 401, 403) or (out.token and reply.status == 404):
            raise RefusedError("the server refused the sign-in", reply)
        self._cookies = dict(reply.cookies)
        return self._token_in(reply, what)

    def _token_in(self, reply: Reply, what: str) -> Token:
        check_success(reply, what)
        try:
            token = wire.read_token(reply.content, self.server_time())
        except WireError as error:
            hint = "is this the address of the NPS server? `--verbose` shows the requests"
            message = f"{what} answered something that is no token"
            raise ServerError(message, hint=hint) from error
        if token.received_at is not None:
            self._issued_offset_s = token.received_at - self._services.clock.now()
        return token
