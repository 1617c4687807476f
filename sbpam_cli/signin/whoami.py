"""Who is signed in where, until when, and where each secret comes from."""

from dataclasses import replace

from sbpam_cli.errors import SignInError
from sbpam_cli.models import Method
from sbpam_cli.output.context import Context
from sbpam_cli.settings.environment import SECRETS_OF
from sbpam_cli.settings.profiles import Target
from sbpam_cli.settings.secrets import Found, Secrets
from sbpam_cli.signin.session import Site, find_target, open_secrets, token_in
from sbpam_cli.wording import utc

Row = tuple[str | None, str, str | None, Method, str | None, str]


def run_whoami(ctx: Context, *, check: bool = False) -> Row:
    """The row of `whoami`. Raises SignInError: not signed in.

    check: asks the server whether the token in force works, and the stored one.
    """
    target = find_target(ctx)
    server = target.server
    secrets = open_secrets(ctx, target)
    names = SECRETS_OF[target.method]
    found = {name: at for name in names if (at := secrets.find(name)) is not None}
    expires_at = token_in(found["token"]).expires_at if "token" in found else None
    renews = target.username is not None and not {"password", "api-key"}.isdisjoint(found)
    if expires_at is not None and expires_at <= ctx.services.clock.now():
        if not renews:
            hint = f"run `{target.login}`"
            raise SignInError(f"the token expired at {utc(expires_at)}", hint=hint)
        ctx.console.note("the token has expired; the next command signs in again")
    elif "token" not in found and not renews:
        elsewhere = "SBPAM_TOKEN or SBPAM_PASSWORD_FILE gives each command its secret"
        hint = f"run `{target.login}`; without a keyring, {elsewhere}"
        raise SignInError(f"not signed in to {server}", hint=hint)
    if check and "token" in found:
        # Not a set: its order differs from call to call.
        for at in dict.fromkeys((found["token"], secrets.stored("token") or found["token"])):
            _check(ctx, target, secrets, at)
    return (
        target.profile if target.stored else None,
        server,
        target.username if target.method != "token" else None,
        target.method,
        utc(expires_at) if expires_at is not None else None,
        ", ".join(f"{name}: {at.source}" for name, at in found.items()),
    )


def _check(ctx: Context, target: Target, secrets: Secrets, token: Found) -> None:
    alone = target._replace(method="token", stored=False)
    site = Site(ctx, alone, replace(secrets, target=alone, known={"token": token}))
    try:
        site.client.check_role()
        ctx.console.note(f"the token from {token.source} works")
    except SignInError as error:
        error.message = f"the token from {token.source} does not work: {error.message}"
        # One that the environment gives would stay in the way of another.
        if token == secrets.stored("token"):
            error.hint = f"run `{target.login}`"
        ctx.outcome.errors.append(error)
