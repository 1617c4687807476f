"""JSON of the server <-> models. Reads tolerantly, and lets only listed fields through.

Shapes and names: vendor's 4.1 and 4.2 pages; what a live 25.12 server was seen
to do is in the comments. The graph that a single job drags along holds
password hashes and the like: nothing leaves this module but the fields that
are named here.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

from sbpam_cli.models import (
    END_OF_TIME,
    SERVER_STATUSES,
    FailureReason,
    KnownHost,
    ScanHost,
    ScanJob,
    ScanStatus,
    ServiceAccount,
    Token,
)
from sbpam_cli.names import canonical_uuid

_NO_UUID = "00000000-0000-0000-0000-000000000000"
_INTEGER = re.compile(r"[+-]?[0-9]{1,9}", re.ASCII)
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(\.\d+)?\s*(Z|[+-]\d\d:?\d\d)?", re.ASCII
)
_LONGEST_TEXT = 2000
_LAST_MOMENT = 253402300800
_LARGE_BYTES = 100_000
"""From here on the import of msgspec pays."""


class WireError(Exception):
    """A reply that cannot be understood. The message says how, without its values."""


def decode(content: bytes) -> Any:
    """The JSON value in a body; WireError where it is none."""
    import json

    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise WireError("the reply is not JSON") from error


def encode_hosts(names: Sequence[str]) -> bytes:
    """The body of the scheduling call: a JSON array of strings."""
    import json

    return json.dumps(list(names), separators=(",", ":")).encode()


def read_text(value: object) -> str | None:
    """A text field; numbers as text, None for what is empty or no scalar.

    JSON can spell half a surrogate pair, which neither a disk nor a terminal takes.
    """
    if isinstance(value, str):
        text = value.strip()[:_LONGEST_TEXT]
        return (text if text.isascii() else text.encode("utf-8", "replace").decode()) or None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return None


def _squeeze(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())


_STATUS_NAMES = {_squeeze(status): status for status in SERVER_STATUSES}
_REASON_NAMES = {_squeeze(reason): reason for reason in FailureReason}
_REASONS = tuple(FailureReason)


def _integer(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        return int(value)
    return None


def read_status(value: object, description: object) -> tuple[ScanStatus | None, str | None]:
    """`ActionStatus` and the description beside it -> (status, detail).

    The status is None where neither says anything. The integers are partly
    inferred (1 and 5 were seen live), so a description that names a status
    wins over an integer. `detail` is the description where it says more than
    the status, and the value itself where it is none that we know.
    """
    text = read_text(description)
    described = _STATUS_NAMES.get(_squeeze(text)) if text else None
    number = _integer(value)
    odd = None
    status: ScanStatus | None
    if number is not None:
        if number == -1:
            status = ScanStatus.PENDING
        elif 0 <= number < len(SERVER_STATUSES):
            status = SERVER_STATUSES[number]
        else:
            status, odd = ScanStatus.UNKNOWN, f"status {number}"
        if described is not None:
            return described, None
    elif value is None or value == "":
        status = described
    else:
        named = _STATUS_NAMES.get(_squeeze(value)) if isinstance(value, str) else None
        status = named or described or ScanStatus.UNKNOWN
        if named is None and described is None:
            odd = f"status {_show(value)}"
    detail = text if text and described is not status else None
    return status, "; ".join(part for part in (odd, detail) if part) or None


def _show(value: object) -> str:
    return read_text(value) or type(value).__name__


def read_failure(value: object) -> tuple[FailureReason | None, str | None]:
    """`ActionFailureReason` -> (reason, detail); NoError and null are absence."""
    number = _integer(value)
    reason: FailureReason | None
    if number is not None:
        if not 0 <= number < len(_REASONS):
            return FailureReason.UNKNOWN_ERROR, f"failure reason {number}"
        reason = _REASONS[number]
    elif value is None or value == "":
        return None, None
    else:
        named = _REASON_NAMES.get(_squeeze(value)) if isinstance(value, str) else None
        if named is None:
            return FailureReason.UNKNOWN_ERROR, f"failure reason {_show(value)}"
        reason = named
    return (None if reason is FailureReason.NO_ERROR else reason), None


def read_time(value: object) -> float | None:
    """An ISO time as epoch seconds; without a zone it is UTC; before 1970 (year 1) it is unset."""
    if not isinstance(value, str) or not (match := _TIME.fullmatch(value.strip())):
        return None
    from datetime import datetime, timedelta, timezone

    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    if year <= 1:
        return None
    zone = match[8]
    offset = timedelta()
    if zone and zone != "Z":
        digits = zone[1:].replace(":", "")
        offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        offset = -offset if zone[0] == "-" else offset
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=timezone(offset))
    except ValueError:
        return None
    found = moment.timestamp() + float(match[7] or 0)
    return found if 0 <= found < END_OF_TIME else None


ReadOutcome = tuple[ScanStatus | None, FailureReason | None, str | None]


def read_outcome(status: object, description: object, failure: object) -> ReadOutcome:
    """How a host fares: status, failure reason, detail."""
    try:
        return known_outcome(status, description, failure)
    except TypeError:  # an array or an object, which cannot be remembered
        return _read_outcome(status, description, failure)


def _read_outcome(status: object, description: object, failure: object) -> ReadOutcome:
    known, detail = read_status(status, description)
    reason, odd = read_failure(failure)
    return known, reason, _join(detail, odd)


# A hundred thousand hosts share a few. Typed: `true` is no 1.
known_outcome = lru_cache(1024, typed=True)(_read_outcome)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _join(*parts: str | None) -> str | None:
    return "; ".join(part for part in parts if part) or None


def _listed_host(item: Mapping[str, Any]) -> ScanHost:
    status, reason, detail = _outcome_in(item)
    return ScanHost(
        name=read_text(item.get("name")),
        dns_host_name=read_text(item.get("dnsHostName")),
        status=status,
        failure_reason=reason,
        os=read_text(item.get("os")),
        ip_address=read_text(item.get("ipAddress")),
        version=read_text(item.get("version")),
        detail=detail,
        host_id=canonical_uuid(item.get("hostId")),
    )


def _outcome_in(item: Mapping[str, Any]) -> ReadOutcome:
    return read_outcome(
        item.get("status"), item.get("statusDescription"), item.get("failureReason")
    )


def _joined_host(item: Mapping[str, Any]) -> ScanHost:
    host = _mapping(item.get("hostScanHost"))
    queue = item.get("actionQueue")
    action = _mapping(queue)
    status, reason, detail = _outcome_in(action)
    return ScanHost(
        name=read_text(host.get("name")),
        dns_host_name=read_text(host.get("dnsHostName")),
        status=ScanStatus.QUEUED if queue is None else status or ScanStatus.UNKNOWN,
        failure_reason=reason,
        os=read_text(host.get("os")),
        ip_address=read_text(host.get("ipAddress")),
        version=read_text(host.get("version")),
        detail=detail,
        host_id=canonical_uuid(host.get("hostId")),
        credential_id=canonical_uuid(host.get("credentialId")),
        started_at=read_time(action.get("timeStarted")),
        finished_at=read_time(action.get("timeFinished")),
    )


def decode_job(content: bytes) -> ScanJob:
    """The job in a body, whatever its size and shape. Raises WireError."""
    if len(content) >= _LARGE_BYTES:
        from sbpam_cli.nps.large_replies import read_large_job

        if (job := read_large_job(content)) is not None:
            return job
    return read_job(decode(content))


def read_job(value: object) -> ScanJob:
    """A job from either of its shapes: `HostScanJobStatus` or `HostScanJob`.

    Raises WireError where it is no object or its id is missing, all zeros or
    no UUID.
    """
    item = _mapping(value)
    listed, joined = item.get("hostScanHostStatus"), item.get("hostScanJobHostJoin")
    hosts: list[ScanHost] | None = None
    if isinstance(listed, list):
        hosts = [_listed_host(entry) for entry in listed if isinstance(entry, dict) and entry]
    elif isinstance(joined, list):
        hosts = [_joined_host(entry) for entry in joined if isinstance(entry, dict) and entry]
    return make_job(item, hosts)


def make_job(item: Mapping[str, Any], hosts: Sequence[ScanHost] | None) -> ScanJob:
    """A job from its own fields and its hosts. Raises WireError, as `read_job` does."""
    job_id = canonical_uuid(item.get("id"))
    if job_id is None or job_id == _NO_UUID:
        raise WireError("the reply holds no job with an id")
    status, detail = read_status(item.get("status"), item.get("statusDescription"))
    creator = read_text(item.get("createdBy"))
    return ScanJob(
        job_id=job_id,
        status=status,
        detail=detail,
        hosts=hosts,
        created_at=read_time(item.get("createdDateTimeUtc")),
        created_by=creator if creator != _NO_UUID else None,
        node_id=read_text(item.get("nodeId")),
    )


def read_each_job(items: Iterable[object]) -> Iterator[ScanJob]:
    """The jobs of the list; entries without a usable id are passed over."""
    for item in items:
        try:
            yield read_job(item)
        except WireError:
            continue


def read_rows(value: object) -> list[Mapping[str, Any]]:
    """An array of objects; what is none is an empty row, so that positions stay."""
    if not isinstance(value, list):
        raise WireError("the reply is not a list of rows")
    return [_mapping(row) for row in value]


def read_accounts(value: object) -> tuple[list[ServiceAccount], int | None]:
    """A page of `Credential/Search`: its rows, and the total that the server speaks of.

    A row without anything in it stays: their number is the server's.
    They hold secrets: these fields alone get through.
    """
    rows, total = _page(value, "accounts")
    return [_account(row) for row in rows], total


def _page(value: object, what: str) -> tuple[list[Mapping[str, Any]], int | None]:
    page = _mapping(value)
    rows, total = page.get("data"), _integer(page.get("recordsTotal"))
    if not isinstance(rows, list) and total != 0:
        raise WireError(f"the reply holds no list of {what}")
    return [_mapping(row) for row in rows] if isinstance(rows, list) else [], total


def _account(row: Mapping[str, Any]) -> ServiceAccount:
    credential_id = canonical_uuid(row.get("credentialId"))
    texts = ("userName", "domain", "displayName", "resource", "platform", "managedType")
    known = credential_id if credential_id != _NO_UUID else None
    return ServiceAccount(known, *(read_text(row.get(key)) for key in texts))


def read_hosts(value: object, *, enrolled: bool) -> tuple[list[KnownHost], int | None]:
    """A page of `ManagedResource/Search`, or of its `Candidate/Search`, and the total."""
    rows, total = _page(value, "hosts")
    return [_known_host(row, enrolled) for row in rows], total


def _known_host(row: Mapping[str, Any], enrolled: bool) -> KnownHost:
    inner, disabled = _mapping(row.get("host")), row.get("disableWinRm")
    return KnownHost(
        read_text(row.get("dnsHostName")),
        read_text(row.get("name") or row.get("displayName")),
        enrolled,
        read_time(row.get("lastScanTimeUtc")),
        read_text(row.get("os")),
        read_text(row.get("ipAddress")),
        read_text(row.get("saName") or row.get("serviceAccountName")),
        not disabled if isinstance(disabled, bool) else None,
        read_text(row.get("distinguishedName")) or read_text(inner.get("distinguishedName")),
    )


def read_names(value: object) -> list[str]:
    """An array of names; empty for null. Raises WireError where anything else is in it."""
    if not isinstance(value, list) or not all(
        name is None or isinstance(name, str) for name in value
    ):
        raise WireError("the reply is not a list of names")
    return [read_text(name) or "" for name in value]


def read_token(content: bytes, server_now: float) -> Token:
    """A token from a JSON string or bare text (a proxy or an older version sends that).

    server_now: the server's clock, epoch seconds. The JWT is trusted for its
    times alone. Raises WireError where the body is no token.
    """
    import json

    text = content.decode("utf-8-sig", "replace")
    with suppress(ValueError, RecursionError):
        text = json.loads(text)
    return make_token(text if isinstance(text, str) else "", server_now)


def make_token(text: str, server_now: float | None) -> Token:
    """A token from its text; its times where it is a JWT that tells them."""
    text = text.strip().removeprefix("Bearer ").strip()
    if not text or not text.isascii() or not text.isprintable() or " " in text or "<" in text:
        raise WireError("the reply is not a token")
    claims = _jwt_claims(text)
    issued = _number(claims.get("iat"))
    return Token(text, _number(claims.get("exp")), issued if issued is not None else server_now)


def _number(value: object) -> float | None:
    """A claim's epoch seconds, None for what is none or lies after the year 9999."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < _LAST_MOMENT else None


def _jwt_claims(text: str) -> Mapping[str, Any]:
    import base64
    import json

    parts = text.split(".")
    if len(parts) != 3:
        return {}
    try:
        raw = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        return _mapping(json.loads(raw))
    except (ValueError, RecursionError):
        return {}
