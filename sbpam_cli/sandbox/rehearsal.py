"""Serving the sandbox for a person: what they need to know, until they stop it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from sbpam_cli.sandbox.people import EXAMPLE_CREDENTIAL_ID, User
from sbpam_cli.sandbox.serve import SandboxServer


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A sandbox that is being served.

    credentials: `DOMAIN\\name` and id of the service accounts to schedule with.
    environment: variables that point `sbpam` at it, signed in as the user with TOTP;
    application_environment: the same for the application with its client
    certificate, empty where none can be issued.
    """

    url: str
    ca_file: str
    fingerprint: str
    users: tuple[User, ...]
    credentials: tuple[tuple[str, str], ...]
    environment: dict[str, str] = field(repr=False)
    application_environment: dict[str, str] = field(repr=False)


def describe(server: SandboxServer) -> Rehearsal:
    """The facts about a server within its `with` block; issues the application's certificate."""
    world = server.world
    person = next(user for user in world.users if user.mfa == "totp")
    where = {
        "SBPAM_SERVER": server.url,
        "SBPAM_CA_BUNDLE": server.ca_file,
        "SBPAM_CREDENTIAL": EXAMPLE_CREDENTIAL_ID,
    }
    signed_in = {
        "SBPAM_USERNAME": person.login,
        "SBPAM_PASSWORD": person.password,
        "SBPAM_TOTP_SECRET": person.totp_secret,
    }
    credentials = tuple(
        (f"{row['domain']}\\{row['userName']}", row["credentialId"])
        for row in world.credentials
        if row["credentialId"] is not None and row["credentialType"] == "Configuration"
    )
    return Rehearsal(
        url=server.url,
        ca_file=server.ca_file,
        fingerprint=server.fingerprint,
        users=tuple(world.users),
        credentials=credentials,
        environment=where | signed_in,
        application_environment=_application(server, where) if server.issues_certificates else {},
    )


def _application(server: SandboxServer, where: dict[str, str]) -> dict[str, str]:
    application = next(user for user in server.world.users if user.application)
    cert_path, key_path, _ = server.issue_client_certificate(application.login)
    return where | {
        "SBPAM_USERNAME": application.login,
        "SBPAM_API_KEY": application.password,
        "SBPAM_CLIENT_CERT": cert_path,
        "SBPAM_CLIENT_KEY": key_path,
    }


def serve_forever(
    server: SandboxServer, announce: Callable[[Rehearsal], None], stop: threading.Event
) -> None:
    """Says the facts, then serves until `stop` is set or an exception (Ctrl-C) arrives."""
    with server:
        announce(describe(server))
        while not stop.wait(0.5):
            pass
