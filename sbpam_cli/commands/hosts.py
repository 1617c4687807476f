"""`sbpam hosts`: the hosts of an organisational unit, for a pipe into `schedule`."""

from sbpam_cli.commands.options import YES, Common, flag, option, with_common


@with_common
def hosts(
    common: Common,
    ou: str = option(..., "The organisational unit's distinguished name.", "DN", "--ou"),
    recursive: bool = flag("The units within it too.", "--recursive"),
    yes: bool = YES,
) -> int:
    """Prints the FQDNs of an organisational unit, one a line; the server may onboard the hosts.

    Examples:
      sbpam hosts --ou OU=Servers,DC=corp,DC=example --recursive
      sbpam hosts --ou OU=Servers,DC=corp,DC=example --yes | sbpam schedule -
    """
    from sbpam_cli.commands.present import present
    from sbpam_cli.lookups.known_hosts import UnitOptions, run_unit
    from sbpam_cli.output.columns import OU_HOSTS

    options = UnitOptions(common.connection(), dn=ou, recursive=recursive, sure=yes)
    return present(
        common, "hosts", OU_HOSTS, lambda ctx: [(name,) for name in run_unit(ctx, options)]
    )
