"""Stories: a list is scheduled in a world with its own troubles, and again and again till it is done.

A case is a story in which one more thing fails, at one point. A finding of
one case may be where the next one begins: `enumerate_cases`.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from torture.machine import Ended, Machine, Point, Script
from torture.oracle import check_command, check_end
from torture.table import failures_of

How = Literal["resume", "schedule"]


@dataclass(frozen=True)
class Story:
    """hosts in batches of `size`, `parallel` at once; how: what is run after a bad end.

    A person resumes after a while, systemd starts `schedule` again at once.
    """

    name: str
    script: Script = field(default_factory=Script)
    hosts: int = 6
    size: int = 2
    parallel: int = 2
    how: How = "resume"

    @property
    def names(self) -> list[str]:
        return [f"h{n:02}.corp.example" for n in range(self.hosts)]


Plan = dict[int, str]
"""Point -> failure."""


def play(story: Story, plan: Plan, folder: Path) -> Machine:
    """Runs the story to its end under the plan; raises Violation where the promise breaks."""
    machine = Machine(folder, story.script, lambda point: plan.get(point.index))
    names = story.names
    schedule = ("--batch-size", str(story.size), "--parallel", str(story.parallel))
    ended = machine.run("schedule", *names, *schedule)
    check_command(machine, ended, names)
    before: Ended | None = None
    for _ in range(8):
        action = _next_action(machine, story, before, ended)
        if action is None:
            break
        before = ended
        if action == "resume":
            machine.time += 600.0
            ended = machine.run("resume")
            if ended.code == 0 and not ended.rows:
                # Killed when all was done: the run is asked for by its name.
                ended = machine.run("resume", machine.batches()[0][0])
            check_command(machine, ended, names)
        else:
            machine.time += 1.0
            again = names[::-1]
            ended = machine.run("schedule", *again, *schedule)
            check_command(machine, ended, again)
    machine.missing = check_end(machine, names)
    return machine


def _next_action(
    machine: Machine, story: Story, before: Ended | None, last: Ended
) -> How | None:
    """What a person, or systemd, does next; None when there is nothing left to do."""
    journal = machine.batches()
    if not journal:
        # No run was recorded: there is nothing to resume.
        return "schedule"
    states = {row[2] for row in journal}
    exit_codes = {row[5] for row in journal}
    over = exit_codes <= {0, 3} and states <= {"accepted", "rejected", "split"}
    if last.code == 0:
        return None
    if over and last.code == 3 and before is not None and before.rows == last.rows:
        return None
    if before is not None and (before.code, before.rows) == (last.code, last.rows):
        return None
    return "resume" if over else story.how


@contextmanager
def a_disk() -> Iterator[Path]:
    """A folder in memory where there is one: the tortured disk is a model anyway."""
    memory = Path("/dev/shm")
    where = memory if memory.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="sbpam-torture-", dir=where) as folder:
        yield Path(folder)


def record(story: Story) -> list[Point]:
    """The points of a story in which nothing more fails than it brings along."""
    with a_disk() as folder:
        return play(story, {}, folder).points


@dataclass(frozen=True)
class Case:
    """One point that fails in one way."""

    story: Story
    point: Point
    failure: str

    @property
    def name(self) -> str:
        return f"{self.story.name}/{self.story.how}: {self.point.name}: {self.failure}"


def enumerate_cases(story: Story) -> list[Case]:
    """Every point of the story with every failure of its operation.

    A kill leaves what is durable and nothing else: of two points with the same
    operation and nothing durable in between, one is killed.
    """
    seen: set[tuple[str, str]] = set()
    cases = []
    for point in record(story):
        for failure in failures_of(point.operation):
            if failure == "kill":
                key = (point.operation, point.durable)
                if key in seen:
                    continue
                seen.add(key)
            cases.append(Case(story, point, failure))
    return cases


def run_case(case: Case) -> Machine:
    with a_disk() as folder:
        machine = play(case.story, {case.point.index: case.failure}, folder)
    met = machine.points[case.point.index]
    assert met.name == case.point.name, f"not reproducible: {met.name}, not {case.point.name}"
    return machine
