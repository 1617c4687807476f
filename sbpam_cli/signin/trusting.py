"""`login` on a terminal shows a server's certificate that nobody vouches for, and asks."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sbpam_cli.models import Talk
from sbpam_cli.nps.certificates import read_certificate
from sbpam_cli.nps.tls import UntrustedError, fingerprint_of
from sbpam_cli.settings.profiles import Target
from sbpam_cli.signin.connection import look_at_certificate, open_client

if TYPE_CHECKING:
    from sbpam_cli.nps.client_certificates import ClientCertificate
    from sbpam_cli.system.services import Services


def settle_trust(
    services: "Services", target: Target, certificate: "ClientCertificate | None", talk: Talk
) -> Target:
    """The target, with the pin of its server's certificate where a person trusts it.

    Nobody is asked where the settings say whom to trust. The sign-in then takes
    that very certificate and no other. Raises UntrustedError for a no.
    """
    if target.insecure or target.fingerprint is not None or target.ca_bundle is not None:
        return target
    try:
        open_client(services, target, talk, certificate=certificate).version()
    except UntrustedError as error:
        der = look_at_certificate(services, target, talk, certificate)
        if der is None:
            raise
        talk.warn(f"{error.message}: {error.reason}")
        talk.note(f"it shows {_describe(der)}")
        talk.note(f"SHA-256 fingerprint {fingerprint_of(der)}")
        if not _is_trusted(services):
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


def _is_trusted(services: "Services") -> bool:
    question = "Is it the server's own? Trust exactly this certificate from now on? [y/N] "
    try:
        return services.ask().line(question).strip().lower() in ("y", "yes")
    except EOFError:
        return False
