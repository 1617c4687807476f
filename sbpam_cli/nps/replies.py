"""JSON of the server <-> models: one parser for every reply, whatever its size.

Tolerant of absent, null and unknown fields, and of any value in a field.
"""

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from types import NoneType
from typing import Any, TypeVar

from sbpam_cli.models import (
    END_OF_TIME,
    SERVER_STATUSES,
    FailureReason,
    KnownHost,
    Rows,
    ScanHost,
    ScanJob,
    ScanStatus,
    ServiceAccount,
    Token,
)
from sbpam_cli.names import canonical_uuid, canonical_uuids
from sbpam_cli.nps.decoding import OddError, WireError, decode, decode_rows, decoders, elements

Found = TypeVar("Found")

_NO_UUID = "00000000-0000-0000-0000-000000000000"
_INTEGER = re.compile(r"[+-]?[0-9]{1,9}", re.ASCII)
_LONGEST_TEXT = 2000
_TOKEN = re.compile(r"[!-;=-~]{1,65536}")
_LONGEST_TIME = 40
_AT_ONCE = 1_000
"""Hosts: more do not stay in a processor's cache."""


# Values.


def read_text(value: object) -> str | None:
    """A text field; numbers as text, None for what is empty or no scalar."""
    if isinstance(value, str):
        text = value.strip()[:_LONGEST_TEXT]
        return (text if text.isascii() else text.encode("utf-8", "replace").decode()) or None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)[:_LONGEST_TEXT]
    return None


def _id(value: object) -> str | None:
    found = canonical_uuid(value)
    return found if found != _NO_UUID else None


def _integer(value: object) -> int | None:
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def read_time(value: object) -> float | None:
    """An ISO time as epoch seconds; UTC if it has no zone; before 1970 (year 1) it is unset."""
    if not isinstance(value, str) or len(value) > _LONGEST_TIME:
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        found = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return found if 0 <= found < END_OF_TIME else None


def _squeeze(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())


_STATUS_NAMES = {_squeeze(status): status for status in SERVER_STATUSES} | {
    "canceled": ScanStatus.CANCELLED
}
_STATUSES = dict(enumerate(SERVER_STATUSES)) | {-1: ScanStatus.PENDING, -2: ScanStatus.UNKNOWN}
_REASON_NAMES = {_squeeze(reason): reason for reason in FailureReason}
_REASONS = dict(enumerate(FailureReason))


def _member(value: object, numbers: dict[int, Found], names: dict[str, Found]) -> Found | None:
    """Of an enumeration, by its integer, that as digits, or its name in any case."""
    number = _integer(value)
    if number is not None:
        return numbers.get(number)
    return names.get(_squeeze(value)) if isinstance(value, str) else None


def read_status(value: object, description: object) -> tuple[ScanStatus | None, str | None]:
    """`ActionStatus` and the description beside it -> (status, detail).

    The status is None if neither says anything. The integers are partly inferred (1 and 5
    were seen live), so a description that names a status wins over one. `detail` is the
    description if it says more than the status, and the value itself if nobody knows it.
    """
    text = read_text(description)
    described = _STATUS_NAMES.get(_squeeze(text)) if text else None
    known = _member(value, _STATUSES, _STATUS_NAMES)
    status = described or known if _integer(value) is not None else known or described
    if status is None and value not in (None, ""):
        return ScanStatus.UNKNOWN, _join(f"status {_show(value)}", text)
    return status, text if described is None or described is not status else None


def _read_failure(value: object) -> tuple[FailureReason | None, str | None]:
    """`ActionFailureReason` -> (reason, detail); NoError and null are absence."""
    if value in (None, ""):
        return None, None
    reason = _member(value, _REASONS, _REASON_NAMES)
    if reason is None:
        return FailureReason.UNKNOWN_ERROR, f"failure reason {_show(value)}"
    return (None if reason is FailureReason.NO_ERROR else reason), None


def _show(value: object) -> str:
    return read_text(value) or type(value).__name__


def _join(*parts: str | None) -> str | None:
    return "; ".join(part for part in parts if part) or None


def _read_outcome(
    status: object, description: object, failure: object
) -> tuple[ScanStatus | None, FailureReason | None, str | None]:
    """How a host fares: status, failure reason, detail."""
    known, detail = read_status(status, description)
    reason, odd = _read_failure(failure)
    return known, reason, _join(detail, odd)


