"""Answers that are no success, and requests without one, as the errors they mean."""

from urllib.parse import urlsplit

from sbpam_cli.errors import SbpamError, ServerError, SignInError, UsageError
from sbpam_cli.nps.transport import Reply

_NO_CALL = "is this the address of the NPS server, and is its version 4.1 or later?"
_REMEDIES = {
    404: _NO_CALL,
    405: _NO_CALL,
    407: "put the proxy's user and password into HTTPS_PROXY",
    413: "send fewer hosts at once with --batch-size",
}
_LATER = "try again in a few minutes; with the trace id the vendor's support can look it up"


class RefusedError(SignInError):
    """The server refused a sign-in step or a token; `status` is its HTTP status."""

    def __init__(self, message: str, *, status: int, **told: str | None) -> None:
        super().__init__(message, **told)
        self.status = status


class NotFoundError(UsageError):
    """The server does not know what the path names."""


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
    """`Retry-After` as seconds from `now` (epoch, server's clock); None if absent or odd."""
    text = reply.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    moment = read_date(text)
    return max(0.0, moment - now) if moment is not None else None


def failed_answer(reply: Reply, what: str) -> SbpamError:
    """An answer that is no success; `what` gave it: `the sign-in`, `the list of jobs`."""
    status = reply.status
    told = words_of(reply)
    if status == 401:
        hint = "sign in again with `sbpam login`, or renew SBPAM_TOKEN"
        message = "the server does not accept the token"
        return RefusedError(message, status=401, hint=hint, **told)
    if status == 403:
        return RefusedError(
            "the server does not allow this",
            status=403,
            hint="the account needs the role Admin or App, and the token must not owe "
            "its MFA step: `sbpam login` signs in again",
            **told,
        )
    if 300 <= status < 400:
        return ServerError(
            f"{what} redirects to {redirect_target(reply)}; redirects are not followed",
            reason=f"HTTP {status}",
            hint="use the address that the server itself answers at",
        )
    if 200 <= status < 300:
        return ServerError(
            f"{what} answered a web page where data was expected",
            hint="a proxy or a log-on portal may sit in between; check the address",
            **told,
        )
    told["reason"] = reply.problem()[0]
    hint = _REMEDIES.get(status, _LATER)
    return ServerError(f"{what} failed with HTTP {status}", hint=hint, **told)


def words_of(reply: Reply) -> dict[str, str | None]:
    """The server's words, else its status, and the trace id, as arguments of an error."""
    words, trace_id = reply.problem()
    return {"reason": words or f"HTTP {reply.status}", "trace_id": trace_id}


def redirect_target(reply: Reply) -> str:
    """Where a redirect points, without user, query and fragment: those may hold secrets."""
    target = reply.hide(reply.headers.get("location", ""))
    try:
        parts = urlsplit(target)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "an odd address"
    return (f"{parts.scheme}://{host}{parts.path}" if host else parts.path)[:300] or "nowhere"
