"""No byte of a scheduling POST leaves before the disk has confirmed its `sending` row.

strace tells the order of the calls and what the journal's files were given;
from the parts that were synced the test rebuilds what a power cut would have
left, at the moment of each POST.
"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from support.oracle import check_exactly_once
from support.process import QUICK, RealSite, host_names
from support.programs import find_strace

_CALL = re.compile(r'(\d+) +(\w+)\(\d+<([^>]*)>(?:, "([^"]*)"(?:\.\.\.)?, (\d+)(?:, (\d+))?)?')
_RESUMED = re.compile(r"(\d+) +<\.\.\. fdatasync resumed>\) += 0")
_BODY_BYTES = 8_000
"""A write of more on a socket is a POST's body, encrypted: 200 hosts of 60 characters."""


@dataclass
class _Disk:
    """The journal's files as written, and as they were when they were last synced."""

    written: dict[str, bytearray] = field(default_factory=dict)
    synced: dict[str, bytes] = field(default_factory=dict)

    def write(self, file: str, data: bytes, offset: int) -> None:
        content = self.written.setdefault(file, bytearray())
        content.extend(bytes(max(0, offset + len(data) - len(content))))
        content[offset : offset + len(data)] = data

    def sync(self, file: str) -> None:
        self.synced[file] = bytes(self.written.get(file, b""))

    def batches(self, folder: Path) -> dict[int, str]:
        """What a power cut now would leave: batch number -> state."""
        for path in folder.iterdir():
            path.unlink()
        for file, content in self.synced.items():
            if file.endswith((".sqlite3", "-wal")):
                (folder / Path(file).name).write_bytes(content)
        with closing(sqlite3.connect(folder / "journal.sqlite3")) as database:
            return dict(database.execute("SELECT number, state FROM batches").fetchall())


def _power_cuts(trace: str, folder: Path) -> Iterator[dict[int, str]]:
    """For each POST in order: the batches as they were on disk when its first byte left."""
    disk = _Disk()
    syncing: dict[str, str] = {}
    before: dict[str, dict[int, str]] = {}
    for line in trace.splitlines():
        if (resumed := _RESUMED.match(line)) is not None:
            disk.sync(syncing.pop(resumed[1]))
            continue
        if (call := _CALL.match(line)) is None:
            continue
        thread, name, file, text, size, offset = call.groups()
        if name == "fdatasync":
            if line.endswith("= 0"):
                disk.sync(file)
            else:
                assert line.endswith("<unfinished ...>"), line
                syncing[thread] = file
        elif name == "pwrite64":
            data = bytes.fromhex(text.replace("\\x", ""))
            assert len(data) == int(size), "strace cut what was written"
            disk.write(file, data, int(offset))
        elif name in ("write", "sendto") and file.startswith(("socket:", "TCP")):
            if int(size) > _BODY_BYTES:
                # Its headers left with the write before, on the same connection.
                yield before[file]
            elif disk.synced:
                before[file] = disk.batches(folder)


def _trace(stage: RealSite, tmp_path: Path, parallel: int) -> list[dict[int, str]]:
    strace = find_strace()
    names = host_names(2000, width=60)
    trace = tmp_path / "trace"
    ended = stage.run(
        *("schedule", stage.write_list(names), "--yes", "--batch-size", "200"),
        *("--parallel", str(parallel), *QUICK, "--send-timeout", "60s"),
        before=(
            *(strace, "-qq", "-f", "-y", "-xx", "-s", "70000", "-o", str(trace)),
            *("-e", "trace=pwrite64,fdatasync,write,sendto", "-e", "signal=none"),
        ),
    )
    check_exactly_once(stage, names, ended)
    (tmp_path / "disk").mkdir()
    # The names of files are in hexadecimal too.
    readable = re.sub(
        r"<((?:\\x[0-9a-f]{2})+)>",
        lambda match: f"<{bytes.fromhex(match[1].replace(chr(92) + 'x', '')).decode()}>",
        trace.read_text(),
    )
    return list(_power_cuts(readable, tmp_path / "disk"))


def test_row_is_on_disk_before_first_byte_of_its_post(stage: RealSite, tmp_path: Path) -> None:
    """One POST at a time: the nth is batch n, and a power cut would have left it `sending`."""
    cuts = _trace(stage, tmp_path, parallel=1)
    assert len(cuts) == 10
    for number, states in enumerate(cuts, 1):
        assert states[number] == "sending", (number, states)
        assert all(states[done] == "accepted" for done in range(1, number))
        assert all(states[later] == "planned" for later in range(number + 1, 11))


def test_rows_are_on_disk_first_with_four_posts_under_way(stage: RealSite, tmp_path: Path) -> None:
    cuts = _trace(stage, tmp_path, parallel=4)
    assert len(cuts) == 10
    for started, states in enumerate(cuts, 1):
        marked = sum(state in ("sending", "accepted") for state in states.values())
        assert started <= marked <= started + 3, (started, states)
