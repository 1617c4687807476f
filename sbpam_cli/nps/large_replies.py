"""Large jobs: msgspec reads the listed fields alone, and hosts are made column by column.

Eight times faster than `json` and a host at a time, in a quarter of the
memory. Small replies don't pay for its import.
"""

import re
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any

from sbpam_cli.models import ScanHost, ScanJob, ScanStatus
from sbpam_cli.names import UUID, canonical_uuid
from sbpam_cli.nps import replies as wire

_LONGEST_PLAIN = 255
_UUIDS = re.compile(rf"(?:{UUID}\n)*{UUID}", re.ASCII)
_JOB = ("id", "status", "statusDescription", "createdDateTimeUtc")
_CREATOR = ("createdBy", "nodeId")
_HOST = ("name", "dnsHostName", "os", "ipAddress", "version", "hostId")
_OUTCOME = ("status", "statusDescription", "failureReason")


def read_large_job(content: bytes) -> ScanJob | None:
    """The job in a body; None where something in it is not as expected.

    Such a one is for `wire.read_job`, which takes everything and says what is wrong.
    """
    import msgspec

    try:
        job = _decoder().decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    hosts: Sequence[ScanHost] | None = None
    if job.hostScanHostStatus is not None:
        listed = [item for item in job.hostScanHostStatus if item is not None]
        hosts = _listed_hosts(listed)
    elif job.hostScanJobHostJoin is not None:
        joined = [item for item in job.hostScanJobHostJoin if item is not None]
        if any(item.hostScanHost is None for item in joined):
            return None
        hosts = _joined_hosts(joined)
    # An empty object looks the same.
    if any(host.name is None and host.dns_host_name is None for host in hosts or ()):
        return None
    return wire.make_job({key: getattr(job, key) for key in (*_JOB, *_CREATOR)}, hosts)


@cache
def _decoder() -> Any:
    """Of both shapes. A field may be anything; what has fields is an object or null."""
    import msgspec

    def struct(name: str, *fields: Any) -> Any:
        return msgspec.defstruct(name, fields, gc=False)

    array: Any = list  # Types that are made at run time are none to a type checker.

    def free(*names: str) -> list[Any]:
        return [(name, Any, None) for name in names]

    listed = struct("Listed", *free(*_HOST, *_OUTCOME))
    host = struct("Host", *free(*_HOST, "credentialId"))
    action = struct("Action", *free(*_OUTCOME, "timeStarted", "timeFinished"))
    parts = [("hostScanHost", host | None, None), ("actionQueue", action | None, None)]
    job = struct(
        "Job",
        *free(*_JOB, *_CREATOR),
        ("hostScanHostStatus", array[listed | None] | None, None),
        ("hostScanJobHostJoin", array[struct("Join", *parts) | None] | None, None),
    )
    return msgspec.json.Decoder(job)


def _listed_hosts(items: Sequence[Any]) -> Sequence[ScanHost]:
    name, dns, system, address, version, host_id, *told = _columns(items, *_OUTCOME)
    try:
        outcomes = list(map(wire.known_outcome, *told))
    except TypeError:  # an array or an object, which cannot be remembered
        outcomes = list(map(wire.read_outcome, *told))
    status, reason, detail = zip(*outcomes, strict=True) if items else ((), (), ())
    columns = (name, dns, status, reason, system, address, version, detail, host_id)
    return [*map(ScanHost, *columns)]


def _joined_hosts(items: Sequence[Any]) -> list[ScanHost]:
    name, dns, system, address, version, host_id = _columns([item.hostScanHost for item in items])
    hosts = []
    for number, item in enumerate(items):
        queue = item.actionQueue
        status, reason, detail = _outcome(queue)
        hosts.append(
            ScanHost(
                name=name[number],
                dns_host_name=dns[number],
                status=ScanStatus.QUEUED if queue is None else status or ScanStatus.UNKNOWN,
                failure_reason=reason,
                os=system[number],
                ip_address=address[number],
                version=version[number],
                detail=detail,
                host_id=host_id[number],
                credential_id=canonical_uuid(item.hostScanHost.credentialId),
                started_at=wire.read_time(queue.timeStarted) if queue is not None else None,
                finished_at=wire.read_time(queue.timeFinished) if queue is not None else None,
            )
        )
    return hosts


def _outcome(item: Any) -> wire.ReadOutcome:
    if item is None:
        return None, None, None
    return wire.read_outcome(item.status, item.statusDescription, item.failureReason)


def _columns(items: Sequence[Any], *others: str) -> tuple[list[Any], ...]:
    """The fields of `_HOST`, in its order, and others as they came."""
    if not items:
        return ([],) * (len(_HOST) + len(others))
    fields = attrgetter(*_HOST, *others)
    name, dns, system, address, version, host_id, *rest = map(
        list, zip(*map(fields, items), strict=True)
    )
    return (
        _texts(name),
        _texts(dns),
        _each(_known_text, system),
        _texts(address),
        _each(_known_text, version),
        _ids(host_id),
        *rest,
    )


_known_text = lru_cache(1024, typed=True)(wire.read_text)


def _each(read: Callable[[object], str | None], values: list[Any]) -> list[str | None]:
    try:
        return list(map(read, values))
    except TypeError:  # a value that cannot be remembered
        return [wire.read_text(value) for value in values]


def _ids(values: list[Any]) -> list[str | None]:
    """`canonical_uuid` of each, at once where all are, or none."""
    if values.count(None) == len(values):
        return values
    try:
        joined = "\n".join(values)
    except TypeError:
        return [canonical_uuid(value) for value in values]
    found: list[str | None] = []
    if _UUIDS.fullmatch(joined) and len(found := [*joined.lower().split("\n")]) == len(values):
        return found
    return [canonical_uuid(value) for value in values]


def _texts(values: list[Any]) -> list[str | None]:
    """`read_text` of each, at once where all are short words already, or none."""
    if values.count(None) == len(values):
        return values
    try:
        joined = "".join(values)
    except TypeError:
        return [wire.read_text(value) for value in values]
    plain = joined.isascii() and joined.isprintable() and " " not in joined
    if plain and "" not in values and max(map(len, values), default=0) <= _LONGEST_PLAIN:
        return values
    return [wire.read_text(value) for value in values]
