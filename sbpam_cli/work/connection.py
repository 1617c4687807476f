"""From options, environment and profile to a server that one can talk to."""

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sbpam_cli.models import Talk
from sbpam_cli.nps.client import NpsClient
from sbpam_cli.nps.tls import TlsSettings
from sbpam_cli.nps.transport import Transport
from sbpam_cli.signin.session import Session
from sbpam_cli.storage.profiles import Target
from sbpam_cli.storage.secrets import Secrets
from sbpam_cli.storage.vault import Vault
from sbpam_cli.work.interruption import Interruption

if TYPE_CHECKING:
    from sbpam_cli.services import Services


@dataclass(frozen=True, slots=True)
class Connection:
    """A client of the target's server and the session that its calls are signed in with."""

    client: NpsClient
    session: Session


def tls_settings(services: "Services", target: Target) -> TlsSettings:
    """How the target's certificate is judged; `SSL_CERT_FILE` and `_DIR` as httpx has them."""
    if target.ca_bundle is not None:
        return TlsSettings(
            ca_bundle=target.ca_bundle,
            fingerprint=target.fingerprint,
            insecure=target.insecure,
        )
    return TlsSettings(
        ca_bundle=services.env("SSL_CERT_FILE"),
        ca_folder=services.env("SSL_CERT_DIR"),
        fingerprint=target.fingerprint,
        insecure=target.insecure,
    )


def open_client(
    services: "Services",
    target: Target,
    talk: Talk,
    *,
    stop: threading.Event | None = None,
    connections: int = 10,
) -> NpsClient:
    """A client of the target's server, not signed in; nothing is sent yet."""
    origin = target.server
    if target.insecure:
        talk.warn(f"TLS is not verified: anybody in between can read what goes to {origin}")
    transport = Transport(
        services, origin, tls_settings(services, target), talk, connections=connections
    )
    return NpsClient(services, transport, stop=stop)


def connect(
    services: "Services",
    target: Target,
    talk: Talk,
    *,
    no_input: bool,
    stop: threading.Event | None = None,
    connections: int = 10,
) -> Connection:
    """A client whose calls sign in as the target says, when the first token is needed."""
    client = open_client(services, target, talk, stop=stop, connections=connections)
    vault = Vault(services, talk, attended=services.can_ask(no_input=no_input))
    secrets = Secrets(services, target, vault, talk)
    session = Session(services, target, secrets, vault, client, talk, no_input=no_input)
    client.use(session)
    return Connection(client, session)


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
