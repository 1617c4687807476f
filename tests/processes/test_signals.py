"""The first signal asks, the second leaves; what was ignored at start stays ignored."""

import signal
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.faults import Fault
from support.oracle import check_exactly_once, check_journal, check_none_twice
from support.process import QUICK, RealSite, Running, host_names, staged, until
from support.tables import slow

HOSTS = 60
GRACE_S = 8.0


def _start_hanging(stage: RealSite, *before: str) -> Running:
    """A run of twelve batches; two are accepted, then four POSTs are never answered."""
    stage.hang_posts("after", nth=range(3, 100))
    listed = stage.write_list(host_names(HOSTS))
    running = stage.start("schedule", listed, "--batch-size", "5", before=before)
    until(lambda: stage.posts() == 6)
    # Both answers are recorded: what a signal finds is the same each time.
    until(lambda: stage.accepted() == 2)
    return running


def _settle_and_check(stage: RealSite) -> None:
    """`resume` finds the four jobs that were made, and sends the rest."""
    stage.faults.clear()
    stage.faults.release()
    resumed = stage.run("resume", *QUICK)
    check_exactly_once(stage, host_names(HOSTS), resumed)
    check_journal(stage)


def test_first_signal_ends_the_run_within_the_grace(tmp_path: Path) -> None:
    """All three at once: each waits its 8 s for four POSTs that are never answered."""
    signals = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
    with ExitStack() as stack:
        running = {}
        for number in signals:
            stage = stack.enter_context(staged(tmp_path / number.name))
            running[number] = stage, _start_hanging(stage)
        for number, (_, process) in running.items():
            process.signal(number)
        sent = time.monotonic()
        for number, (stage, process) in running.items():
            ended = process.end(GRACE_S * 10)
            assert time.monotonic() - sent > GRACE_S - 1, number
            waiting = "4 POSTs under way: waiting up to 8 s"
            ended.expect(signals[number], waiting, "sbpam resume")
            rows = ended.rows()
            assert [row[0] for row in rows] == host_names(HOSTS)
            found = Counter(row[1] for row in rows)
            assert found == {"Queued": 10, "OutcomeUnknown": 20, "NotSent": 30}
            check_none_twice(stage)
            _settle_and_check(stage)


def test_an_answer_that_comes_within_the_grace_counts(stage: RealSite) -> None:
    process = _start_hanging(stage)
    process.signal(signal.SIGTERM)
    until(lambda: "POSTs under way" in process.said())
    stage.faults.release()
    ended = process.end(10).expect(143)
    assert Counter(row[1] for row in ended.rows()) == {"Queued": 30, "NotSent": 30}
    offline = stage.run("status", "--offline").rows()
    assert [row[:3] for row in offline] == [row[:3] for row in ended.rows()]


def test_second_interrupt_leaves_within_a_second(stage: RealSite) -> None:
    """Four workers are blocked in a read that never ends, and the exit waits for none."""
    process = _start_hanging(stage)
    process.signal(signal.SIGINT)
    until(lambda: "POSTs under way" in process.said())
    process.signal(signal.SIGINT)
    # Within the grace, which waits for nobody any more.
    ended = process.end(GRACE_S - 1).expect(130)
    assert "Traceback" not in ended.err
    _settle_and_check(stage)


def test_signal_while_signing_in_leaves_nothing_behind(stage: RealSite) -> None:
    stage.faults.add(Fault(action="hang", method="GET", path="/Version"))
    process = stage.start("schedule", stage.write_list(host_names(5)))
    until(lambda: stage.world.log)
    process.signal(signal.SIGINT)
    process.end(5).expect(130, out="")
    assert stage.run("runs").out == ""


def test_ignored_signals_stay_ignored(stage: RealSite) -> None:
    """As `nohup` and a shell's `&` start it."""
    process = _start_hanging(stage, "sh", "-c", "trap '' INT HUP; exec \"$@\"", "sh")
    process.signal(signal.SIGINT)
    process.signal(signal.SIGHUP)
    stage.faults.clear()
    stage.faults.release()
    ended = process.end()
    assert "under way" not in ended.err
    check_exactly_once(stage, host_names(HOSTS), ended)


def test_signal_while_settling_is_no_list_that_cannot_be_read(stage: RealSite) -> None:
    """The hosts are known from an earlier run, and could be asked about one by one."""
    names = host_names(6)
    how = ("--batch-size", "1", "--parallel", "6", "--new-run")
    assert stage.run("schedule", stage.write_list(names), *how).code == 0
    stage.faults.add(Fault(action="close", method="POST", path="OuMapping", when="after"))
    stage.faults.add(Fault(action="hang", method="GET", path="HostScanJob$", when="before"))
    process = stage.start("schedule", stage.write_list(names), *how)
    # The first run has read the list too, and that serves the second one.
    until(lambda: len(stage.requests("/HostScanJob")) - len(stage.requests("/HostScanJob/")) == 2)
    process.signal(signal.SIGTERM)
    ended = process.end(GRACE_S).expect(143)
    assert "could not be read" not in ended.err
    assert [row[:2] for row in ended.rows()] == [[name, "OutcomeUnknown"] for name in names]


@pytest.mark.parametrize("number", [signal.SIGTERM, *slow(signal.SIGKILL)])
def test_schedule_continues_a_run_that_was_cut_short_while_it_followed(
    stage: RealSite, number: signal.Signals
) -> None:
    """Every host is in a job by then: once more would be a second scan of each."""
    stage.world.scan_duration_s = 3600.0
    names = host_names(10)
    listed = stage.write_list(names)
    process = stage.start("schedule", listed, "--wait", "--batch-size", "5")
    until(
        lambda: any(
            "HostScanJob/" in entry.request.target and entry.request.method == "GET"
            for entry in stage.world.log
        )
    )
    process.signal(number)
    ended = process.end(10)
    assert ended.code in (143, -signal.SIGKILL), ended.err
    again = stage.run("schedule", listed)
    assert "continuing run" in again.err
    check_exactly_once(stage, names, again)
