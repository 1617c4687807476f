"""`sbpam logout`: forgets the secrets of a profile, or of all."""

from typing import TYPE_CHECKING, Annotated

import typer

from sbpam_cli.commands.app import Common, with_common
from sbpam_cli.errors import OptionError
from sbpam_cli.models import Talk
from sbpam_cli.settings.addresses import parse_server
from sbpam_cli.settings.profiles import (
    DEFAULT_PROFILE,
    ConnectionOptions,
    check_profile_name,
    load_profiles,
    unknown_profile,
)

if TYPE_CHECKING:
    from sbpam_cli.outcome import Outcome
    from sbpam_cli.system.services import Services


def run_logout(
    services: "Services",
    options: ConnectionOptions,
    talk: Talk,
    outcome: "Outcome",
    *,
    every_profile: bool = False,
) -> None:
    """Deletes the secrets of the profile's server, and of `--server`'s where it is given."""
    from sbpam_cli.settings.keyring import Vault

    vault = Vault(services, talk, attended=services.can_ask(no_input=options.no_input))
    for name, origins in _choose(services, options, every_profile).items():
        if not origins:
            talk.note(f"profile {name} has no server, so no secrets")
        elif vault.delete_all(name, origins):
            talk.note(f"forgot the secrets of profile {name} for {', '.join(origins)}")
        else:
            outcome.partial = True
            talk.warn(
                f"the secrets of profile {name} may still be in the keyring:"
                " unlock it and run `sbpam logout` again"
            )


def _choose(
    services: "Services", options: ConnectionOptions, every_profile: bool
) -> dict[str, list[str]]:
    """The origins whose secrets to forget, by profile."""
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
    chosen = {}
    for name in names:
        own = profiles[name].server if name in profiles else None
        chosen[name] = list(dict.fromkeys([*([own] if own else []), *extra]))
    return chosen


@with_common
def logout(
    ctx: typer.Context,
    common: Common,
    every_profile: Annotated[
        bool, typer.Option("--all", help="Forget the secrets of every profile.")
    ] = False,
) -> int:
    """Forgets the secrets of a profile; its settings stay."""
    from sbpam_cli.commands.present import present
    from sbpam_cli.output.forms import WHOAMI_COLUMNS, RowSet

    options = ConnectionOptions(
        profile=common.profile, server=common.server, no_input=common.no_input
    )
    return present(
        ctx.obj,
        common,
        "logout",
        RowSet("logout", WHOAMI_COLUMNS),
        lambda console, _, outcome: run_logout(
            ctx.obj, options, console, outcome, every_profile=every_profile
        ),
    )
