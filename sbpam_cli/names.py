"""Names as they are compared: host names, and ids that become part of a URL."""

import re
from binascii import unhexlify
from collections.abc import Sequence
from contextlib import suppress
from types import NoneType
from typing import cast

UUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_UUID = re.compile(UUID, re.ASCII)
_UUID_SIZE = 36


def canonical_uuid(text: object) -> str | None:
    """The UUID in its canonical lower-case form, None for anything else.

    Strict, because an id becomes part of a URL: no braces, no `urn:`, no
    full-width digits (`uuid.UUID` takes all three).
    """
    if not isinstance(text, str) or not _UUID.fullmatch(text):
        return None
    return text.lower()


def canonical_uuids(values: Sequence[object]) -> Sequence[str | None]:
    """`canonical_uuid` of each, or of all; at once if every one is a UUID."""
    kinds = set(map(type, values))
    if kinds == {NoneType}:
        return [None]
    if kinds == {str}:
        texts = cast("Sequence[str]", values)
        joined = "".join(texts)
        dashes = {joined[place::_UUID_SIZE] for place in (8, 13, 18, 23)}
        if set(map(len, texts)) == {_UUID_SIZE} and dashes == {"-" * len(texts)}:
            with suppress(ValueError):
                digits = unhexlify(joined.encode("ascii").translate(None, b"-"))
                if len(digits) * 2 == (_UUID_SIZE - 4) * len(texts):
                    return texts if joined == joined.lower() else list(map(str.lower, texts))
    return list(map(canonical_uuid, values))


def fold_host(name: str) -> str:
    """A host name as it is compared: case and one trailing dot don't count."""
    return name.strip().removesuffix(".").lower()


def short_host(name: str) -> str:
    """The first label as Windows cuts it: names that agree in it may mean one host."""
    return fold_host(name).partition(".")[0].casefold()[:15]


def is_address(name: str) -> bool:
    return ":" in name or name.replace(".", "").isdecimal()
