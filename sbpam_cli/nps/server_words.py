"""What a failure says: the server's own words and its trace id, from whatever body it has."""

import re
from collections.abc import Callable, Iterable, Iterator

from sbpam_cli.nps.decoding import WireError, decode
from sbpam_cli.nps.replies import read_text

_TITLE = re.compile(rb"<title[^<>]{0,300}>([^<]{0,300})</title", re.IGNORECASE)
_READ_BYTES = 100_000
_LONGEST_WORDS = 500

_SPELLED = re.compile(
    rb"\\++u([dD][89abAB][0-9a-fA-F]{2})\\++u([dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|\\++(?:u([0-9a-fA-F]{4}))?|%([0-9a-fA-F]{2})|&#([0-9]{1,7});|&#[xX]([0-9a-fA-F]{1,6});"
    rb"|&(quot|apos|amp|lt|gt);|([+])"
)
_ENTITIES = {b"quot": b'"', b"apos": b"'", b"amp": b"&", b"lt": b"<", b"gt": b">"}

Hide = Callable[[str], str]


def hide_secrets(text: str, secrets: Iterable[str]) -> str:
    """`***` in place of each secret, also as JSON, a URL or a web page spells it.

    Linear: both are spelled plainly, without any backslash, and compared then.
    """
    wanted = [plain for secret in secrets if (plain := _spelled_plainly(_bytes(secret))[0])]
    if not wanted:
        return text
    raw = _bytes(text)
    plain, places = _spelled_plainly(raw)
    spans = []
    for secret in wanted:
        at = plain.find(secret)
        while at >= 0:
            spans.append((places[at], places[at + len(secret)]))
            at = plain.find(secret, at + len(secret))
    shown, end = bytearray(), 0
    for start, stop in sorted(spans):
        if start >= end:
            shown += raw[end:start] + b"***"
        end = max(end, stop)
    return (shown + raw[end:]).decode("utf-8", "replace") if spans else text


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _spelled_plainly(raw: bytes) -> tuple[bytes, list[int]]:
    """Without escapes and backslashes, and where each byte of that was; the end is last."""
    plain, places, end = bytearray(), list[int](), 0
    for found in _SPELLED.finditer(raw):
        start = found.start()
        plain += raw[end:start]
        places += range(end, start)
        meant, end = _meant(found), found.end()
        plain += meant
        places += [start] * len(meant)
    plain += raw[end:]
    return bytes(plain), [*places, *range(end, len(raw) + 1)]


def _meant(found: "re.Match[bytes]") -> bytes:
    """What is spelled there; in a URL, `+` may be a space."""
    high, low, unit, octet, decimal, hexadecimal, entity, plus = found.groups()
    if high:
        meant = _bytes(bytes.fromhex((high + low).decode()).decode("utf-16-be"))
    elif octet:
        meant = bytes([int(octet, 16)])
    elif entity or plus:
        meant = _ENTITIES.get(entity, b" ")
    else:
        number = int(decimal) if decimal else int(unit or hexadecimal or b"0", 16)
        meant = _bytes(chr(number)) if 0 < number <= 0x10FFFF else b""
    return meant.replace(b"\\", b"").replace(b"+", b" ")


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
        return read_text(hide(part[:_READ_BYTES]) if isinstance(part, str) else part)

    if not isinstance(value, dict):
        return _clip(said(value) or "") or None, None
    parts = [said(value.get("title")), said(value.get("detail"))]
    for name, text in _field_errors(value.get("errors")):
        if complaint := said(text):
            parts.append(f"{_clip(hide(name[:_READ_BYTES]))}: {complaint}")
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
