"""Which names are FQDNs, and what exactly is wrong with those that are not."""

import re
from operator import itemgetter

NAME_LIMIT = 253
LABEL_LIMIT = 63

_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_FQDN = re.compile(rf"(?:{_LABEL}\.)+(?=[a-z]){_LABEL}(?<!\..)")
_DOMAIN = re.compile(r"\.[a-z][a-z0-9_-]+")
_END_OF = itemgetter(slice(-16, None))

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
    # Many names share an end, the more the shorter it is. One without a dot leaves its last
    # character, which is no domain.
    if not all(map(_DOMAIN.fullmatch, {end[end.rfind(".") :] for end in set(map(_END_OF, names))})):
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
    if not name:
        return "is empty"
    if what := _address(name):
        return f"is {what}, give the host's name"
    for pattern, reason in _KINDS.items():
        if found := re.search(pattern, name):
            return reason.format(found[0])
    if len(name) > NAME_LIMIT:
        return f"has {len(name):,} characters, {NAME_LIMIT} at most"
    return _wrong_character(name) or _wrong_label(name)


_KINDS = {
    r"://": "is a URL, give the host's name alone",
    r"[,;\t]": "has several fields ({!a} separates them), write one name a line",
    r"\A\[[^\[\]]*\]\Z": "is a group header, list its hosts without it",
    r"\[[a-z0-9]+[:-][a-z0-9:-]+\]|\{[a-z0-9]+\.\.": "is a range, list every host on its own",
    r"[*?]": "is a wildcard, list every host on its own",
    r"\A[^:]+:[0-9]+\Z": "has a port, give the host's name alone",
    r"\0": "has a NUL character, is the file partly UTF-16?",
}


def _address(name: str) -> str | None:
    if not re.match(r"\[?[0-9a-f]*[.:]", name):
        return None
    import ipaddress

    bare = re.sub(r"\A\[(.*)\](?::[0-9]+)?\Z", r"\1", name).partition("%")[0]
    bare = re.sub(r"\A([0-9.]+):[0-9]+\Z", r"\1", bare)
    try:
        version = ipaddress.ip_interface(bare).version
        return f"an IPv{version} {'network' if '/' in bare else 'address'}"
    except ValueError:
        if re.fullmatch(r"[0-9]+(?:\.[0-9]+){3}", bare):
            return "an IPv4 address"
        return "a range of addresses" if re.fullmatch(_ADDRESSES, bare) else None


_ADDRESSES = r"[0-9]+\.[0-9.*?/\[\]{}: -]+|[0-9a-f]{0,4}:[0-9a-f:]*:[0-9a-f:]*[-*/][0-9a-f:]*"
_TYPOGRAPHIC = {
    "quote": "\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u2039\u203a\u00ab\u00bb\u2032\u2033",
    "dash": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d",
}


def _wrong_character(name: str) -> str | None:
    found = re.search(r"[^A-Za-z0-9_.-]", name)
    if found is None:
        return None
    character = found.group()
    if character == " ":
        return "has a space, write one name a line"
    if character.isascii():
        return f"has the character {character!a}, names have letters, digits, - and _"
    code = f"{shown(character)} (U+{ord(character):04X})"
    for what, characters in _TYPOGRAPHIC.items():
        if character in characters:
            remedy = 'write "-"' if what == "dash" else "write the name without it"
            return f"has the typographic {what} {code}, {remedy}"
    what, ascii_form = f"has the non-ASCII character {code}", _ascii_form(name)
    return f"{what}, write {ascii_form}" if ascii_form else what


def _ascii_form(name: str) -> str | None:
    """The name by IDNA 2008, which browsers and registries use."""
    import idna

    try:
        return fqdn(idna.encode(name, uts46=True).decode("ascii"))
    except UnicodeError:
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
    return f"ends in {shown(labels[-1])}, a domain has two characters or more, a letter first"
