"""The operating system's keyring, which may be missing, locked, or never answer.

A daemon thread does everything with it, its import included: nothing of ours waits longer than
the time it is given. No error of a back end is repeated: it might hold what it failed to store.
"""

import hashlib
import re
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from sbpam_cli.errors import SignInError
from sbpam_cli.models import Talk
from sbpam_cli.settings.environment import SECRET_NAMES, SecretName
from sbpam_cli.system.services import Services
from sbpam_cli.system.threads import Workers

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

Answer = TypeVar("Answer")

SERVICE = "sbpam"
_ALONE_S, _ATTENDED_S, _NOTICE_AFTER_S = 3.0, 60.0, 1.0
_SYSTEM_KEYRINGS = {
    "darwin": ("keyring.backends.macOS.Keyring",),
    "win32": ("keyring.backends.Windows.WinVaultKeyring",),
}
_DESKTOP_KEYRINGS = (
    "keyring.backends.SecretService.Keyring",
    "keyring.backends.kwallet.DBusKeyring",
)
_NONE = "there is none on this machine"
_REASONS: dict[object, tuple[str, str | None]] = {
    "NoKeyringError": (_NONE, None),
    "KeyringLocked": ("it is locked", "unlock it and run this again"),
    "InitError": ("it could not be opened", None),
    # Windows: ERROR_NO_SUCH_LOGON_SESSION.
    1312: ("there is no logon session to open it in", "have the task store its user's password"),
}
"""Why it counts as absent, and the remedy, by the error's type or number."""
_PART_CHARACTERS = 600
"""Windows holds 1,280 UTF-16 units in an entry, and a character can be two."""
_MOST_PARTS = 128
_HEAD = re.compile(r"sbpam-split ([0-9]{1,3}) ([0-9a-f]{64})", re.ASCII)


class UnusableKeyringError(Exception):
    """The back end cannot be loaded, keeps nothing, or keeps it in clear text: why, the remedy."""


class Vault:
    """Secrets in the keyring, by profile, origin and name.

    All its time together is bounded: 3 seconds if nobody is there, 60 with a notice if
    somebody is (`attended`: an unlock dialog may be waiting). After that, or without a back
    end, it counts as absent for the rest of the command, and one warning says so.
    """

    def __init__(self, services: Services, talk: Talk, *, attended: bool) -> None:
        self._services = services
        self._talk = talk
        self._attended = attended
        self._limit_s = _ATTENDED_S if attended else _ALONE_S
        self._left_s = self._limit_s
        self._noticed = not attended
        self._entries: Entries | None = None
        self._lock = threading.Lock()
        self._workers = Workers(1, services.clock)
        self.absent_because: str | None = None
        self.remedy: str | None = None

    @property
    def backend(self) -> str | None:
        """The class of the keyring in use; None if there is none (yet)."""
        kind = type(self._entries.backend) if self._entries is not None else None
        return f"{kind.__module__}.{kind.__name__}" if kind is not None else None

    def get(self, profile: str, origin: str, name: SecretName) -> str | None:
        """The stored secret; None if there is none, or no keyring that answers."""
        return self._ask(lambda entries: entries.read(f"{profile} {origin} {name}"))

    def set(self, profile: str, origin: str, name: SecretName, value: str) -> bool:
        """Stores the secret and reads it back; False if it was not kept."""
        return bool(self._ask(lambda entries: entries.write(f"{profile} {origin} {name}", value)))

    def delete_all(self, profile: str, origins: Iterable[str]) -> bool:
        """Removes every secret of a profile at these origins; True if surely none is left."""

        entries_of = [f"{profile} {origin} {name}" for origin in origins for name in SECRET_NAMES]
        # In a list, so that one that stays keeps no other.
        return bool(self._ask(lambda entries: all([*map(entries.remove, entries_of)])))

    def _ask(self, work: "Callable[[Entries], Answer]") -> Answer | None:
        with self._lock:
            if self.absent_because is not None:
                return None
            terminal, clock = self._services.terminal, self._services.clock
            if self._attended:
                terminal.protect()
            else:
                terminal.refuse_questions()
            until_s = clock.monotonic() + self._left_s
            self._workers.submit("keyring", lambda: work(self._open()))
            patience_s = self._left_s if self._noticed else min(_NOTICE_AFTER_S, self._left_s)
            done = self._workers.next(patience_s)
            if done is None and not self._noticed:
                self._noticed = True
                self._talk.note("waiting for the keyring; it may be asking to be unlocked")
                done = self._workers.next(max(0.0, until_s - clock.monotonic()))
            self._left_s = max(0.0, until_s - clock.monotonic())
            if done is None:
                why = f"it did not answer within {self._limit_s:.0f} seconds"
                self._give_up(why, "see whether it asks to be unlocked, and run this again")
                return None
            if done.error is not None:
                self._give_up(*_reason_of(done.error))
            answer: Answer | None = done.result
            return answer

    def _give_up(self, why: str, remedy: str | None) -> None:
        self.absent_because, self.remedy = why, remedy
        if self._services.terminal.restore():
            # Its question would take half of what is typed for the next one.
            raise SignInError(
                "the keyring still waits for an answer on this terminal",
                reason=why,
                hint="run the command again and answer it, or use --no-input",
            )
        remedy = remedy or "secrets can also come from SBPAM_PASSWORD_FILE and the like"
        self._talk.warn(f"continuing without the keyring: {why}; {remedy}")

    def _open(self) -> "Entries":
        if self._entries is None:
            make = self._services.keyring
            backend = make() if make is not None else _choose_backend(self._services)
            self._entries = Entries(_refuse_clear_text(backend))
        return self._entries


