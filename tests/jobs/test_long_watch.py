"""Twenty thousand hosts in forty jobs that end within a minute, watched by the real program.

In terminals of two sizes that are resized meanwhile, into a pipe, into a file
as under cron, through jq. Slow: a minute is a minute here.
"""

import contextlib
import json
import os
import re
import select
import shlex
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support.faults import StagedWorld
from support.process import RealSite
from support.programs import SBPAM, find_program
from support.site import served

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="POSIX terminals"),
]

HOSTS, JOBS, SCANS_TAKE_S = 20_000, 40, 60.0
BYTES_A_SECOND, SHARE_OF_A_CORE = 20_000, 0.15
NAMES = [f"srv{n:05}.site{n % 7}.corp.example" for n in range(HOSTS)]
PATIENCE_S = 300
HEAD = " of 20,000 hosts"


class Stage(RealSite):
    """A site in real time, with a list of hosts and an environment as cron's."""

    list_file: str

    def statuses(self) -> dict[str, str]:
        """How every scan ends."""
        return {n: "Failed" if self.world.machine(n).reason else "Complete" for n in NAMES}

    def schedule(self) -> None:
        assert self.run("schedule", self.list_file, "-o", "tsv").code == 0
        assert len(self.world.scheduled) == JOBS


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    world = StagedWorld(seed=3, now=time.time, scan_duration_s=SCANS_TAKE_S, failing_share=0.02)
    with served(Stage(tmp_path), world) as stage:
        stage.environ["PATH"] = "/usr/bin:/bin"
        stage.list_file = stage.write_list(NAMES)
        yield stage


@dataclass
class Watched:
    """What a program wrote to its terminal, when, and what it took."""

    code: int = -1
    wall_s: float = 0.0
    cpu_s: float = 0.0
    pieces: list[tuple[float, bytes]] = field(default_factory=list)

    @property
    def text(self) -> str:
        return b"".join(piece for _, piece in self.pieces).decode()


