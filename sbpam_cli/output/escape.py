"""Text from a server or a file, made harmless for each form of output.

Escaped are C0, DEL and C1 controls, U+2028/2029, bidirectional controls, and
lone surrogates, which no encoding can carry. What is left cannot move a
cursor, set a colour, turn a line round or end a row.
"""

import re

_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_NAMED = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}
_PLAIN = bytes(range(0x20, 0x7F)).replace(b"\\", b"")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    return _NAMED.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def escape_controls(text: str) -> str:
    r"""`text` with its controls as `\t`, `\n`, `\r`, `\xNN` or `\uNNNN`; for tables and talk."""
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub(_escape, text)


def tsv_cell(text: str) -> str:
    """As `escape_controls`, with backslashes doubled: the value can be had back."""
    return escape_controls(text.replace("\\", "\\\\"))


def is_plain_tsv(text: str) -> bool:
    """Whether every part of `text` is its own cell; a look at many values at once."""
    return not text.encode("utf-8", "surrogatepass").translate(None, _PLAIN)


def csv_cell(text: str) -> str:
    """As `escape_controls`, quoted where CSV needs it; never taken for a formula."""
    cell = escape_controls(text)
    if text.startswith(_FORMULA_STARTS):
        cell = "'" + cell
    if '"' in cell:
        return '"' + cell.replace('"', '""') + '"'
    return f'"{cell}"' if "," in cell else cell


def json_text(value: object) -> str:
    """JSON in pure ASCII on one line. DEL, which JSON allows in a string, is escaped too."""
    import json

    return json.dumps(value).replace("\x7f", r"\u007f")
