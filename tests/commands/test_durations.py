"""Options that hold a duration: an empty one is refused, and none is dropped in silence."""

import pytest
from support.site import Site

A = "a.corp.example"


@pytest.mark.parametrize("value", ["", " ", "soon", "1h soon"])
@pytest.mark.parametrize(
    "command",
    [
        ("schedule", A, "--skip-recent"),
        ("schedule", A, "--send-timeout"),
        ("schedule", A, "--settle-after"),
        ("schedule", A, "--wait", "--timeout"),
        ("schedule", A, "--wait", "--interval"),
        ("status", "--watch", "--timeout"),
        ("status", "--watch", "--interval"),
        ("cancel", "x", "--wait", "--timeout"),
    ],
)
def test_no_duration_sends_nothing(site: Site, command: tuple[str, ...], value: str) -> None:
    """`--skip-recent "$SKIP"` with a variable that is not set would double hosts."""
    ended = site.program(*command, value)
    assert (ended.code, ended.out) == (2, "")
    assert f"{command[-1]}: not a duration" in ended.err
    assert site.world.log == []


@pytest.mark.parametrize(
    ("command", "by"),
    [
        (("schedule", A, "--timeout", "5m"), "--wait"),
        (("schedule", A, "--interval", "5s"), "--wait"),
        (("status", "--timeout", "5m"), "--watch"),
        (("status", "--interval", "5s"), "--watch"),
        (("cancel", "x", "--yes", "--timeout", "5m"), "--wait"),
    ],
)
def test_a_limit_of_following_needs_following(
    site: Site, command: tuple[str, ...], by: str
) -> None:
    ended = site.program(*command)
    assert (ended.code, ended.out) == (2, "")
    assert f"goes with {by}" in ended.err
    assert site.world.log == []
