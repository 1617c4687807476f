"""Where a secret comes from: option, environment, file, systemd's credentials, keyring."""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from sbpam_cli.errors import SbpamError, SignInError
from sbpam_cli.models import Method

if TYPE_CHECKING:
    from sbpam_cli.models import Talk
    from sbpam_cli.settings.keyring import Vault
    from sbpam_cli.settings.profiles import Target
    from sbpam_cli.system.services import Services

SecretName = Literal["token", "password", "totp-secret", "api-key", "client-key-password"]
SECRET_NAMES: tuple[SecretName, ...] = get_args(SecretName)
SECRETS_OF: dict[Method, tuple[SecretName, ...]] = {
    "password": ("token", "password", "totp-secret"),
    "application": ("token", "api-key", "client-key-password"),
    "token": ("token",),
}
"""What each way to sign in may need."""
KEYRING = "keyring"
_LONGEST_FILE = 1 << 20


@dataclass(frozen=True, slots=True)
class Found:
    """A secret, and where it was: an option, a variable, a file's name or `keyring`."""

    value: str = field(repr=False)
    source: str


def variable_of(name: SecretName) -> str:
    """`SBPAM_TOTP_SECRET` for `totp-secret`."""
    return "SBPAM_" + name.upper().replace("-", "_")


def given_by_environment(services: "Services", name: SecretName) -> str | None:
    """Which of the environment's three places holds the secret; None where none does."""
    variable = variable_of(name)
    if services.env(variable) is not None:
        return variable
    if services.env(f"{variable}_FILE") is not None:
        return f"{variable}_FILE"
    path = _credentials_file(services, name)
    return f"$CREDENTIALS_DIRECTORY/{path.name}" if path is not None and path.exists() else None


def _credentials_file(services: "Services", name: SecretName) -> Path | None:
    folder = services.env("CREDENTIALS_DIRECTORY")
    return Path(folder, f"sbpam-{name}") if folder is not None else None


class Secrets:
    """The secrets of one command and one target; prompts are the caller's business.

    given: what options brought (files and stdin, read already).
    """

    def __init__(
        self,
        services: "Services",
        target: "Target",
        vault: "Vault",
        talk: "Talk",
        given: Mapping[SecretName, Found] | None = None,
    ) -> None:
        self._services = services
        self._target = target
        self.vault = vault
        self._talk = talk
        self._given = dict(given or {})
        self._warned: set[str] = set()

    def find(self, name: SecretName) -> Found | None:
        """The first source that has it. Raises SignInError for a file that cannot be used."""
        return self._given.get(name) or self._from_environment(name) or self.stored(name)

    def stored(self, name: SecretName) -> Found | None:
        """What the keyring has, where the profile was stored for this server and user."""
        target = self._target
        if not target.stored or target.origin is None:
            return None
        value = self.vault.get(target.profile, target.origin, name)
        return Found(value, KEYRING) if value is not None else None

    def _from_environment(self, name: SecretName) -> Found | None:
        source = given_by_environment(self._services, name)
        if source is None:
            return None
        text = self._services.env(variable_of(name))
        if text is not None:
            value = strip_newline(text)
            return Found(value, source) if value else None
        named = self._services.env(f"{variable_of(name)}_FILE")
        path = Path(named) if named else _credentials_file(self._services, name)
        if path is None:
            return None
        # systemd's files carry a group that only an access list narrows.
        self._say_if_open(path, 0o044 if named else 0o004)
        return Found(read_secret_file(path, source, SignInError), source)

    def _say_if_open(self, path: Path, others: int) -> None:
        if str(path) not in self._warned and (warning := open_to_others(path, others)):
            self._warned.add(str(path))
            self._talk.warn(warning)


def open_to_others(path: Path, others: int = 0o044) -> str | None:
    """A warning where other users can read the file."""
    if os.name != "posix":
        return None
    try:
        mode = path.stat().st_mode
    except OSError:
        return None
    if not (stat.S_ISREG(mode) and mode & others):
        return None
    return f"other users can read {path}; narrow it with: chmod 600 {path}"


def read_secret_file(path: Path, source: str, error: type[SbpamError]) -> str:
    """The secret in a file, without one newline at its end. Raises `error`, naming `source`."""
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST_FILE + 1)
    except OSError as failure:
        raise error(
            f"{source}: {path} cannot be read",
            reason=failure.strerror,
            hint="the file must exist and be readable for the user who runs sbpam",
        ) from None
    return read_secret(content, f"{source}: {path}", error)


def read_secret(content: bytes, source: str, error: type[SbpamError]) -> str:
    """The secret in `content`: UTF-8, or UTF-16 with BOM as PowerShell 5.1 writes it."""
    utf_16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        value = strip_newline(content.decode("utf-16" if utf_16 else "utf-8-sig"))
    except UnicodeDecodeError:
        raise error(f"{source} is not text", hint="write the secret as UTF-8") from None
    if not value or len(content) > _LONGEST_FILE:
        raise error(f"{source} {'is too long for' if value else 'holds no'} secret")
    return value


def strip_newline(text: str) -> str:
    """One newline at the end is not part of a secret."""
    return text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
