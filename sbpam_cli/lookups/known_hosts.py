"""`hosts`: what the server knows of hosts, for a pipe into `schedule`."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sbpam_cli.errors import Interrupted, OptionError
from sbpam_cli.hosts.fqdn import fqdn, shown, why_not
from sbpam_cli.models import KnownHost
from sbpam_cli.nps.client import ACTED_OR_NOT
from sbpam_cli.nps.failures import NotFoundError
from sbpam_cli.output.context import Context
from sbpam_cli.output.live import LiveDisplay
from sbpam_cli.signin.session import Site, find_target
from sbpam_cli.wording import counted, utc

_REFUSED_SHOWN = 5
# The vendor's user pages have the group and the setting; the wording is the contract's.
_RISK = (
    'An onboarded host can land in a default group with "Manage Local Administrator Accounts: On":'
    " then NPS takes over, and rotates, its local Administrator password."
)


class HostFilter(NamedTuple):
    """Which known hosts are listed.

    dn: of a unit, None for all. idle_s: not scanned for so long, or never.
    """

    enrolled: bool = True
    dn: str | None = None
    recursive: bool = False
    idle_s: float | None = None
    winrm_disabled: bool = False


Row = tuple[object, ...]


def list_hosts(ctx: Context, wanted: HostFilter) -> Iterator[Row]:
    """The rows of hosts that the server knows, as they come, no name twice.

    Names that are no FQDN, and hosts without a distinguished name where a unit is asked for,
    are reported and make the outcome partial.
    """
    if wanted.dn is not None:
        _check_dn(wanted.dn)
    elif wanted.recursive:
        raise OptionError("--recursive goes with --ou DN")
    if not wanted.enrolled and (wanted.idle_s is not None or wanted.winrm_disabled):
        raise OptionError("only enrolled hosts are scanned: this does not go with --not-enrolled")
    target = find_target(ctx)
    if not wanted.enrolled:
        ctx.console.warn(f"Scheduling hosts that are not enrolled may onboard them. {_RISK}")
    client = Site(ctx, target).client
    unit = split_dn(wanted.dn) if wanted.dn is not None else None
    seen, refused, outside = set[str](), list[str](), 0
    for page in _count(ctx, client.known_hosts(enrolled=wanted.enrolled)):
        since = client.server_time() - (wanted.idle_s or 0.0)
        for host in page:
            if wanted.winrm_disabled and host.winrm is not False:
                continue
            if wanted.idle_s is not None and (host.last_scan_at or 0.0) > since:
                continue
            if unit is not None and not host.distinguished_name:
                outside += 1
                continue
            if unit is not None and not _is_in(host.distinguished_name or "", unit, wanted):
                continue
            name = host.dns_host_name or host.name or ""
            if (known := fqdn(name)) is None:
                refused.append(name)
            elif known not in seen:
                seen.add(known)
                yield _row(known, host)
    if outside:
        ctx.outcome.partial = True
        hosts = counted(outside, "host")
        ctx.console.warn(f"{hosts} without a distinguished name: in which unit is not known")
    _report_names(ctx, refused)
    ctx.console.note(counted(len(seen), "host"))


def _count(ctx: Context, pages: Iterable[list[KnownHost]]) -> Iterator[list[KnownHost]]:
    read = 0
    with LiveDisplay(ctx.console) as live:
        for page in pages:
            read += len(page)
            live.update(f"read {counted(read, 'host')}")
            yield page


def _row(name: str, host: KnownHost) -> Row:
    last_scan = utc(host.last_scan_at) if host.last_scan_at is not None else None
    account, dn = host.service_account, host.distinguished_name
    return (name, host.enrolled, last_scan, host.os, host.ip_address, account, host.winrm, dn)


def split_dn(dn: str) -> tuple[str, ...]:
    """The parts of a distinguished name, comparable: an escaped comma separates nothing."""
    parts = re.findall(r"(?:\\.|[^\\,])+", dn, re.DOTALL)
    return tuple(re.sub(r"\s*=\s*", "=", part.strip(), count=1).casefold() for part in parts)


def _is_in(dn: str, unit: tuple[str, ...], wanted: HostFilter) -> bool:
    above = split_dn(dn)[1:]
    return above == unit or (wanted.recursive and above[-len(unit) :] == unit)


def _check_dn(dn: str) -> None:
    if not re.match(r"\s*[A-Za-z0-9.-]+\s*=", dn):
        raise OptionError(
            f"--ou: not a distinguished name: {dn[:60]}",
            hint="it looks like OU=Servers,DC=corp,DC=example",
        )


def onboard_unit(ctx: Context, dn: str, *, recursive: bool, sure: bool) -> list[str]:
    """The FQDNs of the unit's hosts, lower-cased, in the server's order, none twice.

    Names that are no FQDN are reported and make the outcome partial. Raises
    OptionError and UsageError before anything is asked that may onboard hosts.
    """
    _check_dn(dn)
    target = find_target(ctx)
    if not (sure or ctx.can_ask):
        raise OptionError(
            "nobody can be asked whether hosts may be onboarded", reason=_RISK, hint="add --yes"
        )
    unit = dn[:300]
    ctx.console.warn(f"{target.server} onboards the hosts that it finds in {unit}. {_RISK}")
    if not sure:
        ctx.agree("Onboard them?")
    site = Site(ctx, target)
    try:
        names = site.client.manage_unit(dn, children=recursive)
    except NotFoundError as error:
        error.hint = (
            "list the unit's hosts from Active Directory (ldapsearch, Get-ADComputer)"
            " and pipe their DNS names into `sbpam schedule -`"
        )
        raise
    except KeyboardInterrupt:
        raise Interrupted("interrupted", signal_number=2, hint=ACTED_OR_NOT) from None
    if nameless := names.count(""):
        ctx.console.note(f"{counted(nameless, 'host')} without a name, skipped")
    _report_names(ctx, [name for name in names if name and fqdn(name) is None])
    hosts = list(dict.fromkeys(filter(None, map(fqdn, names))))
    ctx.console.note(f"{counted(len(hosts), 'host')} in {unit}")
    return hosts


def _report_names(ctx: Context, refused: list[str]) -> None:
    if refused:
        ctx.outcome.partial = True
        reasons = [f"{shown(name)} {why_not(name)}" for name in refused[:_REFUSED_SHOWN]]
        if more := len(refused) - len(reasons):
            reasons.append(f"and {more:,} more")
        ctx.console.warn(f"{counted(len(refused), 'name')} left out: {'; '.join(reasons)}")