# Jobs.


def decode_job(content: bytes) -> ScanJob:
    """A job in either of its shapes, `HostScanJobStatus` or `HostScanJob`.

    A job whose hosts are no array of objects tells nothing of them. Raises WireError if the
    reply is empty or no JSON, or the job's id is missing, all zeros or no UUID.
    """
    if not content or content.isspace():
        raise WireError("the server's reply was empty")
    hosts: Rows[ScanHost] | None = None
    try:
        job = decode(content, "job")
        hosts = _hosts_of(job)
    except OddError:
        job = decode(content, "bare job")
    if (job_id := _id(job.id)) is None:
        raise OddError("the reply holds no job with an id")
    status, detail = read_status(job.status, job.statusDescription)
    creator = read_text(job.createdBy)
    return ScanJob(
        job_id=job_id,
        status=status,
        detail=detail,
        hosts=hosts,
        created_at=read_time(job.createdDateTimeUtc),
        created_by=creator if creator != _NO_UUID else None,
        node_id=read_text(job.nodeId),
    )


def _hosts_of(job: Any) -> Rows[ScanHost] | None:
    """An entry `{}` refers back to one that was there before: it is no host."""
    known = decoders()
    if (listed := job.hostScanHostStatus) is not None:
        absent = known["no host"]
        hosts = told = [one for one in listed if one is not None and one != absent]
    elif (joined := job.hostScanJobHostJoin) is not None:
        absent = known["no join"]
        joins = [join for join in joined if join is not None and join != absent]
        # A host that is null is one without a name.
        hosts = [join.hostScanHost or known["no host"] for join in joins]
        told = [join.actionQueue or known["untold"] for join in joins]
    else:
        return None
    parts = [slice(start, start + _AT_ONCE) for start in range(0, len(hosts) or 1, _AT_ONCE)]
    return Rows.joined([_read_hosts(hosts[part], told[part]) for part in parts])


def _read_hosts(hosts: Sequence[Any], told: Sequence[Any]) -> Rows[ScanHost]:
    """A field at a time, because that takes half as long as a host at a time."""
    if not hosts:
        return Rows.of(ScanHost, [])
    status, reason, detail = _outcomes(told)
    started: Sequence[float | None] = [None]
    finished: Sequence[float | None] = [None]
    if told[0] is not hosts[0]:
        started = [read_time(one.timeStarted) for one in told]
        finished = [read_time(one.timeFinished) for one in told]
        # One without a queue has yet to begin.
        untold, unsaid = decoders()["untold"], (ScanStatus.UNKNOWN, ScanStatus.QUEUED)
        each = status if len(status) == len(told) else [*status] * len(told)
        status = [own or unsaid[one is untold] for own, one in zip(each, told, strict=True)]
    columns = {
        "name": _texts([host.name for host in hosts]),
        "dns_host_name": _texts([host.dnsHostName for host in hosts]),
        "status": status,
        "failure_reason": reason,
        "os": _texts([host.os for host in hosts]),
        "ip_address": _texts([host.ipAddress for host in hosts]),
        "version": _texts([host.version for host in hosts]),
        "detail": detail,
        "host_id": canonical_uuids([host.hostId for host in hosts]),
        "started_at": started,
        "finished_at": finished,
        "credential_id": canonical_uuids([host.credentialId for host in hosts]),
    }
    return Rows(ScanHost, columns, len(hosts))


def _texts(values: Sequence[Any]) -> Sequence[str | None]:
    """`read_text` of each, or of all; what many hosts have in common is read and kept once."""
    kinds = set(map(type, values))
    if kinds <= {str, NoneType}:
        different = set(values)
        if len(different) == 1:
            return [read_text(values[0])]
        if len(different) * 2 <= len(values):
            read = {value: read_text(value) for value in different}
            return list(map(read.__getitem__, values))
        if kinds == {str}:
            texts = list(map(str.strip, values))
            if all(texts) and "".join(texts).isascii() and max(map(len, texts)) <= _LONGEST_TEXT:
                return texts
    return list(map(read_text, values))


