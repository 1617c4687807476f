"""Replies of any JSON in both shapes; times; tokens."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tables import JSON

from sbpam_cli.models import SERVER_STATUSES, FailureReason, ScanHost, ScanJob
from sbpam_cli.names import canonical_uuid
from sbpam_cli.nps import replies as wire
from sbpam_cli.nps.decoding import WireError

JOB_ID = "9c711ab3-8fc1-4d66-88d4-08f85117f32e"
HOST_ID = "70e3fb2d-1cb6-4dbc-ab8d-fa7209aca5dd"


def job_of(value: Any) -> ScanJob:
    return wire.decode_job(json.dumps(value).encode())


def in_list_shape(**fields: Any) -> ScanHost:
    job = job_of({"id": JOB_ID, "hostScanHostStatus": [{"hostId": HOST_ID, "name": "x", **fields}]})
    [host] = list(job.hosts or [])
    return host


def in_single_shape(**fields: Any) -> ScanHost:
    keys = ("status", "statusDescription", "failureReason")
    queue = {key: fields.pop(key) for key in keys if key in fields}
    join = {"hostScanHost": {"hostId": HOST_ID, **fields}, "actionQueue": queue}
    job = job_of({"id": JOB_ID, "hostScanJobHostJoin": [join]})
    [host] = list(job.hosts or [])
    return host


@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            (
                *("id", "status", "statusDescription", "hostScanHostStatus"),
                *("hostScanJobHostJoin", "createdDateTimeUtc", "createdByUserName"),
            ),
            JSON,
        ),
    )
    | JSON
)
def test_any_json_is_a_job_or_a_refusal(value: Any) -> None:
    try:
        job = job_of(value)
    except WireError:
        assert canonical_uuid(value.get("id") if isinstance(value, dict) else None) is None
    else:
        assert job.job_id == value["id"].lower()


FIELDS = (
    *("status", "statusDescription", "failureReason", "name", "dnsHostName", "os", "ipAddress"),
    *("version", "hostId", "credentialId"),
)


@pytest.mark.parametrize("shape", [in_list_shape, in_single_shape])
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, JSON)))
def test_any_json_in_any_field_of_a_host(shape: Any, fields: dict[str, Any]) -> None:
    host = shape(**fields)
    assert host.status is None or host.status in SERVER_STATUSES
    assert host.failure_reason in (None, *FailureReason)
    for text in (host.name, host.dns_host_name, host.os, host.ip_address, host.version):
        assert text is None or text.encode("utf-8")
    assert host.detail is None or host.detail.encode("utf-8")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23T03:15:02", 1795403702.0),
        ("2026-11-23T03:15:02Z", 1795403702.0),
        ("2026-11-23T05:15:02.5000000+02:00", 1795403702.5),
        ("0001-01-01T00:00:00", None),
        ("2026-02-30T00:00:00", None),
        ("2026-11-23T03:15:02+99:99", None),
        ("soon", None),
        (None, None),
        (7, None),
    ],
)
def test_times_are_utc(text: Any, expected: float | None) -> None:
    assert wire.read_time(text) == expected


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"7", b"[]", b'{"token": "x"}', b'"two words"', b"<html>", b'""', b"\xff\xfe"],
)
def test_what_is_no_token(body: bytes) -> None:
    with pytest.raises(WireError):
        wire.read_token(body, 0.0)


@pytest.mark.parametrize(
    "body", [b'"a.b.c"', b"a.b.c\r\n", b'\xef\xbb\xbf"a.b.c"', b"Bearer a.b.c"]
)
def test_a_token_as_json_or_bare_text(body: bytes) -> None:
    assert wire.read_token(body, 5.0).value == "a.b.c"


@pytest.mark.parametrize("claim", ["1e999", "-5", "true", '"soon"', "1" + "0" * 400, "NaN"])
def test_a_token_with_odd_times_has_none(claim: str) -> None:
    import base64

    payload = base64.urlsafe_b64encode(f'{{"exp": {claim}}}'.encode()).decode().rstrip("=")
    assert wire.make_token(f"x.{payload}.x", None).expires_at is None


@given(st.text(max_size=60) | st.binary(max_size=40).map(lambda b: b.decode("latin-1")))
def test_any_text_is_a_token_or_a_refusal(text: str) -> None:
    try:
        token = wire.make_token(text, None)
    except WireError:
        return
    assert token.value.isascii()
    assert " " not in token.value
