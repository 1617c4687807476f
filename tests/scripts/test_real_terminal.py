"""What a person sees: the program in tmux, at two sizes."""

import os
import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.programs import BIN, find_program
from support.site import Site

HOSTS = [f"web{n:02}.corp.example" for n in range(1, 5)]
LONG = "a-very-long-name-of-a-host-indeed.and-its-domain.corp.example"
PATIENCE_S = 60


class Terminal:
    """A tmux session of one window; `screen` has the lines of its end, history included."""

    def __init__(self, folder: Path, width: int, height: int, environ: dict[str, str]) -> None:
        self._tmux = [find_program("tmux"), "-S", str(folder / "tmux"), "-f", os.devnull]
        given = [f"{name}={shlex.quote(value)}" for name, value in environ.items()]
        shell = f"env -i {' '.join(given)} TERM=screen-256color PS1='$ ' sh"
        size = ["-x", str(width), "-y", str(height)]
        self._do("new-session", "-d", *size, shell)

    def _do(self, *arguments: str) -> str:
        ended = subprocess.run(
            [*self._tmux, *arguments], capture_output=True, text=True, timeout=30, check=True
        )
        return ended.stdout

    def screen(self, *, colours: bool = False) -> str:
        return self._do("capture-pane", "-p", "-S", "-200", *(["-e"] if colours else []))

    def type(self, text: str, *keys: str) -> None:
        self._do("send-keys", "-l", text)
        for key in keys:
            self._do("send-keys", key)

    def wait_for(self, pattern: str) -> str:
        end = time.monotonic() + PATIENCE_S
        while not re.search(pattern, screen := self.screen(), re.MULTILINE):
            assert time.monotonic() < end, f"{pattern!r} did not appear:\n{screen}"
            time.sleep(0.02)
        return screen

    def run(self, command: str) -> str:
        """Types a command and waits for its end; the screen from the command on."""
        self._do("clear-history")
        self.type(f"clear; {command}; echo ended=$?", "Enter")
        return self.wait_for(r"^ended=\d+")

    def close(self) -> None:
        self._do("kill-server")


@pytest.fixture(params=[(80, 24), (200, 50)], ids=["80x24", "200x50"])
def terminal(request: pytest.FixtureRequest, site: Site) -> Iterator[Terminal]:
    folder = site.program.folder
    home = folder / "home"
    home.mkdir()
    own = {name: value for name, value in site.program.environ.items() if "SBPAM_" in name}
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    environ = {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8", **own}
    width, height = request.param
    one = Terminal(folder, width, height, environ)
    yield one
    one.close()


def assert_fits(screen: str) -> None:
    """The table's lines: none was wrapped by the terminal, so each begins with its host."""
    lines = screen.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("HOST"))
    assert re.fullmatch("─+", lines[start + 1])
    for line in lines[start + 2 : lines.index("", start)]:
        assert re.match(r"([a-z0-9-]+\.)+[a-z]+ +[✓✗○●!?–] |  +\S", line), line  # noqa: RUF001


def test_schedule(terminal: Terminal) -> None:
    screen = terminal.run(f"sbpam schedule {' '.join(HOSTS)} {LONG} unknown1.corp.example")
    assert "ended=3" in screen
    for host in (*HOSTS, LONG):
        assert re.search(rf"^{re.escape(host)} +○ Queued", screen, re.MULTILINE)
    assert re.search(r"^unknown1.corp.example +✗ NotAccepted", screen, re.MULTILINE)
    assert "6 hosts: 5 Queued, 1 NotAccepted" in screen
    assert re.search(r"^1 job: [0-9a-f-]{36}$", screen, re.MULTILINE)
    assert re.search(r"^→ `sbpam status \d{8}-\d{6}-[0-9a-f]{4}", screen, re.MULTILINE)
    assert_fits(screen)
    coloured = terminal.screen(colours=True)
    assert re.search("\x1b\\[31m✗ NotAccepted", coloured)


