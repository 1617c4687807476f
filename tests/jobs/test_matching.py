"""A job's hosts <-> the hosts that were asked for."""

from hypothesis import given
from hypothesis import strategies as st

from sbpam_cli.jobs.job import NOT_IN_REPLY, match_hosts, match_job, name_unasked
from sbpam_cli.models import HostRow, ScanHost, ScanJob, ScanStatus

JOB_ID = "9c711ab3-8fc1-4d66-88d4-08f85117f32e"
LABELS = st.sampled_from(["a", "b", "web01"])
NAMES = st.lists(
    st.tuples(LABELS, st.sampled_from(["x.example", "y.example"])).map(".".join),
    unique=True,
    min_size=1,
)


def host(dns: str | None, name: str | None = None) -> ScanHost:
    return ScanHost(name, dns, ScanStatus.RUNNING)


def job(hosts: list[ScanHost] | None) -> ScanJob:
    return ScanJob(JOB_ID, None, None, hosts)


def test_case_and_a_trailing_dot_dont_count() -> None:
    found = match_hosts(["a.x.example"], [host("A.X.Example.")])
    assert list(found) == ["a.x.example"]


def test_the_name_serves_where_there_is_no_fqdn() -> None:
    asked = ["a.x.example", "b.x.example"]
    assert list(match_hosts(asked, [host(None, "A")])) == ["a.x.example"]
    assert list(match_hosts(asked, [host(None, "B.x.example.")])) == ["b.x.example"]


def test_a_first_label_of_several_hosts_is_nobodys() -> None:
    assert match_hosts(["a.x.example", "a.y.example"], [host(None, "a")]) == {}


def test_another_domain_is_another_host() -> None:
    assert match_hosts(["a.x.example"], [host("a.y.example", "a")]) == {}


def test_a_null_array_says_nothing() -> None:
    match = match_job(["a.x.example"], job(None), unsaid=ScanStatus.ACCEPTED)
    assert match.rows == [HostRow("a.x.example", ScanStatus.ACCEPTED, JOB_ID)]
    assert not match.missing


def test_a_host_without_a_status_has_the_given_one() -> None:
    silent = ScanHost(None, "a.x.example", None)
    for unsaid in (ScanStatus.ACCEPTED, ScanStatus.UNKNOWN):
        [row] = match_job(["a.x.example"], job([silent]), unsaid=unsaid).rows
        assert row.status is unsaid


def test_who_is_missing_and_who_was_not_asked_for() -> None:
    match = match_job(
        ["a.x.example", "b.x.example"],
        job([host("A.x.example"), host("c.x.example"), host(None, "D"), host("a.x.example")]),
        unsaid=ScanStatus.ACCEPTED,
    )
    assert [row.status for row in match.rows] == [ScanStatus.RUNNING, ScanStatus.ACCEPTED]
    assert match.rows[1].detail == NOT_IN_REPLY
    assert match.missing == ["b.x.example"]
    assert match.unasked == ["c.x.example", "d"]


def test_what_nobody_asked_for_is_named_shortly() -> None:
    assert name_unasked([]) is None
    assert name_unasked(["a", "b"]) == "the reply names a, b"
    assert name_unasked(list("abcde")) == "the reply names a, b, c and 2 more"


@given(NAMES, st.lists(st.tuples(st.none() | NAMES.map(lambda n: n[0]), st.none() | LABELS)))
def test_every_name_has_one_row_in_its_place(
    names: list[str], told: list[tuple[str | None, str | None]]
) -> None:
    hosts = [host(dns, name) for dns, name in told]
    match = match_job(names, job(hosts), unsaid=ScanStatus.ACCEPTED)
    assert [row.host for row in match.rows] == names
    found = [row.host for row in match.rows if row.detail != NOT_IN_REPLY]
    assert sorted([*found, *match.missing]) == sorted(names)
    assert not set(match.unasked) & set(found)


@given(NAMES, st.randoms(use_true_random=False))
def test_the_servers_order_doesnt_matter(names: list[str], random: object) -> None:
    hosts = [host(name.upper() + ".") for name in names]
    random.shuffle(hosts)  # type: ignore[attr-defined]
    match = match_job(names, job(hosts), unsaid=ScanStatus.ACCEPTED)
    assert [row.status for row in match.rows] == [ScanStatus.RUNNING] * len(names)
    assert not [*match.missing, *match.unasked]


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

    assert match_job(names, job(hosts[::-1]), unsaid=ScanStatus.ACCEPTED) == in_order
    assert match_job(names, job(shouted), unsaid=ScanStatus.ACCEPTED) == in_order
    assert in_order.rows == [
        HostRow(name, found.status or ScanStatus.ACCEPTED, JOB_ID, os=f"os {name}")
        for name, found in zip(names, hosts, strict=True)
    ]
