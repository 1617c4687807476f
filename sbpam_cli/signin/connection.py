"""From options, environment and profile to a server that one can talk to."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from sbpam_cli.errors import Interrupted
from sbpam_cli.models import Talk
from sbpam_cli.nps.client import NpsClient
from sbpam_cli.nps.tls import TlsSettings, build_context
from sbpam_cli.nps.transport import NoReplyError, Transport
from sbpam_cli.settings.keyring import Vault
from sbpam_cli.settings.profiles import Target
from sbpam_cli.settings.secrets import Secrets
from sbpam_cli.signin.session import Session
from sbpam_cli.system.signals import Interruption

if TYPE_CHECKING:
    from sbpam_cli.nps.client_certificates import ClientCertificate
    from sbpam_cli.system.services import Services


class Connection(NamedTuple):
    """A client of the target's server and the session that its calls are signed in with."""

    client: NpsClient
    session: Session


def tls_settings(
    services: "Services", target: Target, certificate: "ClientCertificate | None" = None
) -> TlsSettings:
    """How the target's certificate is judged; `SSL_CERT_FILE` and `_DIR` as httpx has them."""
    if target.ca_bundle is not None:
        return TlsSettings(
            ca_bundle=target.ca_bundle,
            fingerprint=target.fingerprint,
            insecure=target.insecure,
            client=certificate,
        )
    return TlsSettings(
        ca_bundle=services.env("SSL_CERT_FILE"),
        ca_folder=services.env("SSL_CERT_DIR"),
        fingerprint=target.fingerprint,
        insecure=target.insecure,
        client=certificate,
    )


def open_client(
    services: "Services",
    target: Target,
    talk: Talk,
    *,
    certificate: "ClientCertificate | None" = None,
    stop: threading.Event | None = None,
    connections: int = 10,
) -> NpsClient:
    """A client of the target's server, not signed in; nothing is sent yet.

    certificate: presented to the server. Raises SignInError where its key cannot be used.
    """
    origin = target.server
    if target.insecure:
        talk.warn(f"TLS is not verified: anybody in between can read what goes to {origin}")
    settings = tls_settings(services, target, certificate)
    # A key may need its passphrase from a person: here, and not in some thread later.
    context = build_context(settings) if certificate is not None else None
    transport = Transport(
        services, origin, settings, talk, context=context, connections=connections
    )
    return NpsClient(services, transport, stop=stop)


def look_at_certificate(
    services: "Services", target: Target, talk: Talk, certificate: "ClientCertificate | None"
) -> bytes | None:
    """The server's certificate (DER), whoever it is; nothing but the handshake is sent."""
    seen: list[bytes] = []
    settings = tls_settings(services, target, certificate)
    context = build_context(settings, seen.append)
    transport = Transport(services, target.server, settings, talk, context=context)
    try:
        transport.send("GET", "/api/v1/Version", total_s=30.0)
    except NoReplyError:
        pass
    finally:
        transport.close()
    return seen[-1] if seen else None


def connect(
    services: "Services",
    target: Target,
    talk: Talk,
    *,
    no_input: bool,
    stop: threading.Event | None = None,
    connections: int = 10,
) -> Connection:
    """A client whose calls sign in as the target says, when the first token is needed.

    Raises SignInError for a client certificate that cannot be used.
    """
    vault = Vault(services, talk, attended=services.can_ask(no_input=no_input))
    secrets = Secrets(services, target, vault, talk)
    return open_connection(
        services,
        target,
        secrets,
        vault,
        talk,
        certificate=present_certificate(services, target, secrets, talk, no_input=no_input),
        no_input=no_input,
        stop=stop,
        connections=connections,
    )


def present_certificate(
    services: "Services", target: Target, secrets: Secrets, talk: Talk, *, no_input: bool
) -> "ClientCertificate | None":
    """An application's client certificate; None where the method needs none."""
    if target.method != "application":
        return None
    from sbpam_cli.signin.application import KeyPassphrase, open_certificate

    may_ask = services.can_ask(no_input=no_input)
    passphrase = KeyPassphrase(services, target, secrets, may_ask=may_ask)
    return open_certificate(services, target, passphrase, talk)


def open_connection(
    services: "Services",
    target: Target,
    secrets: Secrets,
    vault: Vault,
    talk: Talk,
    *,
    certificate: "ClientCertificate | None",
    no_input: bool,
    code: str | None = None,
    stop: threading.Event | None = None,
    connections: int = 10,
) -> Connection:
    """`connect` with secrets of the caller's; code: for step 2 of the first sign-in."""
    client = open_client(
        services, target, talk, certificate=certificate, stop=stop, connections=connections
    )
    application = None
    if certificate is not None:
        from sbpam_cli.signin.application import ApplicationSignIn

        application = ApplicationSignIn(services, target, secrets, client, certificate)
    session = Session(
        services,
        target,
        secrets,
        vault,
        client,
        talk,
        no_input=no_input,
        code=code,
        pause=_pause(services, stop) if stop is not None else None,
        application=application,
    )
    client.use(session)
    return Connection(client, session)


def _pause(services: "Services", stop: threading.Event) -> Callable[[float], None]:
    def pause(seconds: float) -> None:
        if services.clock.wait(stop, seconds):
            raise Interrupted("interrupted", signal_number=2)

    return pause


def sign_in(
    services: "Services",
    target: Target,
    talk: Talk,
    interruption: Interruption,
    *,
    no_input: bool,
    parallel: int,
) -> Connection:
    """A connection that is signed in and proved by a harmless read on the same client.

    The read comes first: under TLS 1.3 a refused client certificate shows only
    after the first request was written.
    """
    connection = connect(
        services,
        target,
        talk,
        no_input=no_input,
        stop=interruption.event,
        connections=parallel + 2,
    )
    connection.client.version()
    connection.session.token()
    return connection
