"""A machine in memory, with a disk, on which the program runs and anything may fail.

Every call of the program on a seam is a point. A plan names the points that
fail and how; everything else is a function of the scenario's seed.
"""

import hashlib
import io
import json
import os
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import formatdate
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

from support.faults import Fault, Faults, StagedWorld
from torture.audit import inside_seam, watched
from torture.process import BATCHES, Process
from torture.table import ANSWERS, kind_of
from torture.turns import Killed, Turns

from sbpam_cli.commands.app import build_program
from sbpam_cli.main import main
from sbpam_cli.sandbox.http import Request, Response
from sbpam_cli.sandbox.routes import App

_TIMING = ("hide_job", "later")
START = 1_795_403_702.0
# A command line's parameters are the same each time, and a tenth of what a command takes.
_built_once = patch("sbpam_cli.commands.app.build_program", cache(build_program))


@dataclass(frozen=True)
class Point:
    """One call on a seam.

    index: its place in the whole story; command: in which command of it.
    nth: how often this operation on this has come before. states: the batch
    states that the journal holds at that moment.
    """

    index: int
    command: int
    operation: str
    what: str
    nth: int
    states: frozenset[str]
    durable: str

    @property
    def name(self) -> str:
        return f"{self.command}. {self.operation} {self.what} #{self.nth}"


@dataclass(frozen=True)
class Ended:
    """How one command ended; code None: it was killed.

    knew: it had read what the journal holds. A `schedule` that cannot says
    NotSent of every host, whatever an earlier one sent. signals: how many came.
    failed: something failed beside what the script does to POSTs, or it was killed.
    """

    arguments: tuple[str, ...]
    code: int | None
    rows: list[list[str]]
    err: str
    knew: bool
    signals: int
    failed: bool


Choose = Callable[[Point], str | None]


@dataclass
class Script:
    """What the world does by itself, fault or no fault.

    posts: what befalls the n-th POST (1-based). lag_s: how long every job is
    missing in the list. fill_s: over how long its hosts appear in it.
    body_limit: above it the server answers 413.
    kill_after_post: the machine dies when the server has acted on that POST.
    ahead_s: of the clock by which jobs are dated, against the one of tokens and codes.
    date_ahead_s: of the front end's, which writes `Date`; no code can be told by it.
    short_names: hosts have no FQDN.
    """

    posts: Mapping[int, str] = field(default_factory=dict)
    lag_s: float = 0.0
    fill_s: float = 0.0
    body_limit: int = 1 << 20
    kill_after_post: int = 0
    others: int = 2
    ahead_s: float = 0.0
    date_ahead_s: float = 0.0
    short_names: bool = False


