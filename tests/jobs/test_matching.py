"""A job's hosts <-> the hosts that were asked for."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbpam_cli.jobs.job import NOT_IN_REPLY, followed_jobs, match_hosts, match_job, with_unasked
from sbpam_cli.journal.records import Batch
from sbpam_cli.models import HostRow, Rows, ScanHost, ScanJob, ScanStatus
from sbpam_cli.nps.replies import decode_job

JOB_ID = "9c711ab3-8fc1-4d66-88d4-08f85117f32e"
LABELS = ["a", "b", "web01"]
FQDNS = [f"{label}.{place}.example" for label in LABELS for place in "xy"]
NAMES = st.lists(st.sampled_from(FQDNS), unique=True, min_size=1)
TOLD = st.tuples(st.none() | st.sampled_from(FQDNS), st.none() | st.sampled_from(LABELS))


def host(dns: str | None, name: str | None = None) -> ScanHost:
    return ScanHost(name, dns, ScanStatus.RUNNING)


def job(hosts: list[ScanHost]) -> ScanJob:
    return ScanJob(JOB_ID, None, None, Rows.of(ScanHost, hosts))


A, B, OTHER = "a.x.example", "b.x.example", "a.y.example"


@pytest.mark.parametrize(
    ("asked", "told", "found"),
    [
        ([A], ("A.X.Example.", None), [A]),
        ([A, B], (None, "A"), [A]),
        ([A, B], (None, "B.x.example."), [B]),
        # A first label of several hosts is nobody's; another domain is another host.
        ([A, OTHER], (None, "a"), []),
        ([A], (OTHER, "a"), []),
    ],
)
def test_what_names_a_host(
    asked: list[str], told: tuple[str | None, str | None], found: list[str]
) -> None:
    assert list(match_hosts(asked, [host(*told)])) == found


def test_who_is_missing_and_who_was_not_asked_for() -> None:
    told = [host("A.x.example"), host("c.x.example"), host(None, "D"), host("a.x.example")]
    match = match_job([A, B], job(told), unsaid=ScanStatus.ACCEPTED)
    assert [row.status for row in match.rows] == [ScanStatus.RUNNING, ScanStatus.ACCEPTED]
    assert match.rows[1].detail == NOT_IN_REPLY
    assert match.missing == ["b.x.example"]
    assert match.unasked == ["c.x.example", "d"]


def test_what_nobody_asked_for_is_named_shortly() -> None:
    rows = [HostRow(A, ScanStatus.RUNNING), HostRow(B, ScanStatus.RUNNING)]
    assert with_unasked(rows, []) == rows
    for unasked, words in (("ab", "a, b"), ("abcde", "a, b, c and 2 more")):
        first, second = with_unasked(rows, list(unasked))
        assert (first.detail, second.detail) == (f"the reply names {words}", None)
    rows[1] = rows[1]._replace(detail=NOT_IN_REPLY)
    first, second = with_unasked(rows, ["a"])
    assert (first.detail, second.detail) == (None, f"{NOT_IN_REPLY}; the reply names a")


@given(NAMES, st.lists(TOLD))
def test_every_name_has_one_row_in_its_place(
    names: list[str], told: list[tuple[str | None, str | None]]
) -> None:
    hosts = [host(dns, name) for dns, name in told]
    match = match_job(names, job(hosts), unsaid=ScanStatus.ACCEPTED)
    assert [row.host for row in match.rows] == names
    found = [row.host for row in match.rows if row.detail != NOT_IN_REPLY]
    assert sorted([*found, *match.missing]) == sorted(names)
    assert not set(match.unasked) & set(found)


@pytest.mark.parametrize("times", [2, 3])
@pytest.mark.parametrize("name", [A, A.upper(), f"{A}."])
def test_a_host_that_a_job_names_several_times_has_one_row(name: str, times: int) -> None:
    entry = {"dnsHostName": name, "status": 1}
    for shape in (
        {"hostScanHostStatus": [entry]},
        {"hostScanJobHostJoin": [{"hostScanHost": entry}]},
    ):
        body = {"id": JOB_ID} | {key: entries * times for key, entries in shape.items()}
        match = match_job([A], decode_job(json.dumps(body).encode()), unsaid=ScanStatus.ACCEPTED)
        assert ([row.host for row in match.rows], *match[1:]) == ([A], [], [], False)


@given(NAMES, st.data())
def test_rows_are_the_same_in_whatever_order_the_reply_has_them(
    names: list[str], data: st.DataObject
) -> None:
    hosts = [
        ScanHost(None, name, data.draw(st.sampled_from([None, ScanStatus.FAILED])), os=f"os {name}")
        for name in names
    ]

    in_order = match_job(names, job(hosts), unsaid=ScanStatus.ACCEPTED)
    # Upper case is nobody's asked name: each host is looked for on its own.
    shouted = [found._replace(dns_host_name=(found.dns_host_name or "").upper()) for found in hosts]

    for others in (hosts[::-1], shouted):
        match = match_job(names, job(others), unsaid=ScanStatus.ACCEPTED)
        assert ([*match.rows], match[1:]) == ([*in_order.rows], in_order[1:])
    assert [*in_order.rows] == [
        HostRow(name, found.status or ScanStatus.ACCEPTED, JOB_ID, os=f"os {name}")
        for name, found in zip(names, hosts, strict=True)
    ]


def test_a_job_may_be_filling_for_some_seconds() -> None:
    """Whoever looks: after a signal nobody waits for the second look."""
    batch = Batch(1, 0, [A, B], "accepted", job_id=JOB_ID, accepted_at=100.0)
    batch.rows = match_job([A, B], job([host(A)]), unsaid=ScanStatus.ACCEPTED).rows
    [followed] = followed_jobs([batch])
    early = followed.see(job([host(A)]), now=107.0).rows
    assert (early[1].status, early[1].detail) == (ScanStatus.ACCEPTED, NOT_IN_REPLY)
    assert followed.see(job([host(A)]), now=108.0).rows[1].status is ScanStatus.NOT_ACCEPTED
