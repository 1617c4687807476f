"""Who and what the sandbox knows: users, service accounts, sample hosts, organisational units.

The passwords, keys and codes here are printed by `sbpam sandbox`: they protect nothing.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

EXAMPLE_CREDENTIAL_ID = "9c711ab3-8fc1-4d66-88d4-08f85117f32e"
"""The service account of the vendor's own example."""

_TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"  # noqa: S105

PLANTED_SECRETS = {
    name: f"planted-{name}-must-never-be-shown"
    for name in ("password", "salt", "privateKey", "passwordHash", "lsaLookupCache")
}
"""Fields of replies that must never leave the parser, with values easy to search for."""

_SAMPLE = {
    "corp.example": "dc01 dc02 file01 file02 sql01 sql02 web01 web02 print01 exch01 ca01 ws-1001",
    "emea.corp.example": "dc11 file11 app11 ws-2001 ws-2002 ws-2003",
    "dmz.example.net": "proxy01 mail01 ftp01",
    "lab.example.org": "build01 build02 test01",
}


@dataclass(slots=True, eq=False)
class User:
    """password: an application's API key. certificate_serial: as Windows prints it.

    mfa: `none` takes the code `0`, `push` the word `push`, `totp` six digits.
    """

    login: str
    password: str = field(repr=False)
    mfa: Literal["none", "totp", "push"] = "none"
    totp_secret: str = field(default="", repr=False)
    roles: tuple[str, ...] = ("Admin",)
    locked: bool = False
    application: bool = False
    certificate_serial: str | None = None
    failures: int = 0
    last_step: int = -1


def default_users() -> list[User]:
    return [
        User("CORP\\demo", "Sandbox-Demo-1", "totp", _TOTP_SECRET),
        User("CORP\\nomfa", "Sandbox-Nomfa-1"),
        User("CORP\\push", "Sandbox-Push-1", "push"),
        User("CORP\\viewer", "Sandbox-Viewer-1", roles=("Viewer",)),
        User("CORP\\locked", "Sandbox-Locked-1", locked=True),
        User("sbpam-app", "Sandbox-Api-Key-1", roles=("App",), application=True),
    ]


def default_credentials(new_id: Callable[[str], str]) -> list[dict[str, Any]]:
    """Accounts as `Credential/Search` returns them.

    Among them: one of another type, one that is not managed (its `credentialId` is
    null), and two of one name in two domains.
    """
    accounts = [
        ("svc-scan", "CORP", EXAMPLE_CREDENTIAL_ID, "Configuration"),
        ("svc-scan", "EMEA", new_id("svc-scan EMEA"), "Configuration"),
        ("svc-onboard", "CORP", new_id("svc-onboard CORP"), "Configuration"),
        ("svc-discovered", "CORP", None, "Configuration"),
        ("helpdesk", "CORP", new_id("helpdesk CORP"), "Standard"),
        *((f"svc-{n:05}", "CORP", new_id(f"svc-{n}"), "Configuration") for n in range(6, 13)),
    ]
    return [
        {
            "id": new_id(f"row {name} {domain}"),
            "credentialId": credential_id,
            "userName": name,
            "displayName": f"{name} ({domain})",
            "samAccountName": name,
            "name": "Windows Demo" if name == "svc-onboard" else f"{name} account",
            "domain": domain,
            "resource": f"{domain.lower()}.example",
            "platform": "Active Directory",
            "credentialType": kind,
            "managedType": "Unmanaged" if credential_id is None else "Managed",
            **{key: PLANTED_SECRETS[key] for key in ("password", "salt", "privateKey")},
        }
        for name, domain, credential_id, kind in accounts
    ]


def sample_hosts() -> list[str]:
    """Two dozen FQDNs in four domains, all known to the sandbox."""
    return [f"{label}.{domain}" for domain, labels in _SAMPLE.items() for label in labels.split()]


def default_units() -> dict[str, list[str]]:
    """Hosts of each organisational unit, by its distinguished name."""
    units = {
        "OU=Servers," + ",".join(f"DC={part}" for part in domain.split(".")): [
            f"{label}.{domain}" for label in labels.split()
        ]
        for domain, labels in _SAMPLE.items()
    }
    units["OU=Clients,OU=Servers,DC=corp,DC=example"] = ["ws-1002.corp.example"]
    units['OU=Büro\\, "Süd",DC=corp,DC=example'] = ["ws-3001.corp.example"]
    return units


def split_dn(dn: str) -> tuple[str, ...]:
    """The parts of a distinguished name, comparable: an escaped comma separates nothing."""
    return tuple(
        re.sub(r"\s*=\s*", "=", part.strip(), count=1).casefold()
        for part in re.split(r"(?<!\\),", dn)
    )
