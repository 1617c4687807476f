"""Which names are FQDNs, and what exactly is wrong with those that are not."""

import re
from contextlib import suppress

NAME_LIMIT = 253
LABEL_LIMIT = 63

_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_FQDN = re.compile(rf"(?:{_LABEL}\.)+(?=[a-z]){_LABEL}(?<!\..)")
_DOMAIN = re.compile(r"\.[a-z][a-z0-9_-]+")

# A block of lines as one number, a byte a character: two neighbours that may not
# stand side by side share a bit once the number is shifted by six. So a dot or a
# newline meets itself and a hyphen, two hyphens don't meet, the rest is nothing;
# a foreign character meets itself.
_END, _HYPHEN, _FOREIGN = 0b1111, 0b1001, 0xFF
_MARKS = bytes(
    _END if byte in b".\n" else _HYPHEN if byte in b"-" else
    0 if byte in b"abcdefghijklmnopqrstuvwxyz_0123456789" else _FOREIGN
    for byte in range(256)
)  # fmt: skip


def fqdn(text: str) -> str | None:
    """The name, lower-cased and without its trailing dot; None if it is no FQDN."""
    # Before lower(): the Kelvin sign's lower case is an ASCII k.
    if not text.isascii():
        return None
    name = text.lower().removesuffix(".")
    return name if len(name) <= NAME_LIMIT and _FQDN.fullmatch(name) else None


def fqdns_of_block(block: bytes) -> list[str] | None:
    """The names of lines that all hold a plain FQDN; None if any line may not.

    `block` is whole lines, each with its newline. None is no verdict: the
    lines need a look one by one. Costs a fifth of a microsecond a line.
    """
    block = block.lower()
    marks = int.from_bytes(block.translate(_MARKS), "big")
    if block.startswith((b".", b"-", b"\n")) or marks & (marks >> 6):
        return None
    names = block[:-1].decode("ascii").split("\n")
    # A name without a dot leaves its last character, which is no domain.
    if not all(map(_DOMAIN.fullmatch, {name[name.rfind(".") :] for name in names})):
        return None
    longest = max(map(len, names))
    if longest > LABEL_LIMIT + 3 and (
        longest > NAME_LIMIT or max(map(len, re.split(rb"[.\n]", block))) > LABEL_LIMIT
    ):
        return None
    return names


def shown(text: str, limit: int = 60) -> str:
    """`text` in quotes, shortened, with what cannot be printed as an escape."""
    kept = text if len(text) <= limit else f"{text[:limit]}..."
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in kept)
    return f'"{safe}"'


def why_not(text: str) -> str:
    """What keeps `text` from being an FQDN, in a few words; `text` is none."""
    name = (text.lower() if text.isascii() else text).removesuffix(".")
    for pattern, reason in _FAULTS.items():
        if found := re.search(pattern, name):
            return reason.format(found[0], length=len(found[0]))
    found = re.search(r"[^\0-\x7f]", name)
    if found is None:
        last = name.rpartition(".")[2]
        return f'ends in "{last}", a domain has two characters or more, a letter first'
    import unicodedata

    import idna

    code = f"U+{ord(found[0]):04X} {unicodedata.name(found[0], '')}".rstrip()
    what = f"has the non-ASCII character {shown(found[0])} ({code})"
    # By IDNA 2008, which browsers and registries use.
    with suppress(UnicodeError):
        if ascii_form := fqdn(idna.encode(name, uts46=True).decode("ascii")):
            return f"{what}, write {ascii_form}"
    return what


_FAULTS = {
    r"\A\Z": "is empty",
    r"://": "is a URL, give the host's name alone",
    r"[,;\t]": "has several fields ({0!a} separates them), write one name a line",
    rf"(?s)\A.{{{NAME_LIMIT + 1},}}": f"has {{length:,}} characters, {NAME_LIMIT} at most",
    r"\A[0-9]+\.[0-9.*?/\[\]{}: -]+\Z|\A\[?[0-9a-f]{0,4}:[0-9a-f:]*:": (
        "is an address or a range of them, give the host's name"
    ),
    r"\A\[[^\[\]]*\]\Z": "is a group header, list its hosts without it",
    r"\[[a-z0-9]+[:-][a-z0-9:-]+\]|\{[a-z0-9]+\.\.": "is a range, list every host on its own",
    r"[*?]": "is a wildcard, list every host on its own",
    r"\A[^:]+:[0-9]+\Z": "has a port, give the host's name alone",
    r"\0": "has a NUL character, is the file partly UTF-16?",
    r" ": "has a space, write one name a line",
    r"[^A-Za-z0-9_.\x80-\U0010ffff-]": (
        "has the character {0!a}, names have letters, digits, - and _"
    ),
    r"\A\.|\.\.|\.\Z": "has an empty label (two dots in a row, or one at an end)",
    r"[a-z0-9_-]{64,}": f"has a label of {{length}} characters, {LABEL_LIMIT} at most",
    r"(?<![^.])(?:-[^.]*|[^.]*-)(?![^.])": 'has a "-" at an end of the label "{0}"',
    r"\A[a-z0-9_-]+\Z": "is a short name, add its domain",
}
