"""`hosts`: what the server holds in an organisational unit, for a pipe into `schedule`."""

import re
from typing import TYPE_CHECKING, NamedTuple

from sbpam_cli.errors import Interrupted, OptionError, UsageError
from sbpam_cli.hosts.fqdn import fqdn, shown, why_not
from sbpam_cli.nps.client import ACTED_OR_NOT, NotFoundError
from sbpam_cli.settings.profiles import ConnectionOptions, resolve_target
from sbpam_cli.signin.session import Site
from sbpam_cli.wording import counted

if TYPE_CHECKING:
    from sbpam_cli.output.context import Context

_REFUSED_SHOWN = 5
# The vendor's user pages have the group and the setting; the wording is the contract's.
_RISK = (
    'An onboarded host can land in a default group with "Manage Local Administrator Accounts: On":'
    " then NPS takes over, and rotates, its local Administrator password."
)


class UnitOptions(NamedTuple):
    """dn: the unit's distinguished name. recursive: the units in it too. sure: don't ask."""

    connection: ConnectionOptions
    dn: str
    recursive: bool = False
    sure: bool = False


def onboard_unit(ctx: "Context", options: UnitOptions) -> list[str]:
    """The FQDNs of the unit's hosts, lower-cased, in the server's order, none twice.

    Names that are no FQDN are reported and make the outcome partial. Raises
    OptionError and UsageError before anything is asked that may onboard hosts.
    """
    if not re.match(r"\s*[A-Za-z0-9.-]+\s*=", options.dn):
        raise OptionError(
            f"--ou: not a distinguished name: {options.dn[:60]}",
            hint="it looks like OU=Servers,DC=corp,DC=example",
        )
    target = resolve_target(ctx.services, options.connection)
    ctx.outcome.server, ctx.outcome.profile = target.origin, target.profile
    _confirm(ctx, options, target.server)
    site = Site(ctx, target)
    try:
        names = site.client.manage_unit(options.dn, children=options.recursive)
    except NotFoundError as error:
        error.hint = (
            "list the unit's hosts from Active Directory (ldapsearch, Get-ADComputer)"
            " and pipe their DNS names into `sbpam schedule -`"
        )
        raise
    except KeyboardInterrupt:
        raise Interrupted("interrupted", signal_number=2, hint=ACTED_OR_NOT) from None
    return _check_names(ctx, names, options.dn)


def _confirm(ctx: "Context", options: UnitOptions, server: str) -> None:
    if not (options.sure or ctx.can_ask):
        raise OptionError(
            "nobody can be asked whether hosts may be onboarded", reason=_RISK, hint="add --yes"
        )
    ctx.console.warn(f"{server} onboards the hosts that it finds in {options.dn[:300]}. {_RISK}")
    if not (options.sure or ctx.confirm("Onboard them?")):
        raise UsageError("not confirmed; nothing was sent", hint="--yes answers the question")


def _check_names(ctx: "Context", names: list[str], dn: str) -> list[str]:
    hosts: dict[str, None] = {}
    refused: list[str] = []
    for name in filter(None, names):
        if (host := fqdn(name)) is not None:
            hosts[host] = None
        else:
            refused.append(name)
    if nameless := names.count(""):
        ctx.console.note(f"{counted(nameless, 'host')} without a name, skipped")
    if refused:
        ctx.outcome.partial = True
        reasons = [f"{shown(name)} {why_not(name)}" for name in refused[:_REFUSED_SHOWN]]
        if more := len(refused) - len(reasons):
            reasons.append(f"and {more:,} more")
        ctx.console.warn(f"{counted(len(refused), 'name')} left out: {'; '.join(reasons)}")
    ctx.console.note(f"{counted(len(hosts), 'host')} in {dn[:300]}")
    return list(hosts)
