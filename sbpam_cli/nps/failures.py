"""A whole answer of the server: its own words, and the error that it is if it is no success."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_plus, urlsplit

from sbpam_cli.errors import SbpamError, ServerError, SignInError, UsageError
from sbpam_cli.nps.decoding import WireError, decode
from sbpam_cli.nps.replies import read_text

_TITLE = re.compile(rb"<title[^<>]{0,300}>([^<]{0,300})</title", re.IGNORECASE)
_ESCAPE = re.compile(r"(?<!\\)\\++u([0-9a-fA-F]{4})")
_READ_BYTES = 100_000
_LONGEST_WORDS = 500

_RENEW = "sign in again with `sbpam login`, or renew SBPAM_TOKEN"
_ROLE = (
    "the account needs the role Admin or App, and the token must not owe its MFA step:"
    " `sbpam login` signs in again"
)
_REFUSALS = {
    401: ("the server does not accept the token", _RENEW),
    403: ("the server does not allow this", _ROLE),
}
_NO_CALL = "is this the address of the NPS server, and is its version 4.1 or later?"
_REMEDIES = {
    404: _NO_CALL,
    405: _NO_CALL,
    407: "put the proxy's user and password into HTTPS_PROXY",
    413: "send fewer hosts at once with --batch-size",
}
_LATER = "try again in a few minutes; with the trace id the vendor's support can look it up"


class NotFoundError(UsageError):
    """The server does not know what the path names."""


@dataclass(frozen=True, slots=True, eq=False)
class Reply:
    """A whole HTTP answer. Header names are lower-case; the body is decoded from gzip.

    content: read-only; a bytearray, because a large one is not copied. secrets: of the request.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)
    cookies: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def is_web_page(self) -> bool:
        """Whether it is HTML, whatever its status says (IIS, captive proxies)."""
        start = self.content[:200].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
        is_called_so = "html" in self.headers.get("content-type", "").lower()
        return is_called_so or start.startswith((b"<!doctype html", b"<html"))

    def problem(self) -> tuple[str | None, str | None]:
        """The server's own words and trace id.

        Of ProblemDetails (ten fields' errors, three texts each), a JSON string, plain text or
        HTML. Servers echo what they get: secrets go before anything is cut, half of one is one.
        """

        def said(part: object) -> str | None:
            if isinstance(part, str):
                part = hide_secrets(part[:_READ_BYTES], self.secrets)
            return read_text(part)

        if self.is_web_page:
            import html

            title = _TITLE.search(self.content[:_READ_BYTES])
            words = _clip(said(html.unescape(title[1].decode("utf-8", "replace")))) if title else ""
            return f"a web page: {words}" if words else "a web page", None
        try:
            value = decode(self.content)
        except WireError:
            value = self.content[:_READ_BYTES].decode("utf-8-sig", "replace")
        value = value if isinstance(value, dict) else {"title": value}
        parts = [said(value.get("title")), said(value.get("detail"))]
        errors = value.get("errors")
        for name, texts in list(errors.items())[:10] if isinstance(errors, dict) else ():
            for text in texts[:3] if isinstance(texts, list) else (texts,):
                if complaint := said(text):
                    parts.append(f"{_clip(said(name))}: {complaint}")
        if not any(parts):
            parts = [said(value.get(key)) for key in ("message", "Message", "error")]
        words = ": ".join(dict.fromkeys(part for part in parts if part))
        return _clip(words) or None, said(value.get("traceId"))

    def words(self) -> dict[str, str | None]:
        """The server's words, else its status, and the trace id, as arguments of an error."""
        words, trace_id = self.problem()
        return {"reason": words or f"HTTP {self.status}", "trace_id": trace_id}


def _clip(text: str | None) -> str:
    text = " ".join((text or "").split())
    return text if len(text) <= _LONGEST_WORDS else text[: _LONGEST_WORDS - 3] + "..."


def hide_secrets(text: str, secrets: Iterable[str]) -> str:
    """`***` in place of each secret, also as JSON, a URL or a web page spells it.

    Linear: what is spelled otherwise is compared, and shown, as it is spelled plainly.
    """
    wanted = sorted(secrets, key=len, reverse=True)
    shown = _mask(text, wanted)
    plain = _spell_plainly(shown)
    masked = _mask(plain, map(_spell_plainly, wanted))
    return shown if masked == plain else masked


def _mask(text: str, secrets: Iterable[str]) -> str:
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return text


def _spell_plainly(text: str) -> str:
    """Without escapes, which may be escaped themselves, and without backslashes."""
    import html

    for _ in range(3):
        text = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
        text = html.unescape(unquote_plus(text))
    plain = text.replace("\\", "")
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class RefusedError(SignInError):
    """The server refused a sign-in step or a token; `status` is its HTTP status."""

    def __init__(self, message: str, reply: Reply, hint: str | None = None) -> None:
        super().__init__(message, hint=hint, **reply.words())
        self.status = reply.status


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


def check_success(reply: Reply, what: str) -> None:
    """Raises the error that `failed_answer` makes."""
    if not 200 <= reply.status < 300 or reply.is_web_page:
        raise failed_answer(reply, what)


def failed_answer(reply: Reply, what: str) -> SbpamError:
    """An answer that is no success; `what` gave it: `the sign-in`, `the list of jobs`."""
    status, told = reply.status, reply.words()
    if status in _REFUSALS:
        message, hint = _REFUSALS[status]
        return RefusedError(message, reply, hint)
    if 300 <= status < 400:
        message = f"{what} redirects to {redirect_target(reply)}; redirects are not followed"
        hint = "use the address that the server itself answers at"
        return ServerError(message, reason=f"HTTP {status}", hint=hint)
    if 200 <= status < 300:
        hint = "a proxy or a log-on portal may sit in between; check the address"
        return ServerError(f"{what} answered a web page where data was expected", hint=hint, **told)
    told["reason"] = reply.problem()[0]
    hint = _REMEDIES.get(status, _LATER)
    return ServerError(f"{what} failed with HTTP {status}", hint=hint, **told)


def redirect_target(reply: Reply) -> str:
    """Where a redirect points, without user, query and fragment: those may hold secrets."""
    target = hide_secrets(reply.headers.get("location", ""), reply.secrets)
    try:
        parts = urlsplit(target)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "an odd address"
    return (f"{parts.scheme}://{host}{parts.path}" if host else parts.path)[:300] or "nowhere"
