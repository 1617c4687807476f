"""Who is signed in where, until when, and where each secret comes from."""

from typing import TYPE_CHECKING

from sbpam_cli.errors import SignInError
from sbpam_cli.models import Method
from sbpam_cli.settings.environment import SECRETS_OF
from sbpam_cli.settings.profiles import ConnectionOptions, Target, resolve_target
from sbpam_cli.signin.session import open_secrets, token_in
from sbpam_cli.wording import utc

if TYPE_CHECKING:
    from sbpam_cli.output.context import Context

Row = tuple[str | None, str, str | None, Method, str | None, str]


def run_whoami(ctx: "Context", options: ConnectionOptions) -> Row:
    """The row of `whoami`, without asking the server. Raises SignInError: not signed in."""
    target = resolve_target(ctx.services, options)
    ctx.outcome.server, ctx.outcome.profile = target.origin, target.profile
    server = target.server
    secrets = open_secrets(ctx, target)
    names = SECRETS_OF[target.method]
    found = {name: at for name in names if (at := secrets.find(name)) is not None}
    expires_at = token_in(found["token"]).expires_at if "token" in found else None
    renews = target.username is not None and not {"password", "api-key"}.isdisjoint(found)
    if expires_at is not None and expires_at <= ctx.services.clock.now():
        if not renews:
            raise SignInError(f"the token expired at {utc(expires_at)}", hint=_remedy(target))
        ctx.console.note("the token has expired; the next command signs in again")
    elif "token" not in found and not renews:
        raise SignInError(
            f"not signed in to {server}",
            hint=f"{_remedy(target)}; without a keyring, SBPAM_TOKEN or"
            " SBPAM_PASSWORD_FILE gives each command its secret",
        )
    return (
        target.profile if target.stored else None,
        server,
        target.username if target.method != "token" else None,
        target.method,
        utc(expires_at) if expires_at is not None else None,
        ", ".join(f"{name}: {at.source}" for name, at in found.items()),
    )


def _remedy(target: Target) -> str:
    name = f" --profile {target.profile}" if target.profile != "default" else ""
    server = "" if target.stored else f" --server {target.server}"
    return f"run `sbpam login{name}{server}`"
