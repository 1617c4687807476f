"""What a failure says: the server's own words and its trace id, from whatever body it has."""

import re
from collections.abc import Callable, Iterator

from sbpam_cli.nps.decoding import WireError, decode
from sbpam_cli.nps.replies import read_text

_TITLE = re.compile(rb"<title[^<>]{0,300}>([^<]{0,300})</title", re.IGNORECASE)
_READ_BYTES = 100_000
_LONGEST_WORDS = 500

Hide = Callable[[str], str]


def is_web_page(content_type: str, content: bytes) -> bool:
    """Whether a body is HTML, whatever its status says (IIS, captive proxies)."""
    if "html" in content_type.lower():
        return True
    start = content[:200].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith((b"<!doctype html", b"<html"))


def read_problem(
    content_type: str, content: bytes, hide: Hide = str
) -> tuple[str | None, str | None]:
    """The server's own words and trace id: ProblemDetails, a JSON string, plain text, HTML, none.

    hide: takes secrets out. Before anything is shortened: half a secret is one too.
    """
    if is_web_page(content_type, content):
        title = _TITLE.search(content[:_READ_BYTES])
        words = _clip(hide(_unescape(title[1].decode("utf-8", "replace")))) if title else ""
        return f"a web page: {words}" if words else "a web page", None
    try:
        value = decode(content)
    except WireError:
        return _clip(hide(content[:_READ_BYTES].decode("utf-8-sig", "replace"))) or None, None

    def said(part: object) -> str | None:
        return read_text(hide(part) if isinstance(part, str) else part)

    if not isinstance(value, dict):
        return _clip(said(value) or "") or None, None
    parts = [said(value.get("title")), said(value.get("detail"))]
    for name, text in _field_errors(value.get("errors")):
        if complaint := said(text):
            parts.append(f"{_clip(hide(name))}: {complaint}")
    if not any(parts):
        parts = [said(value.get(key)) for key in ("message", "Message", "error")]
    words = ": ".join(dict.fromkeys(part for part in parts if part))
    return _clip(words) or None, said(value.get("traceId"))


def _unescape(text: str) -> str:
    import html

    return html.unescape(text)


def _field_errors(value: object) -> Iterator[tuple[str, object]]:
    """ASP.NET's `errors`: field -> texts. The first ten fields, three texts each."""
    for name, texts in list(value.items())[:10] if isinstance(value, dict) else ():
        for text in texts[:3] if isinstance(texts, list) else (texts,):
            yield name, text


def _clip(text: str) -> str:
    text = " ".join((read_text(text) or "").split())
    return text if len(text) <= _LONGEST_WORDS else text[: _LONGEST_WORDS - 3] + "..."
