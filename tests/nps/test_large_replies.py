"""A large reply reads as a small one does: the quick way and the tolerant way agree."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbpam_cli.models import ScanStatus
from sbpam_cli.nps import wire
from sbpam_cli.nps.large_replies import read_large_job

JOB = "11111111-0000-4000-8000-000000000001"

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-3, 14)
    | st.floats(allow_nan=False)
    | st.sampled_from(["", " Running. ", "complete", "AccessDenied", "7", JOB, JOB.upper(), "Zoë"])
    | st.text(max_size=8)
)
values = scalars | st.lists(scalars, max_size=2) | st.dictionaries(st.text(), scalars, max_size=2)
names = st.none() | st.text(max_size=12) | st.sampled_from(["web01.corp.example", "Web02"]) | values
times = st.sampled_from([None, "2026-11-23T03:15:02Z", "0001-01-01T00:00:00", 5])
own = {"name": names, "dnsHostName": names, "os": values, "ipAddress": values, "version": values}
own |= {"hostId": values, "unknown": values}
outcome = {"status": values, "statusDescription": values, "failureReason": values}
listed = st.fixed_dictionaries({}, optional={**own, **outcome}) | values
host = st.fixed_dictionaries({}, optional={**own, "credentialId": values}) | values
action = st.fixed_dictionaries({}, optional={**outcome, "timeStarted": times, "x": values}) | values
joined = st.fixed_dictionaries({}, optional={"hostScanHost": host, "actionQueue": action}) | values
jobs = st.fixed_dictionaries(
    {"id": st.just(JOB) | values},
    optional={
        "status": values,
        "statusDescription": values,
        "createdDateTimeUtc": times,
        "createdBy": values,
        "hostScanHostStatus": st.lists(listed, max_size=4) | values,
        "hostScanJobHostJoin": st.lists(joined, max_size=4) | values,
    },
)


def outcome_of(read: Any) -> object:
    """What it answers, or that it raises."""
    try:
        return read()
    except wire.WireError as error:
        return str(error)


@given(jobs | values)
def test_both_ways_read_the_same(value: object) -> None:
    content = json.dumps(value).encode()

    def quick_first() -> object:
        return read_large_job(content) or wire.read_job(wire.decode(content))

    assert outcome_of(quick_first) == outcome_of(lambda: wire.read_job(json.loads(content)))


def hosts_of(count: int) -> list[dict[str, object]]:
    return [
        {"name": f"WEB{n}", "dnsHostName": f"web{n}.corp.example", "status": n % 4, "hostId": JOB}
        for n in range(count)
    ]


def test_what_is_as_expected_is_read_the_quick_way() -> None:
    content = json.dumps({"id": JOB, "hostScanHostStatus": [*hosts_of(3), None]}).encode()

    job = read_large_job(content)

    assert job is not None
    assert [host.status for host in job.hosts or ()] == [
        ScanStatus.QUEUED,
        ScanStatus.RUNNING,
        ScanStatus.COMPLETE,
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"id": 1',
        b'{"id": "\\ud800"}',
        b'{"id": "\xff"}',
        b'{"hostScanHostStatus": [{}]}',
        b'{"hostScanHostStatus": {}}',
        b'{"hostScanJobHostJoin": [{"hostScanHost": null}]}',
        b"[" * 100_000,
    ],
)
def test_what_is_odd_is_left_to_the_tolerant_way(content: bytes) -> None:
    assert read_large_job(content) is None


def test_the_way_is_chosen_by_size_and_the_answer_is_the_same() -> None:
    secret = {"hostScanUser": [{"passwordHash": "x" * 100_000}]}
    small = {"id": JOB, "hostScanJobHostJoin": [{"hostScanHost": host} for host in hosts_of(3)]}
    large = {
        "id": JOB,
        "hostScanJobHostJoin": [{"hostScanHost": {**host, **secret}} for host in hosts_of(3)],
    }

    job = wire.decode_job(json.dumps(large).encode())

    assert job == wire.decode_job(json.dumps(small).encode())
    assert "xxx" not in repr(job)
