"""Forgets the secrets of a profile, or of all."""

from sbpam_cli.errors import OptionError
from sbpam_cli.output.context import Context
from sbpam_cli.settings.addresses import parse_server
from sbpam_cli.settings.keyring import Vault
from sbpam_cli.settings.profiles import (
    DEFAULT_PROFILE,
    check_profile_name,
    load_profiles,
    unknown_profile,
)


def run_logout(ctx: Context, *, every_profile: bool = False) -> None:
    """Deletes the secrets of the profile's server, and of `--server`'s if it is given."""
    chosen = _choose(ctx, every_profile)
    vault = Vault(ctx.services, ctx.console, attended=ctx.can_ask)
    for name, origins in chosen.items():
        if not origins:
            ctx.console.note(f"profile {name} has no server, so no secrets")
        elif vault.delete_all(name, origins):
            ctx.console.note(f"forgot the secrets of profile {name} for {', '.join(origins)}")
        else:
            ctx.outcome.partial = True
            ctx.console.warn(
                f"the secrets of profile {name} may still be in the keyring"
                f" ({vault.absent_because or 'it did not delete them'}):"
                f" {vault.remedy or 'run `sbpam logout` again where it works'}"
            )


def _choose(ctx: Context, every_profile: bool) -> dict[str, list[str]]:
    """The origins whose secrets to forget, by profile."""
    services, options = ctx.services, ctx.connection
    profiles = load_profiles(services)
    extra = [parse_server(options.server)] if options.server else []
    if every_profile:
        if options.profile or extra:
            raise OptionError("--all goes with neither --profile nor --server")
        names = list(profiles)
    else:
        given = options.profile or services.env("SBPAM_PROFILE")
        name = check_profile_name(given or DEFAULT_PROFILE)
        if given and name not in profiles and not extra:
            raise unknown_profile(name, profiles)
        names = [name]
    own = {name: profiles[name].server if name in profiles else None for name in names}
    return {name: [*filter(None, dict.fromkeys([own[name], *extra]))] for name in names}
