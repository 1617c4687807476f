from sbpam_cli.commands.options import YES, flag, option, parse_duration, with_common
from sbpam_cli.commands.present import Rows
from sbpam_cli.errors import OptionError
from sbpam_cli.output.columns import KNOWN_HOSTS, OU_HOSTS
from sbpam_cli.output.context import Context


@with_common(KNOWN_HOSTS)
def hosts(
    ctx: Context,
    ou: str | None = option(None, "The organisational unit's distinguished name.", "DN", "--ou"),
    recursive: bool = flag("The units within it too."),
    not_enrolled: bool = flag("Computers of the directory that NPS does not manage."),
    not_scanned_for: float | None = option(
        None, "Last scanned so long ago, or never.", "TIME", parser=parse_duration
    ),
    winrm_disabled: bool = flag("Hosts whose WinRM is disabled in NPS."),
    onboard: bool = flag("Have NPS onboard the unit's hosts."),
    yes: bool = YES,
) -> Rows:
    """Lists hosts that the server knows; with --onboard, has NPS onboard those of a unit.

    Examples:
      sbpam hosts --not-scanned-for 30d | sbpam schedule --credential svc-scan -
      sbpam hosts --ou OU=Servers,DC=corp,DC=example --recursive -o csv
      sbpam hosts --onboard --ou OU=Servers,DC=corp,DC=example
    """
    from sbpam_cli.lookups.known_hosts import HostFilter, list_hosts, onboard_unit

    if not onboard:
        wanted = HostFilter(not not_enrolled, ou, recursive, not_scanned_for, winrm_disabled)
        return list_hosts(ctx, wanted)
    if ou is None:
        raise OptionError("no unit is given", hint="`sbpam hosts --onboard --ou DN`")
    if not_enrolled or not_scanned_for is not None or winrm_disabled:
        raise OptionError("--onboard goes with --ou and --recursive alone")
    ctx.printer.row_set = OU_HOSTS
    return [(name,) for name in onboard_unit(ctx, ou, recursive=recursive, sure=yes)]
