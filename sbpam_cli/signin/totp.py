"""One-time codes from a secret (RFC 6238), and which time steps have been used."""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sbpam_cli.errors import JournalError, SignInError
from sbpam_cli.system.files import open_private, private_folder
from sbpam_cli.system.services import Services

STEP_S = 30


def code_maker(secret: str) -> Callable[[int], str]:
    """A function from time step (epoch seconds // 30) to six digits.

    secret: base32 in any case, with or without blanks, dashes and padding.
    Raises SignInError, which does not repeat it.
    """
    import base64
    import binascii

    import pyotp

    text = "".join(secret.split()).replace("-", "").rstrip("=").upper()
    try:
        key = base64.b32decode(text + "=" * (-len(text) % 8))
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        letters = "the letters A-Z and the digits 2-7"
        hint = f"it consists of {letters}, as the enrolment page shows it beside the QR code"
        raise SignInError("the TOTP secret is not base32", hint=hint)

    class AnyLength(pyotp.TOTP):
        # pyotp refuses keys below 112 bits; many a server still hands out 80.
        def byte_secret(self) -> bytes:
            return key

    maker = AnyLength(text, interval=STEP_S)
    return lambda step: maker.at(step * STEP_S)


class UsedSteps:
    """Remembers, across processes, which steps of a user's secret were used.

    A step is claimed by creating a file, which only one of two processes can.
    The file is empty and its name holds a digest and the step, no secret.
    Without a state folder that can be written every step counts as fresh.
    """

    def __init__(self, services: Services, origin: str, username: str) -> None:
        self._services = services
        user = f"{origin} {username.casefold()}"
        self._prefix = f"totp-{hashlib.sha256(user.encode()).hexdigest()[:16]}."

    def claim(self, step: int) -> bool:
        """Whether nobody had used the step; from now on it counts as used.

        A second claim is marked before it is answered, so before its code is sent.
        """
        try:
            folder = private_folder(self._services, self._services.state_folder())
            if not (first := self._make(folder / f"{self._prefix}{step}")):
                self._make(folder / f"{self._prefix}again.{step}")
        except JournalError:
            return True
        for path in folder.glob(f"{self._prefix}*"):
            if path.suffix[1:].isdecimal() and int(path.suffix[1:]) < step - 10:
                with suppress(OSError):
                    path.unlink()
        return first

    def is_shared(self, step: int) -> bool:
        """Whether somebody claimed the step once more: the code may have been theirs."""
        return (self._services.state_folder() / f"{self._prefix}again.{step}").exists()

    def _make(self, path: Path) -> bool:
        try:
            os.close(open_private(self._services, path, create_new=True))
        except FileExistsError:
            return False
        return True
