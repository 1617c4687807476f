"""Where a secret comes from: option, environment, file, systemd's credentials, keyring."""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sbpam_cli.errors import InputError, SbpamError, SignInError
from sbpam_cli.models import Talk
from sbpam_cli.settings.environment import NO_TEXT, SecretName, given_by_environment, variable_of
from sbpam_cli.settings.keyring import Vault
from sbpam_cli.settings.profiles import Target
from sbpam_cli.system.files import read_limited
from sbpam_cli.system.services import Services

KEYRING = "keyring"
LONGEST_SECRET = 1 << 16
"""Bytes that are read of a file, a pipe or stdin."""
_LABELS: dict[SecretName, str] = {
    "password": "password",
    "api-key": "API key",
    "client-key-password": "passphrase",
}


@dataclass(frozen=True, slots=True)
class Found:
    """A secret, and where it was: an option, a variable, a file's name or `keyring`."""

    value: str = field(repr=False)
    source: str


@dataclass(eq=False, repr=False)
class Secrets:
    """The secrets of one command and one target; a person is asked only by `require`.

    known: what options brought (files and stdin, read already), and what was found since.
    """

    services: Services
    target: Target
    vault: Vault
    talk: Talk
    known: dict[SecretName, Found] = field(default_factory=dict)

    def find(self, name: SecretName) -> Found | None:
        """The first source that has it. Raises SbpamError for one that cannot be used."""
        found = self.known.get(name) or self._from_environment(name) or self.stored(name)
        if found is not None:
            self.known[name] = found
        return found

    def require(self, name: SecretName, whom: str, ask: Callable[[str], str] | None) -> Found:
        """As `find`, else what a person types; ask: None if nobody is there. Raises SignInError."""
        if (found := self.find(name)) is not None:
            return found
        label = _LABELS[name]
        if ask is not None:
            self.known[name] = typed_secret(ask, f"{label[0].upper()}{label[1:]} for {whom}")
            return self.known[name]
        variable = variable_of(name)
        remedy = f"the keyring: {self.vault.remedy}; or " if self.vault.remedy else ""
        raise SignInError(
            f"there is no {label} for {whom}",
            reason=explain_absence(self.services)
            or "neither the environment nor the keyring has one, and nobody can be asked",
            hint=f"{remedy}set {variable} or {variable}_FILE, or run `sbpam login`",
        )

    def used(self) -> dict[SecretName, str]:
        """What was found or typed so far, the token aside."""
        return {name: at.value for name, at in self.known.items() if name != "token"}

    def stored(self, name: SecretName) -> Found | None:
        """What the keyring has, if the profile was stored for this server and user."""
        target = self.target
        if not target.stored or target.origin is None:
            return None
        value = self.vault.get(target.profile, target.origin, name)
        return Found(value, KEYRING) if value is not None else None

    def _from_environment(self, name: SecretName) -> Found | None:
        given = given_by_environment(self.services, name)
        if given is None:
            return None
        source, at = given
        if isinstance(at, str):
            return Found(check_secret(at, source, InputError), source)
        # systemd's files carry a group that only an access list narrows.
        if warning := open_to_others(at, 0o004 if source.startswith("$") else 0o044):
            self.talk.warn(warning)
        return Found(read_secret_file(at, source, SignInError), source)


def explain_absence(services: Services) -> str | None:
    """Why the environment may lack a secret that it was to have."""
    folder = services.env("CREDENTIALS_DIRECTORY")
    if folder is None or os.access(folder, os.X_OK):
        return None
    return f"the folder $CREDENTIALS_DIRECTORY cannot be entered: {folder}"


def typed_secret(ask: Callable[[str], str], question: str) -> Found:
    """What a person types. Raises SignInError or InputError."""
    return Found(check_secret(ask(f"{question}: "), "what was typed", SignInError), "")


def open_to_others(path: Path, others: int = 0o044) -> str | None:
    """A warning if other users can read the file."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return None
    if os.name != "posix" or not (stat.S_ISREG(mode) and mode & others):
        return None
    return f"other users can read {path}; narrow it with: chmod 600 {path}"


def read_secret_file(path: Path, source: str, error: type[SbpamError]) -> str:
    """The secret in a file or pipe, without its newline. Raises `error`, naming `source`."""
    try:
        content = read_limited(path, LONGEST_SECRET)
    except OSError as failure:
        raise error(
            f"{source}: {path} cannot be read",
            reason=failure.strerror,
            hint="it must be a file or a pipe that the user who runs sbpam can read",
        ) from None
    return decode_secret(content, f"{source}: {path}", error)


def decode_secret(content: bytes, source: str, error: type[SbpamError]) -> str:
    """The secret in `content`: UTF-8, or UTF-16 with BOM as PowerShell 5.1 writes it."""
    if len(content) > LONGEST_SECRET:
        raise error(f"{source} is too long for a secret")
    utf_16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = content.decode("utf-16" if utf_16 else "utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{source} is not text", hint="write the secret as UTF-8") from None
    return check_secret(text, source, error)


def check_secret(text: str, source: str, error: type[SbpamError]) -> str:
    """The secret without the newline at its end.

    Raises `error` if there is none; InputError for what cannot be one, before the server
    counts it as a failed attempt.
    """
    value = text.rstrip("\r\n")
    if not value:
        raise error(f"{source} holds no secret")
    if NO_TEXT.search(value):
        raise InputError(
            f"{source} holds characters that no secret has",
            hint="it must be one line of text in UTF-8; a newline at its end is fine",
        )
    return value