def _outcomes(told: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """How hosts fare: columns of status, failure reason and detail. Many hosts share a few."""
    given = [
        [one.status for one in told],
        [one.statusDescription for one in told],
        [one.failureReason for one in told],
    ]
    # `true` is equal to 1, and an array cannot be looked up.
    if {kind for column in given for kind in set(map(type, column))} <= {int, str, NoneType}:
        if all(column.count(column[0]) == len(column) for column in given):
            return [[value] for value in _read_outcome(*(column[0] for column in given))]
        keys = list(zip(*given, strict=True))
        read = {key: _read_outcome(*key) for key in set(keys)}
        return zip(*map(read.__getitem__, keys), strict=True)
    return zip(*map(_read_outcome, *given), strict=True)


def read_jobs(chunks: Iterable[bytes]) -> Iterator[ScanJob]:
    """The jobs of the list, as they arrive; elements without a usable id are passed over.

    Raises WireError as `elements` does; the jobs before that were good.
    """
    for element in elements(chunks):
        try:
            yield decode_job(element)
        except OddError:
            continue
        except WireError as error:
            raise WireError("the list of jobs is cut off or broken") from error


# Lists.


def read_names(content: bytes) -> list[str]:
    """An array of names; empty for null."""
    return [read_text(name) or "" for name in decode(content, "names")]


def read_rows(content: bytes) -> list[dict[str, str | None]]:
    """The rows of the validation, in their places."""
    from msgspec.structs import asdict

    rows = decode_rows(decode(content, "rows"), "checked")
    return [{key: read_text(value) for key, value in asdict(row).items()} for row in rows]


Page = tuple[list[Any], int | None]
"""Rows in their places, and the total that the server speaks of."""


def _read_page(content: bytes, kind: str, read: Callable[[Any], object]) -> Page:
    page = decode(content, "page")
    total = _integer(page.recordsTotal)
    if page.data is None and total != 0:
        raise WireError("the reply holds no rows")
    return [read(row) for row in decode_rows(page.data or (), kind)], total


def read_accounts(content: bytes) -> Page:
    """A page of `Credential/Search`, as ServiceAccount."""
    return _read_page(content, "accounts", _account)


def _account(row: Any) -> ServiceAccount:
    from msgspec.structs import astuple

    credential_id, *texts = astuple(row)
    return ServiceAccount(_id(credential_id), *map(read_text, texts))


def read_named_accounts(content: bytes) -> list[ServiceAccount]:
    """`Credential`, which alone has the console's name: it is the display name here."""
    return [_account(row) for row in decode_rows(decode(content, "rows"), "named accounts")]


def read_hosts(content: bytes, *, enrolled: bool) -> Page:
    """A page of `ManagedResource/Search`, or of its `Candidate/Search`, as KnownHost."""

    def read(row: Any) -> KnownHost:
        return KnownHost(
            dns_host_name=read_text(row.dnsHostName),
            name=read_text(row.name or row.displayName),
            enrolled=enrolled,
            last_scan_at=read_time(row.lastScanTimeUtc),
            os=read_text(row.os),
            ip_address=read_text(row.ipAddress),
            service_account=read_text(row.saName or row.serviceAccountName),
            winrm=None if not isinstance(row.disableWinRm, bool) else not row.disableWinRm,
            distinguished_name=read_text((row.host or row).distinguishedName),
        )

    return _read_page(content, "hosts", read)


# Tokens.


def read_token(content: bytes, server_now: float) -> Token:
    """A token from a JSON string, or bare text (of a proxy, an older version). Raises WireError."""
    try:
        text = decode(content)
    except WireError:
        text = content.decode("utf-8-sig", "replace")
    return make_token(text if isinstance(text, str) else "", server_now)


def make_token(text: str, server_now: float | None) -> Token:
    """A token from its text. A JWT is trusted for its times alone. Raises WireError."""
    text = text.strip().removeprefix("Bearer ").strip()
    if not _TOKEN.fullmatch(text):
        raise WireError("the reply is not a token")
    expires = issued = None
    with suppress(ValueError, WireError):
        _, payload, _ = text.split(".")
        claims = decode(base64.urlsafe_b64decode(payload + "=="), "claims")
        expires, issued = _moment(claims.exp), _moment(claims.iat)
    return Token(text, expires, issued if issued is not None else server_now)


def _moment(value: object) -> float | None:
    """A claim's epoch seconds, None for what is none or lies after the year 9999."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < END_OF_TIME else None
