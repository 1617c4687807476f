"""Values in a keyring's entries: read back after each write, split where they are too long.

A short value is one entry. A long one (Windows holds 1,280 UTF-16 units) has
numbered parts and a head. The head carries a generation, the count and a
digest, each part its generation, and the head is written last: a mixture of
two writes reads as absent.
"""

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

SERVICE = "sbpam"
_PART_UNITS = 1200
_HEAD = "sbpam-split"
_MOST_PARTS = 64


class UnusableKeyringError(Exception):
    """The back end keeps nothing, or keeps it in clear text."""


class Entries:
    """The entries of service `sbpam` in one back end. Raises whatever the back end raises."""

    def __init__(self, backend: "KeyringBackend") -> None:
        self._backend = _checked(backend)
        self._short_only = type(backend).__module__ == "keyring.backends.Windows"

    @property
    def backend(self) -> str:
        """The back end's class, as `keyring.backends.SecretService.Keyring`."""
        kind = type(self._backend)
        return f"{kind.__module__}.{kind.__name__}"

    def read(self, entry: str) -> str | None:
        """The value; None where it is missing or not whole."""
        for _ in range(2):
            head = self._get(entry)
            if head is None or not head.startswith(f"{_HEAD} "):
                return head
            if (value := self._join(entry, head)) is not None:
                return value
        return None

    def write(self, entry: str, value: str, generation: str) -> bool:
        """Stores the value under a generation of its own; False where it was not kept."""
        units = len(value.encode("utf-16-le", "surrogatepass")) // 2
        long = units > _PART_UNITS
        whole = not (long and self._short_only) and not value.startswith(_HEAD)
        if whole and self._put(entry, value):
            return self._remove_parts(entry, 1)
        if (long or not whole) and self._write_split(entry, value, generation):
            return True
        # What stands there now is an older value, or a piece of this one.
        self.remove(entry)
        return False

    def remove(self, entry: str) -> bool:
        """Deletes the value and its parts; True where nothing is left."""
        return self._delete(entry) and self._remove_parts(entry, 1)

    def _write_split(self, entry: str, value: str, generation: str) -> bool:
        parts = list(_parts(value))
        if len(parts) > _MOST_PARTS:
            return False
        for number, part in enumerate(parts, start=1):
            if not self._put(_part_name(entry, number), f"{generation} {part}"):
                return False
        head = f"{_HEAD} {generation} {len(parts)} {_digest(value)}"
        return self._put(entry, head) and self._remove_parts(entry, len(parts) + 1)

    def _join(self, entry: str, head: str) -> str | None:
        words = head.split(" ")
        if len(words) != 4 or not words[2].isdecimal() or int(words[2]) > _MOST_PARTS:
            return None
        _, generation, count, digest = words
        value = ""
        for number in range(1, int(count) + 1):
            owner, _, part = (self._get(_part_name(entry, number)) or "").partition(" ")
            if owner != generation:
                return None
            value += part
        return value if _digest(value) == digest else None

    def _remove_parts(self, entry: str, first: int) -> bool:
        last = first
        while self._get(_part_name(entry, last)) is not None:
            last += 1
        # From the end, so that what an interruption leaves is found by the next count.
        return all(self._delete(_part_name(entry, n)) for n in range(last - 1, first - 1, -1))

    def _get(self, name: str) -> str | None:
        return self._backend.get_password(SERVICE, name)

    def _put(self, name: str, value: str) -> bool:
        try:
            self._backend.set_password(SERVICE, name, value)
        except Exception as error:
            if type(error).__name__ in ("NoKeyringError", "KeyringLocked", "InitError"):
                raise
            return False
        return self._get(name) == value

    def _delete(self, name: str) -> bool:
        if self._get(name) is None:
            return True
        self._backend.delete_password(SERVICE, name)
        return self._get(name) is None


def _checked(backend: "KeyringBackend") -> "KeyringBackend":
    first = backend
    if type(backend).__module__ == "keyring.backends.chainer":
        first = next(iter(getattr(backend, "backends", ())), backend)
    kinds = {kind.__name__ for kind in type(first).__mro__}
    modules = {type(backend).__module__, type(first).__module__}
    if modules & {"keyring.backends.null", "keyring.backends.fail"}:
        raise UnusableKeyringError("there is none on this machine")
    if "PlaintextKeyring" in kinds:
        raise UnusableKeyringError("the one here keeps its values in clear text")
    return backend


def _parts(value: str) -> list[str]:
    parts = [""]
    units = 0
    for character in value:
        width = 2 if ord(character) > 0xFFFF else 1
        if units + width > _PART_UNITS:
            parts.append("")
            units = 0
        parts[-1] += character
        units += width
    return parts


def _part_name(entry: str, number: int) -> str:
    return f"{entry} part {number}"


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
