"""`hosts`: what the server holds in an organisational unit, for a pipe into `schedule`."""

import re
import shlex
from typing import TYPE_CHECKING, NamedTuple

from sbpam_cli.errors import Interrupted, OptionError, UsageError
from sbpam_cli.hosts.fqdn import fqdn, shown, why_not
from sbpam_cli.models import Talk
from sbpam_cli.nps.client import ACTED_OR_NOT, NotFoundError
from sbpam_cli.settings.profiles import ConnectionOptions, resolve_target
from sbpam_cli.signin.session import open_site
from sbpam_cli.wording import counted

if TYPE_CHECKING:
    from sbpam_cli.outcome import Outcome
    from sbpam_cli.output.context import Context

_FIRST_VERSION = (4, 2)
_REFUSED_SHOWN = 5


class UnitOptions(NamedTuple):
    """dn: the unit's distinguished name. recursive: the units in it too. sure: don't ask."""

    connection: ConnectionOptions
    dn: str
    recursive: bool = False
    sure: bool = False


def run_unit(ctx: "Context", options: UnitOptions) -> list[str]:
    """The FQDNs of the unit's hosts, lower-cased, in the server's order, none twice.

    Names that are none are told of and make the outcome partial. Raises
    OptionError and UsageError before anything is asked that may onboard hosts,
    UsageError with another way where the server lacks the call.
    """
    if not re.match(r"\s*[A-Za-z0-9.-]+\s*=", options.dn):
        raise OptionError(
            f"--ou: not a distinguished name: {options.dn[:60]}",
            hint="it looks like OU=Servers,DC=corp,DC=example",
        )
    outcome, talk = ctx.outcome, ctx.console
    target = resolve_target(ctx.services, options.connection)
    outcome.server, outcome.profile = target.origin, target.profile
    _make_sure(ctx, options, target.server)
    site = open_site(ctx, target)
    version = site.client.version()
    if _is_older(version):
        raise UsageError(
            f"the server gives no hosts of {options.dn}",
            reason=f"it is version {version}; the call came with 4.2",
            hint=_other_ways(options),
        )
    site.session.token()
    try:
        names = site.client.manage_unit(options.dn, children=options.recursive)
    except NotFoundError as error:
        error.hint = _other_ways(options)
        raise
    except KeyboardInterrupt:
        raise Interrupted("interrupted", signal_number=2, hint=ACTED_OR_NOT) from None
    return _judge(names, options, talk, outcome)


def _make_sure(ctx: "Context", options: UnitOptions, server: str) -> None:
    if options.sure or not ctx.can_ask:
        ctx.console.note(f"{server} may onboard the hosts that it finds in {options.dn}")
        return
    unit = shown(options.dn, 300)[1:-1]
    question = f"{server} may onboard the hosts that it finds in {unit}. Ask it?"
    if not ctx.confirm(question):
        raise UsageError("not confirmed, nothing was asked", hint="--yes answers the question")


def _is_older(version: str | None) -> bool:
    """Whether the server's version is known, and is from before the call."""
    match = re.match(r"\D{0,20}([0-9]{1,6})\.([0-9]{1,6})", version or "")
    return match is not None and (int(match[1]), int(match[2])) < _FIRST_VERSION


def _judge(names: list[str], options: UnitOptions, talk: Talk, outcome: "Outcome") -> list[str]:
    hosts: dict[str, None] = {}
    refused: list[str] = []
    for name in filter(None, names):
        if (host := fqdn(name)) is not None:
            hosts[host] = None
        else:
            refused.append(name)
    if nameless := names.count(""):
        talk.note(f"{counted(nameless, 'host')} without a name, skipped")
    if refused:
        outcome.partial = True
        reasons = [f"{shown(name)} {why_not(name)}" for name in refused[:_REFUSED_SHOWN]]
        if more := len(refused) - len(reasons):
            reasons.append(f"and {more:,} more")
        talk.warn(f"{counted(len(refused), 'name')} left out: {'; '.join(reasons)}")
    talk.note(f"{counted(len(hosts), 'host')} in {options.dn}")
    return list(hosts)


def _other_ways(options: UnitOptions) -> str:
    """The same hosts from Active Directory itself, to be pasted into a shell."""
    dn = options.dn
    # PowerShell takes typographic quotes for quotes too.
    quoted = "'" + re.sub("(['\u2018\u2019\u201a\u201b])", r"\1\1", dn) + "'"
    scopes = ("sub", "Subtree") if options.recursive else ("one", "OneLevel")
    return (
        "from Active Directory itself: `ldapsearch -LLL -E pr=1000/noprompt -H ldaps://DOMAIN-CONTROLLER"
        f" -b {shlex.quote(dn)} -s {scopes[0]} '(objectClass=computer)' dNSHostName"
        " | sbpam schedule --credential ID -`; in PowerShell: `Get-ADComputer -Filter *"
        f" -SearchBase {quoted} -SearchScope {scopes[1]} | ForEach-Object DNSHostName"
        " | sbpam schedule --credential ID -`"
    )
