"""What the environment says: the secrets that a command may need, and where each one is."""

import os
import re
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
NO_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Controls, and what bytes become that are not in the locale's encoding."""


def variable_of(name: SecretName) -> str:
    """`SBPAM_TOTP_SECRET` for `totp-secret`."""
    return "SBPAM_" + name.upper().replace("-", "_")


def given_by_environment(services: Services, name: SecretName) -> tuple[str, str | Path] | None:
    """The source that holds the secret: its name, and the secret itself or its file."""
    variable, folder = variable_of(name), services.env("CREDENTIALS_DIRECTORY")
    if (text := services.env(variable)) is not None:
        return variable, text
    if (named := services.env(f"{variable}_FILE")) is not None:
        return f"{variable}_FILE", Path(named)
    # Where systemd's `LoadCredential=sbpam-password:...` puts it.
    if folder is not None and os.path.exists(path := Path(folder, f"sbpam-{name}")):
        return f"$CREDENTIALS_DIRECTORY/{path.name}", path
    return None
