"""The server's calls, a method each. Sources: vendor's 4.1 and 4.2 pages, a live 25.12.

Reads are repeated here, because a read may be; the scheduling POST is sent
once and its fate is told, because only the caller's journal knows what may
follow. No id enters a path but a canonical UUID.
"""

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sbpam_cli.errors import (
    Interrupted,
    SbpamError,
    ServerError,
    SignInError,
    UnreachableError,
    UsageError,
)
from sbpam_cli.models import ScanJob, Token
from sbpam_cli.nps import wire
from sbpam_cli.nps.transport import CONNECT_TIMEOUT_S, NoReplyError, Reply, Transport

if TYPE_CHECKING:
    from sbpam_cli.services import Services

Read = TypeVar("Read")

SECOND_STEP_TIMEOUT_S = 120.0
_READ_TOTAL_S = 120.0
LIST_TOTAL_S = 300.0
_FIRST_ANSWER_TRIES = 4
_FIRST_ANSWER_S = 15.0
_BACKOFF_FIRST_S = 0.5
_BACKOFF_LONGEST_S = 8.0
LONGEST_RETRY_AFTER_S = 300.0


class Tokens(Protocol):
    """Where the bearer token of a call comes from (`signin.session`)."""

    def token(self) -> Token: ...
    def renew(self, refused: Token) -> Token: ...


class RefusedError(SignInError):
    """The server refused a sign-in step or a token; `status` is its HTTP status."""

    def __init__(
        self,
        message: str,
        *,
        status: int,
        reason: str | None = None,
        hint: str | None = None,
        trace_id: str | None = None,
    ) -> None:
        super().__init__(message, reason=reason, hint=hint, trace_id=trace_id)
        self.status = status


class NotFoundError(UsageError):
    """The server does not know what the path names."""


def retry_after_s(reply: Reply, now: float) -> float | None:
    """`Retry-After` as seconds from `now` (epoch, server's clock); None where absent or odd."""
    text = reply.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now) if text else None
    except (ValueError, TypeError, OverflowError):
        return None


def backoff_s(services: "Services", attempt: int, longest_s: float = _BACKOFF_LONGEST_S) -> float:
    """How long to wait before the try after `attempt` (1-based): doubling, full jitter."""
    return services.random.uniform(
        0.0, min(longest_s, _BACKOFF_FIRST_S * 2.0 ** min(attempt - 1, 16))
    )


