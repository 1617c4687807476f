"""Signing in as an application: its name, its API key, and its client certificate in TLS."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sbpam_cli.errors import InputError, SignInError
from sbpam_cli.models import Token
from sbpam_cli.nps.client import RefusedError
from sbpam_cli.nps.client_certificates import ClientCertificate, read_client_certificate
from sbpam_cli.signin.password import ask_secret

if TYPE_CHECKING:
    from sbpam_cli.models import Talk
    from sbpam_cli.settings.profiles import Target
    from sbpam_cli.settings.secrets import SecretName, Secrets
    from sbpam_cli.signin.api import SignInApi
    from sbpam_cli.system.services import Services

_DAY_S = 86_400.0
_WARN_DAYS = 14


class KeyPassphrase:
    """The key's passphrase, found or asked for when OpenSSL wants it; `value`: once it did."""

    def __init__(
        self, services: "Services", target: "Target", secrets: "Secrets", *, may_ask: bool
    ) -> None:
        self._services = services
        self._key = client_key(target) or target.client_cert
        self._secrets = secrets
        self._may_ask = may_ask
        self.value: str | None = None

    def __call__(self) -> str:
        if self.value is None:
            if (found := self._secrets.find("client-key-password")) is not None:
                self.value = found.value
            elif self._may_ask:
                self.value = ask_secret(self._services, f"Passphrase of {self._key}: ")
            else:
                raise SignInError(
                    f"the private key in {self._key} needs its passphrase",
                    hint="set SBPAM_CLIENT_KEY_PASSWORD or SBPAM_CLIENT_KEY_PASSWORD_FILE,"
                    " or run `sbpam login`",
                )
        return self.value


def client_key(target: "Target") -> str | None:
    """The key's own file. A profile's key belongs to the profile's certificate alone."""
    cert, key = (target.sources.get(name) for name in ("client_cert", "client_key"))
    return None if key == "profile" and cert != "profile" else target.client_key


def open_certificate(
    services: "Services", target: "Target", passphrase: KeyPassphrase, talk: "Talk"
) -> ClientCertificate:
    """The target's client certificate; says what is about to go wrong with it.

    Raises SignInError, or InputError where an option named a file that cannot be used.
    """
    if target.client_cert is None:
        raise SignInError(
            "no client certificate is known",
            hint="set SBPAM_CLIENT_CERT (and SBPAM_CLIENT_KEY),"
            " or run `sbpam login --method application`",
        )
    by_option = target.sources.get("client_cert", "").startswith("--")
    certificate = read_client_certificate(
        target.client_cert,
        client_key(target),
        passphrase,
        lambda: f"{services.random.getrandbits(256):064x}",
        InputError if by_option else SignInError,
    )
    if certificate.open_to_others is not None:
        talk.warn(f"all users can read the private key in {certificate.open_to_others}")
    left_s = certificate.expires_at - services.clock.now()
    if left_s <= _WARN_DAYS * _DAY_S:
        from datetime import UTC, datetime

        end = datetime.fromtimestamp(certificate.expires_at, UTC)
        verb = "expires" if left_s > 0 else "expired"
        talk.warn(
            f"the client certificate {certificate.cert_path} {verb} on {end:%Y-%m-%d}:"
            " have a new one made for the application"
        )
    return certificate


@dataclass(slots=True, eq=False, repr=False)
class ApplicationSignIn:
    """An application's way in; no person is needed.

    api_key: what the last sign-in was accepted with, for `login` to keep.
    """

    services: "Services"
    target: "Target"
    secrets: "Secrets"
    api: "SignInApi"
    certificate: ClientCertificate
    api_key: str | None = None
    by_person: bool = False
    _serial: str | None = None

    def sign_in(self, *, may_ask: bool) -> Token:
        """A token. Raises SignInError where something is missing or refused."""
        name = self._name()
        api_key, source = self._api_key(name, may_ask)
        self._serial = self._serial or self.certificate.serial
        try:
            token = self._with_serial(name, api_key, self._serial)
        except RefusedError as error:
            error.hint = error.hint or (
                f"check the application's name, its API key{source} and whether the server"
                f" knows its certificate (serial number {self.certificate.serial})"
            )
            raise
        self.api_key = api_key
        return token

    def accepted(self) -> "dict[SecretName, str]":
        """The secrets that the last sign-in was accepted with."""
        passphrase = self.certificate.passphrase
        values: dict[SecretName, str | None] = {
            "api-key": self.api_key,
            "client-key-password": getattr(passphrase, "value", None),
        }
        return {name: value for name, value in values.items() if value is not None}

    def _with_serial(self, name: str, api_key: str, serial: str) -> Token:
        try:
            return self.api.application_token(name, api_key, serial)
        except RefusedError:
            # Windows shows the octet that keeps the number positive; openssl and %X drop it.
            if not serial.startswith("00") or len(serial) <= 2:
                raise
        token = self.api.application_token(name, api_key, serial[2:])
        self._serial = serial[2:]
        return token

    def _name(self) -> str:
        if self.target.username is not None:
            return self.target.username
        raise SignInError(
            "the application's name is not known",
            hint="set SBPAM_USERNAME, or use `sbpam login --method application --username NAME`",
        )

    def _api_key(self, name: str, may_ask: bool) -> tuple[str, str]:
        if self.api_key is not None:
            return self.api_key, ""
        if (found := self.secrets.find("api-key")) is not None:
            return found.value, f" ({found.source})"
        if not may_ask:
            raise SignInError(
                f"there is no API key for {name}",
                reason="neither the environment nor the keyring has one, and nobody can be asked",
                hint="set SBPAM_API_KEY or SBPAM_API_KEY_FILE, or run `sbpam login`",
            )
        return ask_secret(self.services, f"API key of {name} at {self.target.server}: "), ""
