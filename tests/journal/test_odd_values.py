"""A journal that SQLite finds sound, and whose values are not: exit 6 with the remedy.

A file of another program, a hand that helped, a bad disk. Never a traceback, never an end
that does not come, never a value that leaves for a screen, a shell or a server unchecked.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.clock import MovedClock
from support.faults import POST, Fault, StagedWorld
from support.site import Ended, Site, served
from support.tables import slow

HOSTS = [f"web{n:02}.corp.example" for n in range(4)]
BLOB, HUGE, INFINITE = b"\x00\xff", 2**62, 9e999
MOMENT = ("x", BLOB, -1.0, 1e300, INFINITE)
NUMBER = ("x", BLOB, -1, HUGE, 1.5)
ID = ("x", BLOB, "", "$(touch x)", "20261123-031502-7F3A\n", "../Version")
TEXT = (BLOB,)
NAMES = (BLOB, "", "a b", "web01.corp.example\n\n", "WEB01.corp.example", "a/../b", "\x1b[2J")
JSON = (BLOB, "x", "[", "[" * 9999, "[[]]", "{}", "null", '[["a.example","Nonsense"]]', "[1]")
ASIDE = (*JSON, '[[-1,"a.example","Skipped",null]]', '[[0,"a b","Skipped",null]]')
COLUMNS: dict[str, dict[str, tuple[object, ...]]] = {
    "runs": {
        **dict.fromkeys(("run_id", "server", "credential_id", "digest"), ID),
        **dict.fromkeys(("started", "ended"), MOMENT),
        **dict.fromkeys(("exit_code", "hosts", "skipped", "elsewhere"), NUMBER),
        **dict.fromkeys(("profile", "username", "account", "list"), TEXT),
        "aside": ASIDE,
    },
    "batches": {
        **dict.fromkeys(("number", "first", "size", "http_status"), NUMBER),
        "parent": ("x", BLOB, 1.5),
        "state": ("x", BLOB, "", "Accepted"),
        "job_id": ID,
        **dict.fromkeys(("sent_at", "gave_up_at", "accepted_at"), MOMENT),
        "deadline": (*MOMENT, 4e9),
        "clock_offset": ("x", BLOB, 1e300, -INFINITE),
        **dict.fromkeys(("reason", "trace_id", "session"), TEXT),
        "list_before": ("x", BLOB, 1.5),
    },
    "batch_names": {"names": NAMES},
    "batch_rows": {
        **dict.fromkeys(("accepted", "failed", "complete"), NUMBER),
        "seen_at": MOMENT,
        "rows": JSON,
    },
}
COUNTS = ("accepted", "failed", "complete", "skipped", "elsewhere")
CASES = [(table, column) for table, columns in COLUMNS.items() for column in columns]


@dataclass
class Store:
    """A site, and its journal as it was."""

    site: Site
    run: str
    before: bytes
    numbers: Iterator[int] = field(default_factory=count)

    @property
    def path(self) -> Path:
        return Path(self.site.environ["SBPAM_STATE_HOME"]) / "journal.sqlite3"

    def put(self, table: str, column: str, value: object) -> bool:
        """Whether the value is in every row of the journal, or in the last."""
        state = self.site.folder / f"state-{next(self.numbers)}"
        state.mkdir(mode=0o700)
        self.site.environ["SBPAM_STATE_HOME"] = str(state)
        self.path.write_bytes(self.before)
        statement = f"UPDATE {table} SET {column} = ?"
        last = f" WHERE rowid = (SELECT max(rowid) FROM {table})"
        with closing(sqlite3.connect(self.path, isolation_level=None)) as database:
            for where in ("", last):
                try:
                    database.execute(statement + where, (value,))
                    return True
                except sqlite3.IntegrityError:
                    pass
        return False

    def look(self, *command: str) -> Ended:
        ended = self.site.run(*command)
        assert ended.code in (0, 2, 3, 5, 6), ended.err
        assert "bug" not in ended.err
        if ended.code == 6:
            assert str(self.path) in ended.err
            assert ".recover`: it may name hosts in doubt" in ended.err
        return ended

    def look_everywhere(self) -> dict[str, int]:
        commands = {
            "runs": ("runs",),
            "show": ("runs", "show", self.run),
            "status": ("status", "--offline"),
            "report": ("report", "--offline", "--format", "md"),
            "resume": ("resume", "--settle-after", "0"),
            "schedule": ("schedule", *HOSTS, "--settle-after", "0"),
        }
        return {name: self.look(*command).code for name, command in commands.items()}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A run of four batches: accepted, refused, in doubt, planned; and an entry that is no name."""
    clock = MovedClock()
    world = StagedWorld(seed=1, now=clock.now, scan_duration_s=10.0)
    world.refuse_replay = False
    with served(Site(tmp_path_factory.mktemp("odd"), clock), world) as site:
        site.faults.add(Fault(action="status", status=422, nth=2, **POST))
        site.faults.add(Fault(action="status", status=500, when="after", nth=3, **POST))
        site.faults.add(Fault(action="status", status=500, method="GET", path="HostScanJob"))
        options = ["--batch-size", "1", "--parallel", "1", "--settle-after", "0"]
        ended = site.run("schedule", *HOSTS, "short", "--skip-invalid", *options, "-o", "json")
        found = [row["status"] for row in ended.json()["hosts"]]
        assert {"Queued", "Rejected", "OutcomeUnknown", "NotSent", "Invalid"} >= set(found)
        store = Store(site, ended.json()["run"], b"")
        store.before = store.path.read_bytes()
        yield store


@pytest.mark.parametrize("every", [False, *slow(True)])
@pytest.mark.parametrize(("table", "column"), CASES)
def test_it_is_refused_with_the_remedy(store: Store, table: str, column: str, every: bool) -> None:
    """every: value; the ordinary columns take turns."""
    values = COLUMNS[table][column]
    turn = CASES.index((table, column)) % len(values)
    for value in values if every else values[turn : turn + 1]:
        assert store.put(table, column, value)
        sent = len(store.site.requests("OuMapping"))
        codes = store.look_everywhere()
        reader = "runs" if column in COUNTS or (table == "runs" and column != "aside") else "report"
        assert codes[reader] == 6, (value, codes)
        if column not in COUNTS and (table, column) != ("runs", "exit_code"):
            assert len(store.site.requests("OuMapping")) == sent, (value, codes)


def test_every_column_is_tried(store: Store) -> None:
    with closing(sqlite3.connect(store.path)) as database:
        for table, columns in COLUMNS.items():
            found = {row[1] for row in database.execute(f"PRAGMA table_info({table})")}
            keys = {"run_id", "number"} if table != "runs" else set()
            assert found - keys == {*columns} - keys


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=settings().max_examples // 5,
)
@given(
    st.sampled_from(CASES),
    st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.binary() | st.text("a1.[\n"),
)
def test_whatever_the_value_it_ends(store: Store, case: tuple[str, str], value: object) -> None:
    if case[1] != "gave_up_at" and store.put(*case, value):
        store.look_everywhere()
