"""Every point of a run fails in every way, and the promise holds.

`pytest -m slow tests/torture` runs all stories, and cases of two failures.
"""

from collections.abc import Sequence
from typing import get_args

import pytest
from torture.oracle import Violation
from torture.story import (
    LEFT_OUT,
    STORIES,
    Case,
    Story,
    enumerate_cases,
    every_case,
    explore,
    ordinary_cases,
    run_case,
)
from torture.table import TABLE, failures_of

from sbpam_cli.journal.records import BatchState

SLICES = 12
_SHOWN = 5


def run_all(cases: Sequence[Case]) -> None:
    violations = []
    for case in cases:
        try:
            run_case(case)
        except Violation as violation:
            violations.append(f"{case.name}: {violation}")
            if len(violations) == _SHOWN:
                break
    assert not violations, "\n".join(violations)


@pytest.mark.parametrize("number", range(SLICES))
def test_one_failure(number: int) -> None:
    run_all(ordinary_cases()[number::SLICES])


def test_second_look() -> None:
    """A host that a reply leaves out: the job is read again, also after a signal or a kill."""
    cases = enumerate_cases(LEFT_OUT)
    run_all([case for case in cases if case.point.operation in ("answer POST", "answer job")])


def test_failure_on_the_way_back() -> None:
    ran, violations = explore(STORIES, seed=3, budget=60)
    assert ran == 60
    assert not violations, "\n".join(violations[:_SHOWN])


def test_every_state_meets_every_failure() -> None:
    met = {
        (state, case.point.operation, case.failure)
        for case in ordinary_cases()
        for state in case.point.states
    }
    # Folders are made before there is a journal, and never again.
    wanted = {
        (state, operation, failure)
        for state in get_args(BatchState)
        for operation in TABLE.keys() - {"folder"}
        for failure in failures_of(operation)
    }
    assert wanted - met == set()


def test_there_are_many_cases() -> None:
    assert len(ordinary_cases()) >= 500


@pytest.mark.slow
@pytest.mark.parametrize("number", range(SLICES))
def test_one_failure_in_every_story(number: int) -> None:
    ordinary = {case.name for case in ordinary_cases()}
    run_all([case for case in every_case() if case.name not in ordinary][number::SLICES])


@pytest.mark.slow
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_two_failures(story: Story) -> None:
    _, violations = explore([story], seed=1, budget=600)
    assert not violations, "\n".join(violations[:_SHOWN])
