"""`schedule` without an account: a person chooses by number, nobody else is asked."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.process import RealSite, staged
from support.programs import SBPAM
from support.pty_program import PtyProgram
from support.site import CREDENTIAL

HOST = "web01.corp.example"
QUESTION = r"Number of the one to schedule with \(Enter: none\): $"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[RealSite]:
    with staged(tmp_path) as stage:
        stage.environ.pop("SBPAM_CREDENTIAL", None)
        yield stage


@pytest.fixture
def start(stage: RealSite) -> Iterator[Callable[..., PtyProgram]]:
    started: list[PtyProgram] = []

    def start(*options: str) -> PtyProgram:
        started.append(PtyProgram([SBPAM, "schedule", HOST, *options], stage.environ))
        return started[-1]

    yield start
    for program in started:
        program.close()


def test_a_number_chooses(stage: RealSite, start: Callable[..., PtyProgram]) -> None:
    stage.world.credentials.append(stage.world.credentials[0] | {"resource": "other.example"})
    stage.world.credentials[1]["displayName"] = "red \x1b[31m\nalert"
    program = start("--quiet")
    lines = program.wait_for(QUESTION).splitlines()
    assert lines[1:3] == [
        r"  1  CORP\svc-scan (svc-scan (CORP))",
        r"  2  EMEA\svc-scan (red \x1b[31m\nalert)",
    ]
    # Neither the account of another type, nor the one without an id, nor one twice.
    assert (len(lines), "svc-discovered" in program.screen) == (1 + 10 + 1, False)
    for wrong in ("0", "11", "svc-scan"):
        program.screen = ""
        program.type(f"{wrong}\n")
        program.wait_for(QUESTION)
        assert "CORP" not in program.screen
    program.type(" 1 \n")
    assert program.end() == 0
    assert stage.requests("OuMapping") == [("POST", f"/api/v1/HostScanJob/OuMapping/{CREDENTIAL}")]
    assert r"CORP\svc-scan" in stage.run("runs", "-o", "csv").out


@pytest.mark.parametrize(("typed", "code"), [("\n", 2), ("\x04", 2), ("\x03", 130)])
def test_no_number_sends_nothing(
    stage: RealSite, start: Callable[..., PtyProgram], typed: str, code: int
) -> None:
    program = start()
    program.wait_for(QUESTION)
    program.type(typed)
    assert program.end() == code
    assert ("no service account was chosen, nothing was sent" in program.screen) is (code == 2)
    assert (stage.scheduled(), stage.run("runs").out) == ([], "")


@pytest.mark.parametrize("offered", [0, 101])
def test_what_nobody_can_choose_from_is_not_asked(
    stage: RealSite, start: Callable[..., PtyProgram], offered: int
) -> None:
    some = stage.world.credentials[0]
    stage.world.credentials = [
        some | {"credentialId": stage.world.next_id("account")} for _ in range(offered)
    ]
    program = start()
    assert program.end() == 2
    assert "no service account is given" in program.screen


@pytest.mark.parametrize("option", ["--no-input", "--dry-run", None])
def test_nobody_is_asked(
    stage: RealSite, start: Callable[..., PtyProgram], option: str | None
) -> None:
    if option is None:
        ended = stage.run("schedule", HOST)
        code, said = ended.code, ended.err
    else:
        program = start(option)
        code, said = program.end(), program.screen
    assert (code, "no service account is given" in said) == (2, True)
    assert stage.requests() == []
