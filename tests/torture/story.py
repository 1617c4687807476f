"""Stories: a list is scheduled in a world with its own troubles, again and again till it is done.

A case is a story in which one more thing fails, at one point. What fails on
the way to recovery is a case of two; `explore` finds those.
"""

import random
import sys
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate, count
from pathlib import Path
from typing import Literal

from torture.machine import Choose, Ended, Machine, Point, Script
from torture.oracle import Violation, check_command, check_end
from torture.table import failures_of

How = Literal["resume", "schedule"]
Plan = Mapping[int, str]
"""Point -> failure."""


@dataclass(frozen=True)
class Story:
    """A list of hosts in batches of `size`, `parallel` at once, and what follows a bad end.

    how: a person resumes after a while, systemd starts `schedule` again at once.
    first: the number of the first host.
    """

    name: str
    script: Script = field(default_factory=Script, hash=False)
    hosts: int = 6
    size: int = 2
    parallel: int = 2
    how: How = "resume"
    first: int = 0

    @property
    def names(self) -> list[str]:
        numbers = range(self.first, self.first + self.hosts)
        return [f"h{number:02}.corp.example" for number in numbers]

    def schedule(self, machine: Machine, names: Sequence[str]) -> Ended:
        how = ("--batch-size", str(self.size), "--parallel", str(self.parallel))
        return check_command(machine, machine.run("schedule", *names, *how), names)

    def resume(self, machine: Machine, *run: str) -> Ended:
        ended = machine.run("resume", *run)
        return check_command(machine, ended, run_names(machine))


_EVERY_STATE = Script(posts={2: "413", 3: "400", 4: "close, after"}, lag_s=30.0, kill_after_post=7)
LEFT_OUT = Story("left out", Script(posts={1: "a host left out"}), hosts=2)
STORIES = (
    Story("every state", _EVERY_STATE, hosts=14, how="schedule"),
    Story("every state, by hand", _EVERY_STATE, hosts=14),
    Story("lagging list", Script(posts={2: "close, after"}, lag_s=100.0)),
    Story("never arrived", Script(posts={2: "close, before"}, lag_s=100.0), how="schedule"),
    Story("nothing wrong", how="schedule"),
    Story("too large", Script(body_limit=60), hosts=4, size=4),
    LEFT_OUT,
    Story(
        "another node's clock, short names",
        Script(posts={2: "close, after"}, ahead_s=-1800.0, short_names=True),
        how="schedule",
    ),
    Story("filled late", Script(posts={2: "close, after"}, fill_s=6.0), hosts=4),
    # No job was accepted, whose date would tell more than `Date`.
    Story("front end ahead", Script(posts={1: "close, after"}, date_ahead_s=600.0), hosts=2),
    Story(
        "front end behind",
        Script(posts={1: "close, after"}, date_ahead_s=-600.0),
        hosts=2,
        how="schedule",
    ),
)


def play(story: Story, plan: Plan, folder: Path, *, last_digest: int = sys.maxsize) -> Machine:
    """Runs the story to its end under the plan; raises Violation where the promise breaks."""
    machine = Machine(folder, story.script, lambda point: plan.get(point.index))
    machine.last_digest = last_digest
    finish(machine, story, story.schedule(machine, story.names))
    return machine


def finish(machine: Machine, story: Story, last: Ended | None) -> None:
    """Runs what a person, or systemd, would, until nothing is left to do."""
    before: Ended | None = None
    for _ in range(8):
        action = _next_action(machine, story, before, last)
        if action is None:
            if _is_for_a_person(machine, last):
                story.resume(machine, "--resend")
            break
        before = last
        if action == "resume":
            machine.time += 600.0
            last = story.resume(machine)
            if last.code == 0 and not last.rows:
                # Killed when all was done: the run is asked for by its name.
                last = story.resume(machine, newest_run(machine)[0][0])
        else:
            machine.time += 1.0
            last = story.schedule(machine, story.names[::-1])
    check_end(machine, story.names)


def newest_run(machine: Machine) -> list[tuple[str, ...]]:
    """The batches of the newest run, as they are on disk."""
    batches = machine.batches()
    return [row for row in batches if row[0] == batches[-1][0]]


def run_names(machine: Machine) -> list[str]:
    """The hosts of the newest run in the order in which it was asked for."""
    rows = [row for row in newest_run(machine) if row[2] != "split"]
    return [name for row in rows for name in row[3].split("\n")]


def is_over(machine: Machine) -> bool:
    """Whether the newest run ended by itself, with nothing left but what was refused."""
    batches = newest_run(machine)
    ended = {row[5] for row in batches} <= {0, 3}
    return ended and {row[2] for row in batches} <= {"accepted", "rejected", "split"}


