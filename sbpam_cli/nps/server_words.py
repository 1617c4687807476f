"""What a failure says: the server's own words and its trace id, from whatever body it has."""

import re
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import unquote_plus

from sbpam_cli.nps.decoding import WireError, decode
from sbpam_cli.nps.replies import read_text

_TITLE = re.compile(rb"<title[^<>]{0,300}>([^<]{0,300})</title", re.IGNORECASE)
_READ_BYTES = 100_000
_LONGEST_WORDS = 500

_ESCAPE = re.compile(r"(?<!\\)\\++u([0-9a-fA-F]{4})")


def hide_secrets(text: str, secrets: Iterable[str]) -> str:
    """`***` in place of each secret, also as JSON, a URL or a web page spells it.

    Linear: what is spelled otherwise is compared, and shown, as it is spelled plainly.
    """
    wanted = sorted(filter(None, secrets), key=len, reverse=True)
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


def is_web_page(content_type: str, content: bytes) -> bool:
    """Whether a body is HTML, whatever its status says (IIS, captive proxies)."""
    if "html" in content_type.lower():
        return True
    start = content[:200].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith((b"<!doctype html", b"<html"))


def read_problem(
    content_type: str, content: bytes, hide: Callable[[str], str] = str
) -> tuple[str | None, str | None]:
    """The server's own words and trace id: ProblemDetails, a JSON string, plain text, HTML, none.

    hide: takes secrets out. Before anything is shortened: half a secret is one too.
    """
    if is_web_page(content_type, content):
        import html

        title = _TITLE.search(content[:_READ_BYTES])
        words = _clip(hide(html.unescape(title[1].decode("utf-8", "replace")))) if title else ""
        return f"a web page: {words}" if words else "a web page", None
    try:
        value = decode(content)
    except WireError:
        return _clip(hide(content[:_READ_BYTES].decode("utf-8-sig", "replace"))) or None, None

    def said(part: object) -> str | None:
        return read_text(hide(part[:_READ_BYTES]) if isinstance(part, str) else part)

    value = value if isinstance(value, dict) else {"title": value}
    parts = [said(value.get("title")), said(value.get("detail"))]
    for name, text in _field_errors(value.get("errors")):
        if complaint := said(text):
            parts.append(f"{_clip(hide(name[:_READ_BYTES]))}: {complaint}")
    if not any(parts):
        parts = [said(value.get(key)) for key in ("message", "Message", "error")]
    words = ": ".join(dict.fromkeys(part for part in parts if part))
    return _clip(words) or None, said(value.get("traceId"))


def _field_errors(value: object) -> Iterator[tuple[str, object]]:
    """ASP.NET's `errors`: field -> texts. The first ten fields, three texts each."""
    for name, texts in list(value.items())[:10] if isinstance(value, dict) else ():
        for text in texts[:3] if isinstance(texts, list) else (texts,):
            yield name, text


def _clip(text: str) -> str:
    text = " ".join((read_text(text) or "").split())
    return text if len(text) <= _LONGEST_WORDS else text[: _LONGEST_WORDS - 3] + "..."
