"""Twenty thousand hosts in forty jobs that end within a minute, watched by the real program.

In terminals of two sizes that are resized meanwhile. Slow: a minute is a minute here.
"""

import re
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from support.faults import StagedWorld
from support.process import RealSite, until
from support.programs import SBPAM
from support.site import served
from support.tmux import Tmux

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="POSIX terminals"),
]

HOSTS, JOBS, SCANS_TAKE_S = 20_000, 40, 60.0
SHARE_OF_A_CORE = 0.2
NAMES = [f"srv{n:05}.site{n % 7}.corp.example" for n in range(HOSTS)]
HEAD = re.compile(r"^\s*[\d,]+ of 20,000 hosts", re.MULTILINE)
PATIENCE_S = 300.0


@pytest.fixture
def site(tmp_path: Path) -> Iterator[RealSite]:
    """In real time, with jobs on the server; with a token, because five watch at once."""
    world = StagedWorld(seed=3, now=time.time, scan_duration_s=SCANS_TAKE_S, failing_share=0.02)
    with served(RealSite(tmp_path), world) as site:
        site.environ = {**site.environ, **site.where(), "SBPAM_TOKEN": site.new_token()}
        ended = site.run("schedule", site.write_list(NAMES), "-o", "json").expect(0)
        assert len(ended.json()["jobs"]) == JOBS
        yield site
        site.stop_all()


def fits(tmux: Tmux, columns: int, lines: int) -> bool:
    """Whether a display is there that was made for this size, with nothing of an older one."""
    screen = tmux.screen(history=False)
    heads = [*HEAD.finditer(screen)]
    if len(heads) != 1:
        return False
    shown = screen[heads[0].start() :].rstrip("\n").split("\n")
    return len(shown) < lines and columns - 12 <= max(map(len, shown)) <= columns


@pytest.mark.parametrize(
    "sizes", [[(80, 24), (200, 50), (120, 30)], [(200, 50), (80, 24), (200, 50)]]
)
def test_a_terminal_that_is_resized(site: RealSite, sizes: list[tuple[int, int]]) -> None:
    tmux = Tmux(site.folder, *sizes[0], site.environ, shell="bash --norc")
    try:
        # As many lines above as there is room for: the display has to make its own.
        tmux.type("clear; seq 100; echo the line above", "Enter")
        # What is typed while a command prints is echoed into its lines.
        tmux.wait_for("^the line above$")
        began = time.monotonic()
        tmux.type(f"time {SBPAM} status --watch --exit-status; echo ended=$?", "Enter")
        tmux.wait_for(HEAD.pattern, history=False)
        for columns, lines in sizes:
            tmux.resize(columns, lines)
            until(partial(fits, tmux, columns, lines))
            # It stays so, however often it is looked at.
            for _ in range(10):
                assert fits(tmux, columns, lines), tmux.screen(history=False)
                assert tmux.screen().count("\nthe line above\n") == 1
                time.sleep(0.3)
        end = tmux.wait_for(r"^ended=3$", timeout_s=PATIENCE_S)
        took_s = time.monotonic() - began
        assert not HEAD.search(tmux.screen(history=False)), end
        failed = sum(site.world.machine(name).reason is not None for name in NAMES)
        flat = " ".join(end.split())
        assert f"20,000 hosts: {HOSTS - failed:,} Complete, {failed} Failed" in flat
        busy = re.findall(r"^(?:user|sys)\s+(\d+)m([\d.]+)s", end, re.MULTILINE)
        assert len(busy) == 2
        cpu_s = sum(60 * int(minutes) + float(seconds) for minutes, seconds in busy)
        assert re.search("every row: `sbpam status [-0-9a-f]+ --full`, or -o csv", flat)
        assert cpu_s < SHARE_OF_A_CORE * took_s
        assert tmux.shows_cursor()
    finally:
        tmux.close()
