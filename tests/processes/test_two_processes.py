"""Several processes at once: one list is one run, and the journal bears them all."""

from support.faults import Fault
from support.oracle import check_exactly_once, check_journal
from support.process import POSTS, QUICK, RealSite, host_names, until

SLOW_POSTS = Fault(action="delay", method="POST", path=POSTS, seconds=0.6)
"""So that whoever starts second comes while the first is sending."""


def test_one_of_two_starts_of_one_list_works(stage: RealSite) -> None:
    stage.faults.add(SLOW_POSTS)
    names = host_names(40)
    # The same set: another order and another spelling are the same list.
    lists = [stage.write_list(names), stage.write_list(names[::-1])]
    both = [stage.start("schedule", listed, "--batch-size", "10", *QUICK) for listed in lists]
    ended = [running.end() for running in both]
    assert sorted(end.code for end in ended) == [0, 75], [end.err for end in ended]
    [worked] = [end for end in ended if end.code == 0]
    [refused] = [end for end in ended if end.code == 75]
    check_exactly_once(stage, names if worked is ended[0] else names[::-1], worked)
    assert "another sbpam is scheduling this list" in refused.err
    assert refused.out == ""
    check_journal(stage)


def test_two_lists_on_one_new_journal_both_work(stage: RealSite) -> None:
    """Both make the journal's tables, both write to it: neither fails for the other."""
    names = host_names(60)
    lists = [stage.write_list(names[:30]), stage.write_list(names[30:])]
    both = [stage.start("schedule", listed, "--batch-size", "3", *QUICK) for listed in lists]
    ended = [running.end() for running in both]
    assert [end.code for end in ended] == [0, 0], [end.err for end in ended]
    rows = [row[0] for end in ended for row in end.rows()]
    assert rows == names
    assert sorted(name for held in stage.world.scheduled.values() for name in held) == names
    check_journal(stage, runs=2)


def test_resume_beside_a_live_run_is_locked(stage: RealSite) -> None:
    stage.hang_posts("after")
    names = host_names(20)
    live = stage.start("schedule", stage.write_list(names), "--batch-size", "5", *QUICK)
    until(lambda: stage.posts() == 4)
    beside = stage.run("resume", *QUICK, "-o", "json")
    envelope = beside.json()
    assert (beside.code, envelope["exit_code"], envelope["result"]) == (75, 75, "failed")
    # Nothing of doubt, and of sending again: the POSTs are under way.
    assert [error["code"] for error in envelope["errors"]] == ["locked"]
    assert len(envelope["hosts"]) == 20
    stage.faults.clear()
    stage.faults.release()
    check_exactly_once(stage, names, live.end())
    stage.run("resume", *QUICK).expect(0, out="")