def test_errors(terminal: Terminal) -> None:
    screen = terminal.run("sbpam schedule hosts.txt")
    assert 'sbpam: no such file: "hosts.txt"' in screen
    assert "ended=2" in screen


def test_refused_sign_in(terminal: Terminal) -> None:
    screen = terminal.run("SBPAM_PASSWORD=wrong sbpam schedule web01.corp.example")
    assert re.search(r"^web01.corp.example +– NotSent", screen, re.MULTILINE)  # noqa: RUF001
    assert "The user name or password is incorrect." in screen
    assert "ended=4" in screen


def test_question_and_prompt(terminal: Terminal, site: Site) -> None:
    path = site.program.folder / "home" / "hosts.txt"
    path.write_text("".join(f"web{n}.corp.example\n" for n in range(1001)))
    terminal.type("SBPAM_PASSWORD= sbpam schedule ~/hosts.txt; echo ended=$?", "Enter")
    screen = terminal.wait_for(r"\[y/N\]")
    assert "1,001 hosts" in screen
    terminal.type("y", "Enter")
    terminal.wait_for("Password for ")
    user = site.world.user("CORP\\demo")
    assert user is not None
    terminal.type(user.password, "Enter")
    screen = terminal.wait_for(r"^ended=0")
    assert user.password not in screen
    assert len(site.scheduled()) == 1001


def test_demo(terminal: Terminal) -> None:
    terminal.type("sbpam demo --scan-duration 2s; echo ended=$?", "Enter")
    live = terminal.wait_for(r"\d+ of 24 hosts")
    assert re.search(r"● \d+ Running|○ \d+ Queued", live)
    screen = terminal.wait_for(r"^ended=0")
    assert "of 24 hosts" not in screen
    assert "24 hosts: 22 Complete, 2 Failed" in screen
    assert len(re.findall(r"^\S+\.example\S* +[✓✗] (?:Complete|Failed)", screen, re.M)) == 24
    # No id of a job is broken by the edge of the screen.
    assert (
        len(set(re.findall(r"(?<![0-9a-f])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", screen)))
        == 3
    )
    assert_fits(screen)
    assert "\x1b[32m✓ Complete" in terminal.screen(colours=True)


@pytest.mark.parametrize(
    ("command", "name", "code"),
    [
        ("schedule {} --wait", "TERM", 143),
        ("status --all --watch", "HUP", 129),
        pytest.param("status --all --watch", "INT", 130, marks=pytest.mark.slow),
        pytest.param("status --all --watch", "TERM", 143, marks=pytest.mark.slow),
        pytest.param("schedule {} --wait", "INT", 130, marks=pytest.mark.slow),
    ],
)
def test_a_signal_ends_the_watch_and_leaves_a_tidy_terminal(
    terminal: Terminal, site: Site, command: str, name: str, code: int
) -> None:
    if command.startswith("status"):
        site.world.add_job(HOSTS)
    program = f"sbpam {command.format(' '.join(HOSTS))}"
    terminal.type(f"clear; sh -c 'echo $$ >~/pid; exec {program}'; echo ended=$?", "Enter")
    terminal.wait_for(r"^0 of 4 hosts")
    pid = (site.program.folder / "home" / "pid").read_text().strip()
    subprocess.run(["kill", f"-{name}", pid], check=True)
    screen = terminal.wait_for(rf"^ended={code}")
    assert "0 of 4 hosts" not in screen
    assert_fits(screen)
    for host in HOSTS:
        assert re.search(rf"^{host} +○ Queued", screen, re.MULTILINE)
    assert terminal._do("display-message", "-p", "#{cursor_flag}").strip() == "1"


def test_interrupted(terminal: Terminal) -> None:
    terminal.type("sbpam demo --scan-duration 1h; echo ended=$?", "Enter")
    terminal.wait_for(r"\d+ of 24 hosts")
    terminal._do("send-keys", "C-c")
    screen = terminal.wait_for(r"^ended=130")
    assert "of 24 hosts" not in screen
    assert "Traceback" not in screen
    assert_fits(screen)
