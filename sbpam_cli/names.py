"""Names as they are compared: host names, and ids that become part of a URL."""

import re

UUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_UUID = re.compile(UUID, re.ASCII)


def canonical_uuid(text: object) -> str | None:
    """The UUID in its canonical lower-case form, None for anything else.

    Strict, because an id becomes part of a URL: no braces, no `urn:`, no
    full-width digits (`uuid.UUID` takes all three).
    """
    if not isinstance(text, str) or not _UUID.fullmatch(text):
        return None
    return text.lower()


def fold_host(name: str) -> str:
    """A host name as it is compared: case and one trailing dot don't count."""
    return name.strip().removesuffix(".").lower()


def short_host(name: str) -> str:
    """The first label as Windows cuts it: names that agree in it may mean one host."""
    return fold_host(name).partition(".")[0].casefold()[:15]


def is_address(name: str) -> bool:
    return ":" in name or name.replace(".", "").isdecimal()
