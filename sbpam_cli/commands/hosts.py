"""`sbpam hosts`: the hosts of an organisational unit, for a pipe into `schedule`."""

from sbpam_cli.commands.options import YES, Common, flag, option, with_common
from sbpam_cli.errors import OptionError


@with_common
def hosts(
    common: Common,
    onboard: bool = flag("Have NPS onboard the unit's hosts.", "--onboard"),
    ou: str | None = option(None, "The organisational unit's distinguished name.", "DN", "--ou"),
    recursive: bool = flag("The units within it too.", "--recursive"),
    yes: bool = YES,
) -> int:
    """Has NPS onboard the hosts of an organisational unit, and prints their FQDNs, one a line.

    Examples:
      sbpam hosts --onboard --ou OU=Servers,DC=corp,DC=example --recursive
      sbpam hosts --onboard --ou OU=Servers,DC=corp,DC=example --yes > servers.txt
    """
    from sbpam_cli.commands.present import present
    from sbpam_cli.lookups.known_hosts import UnitOptions, onboard_unit
    from sbpam_cli.output.columns import OU_HOSTS

    if not onboard or ou is None:
        raise OptionError(
            "hosts are listed only while NPS onboards them, which changes the server",
            hint="if that is wanted: `sbpam hosts --onboard --ou DN`",
        )
    options = UnitOptions(common.connection(), dn=ou, recursive=recursive, sure=yes)
    return present(
        common, "hosts", OU_HOSTS, lambda ctx: [(name,) for name in onboard_unit(ctx, options)]
    )
