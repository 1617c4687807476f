"""A run outlives its tokens where no person is needed, and stops in order where one is."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.faults import Fault
from support.oracle import check_exactly_once, check_journal
from support.process import POSTS, QUICK, RealSite, host_names, staged
from support.tables import crossed, slow

NAMES = host_names(100)
TWENTY = ("--batch-size", "5")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[RealSite]:
    with staged(tmp_path / "stage") as stage:
        yield stage


def _kill_token_after_each_third_batch(stage: RealSite) -> None:
    accepted = itertools.count(1)

    def revoke(reply: Any) -> Any:
        # Also called for refusals, which are JSON too.
        if "status" in reply and reply["status"] == 401:
            return reply
        if next(accepted) % 3 == 0:
            stage.world.revoke_tokens()
        return reply

    stage.faults.add(Fault(action="edit", method="POST", path=POSTS, edit=revoke))


def _refused(stage: RealSite) -> int:
    return sum(e.status == 401 and POSTS in e.request.target for e in stage.world.log)


@pytest.mark.parametrize(("login", "parallel"), crossed(["CORP\\demo", "CORP\\nomfa"], ["1", "4"]))
def test_run_renews_its_token_without_a_person(stage: RealSite, login: str, parallel: str) -> None:
    _kill_token_after_each_third_batch(stage)
    stage.sign_in_as(login)
    listed = stage.write_list(NAMES)
    ended = stage.run("schedule", listed, *TWENTY, "--parallel", parallel, *QUICK)
    check_exactly_once(stage, NAMES, ended)
    check_journal(stage)
    assert len(stage.world.scheduled) == 20
    assert _refused(stage) >= 6


@pytest.mark.slow
def test_short_lived_tokens_are_renewed_in_good_time(stage: RealSite) -> None:
    # The server's clock is known to a second: a fifth of the life must be more.
    stage.world.token_life_s = 8.0
    stage.sign_in_as("CORP\\nomfa")
    stage.faults.add(Fault(action="delay", method="POST", path=POSTS, seconds=0.6))
    listed = stage.write_list(NAMES)
    ended = stage.run("schedule", listed, *TWENTY, "--parallel", "1", *QUICK)
    check_exactly_once(stage, NAMES, ended)
    assert _refused(stage) == 0
    assert any("UserToken" in entry.request.target for entry in stage.world.log)


@pytest.mark.parametrize("parallel", [*slow("1"), "4"])
def test_ready_token_that_dies_ends_with_4_and_nothing_in_doubt(
    stage: RealSite, parallel: str
) -> None:
    _kill_token_after_each_third_batch(stage)
    listed = stage.write_list(NAMES)
    command = ("schedule", listed, *TWENTY, "--parallel", parallel, *QUICK)
    ended = stage.run(*command)
    for _ in range(20):
        if ended.code != 4:
            break
        assert "SBPAM_TOKEN" in ended.err
        rows = ended.rows()
        assert [row[0] for row in rows] == NAMES
        assert {row[1] for row in rows} <= {"Queued", "NotSent"}
        [run] = stage.run("runs").rows()
        assert run[1] == "unfinished"
        assert run[6] == "0", "hosts are in doubt"
        assert int(run[4]) == sum(len(held) for held in stage.world.scheduled.values())
        stage.environ["SBPAM_TOKEN"] = stage.new_token()
        ended = stage.run("resume", *QUICK)
    check_exactly_once(stage, NAMES, ended)
    check_journal(stage)
    assert len(stage.world.scheduled) == 20


@pytest.mark.slow
def test_totp_codes_that_serve_once_are_waited_for(stage: RealSite) -> None:
    """A real server takes a code once: each renewal waits for the next 30 s."""
    stage.world.refuse_replay = True
    stage.sign_in_as("CORP\\demo")
    stage.faults.add(Fault(action="revoke", method="POST", path=POSTS, nth=[4, 9]))
    names = NAMES[:40]
    # Not `QUICK`: waiting for a code takes of the POST's own time.
    ended = stage.run("schedule", stage.write_list(names), *TWENTY, timeout_s=180)
    check_exactly_once(stage, names, ended)
    assert ended.seconds > 30
