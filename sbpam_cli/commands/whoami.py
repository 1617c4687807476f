"""`sbpam whoami`: who is signed in where, until when, and where each secret comes from."""

import typer

from sbpam_cli.commands.app import Common, with_common
from sbpam_cli.settings.profiles import ConnectionOptions


@with_common
def whoami(ctx: typer.Context, common: Common) -> int:
    """Shows who is signed in where, and where each secret comes from (never its value)."""
    from sbpam_cli.commands.present import present
    from sbpam_cli.output.columns import WHOAMI
    from sbpam_cli.signin.whoami import run_whoami

    options = ConnectionOptions(
        profile=common.profile,
        server=common.server,
        ca_bundle=common.ca_bundle,
        fingerprint=common.fingerprint,
        no_input=common.no_input,
    )
    return present(
        ctx.obj,
        common,
        "whoami",
        WHOAMI,
        lambda context: context.printer.write([run_whoami(context, options)]),
    )
