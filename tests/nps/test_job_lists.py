"""One parser reads the list of jobs as it arrives and a single job of any size."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tables import JSON

from sbpam_cli.models import ScanStatus
from sbpam_cli.nps.decoding import LARGEST_ELEMENT, WireError, decode, elements
from sbpam_cli.nps.replies import decode_job, read_jobs

JOB = "11111111-0000-4000-8000-000000000001"


def cut(body: bytes, sizes: list[int]) -> Iterator[bytes]:
    at = 0
    for size in sizes:
        yield body[at : at + size]
        at += size
    yield body[at:]


@given(st.lists(JSON), st.lists(st.integers(0, 9)), st.sampled_from([None, 1]), st.booleans())
def test_any_array_in_any_chunks(
    values: list[object], sizes: list[int], indent: int | None, ascii_only: bool
) -> None:
    body = json.dumps(values, indent=indent, ensure_ascii=ascii_only).encode()
    assert [json.loads(one) for one in elements(cut(body, sizes))] == values


@pytest.mark.parametrize(
    "body",
    [
        *(b"{}", b"null", b'"x"', b"", b"<html>", b"[{} {}]", b"[,]", b"[{},]", b"[{}", b"[{}}"),
        *(b"[]x", b"[][]", b"[{}]]", b'["', b'[{"a": "\\"}]', b'[{"a": 1'),
    ],
)
def test_what_is_no_array_or_ends_early_is_said(body: bytes) -> None:
    for chunks in ([body], [bytes([one]) for one in body]):
        with pytest.raises(WireError):
            list(read_jobs(chunks))


def test_a_list_is_held_an_element_at_a_time_and_an_element_has_a_limit() -> None:
    taken = 0

    def chunks(element: bytes) -> Iterator[bytes]:
        nonlocal taken
        yield b"["
        for number in range(10_000):
            taken = number
            yield (b"," if number else b"") + element
        yield b"]"

    reader = elements(chunks(json.dumps({"id": "x" * 1000}).encode()))
    next(reader)
    assert taken < 10
    assert sum(1 for _ in reader) == 9_999
    with pytest.raises(WireError, match="64 MiB"):
        list(elements(chunks(b'{"a": "' + b"x" * (LARGEST_ELEMENT // 9))))
    assert taken < 20


HOST = {"name": "WEB", "dnsHostName": "web.corp.example"}


@pytest.mark.parametrize("filler", ["x", "x" * 200_000], ids=["small", "large"])
@pytest.mark.parametrize(
    ("joined", "hosts"),
    [
        ([{}], []),
        ([None], []),
        ([{"hostScanHost": None, "actionQueue": None}], [(None, ScanStatus.QUEUED)]),
        ([{"hostScanHost": HOST, "actionQueue": None}], [("WEB", ScanStatus.QUEUED)]),
        ([{"hostScanHost": HOST, "actionQueue": {}}], [("WEB", ScanStatus.UNKNOWN)]),
        ({}, None),
        ([7], None),
    ],
    ids=["reference", "null", "nameless", "no queue", "empty queue", "no array", "no objects"],
)
def test_what_a_join_says(joined: Any, hosts: Any, filler: str) -> None:
    value = {"x": filler, "id": JOB, "hostScanJobHostJoin": joined}
    job = decode_job(json.dumps(value).encode())
    told = [(host.name, host.status) for host in job.hosts or ()]
    assert (None if job.hosts is None else told) == hosts


@pytest.mark.parametrize("filler", [b"x", b"x" * 200_000], ids=["small", "large"])
@pytest.mark.parametrize(
    ("status", "after", "read"),
    [
        (b'"\xff"', b"", True),
        (b"9" * 400, b"", True),
        (b"9" * 9000, b"", False),
        (b"1", b"x", False),
        (b"1", b"\xff", False),
        (b'"\\ud800"', b"", False),
        (b"NaN", b"", False),
        (b"[" * 100_000, b"", False),
    ],
)
def test_one_opinion_of_what_is_odd(filler: bytes, status: bytes, after: bytes, read: bool) -> None:
    body = b'{"x": "%s", "id": "%s", "status": %s}%s' % (filler, JOB.encode(), status, after)
    if read:
        assert decode_job(body).job_id == JOB
        assert [job.job_id for job in read_jobs([b"[" + body + b"]"])] == [JOB]
    else:
        with pytest.raises(WireError):
            decode_job(body)


@pytest.mark.parametrize("part", [b"{},", b"1,", b'"",', b"[[]],", b'{"os": 1},', b'{"a":{}},'])
def test_a_reply_of_many_small_values_is_refused_unread(part: bytes) -> None:
    """They take forty times the memory that they have bytes, and compress to nothing."""
    for before in (b"[", b'["%b",' % (b"x" * (20 << 20))):
        with pytest.raises(WireError, match="more values"):
            decode(before + part * (5 << 20) + b"0]")
