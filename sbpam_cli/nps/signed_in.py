"""What all calls of a signed-in user share: the token, its renewal, what may be repeated."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from sbpam_cli.errors import SignInError, UnreachableError
from sbpam_cli.models import Token
from sbpam_cli.nps.calls import TOTAL_S
from sbpam_cli.nps.sign_in import SignInCalls
from sbpam_cli.nps.transport import NoReplyError, Reply, Transport

if TYPE_CHECKING:
    from sbpam_cli.system.services import Services


class Tokens(Protocol):
    """Where the bearer token of a call comes from (`signin.session`)."""

    def token(self, *, lasting: bool = False) -> Token: ...
    def renew(self, refused: Token) -> Token: ...


class SignedInCalls(SignInCalls):
    """The calls of one server, without those that need a token.

    stop: ends waiting between tries with Interrupted when it is set.
    """

    def __init__(
        self, services: "Services", transport: Transport, *, stop: threading.Event | None = None
    ) -> None:
        super().__init__(services, transport, stop=stop)
        self._tokens: Tokens | None = None

    def use(self, tokens: Tokens) -> None:
        """Names where the tokens of the calls come from."""
        self._tokens = tokens

    def _ask(
        self,
        path: str,
        *,
        once: str | None = None,
        again: "Callable[[Reply | NoReplyError], bool] | None" = None,
        **how: Any,
    ) -> Reply:
        """A signed-in request and its answer. A refused token is renewed once.

        again: whether a read that ended so is tried once more; where it may help, by default.
        once: a call that acts is not repeated after it may have left; this says
        then that nobody knows whether it did.
        """

        def ask(token: Token | None) -> Reply:
            send = self._read_sender(path, token, **how)
            if once is None:
                return self._try(send, again or is_passing)
            return self._try(self._sent_once(send, once), _is_unsent)

        token = self._tokens.token(lasting=once is not None) if self._tokens is not None else None
        reply = ask(token)
        if reply.status == 401 and self._tokens is not None and token is not None:
            reply = ask(_renewed(self._tokens, token, reply))
        return reply

    def _sent_once(
        self, send: Callable[[int, float], Reply], hint: str
    ) -> Callable[[int, float], Reply]:
        """`send`, whose failure after the first byte is the end."""

        def sent(attempt: int, connect_s: float) -> Reply:
            try:
                return send(attempt, connect_s)
            except NoReplyError as error:
                if not error.sent:
                    raise
                raise UnreachableError(
                    f"no answer from {error.peer}", reason=error.reason, hint=hint
                ) from None

        return sent

    def _read_sender(
        self,
        path: str,
        token: Token | None,
        body: bytes | None = None,
        total_s: float = TOTAL_S,
        *,
        method: str | None = None,
        **how: Any,
    ) -> Callable[[int, float], Reply]:
        def send(attempt: int, connect_s: float) -> Reply:
            return self._send(
                method or ("GET" if body is None else "POST"),
                path,
                body=body,
                token=token.value if token is not None else None,
                total_s=total_s,
                connect_s=connect_s,
                attempt=attempt,
                **how,
            )

        return send


def never(_: Reply | NoReplyError) -> bool:
    """No read is tried again: whoever asks repeats it."""
    return False


def _renewed(tokens: Tokens, refused: Token, reply: Reply) -> Token:
    """A token instead of the refused one. What is raised says why the server refused it."""
    try:
        return tokens.renew(refused)
    except SignInError as error:
        if error.reason is None:
            error.reason, error.trace_id = reply.problem()
        raise


def is_passing(result: Reply | NoReplyError) -> bool:
    """Whether a read that ended so may succeed a moment later."""
    if isinstance(result, NoReplyError):
        return result.final is None
    return result.status in (408, 429) or result.status >= 500


def _is_unsent(result: Reply | NoReplyError) -> bool:
    """Whether a request that nothing has left of may be made a moment later."""
    return isinstance(result, NoReplyError) and result.final is None
