"""`sbpam credentials`: finds service accounts, and the id to schedule with."""

from typing import TYPE_CHECKING, Annotated

import typer

from sbpam_cli.commands.app import Common, with_common

if TYPE_CHECKING:
    from sbpam_cli.output.context import Context


@with_common
def credentials(
    ctx: typer.Context,
    *,
    text: Annotated[
        str | None,
        typer.Argument(
            metavar="[TEXT]",
            help="A part of the user name, in any case, or of DOMAIN\\name.",
            show_default=False,
        ),
    ] = None,
    common: Common,
) -> int:
    """Finds service accounts and the id to schedule with."""
    from sbpam_cli.commands.present import present
    from sbpam_cli.commands.schedule import connection_options
    from sbpam_cli.lookups.accounts import run_credentials
    from sbpam_cli.output.columns import CREDENTIALS

    options = connection_options(common)

    def body(context: "Context") -> None:
        for page in run_credentials(context, options, text or ""):
            context.printer.write(page)

    return present(ctx.obj, common, "credentials", CREDENTIALS, body)
