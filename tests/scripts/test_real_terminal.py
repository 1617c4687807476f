"""What a person sees: the program in tmux, at two sizes."""

import os
import re
import subprocess
from collections.abc import Iterator

import pytest
from support.process import RealSite
from support.programs import BIN
from support.tables import slow
from support.tmux import Tmux

HOSTS = [f"web{n:02}.corp.example" for n in range(1, 5)]
LONG = "a-very-long-name-of-a-host-indeed.and-its-domain.corp.example"


@pytest.fixture
def stage(stage: RealSite) -> RealSite:
    del stage.environ["SBPAM_TOKEN"]
    stage.sign_in_as("CORP\\demo")
    stage.environ["PATH"] = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return stage


@pytest.fixture(params=[(80, 24), *slow((200, 50))])
def terminal(request: pytest.FixtureRequest, stage: RealSite) -> Iterator[Tmux]:
    columns, lines = request.param
    terminal = Tmux(stage.folder, columns, lines, stage.environ)
    yield terminal
    terminal.close()


def assert_fits(screen: str) -> None:
    """The table's lines: none was wrapped by the terminal, so each begins with its host."""
    lines = screen.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("HOST"))
    assert re.fullmatch("─+", lines[start + 1])
    for line in lines[start + 2 : lines.index("", start)]:
        assert re.match(r"([a-z0-9-]+\.)+[a-z]+ +[✓✗○●!?–] |  +\S", line), line  # noqa: RUF001


def test_schedule(terminal: Tmux, stage: RealSite) -> None:
    stage.world.overrides["bad01.corp.example"] = {"status": 3, "statusDescription": None}
    screen = terminal.run(f"sbpam schedule {' '.join(HOSTS)} {LONG} bad01.corp.example")
    assert "ended=0" in screen
    for host in (*HOSTS, LONG):
        assert re.search(rf"^{re.escape(host)} +○ Queued", screen, re.MULTILINE)
    assert re.search(r"^bad01.corp.example +✗ Failed", screen, re.MULTILINE)
    assert "6 hosts: 5 Queued, 1 Failed" in screen
    assert re.search(r"^1 job: [0-9a-f-]{36}$", screen, re.MULTILINE)
    assert re.search(r"^→ `sbpam status \d{8}-\d{6}-[0-9a-f]{4}", screen, re.MULTILINE)
    assert_fits(screen)
    assert re.search("\x1b\\[31m✗ Failed", terminal.screen(colours=True))


def test_question_and_prompt(terminal: Tmux, stage: RealSite) -> None:
    listed = stage.write_list([f"web{n}.corp.example" for n in range(1001)])
    terminal.type(f"SBPAM_PASSWORD_FILE= sbpam schedule {listed}; echo ended=$?", "Enter")
    assert "1,001 hosts" in terminal.wait_for(r"\[y/N\]")
    terminal.type("y", "Enter")
    terminal.wait_for("Password for ")
    password = stage.world.person("totp").password
    terminal.type(password, "Enter")
    assert password not in terminal.wait_for(r"^ended=0")
    assert len(stage.scheduled()) == 1001


def test_demo(terminal: Tmux) -> None:
    terminal.type("sbpam demo --scan-duration 2s; echo ended=$?", "Enter")
    live = terminal.wait_for(r"^\d+ of 24 hosts", history=False)
    assert re.search(r"● \d+ Running|○ \d+ Queued", live)
    screen = terminal.wait_for(r"^ended=0")
    assert "of 24 hosts" not in screen
    assert "24 hosts: 22 Complete, 2 Failed" in screen
    assert len(re.findall(r"^\S+\.example\S* +[✓✗] (?:Complete|Failed)", screen, re.M)) == 24
    # No id of a job is broken by the edge of the screen.
    ids = re.findall(r"(?<![0-9a-f])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", screen)
    assert len(set(ids)) == 3
    assert_fits(screen)
    assert "\x1b[32m✓ Complete" in terminal.screen(colours=True)


def test_a_terminal_that_changes_its_size(terminal: Tmux) -> None:
    terminal.type("clear; sbpam demo --scan-duration 1h; echo ended=$?", "Enter")
    for columns, lines in ((60, 15), (150, 40), (90, 20)):
        terminal.wait_for(r"^0 of 24 hosts", history=False)
        terminal.resize(columns, lines)
        terminal.wait_for(rf"^0 of 24 hosts .{{{columns - 14}}}$", history=False)
        shown = terminal.screen(history=False)
        assert (shown.count("of 24 hosts"), shown.count(" Queued")) == (1, 1), shown
    terminal.do("send-keys", "C-c")
    terminal.wait_for(r"^ended=130")


@pytest.mark.parametrize(
    ("command", "name", "code"),
    [
        ("schedule {} --wait", "TERM", 143),
        ("status --all --watch", "HUP", 129),
        ("status --all --watch", "C-c", 130),
        pytest.param("status --all --watch", "TERM", 143, marks=pytest.mark.slow),
        pytest.param("schedule {} --wait", "INT", 130, marks=pytest.mark.slow),
    ],
)
def test_a_signal_ends_the_watch_and_leaves_a_tidy_terminal(
    terminal: Tmux, stage: RealSite, command: str, name: str, code: int
) -> None:
    stage.world.jobs.clear()
    if command.startswith("status"):
        stage.world.add_job(HOSTS)
    program = f"sbpam {command.format(' '.join(HOSTS))}"
    terminal.type(f"clear; sh -c 'echo $$ >~/pid; exec {program}'; echo ended=$?", "Enter")
    terminal.wait_for(r"^0 of 4 hosts")
    if name == "C-c":
        terminal.do("send-keys", name)
    else:
        pid = (stage.folder / "pid").read_text().strip()
        subprocess.run(["kill", f"-{name}", pid], check=True)
    screen = terminal.wait_for(rf"^ended={code}")
    assert "0 of 4 hosts" not in screen
    assert "Traceback" not in screen
    assert_fits(screen)
    for host in HOSTS:
        assert re.search(rf"^{host} +○ Queued", screen, re.MULTILINE)
    assert terminal.shows_cursor()
