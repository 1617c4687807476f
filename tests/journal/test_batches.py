"""Batches are read one at a time, also while the run goes on, with their rows as they went in."""

from hypothesis import given
from hypothesis import strategies as st
from support.example_run import services_of
from support.site import CREDENTIAL, Program

from sbpam_cli.journal.journal import Journal
from sbpam_cli.journal.records import Batch, Run, digest_names, pack_rows, unpack_rows
from sbpam_cli.models import FailureReason, HostRow, Rows, ScanStatus

NAMES = [f"h{n}.corp.example" for n in range(6)]


def test_a_batch_that_is_split_meanwhile_is_read_in_its_parts(program: Program) -> None:
    services = services_of(program)
    journal, digest = Journal(services), digest_names(NAMES)
    run = Run("20261123-031502-0001", 1e9, "https://a", "p", None, CREDENTIAL, digest, len(NAMES))
    journal.record_run(run, [Batch(1, 0, NAMES[:3]), Batch(2, 3, NAMES[3:])])
    reading = journal.each_batch(run.run_id)
    seen = [*next(reading).names]
    parent = Batch(2, 3, NAMES[3:], "split", run_id=run.run_id)
    parts = [Batch(3, 3, NAMES[3:4], parent=2), Batch(4, 4, NAMES[4:], parent=2)]
    other = Journal(services)
    other.split(parent, parts)
    other.close()
    for batch in reading:
        assert batch.state == "planned"
        seen += batch.names
    journal.close()
    assert seen == NAMES


JOB_ID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
times = st.none() | st.floats(1e9, 3e9)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
ends = (st.sampled_from(ScanStatus), st.just(JOB_ID), st.none() | st.sampled_from(FailureReason))
rows = st.builds(HostRow, names, *ends, *[st.none() | names] * 5, times, times)


@given(st.lists(rows, max_size=4))
def test_what_went_in_comes_out(some: list[HostRow]) -> None:
    back = list(unpack_rows(pack_rows(Rows.of(HostRow, some)), [row.host for row in some]))

    assert back == some
    for row in back:
        reason = row.failure_reason
        assert (type(row), type(row.status)) == (HostRow, ScanStatus)
        assert reason is None or type(reason) is FailureReason