class Entries:
    """The entries of service `sbpam` in one back end. Raises whatever the back end raises.

    A value that it cannot hold has numbered parts and a head. The head, written last, has
    their count and the value's digest: a mixture of two writes reads as absent.
    """

    def __init__(self, backend: "KeyringBackend") -> None:
        self.backend = backend
        # Its refusal of a long value is an exception with the value in its words.
        self._short_only = type(backend).__module__ == "keyring.backends.Windows"

    def read(self, entry: str) -> str | None:
        """The value; None if it is missing or not whole."""
        head = self._get(entry)
        found = _HEAD.fullmatch(head or "")
        if found is None:
            return head
        parts = [self._get(f"{entry} part {number}") or "" for number in range(int(found[1]))]
        value = "".join(parts)
        return value if _digest(value) == found[2] else None

    def write(self, entry: str, value: str) -> bool:
        """Stores the value and reads it back; False if it was not kept."""
        long = len(value) > _PART_CHARACTERS
        if not (long and self._short_only) and self._put(entry, value):
            return self._remove_parts(entry, 0)
        starts = range(0, len(value), _PART_CHARACTERS)
        parts = [value[start : start + _PART_CHARACTERS] for start in starts]
        if long and len(parts) <= _MOST_PARTS:
            head = f"sbpam-split {len(parts)} {_digest(value)}"
            kept = (self._put(f"{entry} part {n}", part) for n, part in enumerate(parts))
            if all(kept) and self._put(entry, head):
                return self._remove_parts(entry, len(parts))
        # What is there now is an older value, or a piece of this one.
        self.remove(entry)
        return False

    def remove(self, entry: str) -> bool:
        """Deletes the value and its parts; True if nothing is left."""
        return self._delete(entry) and self._remove_parts(entry, 0)

    def _remove_parts(self, entry: str, first: int) -> bool:
        last = first
        while self._get(f"{entry} part {last}") is not None:
            last += 1
        # From the end, so that what an interruption leaves is found the next time.
        return all(self._delete(f"{entry} part {n}") for n in range(last - 1, first - 1, -1))

    def _get(self, name: str) -> str | None:
        return self.backend.get_password(SERVICE, name)

    def _put(self, name: str, value: str) -> bool:
        try:
            self.backend.set_password(SERVICE, name, value)
        except Exception as error:
            if _kind_of(error) in _REASONS:
                raise
            return False
        return self._get(name) == value

    def _delete(self, name: str) -> bool:
        if self._get(name) is not None:
            self.backend.delete_password(SERVICE, name)
        return self._get(name) is None


def _choose_backend(services: Services) -> "KeyringBackend":
    """The back end that the user named, else the system's own, by class.

    keyring's own search loads every plug-in and starts compilers.
    """
    from keyring import core

    named = services.env("PYTHON_KEYRING_BACKEND")
    source = f"PYTHON_KEYRING_BACKEND ({named})" if named else "keyring's configuration file"
    try:
        backend = core.load_keyring(named) if named else core.load_config()
    except Exception:
        remedy = f"correct or remove {'PYTHON_KEYRING_BACKEND' if named else source}"
        raise UnusableKeyringError(f"{source} names one that cannot be loaded", remedy) from None
    if backend is not None:
        return backend
    kinds: tuple[str, ...] = _SYSTEM_KEYRINGS.get(sys.platform, _DESKTOP_KEYRINGS)
    if "KDE" in (services.env("XDG_CURRENT_DESKTOP") or "").split(":"):
        kinds = tuple(reversed(kinds))
    for kind in kinds:
        with suppress(Exception):
            return core.load_keyring(kind)
    raise UnusableKeyringError(_NONE, None)


def _refuse_clear_text(backend: Any) -> "KeyringBackend":
    from keyring.backend import KeyringBackend

    kinds = [f"{kind.__module__}.{kind.__name__}" for kind in type(backend).__mro__]
    if any("plaintext" in kind.lower() for kind in kinds):
        raise UnusableKeyringError("the one here keeps its values in clear text", None)
    if kinds[0].startswith(("keyring.backends.null.", "keyring.backends.fail.")):
        raise UnusableKeyringError(_NONE, None)
    # What is behind it: a chain's, a wrapper's, whatever they call it.
    held = [*getattr(backend, "backends", ()), *vars(backend).values()]
    for part in held:
        if isinstance(part, list | tuple):
            held += part
        elif isinstance(part, KeyringBackend):
            _refuse_clear_text(part)
    found: KeyringBackend = backend
    return found


def _reason_of(error: BaseException) -> tuple[str, str | None]:
    if isinstance(error, UnusableKeyringError):
        return error.args
    kind = _kind_of(error)
    return _REASONS.get(kind, (f"it failed with {kind}", None))


def _kind_of(error: BaseException) -> object:
    """Windows' errors are all called `error`, and begin with their number."""
    name = type(error).__name__
    return error.args[0] if name == "error" and error.args else name


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