def run_in_pty(argv: list[str], environ: dict[str, str], columns: int, lines: int) -> Watched:
    """The program in a terminal of our own that nobody reads but us."""
    import fcntl
    import pty
    import struct
    import termios

    watched, started = Watched(), time.monotonic()
    pid, terminal = pty.fork()
    if pid == 0:
        with contextlib.suppress(OSError):
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
            os.execve(argv[0], argv, environ)
        os._exit(127)
    try:
        while True:
            assert time.monotonic() - started < PATIENCE_S
            if not select.select([terminal], [], [], 1.0)[0]:
                continue
            try:
                piece = os.read(terminal, 65536)
            except OSError:
                break
            watched.pieces.append((time.monotonic() - started, piece))
    finally:
        os.close(terminal)
        _, status, usage = os.wait4(pid, 0)
    watched.code = os.waitstatus_to_exitcode(status)
    watched.wall_s = time.monotonic() - started
    watched.cpu_s = usage.ru_utime + usage.ru_stime
    return watched


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (200, 50)])
def test_few_bytes_and_little_work(stage: Stage, columns: int, lines: int) -> None:
    environ = {**stage.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8"}
    arguments = ["schedule", stage.list_file, "--wait", "--yes"]
    watched = run_in_pty([SBPAM, *arguments], environ, columns, lines)
    assert watched.code == 3
    assert watched.wall_s > SCANS_TAKE_S * 0.9
    assert watched.cpu_s < SHARE_OF_A_CORE * watched.wall_s, watched.cpu_s

    display, _, table = watched.text.rpartition("\x1b[?25h")
    seconds: Counter[int] = Counter()
    length = 0
    for moment, piece in watched.pieces:
        length += len(piece)
        if length <= len(display.encode()):
            seconds[int(moment)] += len(piece)
    assert len(seconds) > SCANS_TAKE_S * 0.8
    assert max(seconds.values()) < BYTES_A_SECOND, seconds
    drawings = Counter(int(moment) for moment, piece in watched.pieces if HEAD in piece.decode())
    assert max(drawings.values()) <= 5

    # What stays: the first hosts with their ends, how to see the others, the sums.
    plain = re.sub(r"\x1b\[[0-9;]*[a-zA-Z]", "", table).replace("\r", "")
    found = dict(re.findall(r"^(srv\S+) +\S (\w+)", plain, re.MULTILINE))
    statuses = stage.statuses()
    assert found == {name: statuses[name] for name in NAMES[:100]}
    assert "100 of 20,000 rows; to see all: --full" in plain
    ends = Counter(statuses.values())
    assert f"20,000 hosts: {ends['Complete']:,} Complete, {ends['Failed']} Failed" in plain
    assert "\x1b" not in plain


class Pane:
    """A tmux window; `screen` is what one sees, `all` has its history too."""

    def __init__(self, folder: Path, columns: int, lines: int, environ: dict[str, str]) -> None:
        self._tmux = [find_program("tmux"), "-S", str(folder / "tmux"), "-f", os.devnull]
        given = [f"{name}={shlex.quote(value)}" for name, value in environ.items()]
        shell = f"env -i {' '.join(given)} TERM=screen-256color PS1='$ ' sh"
        self.do("new-session", "-d", "-x", str(columns), "-y", str(lines), shell)

    def do(self, *arguments: str) -> str:
        ended = subprocess.run(
            [*self._tmux, *arguments], capture_output=True, text=True, timeout=30, check=True
        )
        return ended.stdout

    def screen(self) -> str:
        return self.do("capture-pane", "-p")

    def all(self) -> str:
        return self.do("capture-pane", "-p", "-S", "-")

    def wait_for(self, pattern: str) -> str:
        end = time.monotonic() + PATIENCE_S
        while not re.search(pattern, screen := self.screen(), re.MULTILINE):
            assert time.monotonic() < end, f"{pattern!r} did not appear:\n{screen}"
            time.sleep(0.05)
        return screen


def display_on(screen: str) -> list[str]:
    """The lines of the display, which is there once, whole, and with nothing of an older one."""
    lines = screen.rstrip("\n").split("\n")
    [first] = [number for number, line in enumerate(lines) if HEAD in line]
    shown = lines[first:]
    assert len(re.findall(r"[0-9a-f]{8} +\d+/500", "\n".join(lines))) == JOBS, screen
    return shown


def wait_for_redrawing(pane: Pane, columns: int) -> None:
    """Until a display is there that was made for this width."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        with contextlib.suppress(AssertionError, ValueError):
            if len(display_on(pane.screen())[0]) == columns:
                return
        time.sleep(0.05)
    pytest.fail(f"nothing fits {columns} columns:\n{pane.screen()}")


@pytest.mark.parametrize(
    "sizes", [[(80, 24), (200, 50), (120, 30)], [(200, 50), (80, 24), (200, 50)]]
)
def test_in_a_terminal_that_is_resized(stage: Stage, sizes: list[tuple[int, int]]) -> None:
    environ = {**stage.environ, "LANG": "C.UTF-8"}
    pane = Pane(stage.folder, *sizes[0], environ)
    try:
        # As many lines above as there is room for: the display has to make its own.
        pane.do("send-keys", "-l", "clear; seq 100; echo the line above")
        pane.do("send-keys", "-l", f"; {SBPAM} schedule {stage.list_file} --wait --yes")
        pane.do("send-keys", "-l", "; echo ended=$?")
        pane.do("send-keys", "Enter")
        first = pane.wait_for(HEAD)
        for columns, lines in sizes:
            pane.do("resize-window", "-x", str(columns), "-y", str(lines))
            wait_for_redrawing(pane, columns)
            # It stays so, however often it is looked at.
            for _ in range(10):
                shown = display_on(pane.screen())
                assert len(shown) <= lines - 2
                assert max(map(len, shown)) <= columns
                assert pane.all().count("\nthe line above\n") == 1
                time.sleep(0.3)
        assert "the line above" in first
        end = pane.wait_for(r"^ended=3$")
        assert HEAD not in end, end
        ends = Counter(stage.statuses().values())
        assert f"20,000 hosts: {ends['Complete']:,} Complete, {ends['Failed']} Failed" in end
        assert "100 of 20,000 rows" in end
        assert pane.do("display-message", "-p", "#{cursor_flag}").strip() == "1"
    finally:
        pane.do("kill-server")


def test_into_a_pipe_a_file_and_jq(stage: Stage) -> None:
    # Five sign in at once: that is too many for one user's TOTP codes.
    user = next(user for user in stage.world.users if user.mfa == "none")
    del stage.environ["SBPAM_TOTP_SECRET"]
    stage.environ |= {"SBPAM_USERNAME": user.login, "SBPAM_PASSWORD": user.password}
    stage.schedule()
    jq = find_program("jq")
    folder = stage.folder
    watch = f"{SBPAM} status --watch --exit-status"
    scripts = {
        "pipe": f"{watch} 2>pipe.err | cat > pipe.out; exit ${{PIPESTATUS[0]}}",
        "cron": f"{watch} > cron.out 2> cron.err < /dev/null",
        "json": f"{watch} -o json > json.out 2> json.err",
        "jq": f"{watch} -o ndjson 2>jq.err | {jq} -rc '[.host, .status]' > jq.out;"
        " exit ${PIPESTATUS[0]}",
        "ndjson": f"{watch} -o ndjson > ndjson.out 2> ndjson.err",
    }
    running = {
        name: subprocess.Popen(
            ["bash", "-c", script],
            cwd=folder,
            env=stage.environ,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        for name, script in scripts.items()
    }
    early = 0
    while running["ndjson"].poll() is None:
        written = folder / "ndjson.out"
        so_far = written.read_bytes().count(b"\n") if written.exists() else 0
        if running["ndjson"].poll() is None:
            early = so_far
        time.sleep(1.0)
    codes = {name: process.wait(PATIENCE_S) for name, process in running.items()}
    assert set(codes.values()) == {3}, codes
    statuses = stage.statuses()
    for name in ("pipe", "cron"):
        rows = [line.split("\t") for line in (folder / f"{name}.out").read_text().splitlines()]
        assert [(row[0], row[1]) for row in rows] == list(statuses.items())
        assert {len(row) for row in rows} == {8}
    report = json.loads((folder / "json.out").read_text())
    assert [(row["host"], row["status"]) for row in report["hosts"]] == list(statuses.items())
    assert (report["result"], report["exit_code"], report["errors"]) == ("partial", 3, [])
    assert len(report["jobs"]) == JOBS
    for name in ("jq", "ndjson"):
        lines = (folder / f"{name}.out").read_text().splitlines()
        values = [json.loads(line) for line in lines]
        pairs = [tuple(v) if isinstance(v, list) else (v["host"], v["status"]) for v in values]
        assert len(pairs) == HOSTS
        assert dict(pairs) == statuses
    # As hosts ended, not in the end.
    assert early > 1000
    for path in folder.glob("*.out"):
        assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", path.read_bytes()), path
    for path in folder.glob("*.err"):
        said = path.read_text().splitlines()
        assert 2 <= len(said) <= 6, said
        assert said[-1].startswith("20,000 of 20,000 hosts done: "), said
        assert all(line.isprintable() for line in said)
