"""Hypothesis looks for a history that breaks the promise, and shrinks what it finds.

The same list is scheduled and resumed any number of times, with batches in
flight, random failures and kills, time passing, and somebody else's jobs.
"""

from contextlib import ExitStack
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from torture.machine import START, Machine, Script
from torture.oracle import check_world
from torture.story import Story, a_disk, fails_at, finish, is_over, newest_run
from torture.table import ANSWERS

BELIEVED_FOR_S = 20 * 3600.0
CONTINUED_FOR_S = 11 * 3600.0
FAILURES = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=3)
SCRIPTS = st.builds(
    Script,
    posts=st.dictionaries(st.integers(1, 12), st.sampled_from(sorted(ANSWERS["answer POST"]))),
    lag_s=st.sampled_from([0.0, 20.0, 150.0]),
    body_limit=st.sampled_from([1 << 20, 60]),
)
SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 4), st.integers(1, 4))


class Scheduling(RuleBasedStateMachine):
    """A list at a time; when it is done, the next one begins."""

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self._list = 0
        self._began = START
        self._sound = True

    @initialize(script=SCRIPTS, seed=st.integers(1, 1000), shape=SHAPES)
    def begin(self, script: Script, seed: int, shape: tuple[int, int, int]) -> None:
        """shape: how many hosts, in batches of how many, how many batches at once."""
        folder = self._stack.enter_context(a_disk())
        self.machine = Machine(folder, script, lambda _: None, seed=seed)
        self._shape = shape

    @property
    def story(self) -> Story:
        hosts, size, parallel = self._shape
        first = self._list * hosts
        return Story("drawn", self.machine.script, hosts, size, parallel, first=first)

    def is_recorded(self) -> bool:
        """Whether the list of now has a run."""
        names = {name for row in newest_run(self.machine) for name in row[3].split("\n")}
        return bool(names & set(self.story.names))

    @rule(failures=FAILURES, backwards=st.booleans())
    def schedule(self, failures: list[tuple[int, int]], backwards: bool) -> None:
        self._sound = False
        old = self.machine.time - self._began > CONTINUED_FOR_S
        if self.is_recorded() and (old or is_over(self.machine)):
            # Another `schedule` of it would rightly be another run.
            self._finish_list()
            self._list += 1
        if not self.is_recorded():
            self._began = self.machine.time
        self.machine.choose = fails_at(failures)
        names = self.story.names
        self.story.schedule(self.machine, names[::-1] if backwards else names)
        self.machine.choose = lambda _: None
        self._sound = True

    @precondition(lambda self: self.is_recorded())
    @rule(failures=FAILURES)
    def resume(self, failures: list[tuple[int, int]]) -> None:
        self._sound = False
        self.machine.choose = fails_at(failures)
        self.story.resume(self.machine, newest_run(self.machine)[0][0])
        self.machine.choose = lambda _: None
        self._sound = True

    @rule(seconds=st.sampled_from([1.0, 30.0, 200.0, 3600.0, 5 * 3600.0]))
    def time_passes(self, seconds: float) -> None:
        self.machine.time += seconds
        if self.machine.time - self._began > BELIEVED_FOR_S:
            self.machine.excused.update(self.story.names)

    @rule()
    def somebody_else_schedules(self) -> None:
        self.machine.world.add_job(["else.corp.example"])

    @invariant()
    def promise(self) -> None:
        if hasattr(self, "machine"):
            check_world(self.machine)

    def _finish_list(self) -> None:
        """To its end in a world that is well again: one that refuses for ever has no end."""
        script = self.machine.script
        self.machine.script = replace(script, posts={})
        finish(self.machine, self.story, None)
        self.machine.script = script

    def teardown(self) -> None:
        try:
            if hasattr(self, "machine") and self._sound:
                self._finish_list()
        finally:
            self._stack.close()


def look_for_a_violation(examples: int, steps: int) -> None:
    anything = list(HealthCheck)
    effort = settings(
        max_examples=examples, stateful_step_count=steps, suppress_health_check=anything
    )
    run_state_machine_as_test(Scheduling, settings=effort)


def test_any_history() -> None:
    look_for_a_violation(examples=60, steps=8)


@pytest.mark.slow
def test_many_histories() -> None:
    look_for_a_violation(examples=1000, steps=15)
