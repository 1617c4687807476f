"""Long lists: they work, and what they take is printed (`-s`), not judged."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from support.oracle import check_exactly_once
from support.process import RealSite, host_names, staged
from support.site import Ended


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[RealSite]:
    with staged(tmp_path / "stage") as stage:
        yield stage


def _measure(stage: RealSite, *command: str) -> Ended:
    """Runs it, and prints its time and the most memory it held (where the system tells)."""
    running = stage.start(*command)
    status, peak_mb = Path(f"/proc/{running.pid}/status"), 0
    while running.is_running():
        with suppress(OSError):
            # Not rusage: that counts what this process held when it forked.
            found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
            peak_mb = max(peak_mb, int(found[1]) // 1024 if found else 0)
        running.wait(0.02)
    ended = running.end()
    rows = len(ended.out.splitlines())
    print(f"{command[0]}, {rows:,} rows: {ended.seconds:.1f} s, {peak_mb} MB at most")
    return ended


@pytest.mark.slow
@pytest.mark.parametrize("hosts", [10_000, 100_000])
def test_long_list_is_scheduled_and_told(stage: RealSite, hosts: int) -> None:
    names = host_names(hosts)
    ended = _measure(stage, "schedule", stage.write_list(names))
    check_exactly_once(stage, names, ended)
    [run] = stage.run("runs").rows()
    for command in (("resume", run[0]), ("status", "--offline"), ("status",), ("runs",)):
        after = _measure(stage, *command)
        assert after.code == 0, after.err
        if command[0] != "runs":
            assert [row[0] for row in after.rows()] == names
