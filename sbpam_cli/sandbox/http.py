"""A request and its reply, free of any transport."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Request:
    """`target`: path and query as sent; peer_certificate_serial: hexadecimal, where verified."""

    method: str
    target: str
    headers: Headers = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    peer_certificate_serial: str | None = None
    peer_address: str = "127.0.0.1"

    def header(self, name: str) -> str:
        """The header's value, empty where it is absent."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), "")


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the transport gives the reply.

    ending: `hang` waits for the release and then replies; `truncate` promises the
    whole body and closes after `keep_bytes` of it; `reset` and `close` send nothing.
    delay_s: before the first byte. drip_s: before each byte of the body.
    """

    ending: Literal["reply", "reset", "close", "hang", "truncate"] = "reply"
    delay_s: float = 0.0
    drip_s: float = 0.0
    keep_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """`headers` hold neither Content-Length nor Connection: those are the transport's."""

    status: int
    headers: Headers = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    behaviour: Behaviour = Behaviour()


def encode(value: Any) -> bytes:
    """JSON as the server writes it: compact, UTF-8."""
    import json

    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def decode(body: bytes) -> Any:
    """Raises ValueError for what is not JSON in UTF-8."""
    import json

    return json.loads(body.decode())


def json_reply(value: Any, status: int = 200) -> Reply:
    return Reply(status, (("Content-Type", "application/json; charset=utf-8"),), encode(value))


def text_reply(text: str, status: int = 200) -> Reply:
    return Reply(status, (("Content-Type", "text/plain; charset=utf-8"),), text.encode())


def html_reply(status: int, title: str = "", headers: Headers = ()) -> Reply:
    """A page as IIS or a proxy puts it in front of the application."""
    title = title or _phrase(status)
    page = f"<!DOCTYPE html>\r\n<title>{title}</title>\r\n<h2>{status} - {title}</h2>\r\n"
    return Reply(status, (("Content-Type", "text/html"), *headers), page.encode())


def problem_reply(
    status: int,
    trace_id: str,
    detail: str | None = None,
    errors: Mapping[str, str] | None = None,
    headers: Headers = (),
) -> Reply:
    """ASP.NET's ProblemDetails; `errors`: a text for each field that is wrong."""
    problem: dict[str, Any] = {
        "type": "https://tools.ietf.org/html/rfc9110",
        "title": "One or more validation errors occurred." if errors else _phrase(status),
        "status": status,
        "traceId": trace_id,
    }
    if detail:
        problem["detail"] = detail
    if errors:
        problem["errors"] = {name: [text] for name, text in errors.items()}
    content_type = ("Content-Type", "application/problem+json; charset=utf-8")
    return Reply(status, (content_type, *headers), encode(problem))


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else "An error occurred"
