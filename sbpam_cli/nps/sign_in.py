"""The calls that sign in. None of them is repeated once its first byte has left.

Repeated refusals lock accounts, and a second push wakes somebody up.
"""

import threading
from typing import TYPE_CHECKING

from sbpam_cli.errors import ServerError
from sbpam_cli.models import Token
from sbpam_cli.nps import replies as wire
from sbpam_cli.nps.calls import TOTAL_S, Calls, check_success
from sbpam_cli.nps.failures import RefusedError
from sbpam_cli.nps.transport import NoReplyError, Reply, Transport

if TYPE_CHECKING:
    from sbpam_cli.system.services import Services

SECOND_STEP_TIMEOUT_S = 120.0


class SignInCalls(Calls):
    """Steps that end in a token. Raises RefusedError for 400, 401 and 403."""

    def __init__(
        self, services: "Services", transport: Transport, *, stop: threading.Event | None = None
    ) -> None:
        super().__init__(services, transport, stop=stop)
        self._cookies: dict[str, str] = {}

    def sign_in(self, login: str, password: str) -> Token:
        """Step 1, `POST /signinBody` [vendor]: a token good for step 2 where MFA is on."""
        self._cookies = {}
        reply = self._step(
            "/signinBody", {"Login": login, "Password": password}, secrets=(password,)
        )
        self._cookies = dict(reply.cookies)
        return self._token_of(reply, "the sign-in")

    def second_step(self, token: Token, code: str | int) -> Token:
        """Step 2, `POST /signin2fa` [live], with step 1's cookies; the code as a JSON string,
        or bare, as a number.

        May block until somebody presses a button on a phone. 404: once at
        `/sigin2fa`, as the mission's document spells it.
        """
        for path in ("/signin2fa", "/sigin2fa"):
            reply = self._step(
                path,
                code,
                secrets=(str(code),) if len(str(code)) > 1 else (),
                token=token.value,
                cookies=self._cookies,
                total_s=SECOND_STEP_TIMEOUT_S,
                not_found_ok=True,
            )
            if reply.status != 404:
                return self._token_of(reply, "the second sign-in step")
        raise RefusedError("the server has no second sign-in step", status=404, reason="HTTP 404")

    def application_token(self, login: str, api_key: str, serial: str) -> Token:
        """`POST /WebAppApi/api/v1/AppUserToken` [live module]; 404: without the prefix [guess]."""
        body = {"login": login, "password": api_key, "certificateSerialNumber": serial}
        for prefix in ("/WebAppApi", ""):
            reply = self._step(
                f"{prefix}/api/v1/AppUserToken",
                body,
                secrets=(api_key,),
                not_found_ok=bool(prefix),
            )
            if reply.status != 404:
                break
        return self._token_of(reply, "the application's sign-in")

    def _step(
        self,
        path: str,
        body: object,
        *,
        total_s: float = TOTAL_S,
        not_found_ok: bool = False,
        **how: object,
    ) -> Reply:
        import json

        def send(attempt: int, connect_s: float) -> Reply:
            return self._send(
                "POST",
                path,
                body=json.dumps(body).encode(),
                total_s=total_s,
                read_s=total_s,
                connect_s=connect_s,
                attempt=attempt,
                **how,  # type: ignore[arg-type]
            )

        reply = self._try(send, _never_began)
        if reply.status == 404 and not_found_ok:
            return reply
        if reply.status in (400, 401, 403):
            words, trace_id = reply.problem()
            raise RefusedError(
                "the server refused the sign-in",
                status=reply.status,
                reason=words or f"HTTP {reply.status}",
                trace_id=trace_id,
            )
        check_success(reply, "the sign-in")
        return reply

    def _token_of(self, reply: Reply, what: str) -> Token:
        try:
            return wire.read_token(reply.content, self.server_time())
        except wire.WireError as error:
            raise ServerError(
                f"{what} answered something that is no token",
                hint="is this the address of the NPS server? `--verbose` shows the requests",
            ) from error


def _never_began(result: Reply | NoReplyError) -> bool:
    return isinstance(result, NoReplyError) and not result.sent and result.final is None
