"""`login` on a terminal shows a server's certificate that nobody vouches for, and asks."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sbpam_cli.nps.certificates import read_certificate
from sbpam_cli.nps.tls import UntrustedError, fingerprint_of
from sbpam_cli.settings.profiles import Target
from sbpam_cli.signin.session import look_at_certificate, open_client

if TYPE_CHECKING:
    from sbpam_cli.nps.client_certificates import ClientCertificate
    from sbpam_cli.output.context import Context

_QUESTION = "Is it the server's own? Trust exactly this certificate from now on?"


def settle_trust(ctx: "Context", target: Target, certificate: "ClientCertificate | None") -> Target:
    """The target, with the pin of its server's certificate where a person trusts it.

    Nobody is asked where the settings say whom to trust. The sign-in then takes
    that very certificate and no other. Raises UntrustedError for a no.
    """
    if target.insecure or target.fingerprint is not None or target.ca_bundle is not None:
        return target
    try:
        open_client(ctx, target, certificate=certificate).version()
    except UntrustedError as error:
        der = look_at_certificate(ctx, target, certificate)
        if der is None:
            raise
        ctx.console.warn(f"{error.message}: {error.reason}")
        ctx.console.note(f"it shows {_describe(der)}")
        ctx.console.note(f"SHA-256 fingerprint {fingerprint_of(der)}")
        if not ctx.confirm(_QUESTION):
            raise
        return target._replace(fingerprint=fingerprint_of(der))
    return target


def _describe(der: bytes) -> str:
    try:
        known = read_certificate(der)
    except ValueError:
        return "a certificate that cannot be read"
    until = datetime.fromtimestamp(known.expires_at, UTC)
    return f"a certificate for {known.common_name or 'no name'}, good until {until:%Y-%m-%d}"
