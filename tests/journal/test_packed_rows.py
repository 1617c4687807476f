"""A batch's rows come back from the journal as they went in."""

from hypothesis import given
from hypothesis import strategies as st

from sbpam_cli.journal.records import count_rows, pack_rows, unpack_rows
from sbpam_cli.models import FailureReason, HostRow, ScanStatus

JOB_ID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
times = st.none() | st.floats(1e9, 3e9)
texts = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
rows = st.builds(
    HostRow,
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(ScanStatus),
    st.just(JOB_ID),
    st.none() | st.sampled_from(FailureReason),
    texts,
    texts,
    texts,
    texts,
    texts,
    times,
    times,
)


@given(st.lists(rows, max_size=4))
def test_what_went_in_comes_out(some: list[HostRow]) -> None:
    back = unpack_rows(pack_rows(some))

    assert back == some
    for row in back:
        reason = row.failure_reason
        assert (type(row), type(row.status)) == (HostRow, ScanStatus)
        assert reason is None or type(reason) is FailureReason


def test_ends_are_counted() -> None:
    statuses = ["Complete", "Failed", "Running", "Accepted", "NotAccepted", "Cancelled"]

    assert count_rows([HostRow("a.b.example", ScanStatus(s)) for s in statuses]) == (5, 2, 1)
