"""`sbpam logout`: forgets the secrets of a profile, or of all."""

from typing import Annotated

import typer

from sbpam_cli.commands.app import Common, with_common
from sbpam_cli.settings.profiles import ConnectionOptions


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
    from sbpam_cli.output.columns import LOGOUT
    from sbpam_cli.signin.logout import run_logout

    options = ConnectionOptions(
        profile=common.profile, server=common.server, no_input=common.no_input
    )
    return present(
        ctx.obj,
        common,
        "logout",
        LOGOUT,
        lambda context: run_logout(context, options, every_profile=every_profile),
    )
