"""The batches of a run are read one at a time, also while the run goes on."""

from support.example_run import services_of
from support.site import CREDENTIAL, Program

from sbpam_cli.journal.journal import Journal
from sbpam_cli.journal.records import Batch, Run, digest_names

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
