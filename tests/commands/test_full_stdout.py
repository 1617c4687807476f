"""A disk that is full where stdout goes: no error is hidden, and nobody is led to double hosts."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from support.faults import Fault
from support.site import Ended, Site

FULL = Path("/dev/full")
FORMS = ["tsv", "csv", "json", "ndjson", "table"]
A = "a.corp.example"

pytestmark = pytest.mark.skipif(not FULL.exists(), reason="no /dev/full")


@pytest.fixture
def full(site: Site) -> Iterator[Site]:
    """The program of the site, whose stdout takes nothing."""
    with suppress(OSError), FULL.open("w", encoding="utf-8") as stdout:
        site.prepare = lambda services: setattr(services, "stdout", stdout)
        yield site


def said_once(ended: Ended) -> None:
    assert ended.err.count("stdout could not be written") == 1
    assert "No space left on device" in ended.err
    assert "bug" not in ended.err


@pytest.mark.parametrize("form", FORMS)
def test_what_was_scheduled_is_not_to_be_scheduled_again(full: Site, form: str) -> None:
    ended = full.run("schedule", A, "-o", form).expect(5)
    said_once(ended)
    # What starts a failed command again does not scan again, however often that is.
    for _ in range(2):
        full.run("schedule", A, "-o", form).expect(1, "stdout could not be written")
    full.prepare = lambda _: None
    [run] = full.run("runs").rows()
    assert f"`sbpam status {run[0]}` prints them again; don't schedule them again" in ended.err
    assert [row[0] for row in full.run("status", run[0]).rows()] == [A]
    again = full.run("schedule", A, "-o", "tsv").expect(0)
    assert [row[0] for row in again.rows()] == [A]
    assert full.scheduled() == [A]
    # Its rows are out: now it is over.
    assert full.run("schedule", A).expect(0).rows()[0][2] != again.rows()[0][2]


def test_a_refused_sign_in_is_still_told(full: Site) -> None:
    wrong = {"SBPAM_PASSWORD": "wrong"}
    full.run("schedule", A, "-o", "json", env=wrong).expect(4, "refused the sign-in")


def test_doubt_is_still_told(full: Site) -> None:
    full.faults.add(Fault(action="close", method="POST", path="OuMapping", when="before"))
    ended = full.run("schedule", A, "-o", "csv", "--settle-after", "0")
    said_once(ended.expect(5, "the outcome is unknown for 1 host"))
