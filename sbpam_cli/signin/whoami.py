"""Who is signed in where, until when, and where each secret comes from."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sbpam_cli.errors import SignInError
from sbpam_cli.models import Method
from sbpam_cli.settings.profiles import ConnectionOptions, Target, resolve_target
from sbpam_cli.settings.secrets import SECRETS_OF, Found, SecretName, Secrets

if TYPE_CHECKING:
    from sbpam_cli.output.context import Context

Row = tuple[str | None, str, str | None, Method, str | None, str]

_ENOUGH: tuple[SecretName, ...] = ("password", "api-key")


def run_whoami(ctx: "Context", options: ConnectionOptions) -> Row:
    """The row of `whoami`, without asking the server. Raises SignInError: not signed in."""
    from sbpam_cli.settings.keyring import Vault

    services, talk = ctx.services, ctx.console
    target = resolve_target(services, options)
    ctx.outcome.server, ctx.outcome.profile = target.origin, target.profile
    server = target.server
    vault = Vault(services, talk, attended=ctx.can_ask)
    secrets = Secrets(services, target, vault, talk)
    names = SECRETS_OF[target.method]
    found = {name: at for name in names if (at := secrets.find(name)) is not None}
    expires_at = _expiry(found.get("token"))
    renews = target.username is not None and any(name in found for name in _ENOUGH)
    if expires_at is not None and expires_at <= services.clock.now():
        if not renews:
            raise SignInError(f"the token expired at {_time(expires_at)}", hint=_remedy(target))
        talk.note("the token has expired; the next command signs in again")
    elif "token" not in found and not renews:
        raise SignInError(
            f"not signed in to {server}",
            hint=f"{_remedy(target)}; where there is no keyring, SBPAM_TOKEN or"
            " SBPAM_PASSWORD_FILE gives each command its secret",
        )
    return (
        target.profile if target.stored else None,
        server,
        target.username if target.method != "token" else None,
        target.method,
        _time(expires_at) if expires_at is not None else None,
        ", ".join(f"{name}: {at.source}" for name, at in found.items()),
    )


def _expiry(token: Found | None) -> float | None:
    from sbpam_cli.signin.session import token_in

    return token_in(token).expires_at if token is not None else None


def _time(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _remedy(target: Target) -> str:
    name = f" --profile {target.profile}" if target.profile != "default" else ""
    server = "" if target.stored else f" --server {target.server}"
    return f"run `sbpam login{name}{server}`"