def _next_action(
    machine: Machine, story: Story, before: Ended | None, last: Ended | None
) -> How | None:
    names = set(story.names)
    if not names & {name for row in newest_run(machine) for name in row[3].split("\n")}:
        # No run was recorded: there is nothing to resume.
        return "schedule"
    if last is not None and last.code == 0:
        return None
    action: How = "resume" if is_over(machine) else story.how
    same = last is not None and before is not None and last.rows == before.rows != []
    # One that a signal cut off, or in which something failed, did not do what it was run for.
    cut_off = last is not None and ((last.code or 0) > 128 or last.failed)
    if same and not cut_off and last is not None and last.arguments[0] == action:
        # More of the same changes nothing; what was refused is for a person.
        return "resume" if action == "schedule" else None
    return action


def _is_for_a_person(machine: Machine, last: Ended | None) -> bool:
    """Whether doubt stays that no list can decide, and the console shows no job of its hosts."""
    if last is None or "--resend" not in last.err:
        return False
    doubtful = {row[0] for row in last.rows if row[1] == "OutcomeUnknown"}
    return doubtful.isdisjoint(machine.copies())


@contextmanager
def a_disk() -> Iterator[Path]:
    """A folder in memory where there is one: the tortured disk is a model anyway."""
    memory = Path("/dev/shm")
    where = memory if memory.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="sbpam-torture-", dir=where) as folder:
        yield Path(folder)


@dataclass(frozen=True)
class Case:
    """One point of a story that fails in one way."""

    story: Story
    point: Point
    failure: str

    @property
    def name(self) -> str:
        return f"{self.story.name}: {self.point.name}: {self.failure}"


@cache
def enumerate_cases(story: Story) -> tuple[Case, ...]:
    """Every point of the story, with every failure of its operation.

    A kill leaves what is durable and nothing else: of the points of one
    operation with nothing durable in between, the first is killed.
    """
    with a_disk() as folder:
        points = play(story, {}, folder).points
    killed: set[tuple[str, str]] = set()
    cases = []
    for point in points:
        for failure in failures_of(point.operation):
            if failure == "kill":
                if (point.operation, point.durable) in killed:
                    continue
                killed.add((point.operation, point.durable))
            cases.append(Case(story, point, failure))
    return tuple(cases)


@cache
def every_case() -> tuple[Case, ...]:
    return tuple(case for story in STORIES for case in enumerate_cases(story))


@cache
def ordinary_cases() -> tuple[Case, ...]:
    """Those that run each time.

    For every operation, every failure of it and every state of a batch: a case
    at a point where the journal holds a batch in that state. The rest is slow.
    """
    met: set[object] = set()
    chosen = []
    for case in every_case():
        point = case.point
        new: set[object] = {
            (state, point.operation, case.failure) for state in point.states or {"none"}
        }
        if not new <= met:
            met |= new
            chosen.append(case)
    return tuple(chosen)


def run_case(case: Case) -> None:
    """Raises Violation; and AssertionError where the story is not what was recorded."""
    index = case.point.index
    with a_disk() as folder:
        machine = play(case.story, {index: case.failure}, folder, last_digest=index)
    met = machine.points[index]
    assert met == case.point, f"not reproducible: {met.name}, not {case.point.name}"


def explore(stories: Sequence[Story], *, seed: int, budget: int) -> tuple[int, list[str]]:
    """Cases of two failures: the second at a point that showed up because of the first.

    A point that was met before in the same durable state is not tried again.
    Answers how many cases ran, `budget` at most, and the violations.
    """
    draw = random.Random(seed)
    seen: set[tuple[str, str, str]] = set()
    firsts: deque[Case] = deque()
    for story in stories:
        cases = enumerate_cases(story)
        seen.update((story.name, case.point.operation, case.point.durable) for case in cases)
        firsts.extend(cases)
    draw.shuffle(firsts)
    ran, violations = 0, []
    while firsts and ran < budget:
        first = firsts.popleft()
        for plan in _second_failures(first, seen):
            if ran >= budget:
                break
            ran += 1
            try:
                with a_disk() as folder:
                    play(first.story, plan, folder)
            except Violation as violation:
                violations.append(f"{first.name}, then {plan}: {violation}")
    return ran, violations


def _second_failures(first: Case, seen: set[tuple[str, str, str]]) -> list[Plan]:
    plans: list[Plan] = []
    with a_disk() as folder:
        points = play(first.story, {first.point.index: first.failure}, folder).points
    for point in points[first.point.index + 1 :]:
        key = (first.story.name, point.operation, point.durable)
        if key not in seen:
            seen.add(key)
            failures = failures_of(point.operation)
            plans += [{first.point.index: first.failure, point.index: f} for f in failures]
    return plans


def fails_at(draw: Sequence[tuple[int, int]]) -> Choose:
    """A choice of failures: (how many points from the one before, which of its failures)."""
    places = accumulate(between + 1 for between, _ in draw)
    due = dict(zip(places, (which for _, which in draw), strict=True))
    numbers = count(1)

    def choose(point: Point) -> str | None:
        which, failures = due.get(next(numbers)), failures_of(point.operation)
        return None if which is None else failures[which % len(failures)]

    return choose
