"""`sbpam hosts`: the hosts of an organisational unit, for a pipe into `schedule`."""

from typing import TYPE_CHECKING, Annotated

import typer

from sbpam_cli.commands.app import Common, with_common

if TYPE_CHECKING:
    from sbpam_cli.output.context import Context


@with_common
def hosts(
    ctx: typer.Context,
    *,
    ou: Annotated[
        str,
        typer.Option("--ou", metavar="DN", help="The organisational unit's distinguished name."),
    ],
    recursive: Annotated[
        bool, typer.Option("--recursive", help="The units within it too.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    common: Common,
) -> int:
    """Prints the FQDNs of an organisational unit, one a line; the server may onboard the hosts."""
    from sbpam_cli.commands.present import present
    from sbpam_cli.commands.schedule import connection_options
    from sbpam_cli.lookups.known_hosts import UnitOptions, run_unit
    from sbpam_cli.output.columns import OU_HOSTS

    options = UnitOptions(
        connection=connection_options(common), dn=ou, recursive=recursive, sure=yes
    )

    def body(context: "Context") -> None:
        names = run_unit(context, options)
        context.printer.write([(name,) for name in names])

    return present(ctx.obj, common, "hosts", OU_HOSTS, body)
