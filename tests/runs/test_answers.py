"""What a failed POST means: every status has its class, and doubt is never taken for a refusal."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbpam_cli.nps.failures import Reply
from sbpam_cli.nps.transport import NoReplyError
from sbpam_cli.runs.answers import Verdict, judge_failure, judge_reply

JOB = {"id": "9c711ab3-8fc1-4d66-88d4-08f85117f32e", "hostScanHostStatus": []}
NOW = 1_795_403_702.0
REJECTED = {400, 404, 405, 415, 422, *range(300, 400)}
PLANNED = {401, 403, 407, 429}


def judge(
    status: int, body: bytes = b"", hosts: int = 5, headers: dict[str, str] | None = None
) -> Verdict:
    return judge_reply(Reply(status, headers or {}, body), hosts, NOW)


def test_every_status() -> None:
    classes = {**dict.fromkeys(REJECTED, "rejected"), **dict.fromkeys(PLANNED, "planned")}
    for status in range(100, 600):
        verdict = judge(status)
        expected = {**classes, 413: "split"}.get(status, "unknown")
        assert (verdict.state, verdict.http_status) == (expected, status)
        assert verdict.reason
        assert verdict.refused_token == (status == 401)
        assert (verdict.stop is not None) == (status in (403, 407))
        assert verdict.server_failure == (expected == "unknown" or status == 429)


@pytest.mark.parametrize(
    ("status", "hosts", "headers", "state"),
    [
        (413, 2, {}, "split"),
        (413, 1, {}, "rejected"),
        # Before or after the application began.
        (503, 2, {}, "unknown"),
        (503, 2, {"server": "Microsoft-IIS/10.0"}, "unknown"),
        (503, 2, {"server": "Microsoft-HTTPAPI/2.0"}, "planned"),
        (503, 2, {"retry-after": "5"}, "planned"),
        (503, 2, {"retry-after": "odd"}, "planned"),
    ],
)
def test_the_status_alone_does_not_say_it(
    status: int, hosts: int, headers: dict[str, str], state: str
) -> None:
    assert judge(status, hosts=hosts, headers=headers).state == state


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("text", "wait_s", "stops"),
    [
        ("0", 0, False),
        ("300", 300, False),
        ("301", 301, True),
        ("999999999999999", 999999999, True),
        ("Mon, 23 Nov 2026 03:16:02 GMT", 60, False),
        ("Mon, 23 Nov 2026 03:00:00 GMT", 0, False),
        ("Mon, 23 Nov 2026 09:00:00 GMT", 20698, True),
        ("-5", None, False),
        ("\u0663", None, False),
        ("soon", None, False),
    ],
)
def test_retry_after_is_obeyed_up_to_five_minutes(
    status: int, text: str, wait_s: float | None, stops: bool
) -> None:
    verdict = judge(status, headers={"retry-after": text})
    assert verdict.state == "planned"
    assert verdict.wait_s == wait_s
    assert (verdict.stop is not None) == stops
    assert verdict.stop is None or verdict.stop.exit_code == 6


def test_a_job_is_an_acceptance() -> None:
    for status in (200, 201, 202, 299):
        verdict = judge(status, json.dumps(JOB).encode())
        assert verdict.state == "accepted"
        assert verdict.job is not None
        assert verdict.job.job_id == JOB["id"]


def test_a_success_without_a_job_is_in_doubt() -> None:
    whole = json.dumps(JOB).encode()
    bodies = (
        *(b"", b"null", b"[]", b"{}", b'{"id": null}', b"<html><title>Sign in</title>"),
        *(b'{"id": "00000000-0000-0000-0000-000000000000"}', whole[:-1], b"[" * 100_000),
    )
    page = judge(200, whole, headers={"content-type": "text/html"})
    for verdict in (page, *(judge(200, body) for body in bodies)):
        assert (verdict.state, verdict.job) == ("unknown", None)
        assert verdict.server_failure
        assert verdict.reason


@given(
    status=st.integers(100, 599),
    body=st.binary(max_size=40) | st.just(json.dumps(JOB).encode()),
    hosts=st.integers(1, 3),
    headers=st.dictionaries(
        st.sampled_from(["retry-after", "server", "content-type", "location"]), st.text(max_size=20)
    ),
)
def test_only_what_surely_was_not_processed_may_be_sent_again(
    status: int, body: bytes, hosts: int, headers: dict[str, str]
) -> None:
    verdict = judge(status, body, hosts, headers)
    if verdict.state in ("planned", "split"):
        assert status in {*PLANNED, 413, 503}
    if verdict.state == "accepted":
        assert 200 <= status < 300
        assert verdict.job is not None
    if verdict.state == "rejected":
        assert status in {*REJECTED, 413}


def test_no_answer_is_in_doubt_from_the_first_byte_on() -> None:
    assert judge_failure(NoReplyError("reset", sent=False)).state == "planned"
    assert judge_failure(NoReplyError("reset", sent=True)).state == "unknown"
