"""Which names are FQDNs, and what exactly is wrong with those that are not."""

import re

NAME_LIMIT = 253
LABEL_LIMIT = 63

_LETTERS = b"abcdefghijklmnopqrstuvwxyz_"
_DIGITS = b"0123456789"
_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_FQDN = re.compile(rf"(?:{_LABEL}\.)+(?![0-9]+\Z){_LABEL}")

# A block of lines as one number, a byte a character: two neighbours that may not
# stand side by side share a bit once the number is shifted by six. So a dot or a
# newline meets itself and a hyphen, two hyphens don't meet, the rest is nothing;
# a foreign character meets itself.
_END, _HYPHEN, _FOREIGN = 0b1111, 0b1001, 0xFF
_MARKS = bytes(
    _END if byte in b".\n" else _HYPHEN if byte in b"-" else
    0 if byte in _LETTERS + _DIGITS else _FOREIGN
    for byte in range(256)
)  # fmt: skip
_AS_DIGITS = bytes(0x30 if byte in _DIGITS else byte for byte in range(256))


def fqdn(text: str) -> str | None:
    """The name, lower-cased and without its trailing dot; None where it is no FQDN."""
    # Before lower(): the Kelvin sign's lower case is an ASCII k.
    if not text.isascii():
        return None
    name = text.lower().removesuffix(".")
    return name if len(name) <= NAME_LIMIT and _FQDN.fullmatch(name) else None


def fqdns_of_block(block: bytes) -> list[str] | None:
    """The names of lines that all hold a plain FQDN; None where any line may not.

    `block` is whole lines, each with its newline. None is no verdict: the
    lines want a look one by one. Costs a fifth of a microsecond a line.
    """
    block = block.lower()
    marks = int.from_bytes(block.translate(_MARKS), "big")
    if block.startswith((b".", b"-", b"\n")) or marks & (marks >> 6):
        return None
    names = block[:-1].decode("ascii").split("\n")
    # What is left of a line ends in a dot if it has one and no digit follows.
    if block.translate(_AS_DIGITS, _LETTERS + b"-").count(b".\n") != len(names):
        return None
    longest = max(map(len, names))
    if longest > LABEL_LIMIT + 2 and (
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
    if not name:
        return "is empty"
    return _wrong_kind(name) or _wrong_character(name) or _wrong_length(name) or _wrong_label(name)


def _wrong_kind(name: str) -> str | None:
    if "://" in name:
        return "is a URL, give the host's name alone"
    if separator := re.search(r"[,;\t]", name):
        return f"has several fields ({separator[0]!a} separates them) and no header line"
    if len(name) > NAME_LIMIT:
        return None
    if re.fullmatch(r"\[[^\[\]]*\]", name) and not _address(name):
        return "is a group header, list its hosts without it"
    if re.search(r"\[[a-z0-9]+:[a-z0-9:]+\]", name) and not _address(name):
        return "is a range, list every host on its own"
    if "*" in name or "?" in name:
        return "is a wildcard, list every host on its own"
    if what := _address(name):
        return f"is {what}, give the host's name"
    if re.fullmatch(r"[^:]+:[0-9]+", name):
        return "has a port, give the host's name alone"
    return None


def _address(name: str) -> str | None:
    if not re.match(r"\[?[0-9a-f]*[.:]", name):
        return None
    import ipaddress

    bare = re.sub(r"\A\[(.*)\](?::[0-9]+)?\Z", r"\1", name).partition("%")[0]
    bare = re.sub(r"\A([0-9.]+):[0-9]+\Z", r"\1", bare)
    try:
        if "/" in bare:
            return f"an IPv{ipaddress.ip_network(bare, strict=False).version} network"
        return f"an IPv{ipaddress.ip_address(bare).version} address"
    except ValueError:
        return "an IPv4 address" if re.fullmatch(r"[0-9]+(?:\.[0-9]+){3}", bare) else None


def _wrong_character(name: str) -> str | None:
    if "\0" in name:
        return "has a NUL character, is the file partly UTF-16?"
    found = re.search(r"[^A-Za-z0-9_.-]", name)
    if found is None:
        return None
    character = found.group()
    if character == " ":
        return "has a space, write one name a line"
    if character.isascii():
        return f"has the character {character!a}, names have letters, digits, - and _"
    what = f"has the non-ASCII character {shown(character)} (U+{ord(character):04X})"
    ascii_form = _punycode(name)
    return f"{what}, write {ascii_form}" if ascii_form else what


def _punycode(name: str) -> str | None:
    if len(name) > NAME_LIMIT:
        return None
    try:
        return fqdn(name.encode("idna").decode("ascii"))
    except UnicodeError:
        return None


def _wrong_length(name: str) -> str | None:
    if len(name) > NAME_LIMIT:
        return f"has {len(name):,} characters, {NAME_LIMIT} at most"
    return None


def _wrong_label(name: str) -> str:
    labels = name.split(".")
    for label in labels:
        if not label:
            return "has an empty label (two dots in a row, or one at an end)"
        if len(label) > LABEL_LIMIT:
            return f"has a label of {len(label)} characters, {LABEL_LIMIT} at most"
        if label.startswith("-") or label.endswith("-"):
            return f'has a "-" at an end of the label {shown(label)}'
    if len(labels) == 1:
        return "is a short name, add its domain"
    return f"ends in the number {labels[-1]}, no domain does"
