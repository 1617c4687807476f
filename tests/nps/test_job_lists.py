"""One parser reads the list of jobs and a single job of any size."""

import json
from typing import Any

import pytest

from sbpam_cli.models import ScanStatus
from sbpam_cli.nps.decoding import WireError
from sbpam_cli.nps.replies import decode_job, read_jobs

JOB = "11111111-0000-4000-8000-000000000001"


@pytest.mark.parametrize(
    "body",
    [
        *(b"{}", b"null", b'"x"', b"", b"<html>", b"[{} {}]", b"[,]", b"[{},]", b"[{}", b"[{}}"),
        *(b"[]x", b"[][]", b"[{}]]", b'["', b'[{"a": "\\"}]', b'[{"a": 1'),
    ],
)
def test_what_is_no_array_or_ends_early_is_said(body: bytes) -> None:
    with pytest.raises(WireError):
        list(read_jobs(body))


HOST = {"name": "WEB", "dnsHostName": "web.corp.example"}
SAID: list[tuple[str, Any, list[tuple[str | None, ScanStatus | None]] | None]] = [
    ("a back reference", [{}], []),
    ("null", [None], []),
    ("a nameless host", [{"hostScanHost": None, "actionQueue": None}], [(None, ScanStatus.QUEUED)]),
    ("no queue", [{"hostScanHost": HOST, "actionQueue": None}], [("WEB", ScanStatus.QUEUED)]),
    (
        "a queue of nothing",
        [{"hostScanHost": HOST, "actionQueue": {}}],
        [("WEB", ScanStatus.UNKNOWN)],
    ),
    ("no array", {}, None),
    ("no objects", [7], None),
]


@pytest.mark.parametrize("filler", ["x", "x" * 200_000], ids=["small", "large"])
@pytest.mark.parametrize(("what", "joined", "hosts"), SAID, ids=[case[0] for case in SAID])
def test_what_a_join_says(what: str, joined: Any, hosts: Any, filler: str) -> None:
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
        assert [job.job_id for job in read_jobs(b"[" + body + b"]")] == [JOB]
    else:
        with pytest.raises(WireError):
            decode_job(body)


def test_an_empty_reply_is_called_empty() -> None:
    for body in (b"", b" \r\n"):
        with pytest.raises(WireError, match="empty"):
            decode_job(body)