class NpsClient:
    """The calls of one server. Threads may share it.

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
        self._tokens: Tokens | None = None
        self._offset_s = 0.0
        self._cookies: dict[str, str] = {}

    @property
    def origin(self) -> str:
        return self._transport.origin

    @property
    def clock_offset_s(self) -> float:
        """The server's clock minus ours, seconds, from the newest reply's `Date`."""
        return self._offset_s

    def use(self, tokens: Tokens) -> None:
        """Names where the tokens of the calls come from."""
        self._tokens = tokens

    def server_time(self) -> float:
        """The server's clock, epoch seconds."""
        return self._services.clock.now() + self._offset_s

    # Signing in. None of these is repeated once its first byte has left.

    def sign_in(self, login: str, password: str) -> Token:
        """Step 1, `POST /signinBody` [vendor]: a token good for step 2 where MFA is on."""
        self._cookies = {}
        reply = self._sign_in_step(
            "/signinBody", {"Login": login, "Password": password}, secrets=(password,)
        )
        self._cookies = dict(reply.cookies)
        return self._token_of(reply, "the sign-in")

    def second_step(self, token: Token, code: str) -> Token:
        """Step 2, `POST /signin2fa` [live], with step 1's cookies; the code as a JSON string.

        May block until somebody presses a button on a phone. 404: once at
        `/sigin2fa`, as the mission's document spells it.
        """
        for path in ("/signin2fa", "/sigin2fa"):
            reply = self._sign_in_step(
                path,
                code,
                secrets=(code,) if len(code) > 1 else (),
                token=token.value,
                cookies=self._cookies,
                total_s=SECOND_STEP_TIMEOUT_S,
                not_found_ok=path == "/signin2fa",
            )
            if reply.status != 404:
                break
        return self._token_of(reply, "the second sign-in step")

    def application_token(self, login: str, api_key: str, serial: str) -> Token:
        """`POST /WebAppApi/api/v1/AppUserToken` [live module]; 404: without the prefix [guess]."""
        body = {"login": login, "password": api_key, "certificateSerialNumber": serial}
        for prefix in ("/WebAppApi", ""):
            reply = self._sign_in_step(
                f"{prefix}/api/v1/AppUserToken",
                body,
                secrets=(api_key,),
                not_found_ok=bool(prefix),
            )
            if reply.status != 404:
                break
        return self._token_of(reply, "the application's sign-in")

    def fresh_token(self, token: Token) -> Token:
        """`GET /api/v1/UserToken` [vendor's script]: a fresh token for a current one."""
        reply = self._read("/api/v1/UserToken", token=token)
        return self._token_of(reply, "the token's renewal")

    def _sign_in_step(
        self,
        path: str,
        body: object,
        *,
        secrets: tuple[str, ...],
        token: str | None = None,
        cookies: dict[str, str] | None = None,
        total_s: float = _READ_TOTAL_S,
        not_found_ok: bool = False,
    ) -> Reply:
        import json

        def send(attempt: int, connect_s: float) -> Reply:
            return self._transport.send(
                "POST",
                path,
                body=json.dumps(body).encode(),
                token=token,
                cookies=cookies,
                secrets=secrets,
                total_s=total_s,
                read_s=total_s,
                connect_s=connect_s,
                attempt=attempt,
            )

        reply = self._try(send, lambda failure, _: failure is not None and not failure.sent)
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
        self._check(reply, "the sign-in")
        return reply

    def _token_of(self, reply: Reply, what: str) -> Token:
        try:
            return wire.read_token(reply.content, self.server_time())
        except wire.WireError as error:
            raise ServerError(
                f"{what} answered something that is no token",
                reason=reply.problem()[0],
                hint="is this the address of the NPS server? A proxy's page looks like this",
            ) from error

    # Reads.

    def version(self) -> str | None:
        """`GET /api/v1/Version` [live], the harmless read: any answer but a 5xx or HTML will do."""
        reply = self._read("/api/v1/Version", any_status=True)
        return wire.read_problem("", reply.content)[0] if reply.status == 200 else None

    def probe(self) -> None:
        """One try of the harmless read. Raises UnreachableError or ServerError."""
        try:
            reply = self._send_read("/api/v1/Version", None, 1, CONNECT_TIMEOUT_S, _READ_TOTAL_S)
        except NoReplyError as error:
            raise self._unreachable(error) from None
        if reply.status >= 500 or reply.is_web_page:
            raise self._failure(reply, "the server")

    def job(self, job_id: str) -> ScanJob:
        """`GET /api/v1/HostScanJob/{id}` [vendor]: one job, with times and creator."""
        reply = self._read(f"/api/v1/HostScanJob/{_path_id(job_id)}", signed_in=True)
        return self._decoded(reply, wire.read_job, "the job")

    def jobs(self) -> list[ScanJob]:
        """`GET /api/v1/HostScanJob` [vendor]: all jobs. Large: once a command."""
        reply = self._read("/api/v1/HostScanJob", signed_in=True, total_s=LIST_TOTAL_S)
        return self._decoded(reply, wire.read_jobs, "the list of jobs")

    def host_job(self, host_id: str) -> ScanJob:
        """`GET /api/v1/HostScanJob/ByHostId/{id}` [vendor]: the current job of one host."""
        reply = self._read(f"/api/v1/HostScanJob/ByHostId/{_path_id(host_id)}", signed_in=True)
        return self._decoded(reply, wire.read_job, "the host's job")

    def validate_hosts(self, credential_id: str, names: Sequence[str]) -> list[dict[str, Any]]:
        """`POST .../ValidateImportedCSV` [vendor]: checks rows, schedules nothing.

        Answers the rows with their errors, those of the name and the
        credential only. Raises NotFoundError where the server has no such call.
        """
        import json

        rows = [_import_row(name, credential_id) for name in names]
        reply = self._read(
            "/api/v1/HostScanJob/ValidateImportedCSV",
            signed_in=True,
            body=json.dumps(rows).encode(),
        )
        answer = self._decoded(reply, lambda value: value, "the validation")
        if not isinstance(answer, list):
            raise ServerError("the validation's answer is not a list of rows")
        wanted = ("dnsHostName", "dnsHostNameError", "credentialNameError")
        return [
            {key: wire.read_text(row.get(key)) for key in wanted}
            for row in answer
            if isinstance(row, dict)
        ]

    def _decoded(self, reply: Reply, read: Callable[[Any], Read], what: str) -> Read:
        try:
            return read(wire.decode(reply.content))
        except wire.WireError as error:
            raise ServerError(
                f"{what} could not be understood",
                reason=str(error),
                hint="`--verbose` shows the request; a server of another version may answer so",
            ) from error

    # The one call that acts.

    def schedule(self, credential_id: str, body: bytes, token: Token, *, total_s: float) -> Reply:
        """`POST /api/v1/HostScanJob/OuMapping/{credentialId}` [seed], once. Raises NoReplyError."""
        reply = self._transport.send(
            "POST",
            f"/api/v1/HostScanJob/OuMapping/{_path_id(credential_id)}",
            body=body,
            token=token.value,
            total_s=total_s,
            read_s=total_s,
        )
        self._note_date(reply)
        return reply

    # What all of them share.

    def _read(
        self,
        path: str,
        *,
        signed_in: bool = False,
        token: Token | None = None,
        body: bytes | None = None,
        total_s: float = _READ_TOTAL_S,
        any_status: bool = False,
    ) -> Reply:
        if signed_in and self._tokens is not None:
            token = self._tokens.token()

        def send(attempt: int, connect_s: float) -> Reply:
            value = token.value if token else None
            return self._send_read(path, value, attempt, connect_s, total_s, body=body)

        reply = self._try(send, _passing)
        if reply.status == 401 and signed_in and self._tokens is not None and token is not None:
            token = self._tokens.renew(token)
            reply = self._try(send, _passing)
        if any_status and reply.status < 500 and not reply.is_web_page:
            return reply
        self._check(reply, "the server")
        return reply

    def _send_read(
        self,
        path: str,
        token: str | None,
        attempt: int,
        connect_s: float,
        total_s: float,
        *,
        body: bytes | None = None,
    ) -> Reply:
        reply = self._transport.send(
            "GET" if body is None else "POST",
            path,
            body=body,
            token=token,
            total_s=total_s,
            connect_s=connect_s,
            attempt=attempt,
        )
        self._note_date(reply)
        return reply

    def _try(
        self,
        send: Callable[[int, float], Reply],
        again: Callable[[NoReplyError | None, Reply | None], bool],
    ) -> Reply:
        """Up to 4 tries within 15 s, as long as `again` says that one more may help."""
        clock = self._services.clock
        started = clock.monotonic()
        attempt = 0
        while True:
            attempt += 1
            left = _FIRST_ANSWER_S - (clock.monotonic() - started)
            reply: Reply | None = None
            failure: NoReplyError | None = None
            try:
                reply = send(attempt, min(CONNECT_TIMEOUT_S, max(left, 1.0)))
                self._note_date(reply)
            except NoReplyError as error:
                failure = error
            wait_s = backoff_s(self._services, attempt)
            if reply is not None:
                wait_s = max(wait_s, retry_after_s(reply, self.server_time()) or 0.0)
            elapsed = clock.monotonic() - started
            last = attempt >= _FIRST_ANSWER_TRIES or elapsed + wait_s >= _FIRST_ANSWER_S
            if last or not again(failure, reply) or (failure and failure.tls):
                if failure is not None:
                    raise self._unreachable(failure) from None
                assert reply is not None
                return reply
            self._pause(wait_s)

    def _pause(self, seconds: float) -> None:
        if self._services.clock.wait(self._stop, seconds):
            raise Interrupted("interrupted", signal_number=2)

    def _note_date(self, reply: Reply) -> None:
        from email.utils import parsedate_to_datetime

        text = reply.headers.get("date")
        try:
            if text:
                served = parsedate_to_datetime(text).timestamp()
                self._offset_s = served - self._services.clock.now()
        except (ValueError, TypeError, OverflowError):
            pass

    def _unreachable(self, failure: NoReplyError) -> SbpamError:
        return failure.tls or UnreachableError(
            f"no answer from {self.origin}",
            reason=failure.reason,
            hint="check the address, the network and the proxy; `--verbose` shows each try",
        )

    def _check(self, reply: Reply, what: str) -> None:
        if not 200 <= reply.status < 300 or reply.is_web_page:
            raise self._failure(reply, what)

    def _failure(self, reply: Reply, what: str) -> SbpamError:
        """An answer that is no success, as the error it means."""
        words, trace_id = reply.problem()
        said = words or f"HTTP {reply.status}"
        if reply.status == 401:
            return RefusedError(
                "the server does not accept the token",
                status=401,
                reason=said,
                trace_id=trace_id,
                hint="sign in again with `sbpam login`, or renew SBPAM_TOKEN",
            )
        if reply.status == 403:
            return RefusedError(
                "the server does not allow this",
                status=403,
                reason=said,
                trace_id=trace_id,
                hint="the account needs the role Admin or App, and the token must not owe "
                "its MFA step: `sbpam login` signs in again",
            )
        if 300 <= reply.status < 400:
            target = reply.hide(reply.headers.get("location", "nowhere"))
            return ServerError(
                f"{what} redirects to {target}; redirects are not followed",
                reason=f"HTTP {reply.status}",
                hint="use the address that the server itself answers at",
            )
        if reply.status in (404, 405):
            return NotFoundError(f"{what} does not know this", reason=said, trace_id=trace_id)
        hint = "try again in a few minutes; with the trace id the vendor's support can look it up"
        if 200 <= reply.status < 300:
            return ServerError(
                f"{what} answered a web page where data was expected",
                reason=said,
                hint="a proxy or a log-on portal may sit in between; check the address",
            )
        return ServerError(
            f"{what} failed with HTTP {reply.status}", reason=words, trace_id=trace_id, hint=hint
        )


def _passing(failure: NoReplyError | None, reply: Reply | None) -> bool:
    """Whether a read that ended so may succeed a moment later."""
    if failure is not None:
        return True
    assert reply is not None
    return reply.status in (408, 429) or reply.status >= 500


def _path_id(text: str) -> str:
    """The only way for an id into a path."""
    found = wire.canonical_uuid(text)
    if found is None:
        raise UsageError(f"not an id: {text[:60]}", hint="an id has the form of a UUID")
    return found


def _import_row(name: str, credential_id: str) -> dict[str, str | None]:
    """A row of the validation call: the two fields that count, the others null [vendor]."""
    return {
        "dnsHostName": name,
        "ipAddress": None,
        "os": None,
        "credentialId": credential_id,
        "credentialName": None,
        "platformName": None,
    }
