"""A job's hosts, as the server spells them <-> the hosts that were asked for."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sbpam_cli.models import HostRow, ScanHost, ScanJob, ScanStatus
from sbpam_cli.names import fold_host

NOT_IN_REPLY = "not in the reply"


class Match(NamedTuple):
    """rows: one per asked name, in order. missing: those the job does not hold.

    unasked: names in the job that nobody asked for. nameless: it holds hosts
    without a name, so those that are missing may be in it.
    """

    rows: Sequence[HostRow]
    missing: list[str]
    unasked: list[str]
    nameless: bool = False


def make_rows(
    names: Sequence[str], job_id: str | None, hosts: Sequence[ScanHost], unsaid: ScanStatus
) -> Sequence[HostRow]:
    """The rows of hosts under these names, as `make_row` has them."""
    return [make_row(name, job_id, host, unsaid) for name, host in zip(names, hosts, strict=True)]


def make_row(host: str, job_id: str | None, found: ScanHost, unsaid: ScanStatus) -> HostRow:
    """The row of a host as the server tells it; `unsaid` where it tells no status."""
    return HostRow(
        host,
        found.status or unsaid,
        job_id,
        found.failure_reason,
        found.os,
        found.ip_address,
        found.version,
        found.detail,
        found.host_id,
        found.started_at,
        found.finished_at,
    )


def host_name(found: ScanHost) -> str:
    """The name of a host that the server holds: its FQDN where it tells one, else its name."""
    return fold_host(found.dns_host_name or found.name or "")


def match_hosts(names: Sequence[str], hosts: Iterable[ScanHost]) -> dict[str, ScanHost]:
    """Asked name -> the job's host of that name.

    By `dnsHostName`, else by `name` where it is the FQDN or the first label of
    exactly one asked host; case and a trailing dot don't count.
    """
    asked = set(names)
    short: dict[str, str | None] | None = None
    found: dict[str, ScanHost] = {}
    for host in hosts:
        if host.dns_host_name is not None:
            name: str | None = fold_host(host.dns_host_name)
        else:
            name = fold_host(host.name or "")
            if name not in asked:
                if short is None:
                    short = _first_labels(names)
                name = short.get(name)
        if name is not None and name in asked:
            found.setdefault(name, host)
    return found


def _first_labels(names: Iterable[str]) -> dict[str, str | None]:
    labels: dict[str, str | None] = {}
    for name in names:
        label = name.partition(".")[0]
        labels[label] = None if label in labels else name
    return labels


def match_job(names: Sequence[str], job: ScanJob, *, unsaid: ScanStatus) -> Match:
    """The rows of a batch from its job.

    unsaid: the status of a host about whose status the server says nothing.
    A null or absent array says nothing about any host: all have `unsaid`.
    Missing hosts have the status Accepted here, with a detail: that they are
    not in the job is believed only after a second look.
    """
    if job.hosts is None:
        return Match([HostRow(name, unsaid, job.job_id) for name in names], [], [])
    if [host.dns_host_name for host in job.hosts] == names:
        return Match(make_rows(names, job.job_id, job.hosts, unsaid), [], [])
    hosts = list(job.hosts)
    found = match_hosts(names, hosts)
    rows, missing = [], []
    for name in names:
        host = found.get(name)
        if host is not None:
            rows.append(make_row(name, job.job_id, host, unsaid))
        else:
            missing.append(name)
            rows.append(HostRow(name, ScanStatus.ACCEPTED, job.job_id, detail=NOT_IN_REPLY))
    unasked: list[str] = []
    if len(found) != len(hosts):
        used = {id(host) for host in found.values()}
        unasked = [host_name(host) for host in hosts if id(host) not in used]
        unasked = [name for name in unasked if name and name not in found]
    return Match(rows, missing, unasked, not all(map(host_name, hosts)))


def is_unconfirmed(row: HostRow) -> bool:
    """Whether it is the row of a host that a reply left out, before the second look."""
    return row.status is ScanStatus.ACCEPTED and (row.detail or "").startswith(NOT_IN_REPLY)


def without_missing(match: Match) -> Sequence[HostRow]:
    """The rows after a second look: what is missing now was not accepted."""
    if not match.missing or match.nameless:
        return match.rows
    missing = set(match.missing)
    return [
        row._replace(status=ScanStatus.NOT_ACCEPTED) if row.host in missing else row
        for row in match.rows
    ]


def name_unasked(unasked: Sequence[str]) -> str | None:
    """The part of `detail` that names what nobody asked for."""
    if not unasked:
        return None
    shown = ", ".join(unasked[:3])
    more = f" and {len(unasked) - 3} more" if len(unasked) > 3 else ""
    return f"the reply names {shown}{more}"
