"""The harness itself: what goes round a seam is caught, and a story can be repeated."""

import os
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from torture.audit import WentRoundError, watched
from torture.mutants import MUTANTS, Mutant, find, mutate
from torture.story import STORIES, Story, a_disk, play


@pytest.mark.parametrize(
    "go_round",
    [
        lambda path: path.write_text("x"),
        lambda path: os.open(path, os.O_CREAT | os.O_RDWR),
        sqlite3.connect,
        lambda _: socket.create_connection(("127.0.0.1", 9)),
    ],
    ids=["write", "os.open", "sqlite3", "socket"],
)
def test_nothing_goes_round_the_seams(tmp_path: Path, go_round: Callable[[Path], object]) -> None:
    with pytest.raises(WentRoundError), watched():
        go_round(tmp_path / "file")


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_story_can_be_repeated(story: Story) -> None:
    told = []
    for _ in range(2):
        with a_disk() as folder:
            told.append(play(story, {}, folder).points)
    assert told[0] == told[1]


def test_mutants_apply() -> None:
    for mutant in MUTANTS:
        assert mutate(mutant)


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_is_found(mutant: Mutant) -> None:
    assert find(mutant) is not None
