"""Journals from elsewhere, broken ones, and disks that cannot be written."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from support.oracle import check_exactly_once, check_journal
from support.process import QUICK, RealSite, host_names
from support.site import Ended
from support.tables import slow

NAMES = host_names(40)
FOUR = ("--batch-size", "10")


def _schedule(stage: RealSite, *options: str) -> Ended:
    return stage.run("schedule", stage.write_list(NAMES), *FOUR, *QUICK, *options)


def _check_refused(stage: RealSite, *words: str) -> None:
    """Exit 6 with these words, nothing was sent, nothing was recorded: no rows."""
    ended = _schedule(stage).expect(6, *words, out="")
    assert "Traceback" not in ended.err
    assert stage.posts() == 0


@pytest.mark.parametrize("version", [1, 99])
def test_journal_of_another_version_is_refused_and_left_alone(
    stage: RealSite, version: int
) -> None:
    assert stage.run("runs").code == 0
    with closing(sqlite3.connect(stage.journal)) as database:
        database.execute(f"PRAGMA user_version = {version}")
    before = stage.journal.read_bytes()
    _check_refused(stage, "another version of sbpam", str(stage.journal))
    assert stage.journal.read_bytes() == before
    for command in (("runs",), ("resume",), ("status", "--offline")):
        stage.run(*command).expect(6, "another version of sbpam")


@pytest.mark.parametrize("how", ["header", "pages", *slow("text", "cut")])
def test_damaged_journal_is_named_and_left_alone(stage: RealSite, how: str) -> None:
    assert _schedule(stage).code == 0
    sent = stage.posts()
    content = bytearray(stage.journal.read_bytes())
    if how == "header":
        content[:16] = b"not SQLite at al"
    elif how == "pages":
        content[4096:] = os.urandom(len(content) - 4096)
    elif how == "cut":
        del content[len(content) // 2 :]
    else:
        content = bytearray(b"host\tstatus\n" * 5000)
    stage.journal.write_bytes(content)
    for _ in range(2):
        ended = _schedule(stage).expect(6, str(stage.journal), out="")
        assert "Traceback" not in ended.err
        assert stage.journal.read_bytes() == bytes(content)
        assert stage.posts() == sent
    # The remedy that the error names works.
    for path in stage.state.glob("journal.sqlite3*"):
        path.rename(path.with_name(f"aside-{path.name}"))
    stage.world.scheduled.clear()
    check_exactly_once(stage, NAMES, _schedule(stage))


@contextmanager
def _small_disk(folder: Path) -> Iterator[None]:
    """A tmpfs of 2 MiB; skips the test where it cannot be mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = shutil.which("mount")
    if mount is None or os.name != "posix" or os.geteuid() != 0:
        pytest.skip("only root mounts a file system")
    command = [mount, "-t", "tmpfs", "-o", "size=2048k,mode=0700", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("a tmpfs cannot be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_read_only_state_is_said_before_anything_is_sent(stage: RealSite) -> None:
    with _small_disk(stage.state):
        assert stage.run("runs").code == 0
        subprocess.run(["mount", "-o", "remount,ro", str(stage.state)], check=True)
        _check_refused(stage, "Read-only file system", "SBPAM_STATE_HOME")


@pytest.mark.parametrize("left_kb", [0, 80, *slow(40, 100)])
def test_full_disk_during_a_run_loses_nothing(stage: RealSite, left_kb: int) -> None:
    """The disk fills before, while and after the run is recorded; then there is room again."""
    with _small_disk(stage.state):
        assert stage.run("runs").code == 0
        free = os.statvfs(stage.state)
        ballast = stage.state / "ballast"
        ballast.write_bytes(bytes(free.f_bavail * free.f_frsize - left_kb * 1024))
        ended = _schedule(stage)
        assert ended.code in (5, 6), f"exit {ended.code}\n{ended.err}"
        assert "Traceback" not in ended.err
        rows = ended.rows()
        assert [row[0] for row in rows] in ([], NAMES)
        held = {name for names in stage.world.scheduled.values() for name in names}
        assert not held & {row[0] for row in rows if row[1] == "NotSent"}
        ballast.unlink()
        again = _schedule(stage)
        check_exactly_once(stage, NAMES, again)
        check_journal(stage)


def test_tmpfs_is_said(stage: RealSite) -> None:
    with _small_disk(stage.state):
        _schedule(stage).expect(0, "lies on tmpfs")
