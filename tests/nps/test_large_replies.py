"""A large reply reads as a small one does: the quick way and the tolerant way agree."""

import json
import subprocess
import sys
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from sbpam_cli.models import ScanStatus
from sbpam_cli.nps import replies as wire
from sbpam_cli.nps.large_replies import read_large_job

JOB = "11111111-0000-4000-8000-000000000001"
HOST_ID = "9C711AB3-8FC1-4d66-88d4-08f85117f32e"
OWN = ("name", "dnsHostName", "os", "ipAddress", "version", "hostId")
OUTCOME = ("status", "statusDescription", "failureReason")
CREATOR = ("createdByUserName", "createdBy", "createdFromAddress")
MOST = 4

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-3, 14)
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", " Running. ", "complete", "AccessDenied", "7", JOB, HOST_ID, "Zoë"])
    | st.text(max_size=8)
)
values = scalars | st.lists(scalars, max_size=2) | st.dictionaries(st.text(), scalars, max_size=2)
words = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=8)
times = st.sampled_from(
    [None, "2026-11-23T03:15:02Z", "2026-11-24T04:00:00.5", "0001-01-01T00:00:00", 5]
)
# How a column is read depends on all that is in it: each is drawn of one kind.
columns = st.one_of(
    *[
        st.lists(kind, min_size=MOST, max_size=MOST)
        for kind in (words, st.just(HOST_ID), st.none() | words, scalars, values)
    ]
)
names = st.lists(words, min_size=MOST, max_size=MOST)
queue = {"timeStarted": times, "timeFinished": times, **dict.fromkeys((*OUTCOME, "x"), values)}
queued = st.fixed_dictionaries({}, optional=queue)
queues = st.lists(st.none() | queued, min_size=MOST, max_size=MOST)


def hosts(*fields: str) -> SearchStrategy[list[dict[str, Any]]]:
    """Up to so many with these fields, each with a name: an empty object is no host."""
    free = dict.fromkeys(fields, columns)
    either = st.fixed_dictionaries({**free, "name": names}) | st.fixed_dictionaries(
        {**free, "dnsHostName": names}
    )
    return st.builds(
        lambda drawn, count: [{key: drawn[key][n] for key in drawn} for n in range(count)],
        either,
        st.integers(0, MOST),
    )


def jobs(key: str, entries: SearchStrategy[Any]) -> SearchStrategy[dict[str, Any]]:
    """Jobs with their hosts under `key`; all else may be anything."""
    free = dict.fromkeys(("status", "statusDescription", *CREATOR, "x"), values)
    ids = st.sampled_from([JOB, JOB.upper(), HOST_ID])
    return st.fixed_dictionaries(
        {"id": ids, key: entries}, optional={**free, "createdDateTimeUtc": times}
    )


listed = jobs("hostScanHostStatus", hosts(*OWN, *OUTCOME, "x"))
joined = jobs(
    "hostScanJobHostJoin",
    st.builds(
        lambda held, queues: [
            {"hostScanHost": host, "actionQueue": queue}
            for host, queue in zip(held, queues, strict=False)
        ],
        hosts(*OWN, "credentialId", "x"),
        queues,
    ),
)


@settings(max_examples=100)
@given(listed | joined)
def test_what_is_well_formed_is_read_quickly_and_the_same(value: dict[str, Any]) -> None:
    content = json.dumps(value).encode()

    assert read_large_job(content) == wire.read_job(json.loads(content))


@pytest.mark.parametrize(
    "odd", ["x" * 256, "x" * 2001, " b ", "b c", " ", "", "Zoë", "\tb", 7, True, None, [], JOB]
)
def test_one_odd_value_in_a_column_is_read_as_any_other(odd: object) -> None:
    for field, usual in product(OWN, ("web01", HOST_ID)):
        held = [{"name": "a", "dnsHostName": "a.example", field: value} for value in (usual, odd)]
        content = json.dumps({"id": JOB, "hostScanHostStatus": held}).encode()

        assert read_large_job(content) == wire.read_job(json.loads(content))


parts = ("name", "dnsHostName", "hostScanHost", "actionQueue")
entries = st.fixed_dictionaries({}, optional=dict.fromkeys(parts, values)) | values
anything = st.fixed_dictionaries(
    {"id": st.just(JOB) | values},
    optional=dict.fromkeys(
        ("hostScanHostStatus", "hostScanJobHostJoin"), st.lists(entries, max_size=4) | values
    ),
)


def outcome_of(read: Any) -> object:
    """What it answers, or that it raises."""
    try:
        return read()
    except wire.WireError as error:
        return str(error)


@given(anything | values)
def test_what_the_quick_way_leaves_is_read_as_ever(value: object) -> None:
    content = json.dumps(value).encode()

    def quick_first() -> object:
        return read_large_job(content) or wire.read_job(wire.decode(content))

    assert outcome_of(quick_first) == outcome_of(lambda: wire.read_job(json.loads(content)))


def test_a_null_among_the_hosts_is_no_host() -> None:
    hosts = [{"dnsHostName": "web01.corp.example", "status": 1}, None]
    content = json.dumps({"id": JOB, "hostScanHostStatus": hosts}).encode()

    job = read_large_job(content)

    assert job is not None
    assert [host.status for host in job.hosts or ()] == [ScanStatus.RUNNING]


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
        b'{"id": ' + b"[" * 100_000,
    ],
)
def test_what_is_odd_is_left_to_the_tolerant_way(content: bytes) -> None:
    assert read_large_job(content) is None


READS = """
import sys
from sbpam_cli.nps import replies as wire
job = wire.decode_job(sys.stdin.buffer.read())
print(len(job.hosts), "msgspec" in sys.modules, "json" in sys.modules, "xxx" in repr(job))
"""


@pytest.mark.parametrize(("count", "ways"), [(3, "False True"), (1000, "True False")])
def test_the_way_is_chosen_by_size(count: int, ways: str) -> None:
    host = {"name": "WEB", "hostScanUser": [{"passwordHash": "x" * 100}]}
    reply = {"id": JOB, "hostScanJobHostJoin": [{"hostScanHost": host}] * count}

    # A process of its own: whichever library is loaded has read the reply, and no other.
    done = subprocess.run(
        [sys.executable, "-c", READS],
        input=json.dumps(reply),
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    )

    assert done.stdout.split("\n")[0] == f"{count} {ways} False"
