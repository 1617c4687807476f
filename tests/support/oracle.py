"""The oracle: it believes the sandbox's own record alone, which job holds which host."""

import shutil
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing

from support.process import QUICK, RealSite
from support.site import Ended


def check_none_twice(site: RealSite) -> None:
    """No host is in two jobs: true at every moment."""
    held = Counter(name for names in list(site.world.scheduled.values()) for name in names)
    twice = [name for name, jobs in held.items() if jobs > 1]
    assert not twice, f"{len(twice)} hosts are in several jobs: {twice[:3]}"


def check_exactly_once(site: RealSite, names: Sequence[str], ended: Ended) -> None:
    """Every host is in exactly one job, and the rows of the last command say in which."""
    check_none_twice(site)
    job_of = {name: job for job, held in site.world.scheduled.items() for name in held}
    missing = [name for name in names if name not in job_of]
    assert not missing, f"{len(missing)} hosts are in no job: {missing[:3]}\n{ended.err[-800:]}"
    assert len(job_of) == len(names), "a host was scheduled that nobody named"
    assert ended.code == 0, f"exit {ended.code}\n{ended.err[-800:]}"
    rows = [(row[0], row[2]) for row in ended.rows()]
    assert rows == [(name, job_of[name]) for name in names], "rows and jobs disagree"
    assert not site.world.violations


def check_journal(site: RealSite, runs: int = 1) -> None:
    """SQLite finds its file whole, and no run is unfinished."""
    with closing(sqlite3.connect(site.journal)) as database:
        [(verdict,)] = database.execute("PRAGMA integrity_check").fetchall()
        found = [state for (state,) in database.execute("SELECT state FROM batches")]
        [(recorded,)] = database.execute("SELECT count(*) FROM runs").fetchall()
    assert verdict == "ok", verdict
    assert recorded == runs
    assert set(found) <= {"accepted", "split"}, Counter(found)


def read_aside(site: RealSite) -> tuple[str, str | None]:
    """SQLite's verdict on a copy of the journal as it lies there, and its one run's id.

    A copy, because reading it would already repair what a kill left.
    """
    copy = site.folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for path in site.state.glob("journal.sqlite3*"):
        if not path.name.endswith("-shm"):
            shutil.copy2(path, copy)
    path = copy / "journal.sqlite3"
    if not path.exists():
        return "ok", None
    with closing(sqlite3.connect(path)) as database:
        [(verdict,)] = database.execute("PRAGMA integrity_check").fetchall()
        tables = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'runs'").fetchall()
        runs = database.execute("SELECT run_id FROM runs").fetchall() if tables else []
    assert len(runs) <= 1
    return verdict, runs[0][0] if runs else None


def finish(site: RealSite, listed: str, *arguments: str, tries: int = 6) -> Ended:
    """Recovers from a kill as a person would: `resume` until nothing is open.

    Where the kill came before the run was recorded, nothing was sent and the
    list is scheduled again.
    """
    verdict, run = read_aside(site)
    assert verdict == "ok", f"after the kill: {verdict}"
    again = ("resume", run, *QUICK) if run else ("schedule", listed, *arguments, *QUICK)
    for _ in range(tries):
        ended = site.run(*again)
        check_none_twice(site)
        if ended.code == 0:
            return ended
        _, run = read_aside(site)
        if run is not None:
            again = ("resume", run, *QUICK)
    return ended
