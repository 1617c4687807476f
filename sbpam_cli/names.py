"""Names as they are compared: host names, and ids that become part of a URL."""

import re
from collections.abc import Sequence

UUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_UUID = re.compile(UUID, re.ASCII)
_UUID_LINES = re.compile(f"(?:{UUID}\n)*+", re.ASCII)


def canonical_uuid(text: object) -> str | None:
    """The UUID in its canonical lower-case form, None for anything else.

    Strict, because an id becomes part of a URL: no braces, no `urn:`, no
    full-width digits (`uuid.UUID` takes all three).
    """
    if not isinstance(text, str) or not _UUID.fullmatch(text):
        return None
    return text.lower()


def canonical_uuids(values: Sequence[object]) -> list[str | None]:
    """`canonical_uuid` of each; all at once if every one is a UUID."""
    if set(map(type, values)) == {str}:
        joined = "\n".join([*map(str, values), ""])
        found = joined.lower().split("\n")[:-1] if _UUID_LINES.fullmatch(joined) else []
        if len(found) == len(values):
            return [*found]
    return list(map(canonical_uuid, values))


def fold_host(name: str) -> str:
    """A host name as it is compared: case and one trailing dot don't count."""
    return name.strip().removesuffix(".").lower()


def short_host(name: str) -> str:
    """The first label as Windows cuts it: names that agree in it may mean one host."""
    return fold_host(name).partition(".")[0].casefold()[:15]


def is_address(name: str) -> bool:
    return ":" in name or name.replace(".", "").isdecimal()
