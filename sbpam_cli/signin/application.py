"""Signing in as an application: its name, its API key, and its client certificate in TLS."""

from dataclasses import dataclass

from sbpam_cli.errors import InputError, SignInError
from sbpam_cli.models import Token
from sbpam_cli.nps.certificates import ClientCertificate, read_client_certificate
from sbpam_cli.nps.client import NpsClient
from sbpam_cli.nps.failures import RefusedError
from sbpam_cli.output.context import Context
from sbpam_cli.settings.profiles import Target
from sbpam_cli.settings.secrets import Secrets
from sbpam_cli.wording import utc

_WARN_BEFORE_S = 14 * 86_400.0


def client_key(target: Target) -> str | None:
    """The key's own file. A profile's key belongs to the profile's certificate alone."""
    cert, key = (target.sources.get(name) for name in ("client_cert", "client_key"))
    return None if key == "profile" and cert != "profile" else target.client_key


def open_certificate(ctx: Context, target: Target, secrets: Secrets) -> ClientCertificate:
    """The target's client certificate; warns of what is about to go wrong with it.

    Raises SignInError, or InputError if an option named a file that cannot be used.
    """
    if target.client_cert is None:
        login = "`sbpam login --method application`"
        hint = f"set SBPAM_CLIENT_CERT (and SBPAM_CLIENT_KEY), or run {login}"
        raise SignInError("no client certificate is known", hint=hint)
    key = client_key(target)
    whom = f"the private key in {key or target.client_cert} ({target.whom})"
    ask = ctx.ask_secret if ctx.can_ask else None
    by_option = target.sources.get("client_cert", "").startswith("--")
    certificate = read_client_certificate(
        target.client_cert,
        key,
        lambda: secrets.require("client-key-password", whom, ask).value,
        InputError if by_option else SignInError,
    )
    if certificate.open_to_others is not None:
        ctx.console.warn(f"all users can read the private key in {certificate.open_to_others}")
    left_s = certificate.expires_at - ctx.services.clock.now()
    if left_s <= _WARN_BEFORE_S:
        ends = f"{'expires' if left_s > 0 else 'expired'} on {utc(certificate.expires_at)[:10]}"
        ctx.console.warn(
            f"the client certificate {certificate.cert_path} {ends}:"
            " have a new one made for the application"
        )
    return certificate


@dataclass(eq=False, repr=False)
class ApplicationSignIn:
    """An application's way in; it needs no person, and no code."""

    ctx: Context
    secrets: Secrets
    client: NpsClient
    certificate: ClientCertificate
    code: str | None = None
    by_person = False

    def __post_init__(self) -> None:
        self._serial = self.certificate.serial

    def sign_in(self, *, may_ask: bool, why: str = "") -> Token:
        """A token. Raises SignInError if something is missing or refused."""
        target = self.secrets.target
        if target.username is None:
            login = "`sbpam login --method application --username NAME`"
            hint = f"set SBPAM_USERNAME, or use {login}"
            raise SignInError("the application's name is not known", hint=hint)
        whom = f"{target.whom} ({why})" if why else target.whom
        ask = self.ctx.ask_secret if may_ask else None
        api_key = self.secrets.require("api-key", whom, ask)
        try:
            return self._with_serial(target.username, api_key.value)
        except RefusedError as error:
            source = f" ({api_key.source})" if api_key.source else ""
            error.hint = error.hint or (
                f"check the application's name, its API key{source} and whether the server"
                f" knows its certificate (serial number {self.certificate.serial})"
            )
            raise

    def _with_serial(self, name: str, api_key: str) -> Token:
        try:
            return self.client.application_token(name, api_key, self._serial)
        except RefusedError:
            # Windows shows the octet that keeps the number positive; openssl and %X drop it.
            shorter = self._serial.removeprefix("00")
            if shorter in ("", self._serial):
                raise
        token = self.client.application_token(name, api_key, shorter)
        self._serial = shorter
        return token
