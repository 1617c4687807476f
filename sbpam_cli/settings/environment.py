"""What the environment says: the secrets that a command may need, and where each one is."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from sbpam_cli.models import Method
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
NO_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Controls, and what bytes become that are not in the locale's encoding."""


@dataclass(frozen=True, slots=True)
class Found:
    """A secret, and where it was: an option, a variable, a file's name or `keyring`."""

    value: str = field(repr=False)
    source: str


def variable_of(name: SecretName) -> str:
    """`SBPAM_TOTP_SECRET` for `totp-secret`."""
    return "SBPAM_" + name.upper().replace("-", "_")


def given_by_environment(services: Services, name: SecretName) -> str | None:
    """Which of the environment's three places holds the secret; None if none does."""
    variable = variable_of(name)
    for source in (variable, f"{variable}_FILE"):
        if services.env(source) is not None:
            return source
    path = credentials_file(services, name)
    return f"$CREDENTIALS_DIRECTORY/{path.name}" if path and os.path.exists(path) else None


def credentials_file(services: Services, name: SecretName) -> Path | None:
    """Where systemd's `LoadCredential=sbpam-password:...` puts the secret."""
    folder = services.env("CREDENTIALS_DIRECTORY")
    return Path(folder, f"sbpam-{name}") if folder is not None else None


def explain_absence(services: "Services") -> str | None:
    """Why the environment may lack a secret that it was to have."""
    folder = services.env("CREDENTIALS_DIRECTORY")
    if folder is None or os.access(folder, os.X_OK):
        return None
    return f"the folder $CREDENTIALS_DIRECTORY cannot be entered: {folder}"