class Machine:
    """The disk, the server and the time; commands run on it one after another.

    excused: hosts that need not be in a job at the end, if they are named.
    last_digest: the last point whose durable state is told: that takes a tenth of the time.
    """

    def __init__(self, folder: Path, script: Script, choose: Choose, *, seed: int = 1) -> None:
        self.folder = folder
        self.script = script
        self.choose = choose
        self.seed = seed
        self.time = START
        self.world = StagedWorld(
            seed=1, now=lambda: self.time, failing_share=0.0, scan_duration_s=10.0
        )
        self.faults = Faults(self.world)
        self.app = App(self.world, self.faults)
        self.points: list[Point] = []
        self.endings: list[Ended] = []
        self.excused: set[str] = set()
        self.last_digest = sys.maxsize
        self.dead = True
        self._posts = 0
        self._seen: Counter[tuple[str, str]] = Counter()
        self._process: Process | None = None
        self._interrupt = False
        self._signals = 0
        self._failed = False
        self._states: frozenset[str] = frozenset()
        self._durable: str | None = None
        self._at_rest: list[tuple[Any, ...]] | None = None
        for number in range(script.others):
            self.world.add_job([f"other{number}.corp.example"], age_s=3600.0)

    @property
    def journal_path(self) -> Path:
        return self.folder / "state" / "journal.sqlite3"

    # Running the program.

    def run(self, *arguments: str) -> Ended:
        """One command in a fresh process."""
        self.dead = False
        self._signals, self._failed = 0, False
        self.turns = Turns(self.seed * 1000 + len(self.endings), lambda: self.dead)
        process = self._process = Process(self)
        out, err = io.StringIO(), io.StringIO()
        services = process.services(out, err)
        code: int | None = None
        self.refresh()
        self._at_rest = None
        handler = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            with watched(), _built_once:
                code = main(list(arguments), services)
        except Killed:
            pass
        finally:
            signal.signal(signal.SIGINT, handler)
            self.dead = True
            self.turns.drain()
            process.end()
            self._process = None
        lines = [line.split("\t") for line in out.getvalue().splitlines()]
        rows = lines if code is not None else []
        failed = self._failed or code is None
        ended = Ended(arguments, code, rows, err.getvalue(), process.knew, self._signals, failed)
        self.endings.append(ended)
        return ended

    def unwatched(self, *arguments: str) -> Ended:
        """One command more, of which nothing is recorded and where nothing fails."""
        kept = (self.points, self.endings, self.choose)
        self.points, self.endings, self.choose = [], [], lambda _: None
        try:
            return self.run(*arguments)
        finally:
            self.points, self.endings, self.choose = kept

    def die(self) -> None:
        """The power is gone: what the disk has confirmed is all that stays."""
        self.dead = True
        assert self._process is not None
        with inside_seam():
            self._process.die()
        raise Killed

    # What the seams ask.

    def reach(self, operation: str, what: str) -> str | None:
        """The failure that is due at this point; kills and interrupts by itself."""
        if self.dead:
            raise Killed
        if operation == "wait" and self.points and self.points[-1].operation == "wait":
            return None
        key = (operation, what)
        self._seen[key] += 1
        number = len(self.points)
        durable = self.durable_state() if number <= self.last_digest else ""
        nth, states = self._seen[key], self._states
        point = Point(number, len(self.endings), operation, what, nth, states, durable)
        self.points.append(point)
        failure = self.choose(point)
        if failure == "kill":
            self.die()
        if failure == "signal":
            self._interrupt = True
            self._signals += 1
            self.take_signal()
            return None
        self._failed = self._failed or failure is not None
        return failure

    def take_signal(self) -> None:
        """Signals reach the main thread alone, when it has its turn."""
        if self._interrupt and not self.turns.in_worker:
            self._interrupt = False
            signal.raise_signal(signal.SIGINT)

    def give_up_turn(self) -> None:
        self.turns.give_up_turn()

    def pass_time(self, seconds: float) -> None:
        self.time += seconds

    def answer(self, request: Request) -> Response:
        """The server's answer, with what the script and the plan do to it."""
        operation, what = kind_of(request)
        failure = self.reach(operation, what)
        rules = self._rules(operation, failure) if failure is not None else []
        if operation == "answer POST":
            self._posts += 1
            scripted = self.script.posts.get(self._posts)
            if scripted is not None and failure is None:
                rules = self._rules(operation, scripted)
            if self.script.lag_s and not any(rule.action in _TIMING for rule in rules):
                rules = [*rules, Fault(action="hide_job", seconds=self.script.lag_s)]
            if self.script.fill_s and not any(rule.action == "fill_gradually" for rule in rules):
                rules = [*rules, Fault(action="fill_gradually", seconds=self.script.fill_s)]
            if len(request.body) > self.script.body_limit:
                # A server that refuses the size schedules nothing, later neither.
                rules = [rule for rule in rules if rule.action not in ("edit", "later")]
                rules = [Fault(action="status", status=413), *rules]
        self.faults.clear()
        self.faults.add(*rules)
        reply = self._worded(request, self.app.handle(request))
        self._durable = None
        if any(rule.action == "leave_out" for rule in rules):
            self.excused.update(json.loads(request.body))
        if operation == "answer POST" and self._posts == self.script.kill_after_post:
            self.die()
        return reply

    def _worded(self, request: Request, reply: Response) -> Response:
        """As the server likes to name hosts, and by its own clocks."""
        script = self.script
        if script.date_ahead_s:
            date = formatdate(self.time + script.date_ahead_s, usegmt=True)
            reply = replace(reply, headers=tuple((dict(reply.headers) | {"Date": date}).items()))
        if reply.status != 200 or "/HostScanJob" not in request.target:
            return reply
        if not (script.ahead_s or script.short_names):
            return reply
        with suppress(ValueError):
            value = json.loads(reply.body)
            for job in value if isinstance(value, list) else [value]:
                self._word(job)
            reply = replace(reply, body=json.dumps(value).encode())
        return reply

    def _word(self, job: Any) -> None:
        if not isinstance(job, dict):
            return
        if "createdDateTimeUtc" in job:
            made = self.world.jobs[job["id"]].created_at + self.script.ahead_s
            job["createdDateTimeUtc"] = datetime.fromtimestamp(made, UTC).isoformat()
        hosts = list(job.get("hostScanHostStatus") or ())
        hosts += [join["hostScanHost"] for join in job.get("hostScanJobHostJoin") or ()]
        for host in hosts if self.script.short_names else ():
            host["dnsHostName"] = None

    def _rules(self, operation: str, failure: str) -> list[Fault]:
        if failure == "others' jobs alone":
            return [Fault(action="edit", edit=self._others_alone)]
        return ANSWERS[operation][failure]

    def _others_alone(self, jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [job for job in jobs if job["id"] not in self.world.scheduled]

    # What the disk and the server hold.

    def batches(self) -> list[tuple[Any, ...]]:
        """The journal's batches, as they are on disk now."""
        rows = self._read_batches() if self._at_rest is None else self._at_rest
        if self._process is None:
            # Nothing changes them until the next command runs.
            self._at_rest = rows
        return rows

    def _read_batches(self) -> list[tuple[Any, ...]]:
        if not self.journal_path.exists():
            return []
        with inside_seam():
            connection = sqlite3.connect(self.journal_path)
        try:
            return connection.execute(BATCHES).fetchall()
        except sqlite3.OperationalError:
            return []
        finally:
            connection.close()

    def refresh(self) -> None:
        """The journal has changed."""
        rows = self._process.batches() if self._process is not None else None
        rows = self.batches() if rows is None else rows
        self._states = frozenset(row[2] for row in rows)
        self._rows = rows
        self._durable = None

    def durable_state(self) -> str:
        """A digest of what would be left if the machine died now, times aside."""
        if self._durable is None:
            known = self.faults.jobs()
            jobs = {job_id: n for n, job_id in enumerate(known)}
            rows = [(*row[:-1], jobs.get(row[-1])) for row in self._rows]
            world = list(known.values())
            below = [[*folders, *names] for _, folders, names in os.walk(self.folder)]
            files = sorted(name for names in below for name in names if "totp" not in name)
            text = json.dumps([rows, world, files, self._posts])
            self._durable = hashlib.sha256(text.encode()).hexdigest()[:16]
        return self._durable

    def copies(self) -> Counter[str]:
        """In how many jobs each host is."""
        return Counter(name for names in self.world.scheduled.values() for name in names)
