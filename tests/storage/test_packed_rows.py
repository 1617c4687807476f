"""A batch's rows come back from the journal as they went in, few or many."""

import json

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


@given(st.lists(rows, max_size=4), st.sampled_from([1, 400]))
def test_what_went_in_comes_out(some: list[HostRow], times: int) -> None:
    packed = pack_rows(some * times)

    assert unpack_rows(packed, JOB_ID) == some * times
    # A journal outlives the library that wrote it.
    end = None if any(row.started_at or row.finished_at for row in some) else -2
    assert json.loads(packed) == [[*row[:2], *row[3:end]] for row in some * times]


def test_what_comes_out_are_rows_with_members_of_the_enumerations() -> None:
    row = HostRow("web01.corp.example", ScanStatus.FAILED, JOB_ID, FailureReason.ACCESS_DENIED)

    for times in (1, 1000):
        [back, *_] = unpack_rows(pack_rows([row] * times), JOB_ID)

        assert (type(back), type(back.status), type(back.failure_reason)) == (
            HostRow,
            ScanStatus,
            FailureReason,
        )


def test_accepted_and_failed_are_counted() -> None:
    statuses = ["Complete", "Failed", "Running", "Accepted", "NotAccepted", "Cancelled"]

    assert count_rows([HostRow("a.b.example", ScanStatus(s)) for s in statuses]) == (5, 2)
