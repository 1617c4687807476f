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
    assert f"'{command[-1]}': not a duration" in ended.err
    assert site.world.log == []


@pytest.mark.parametrize(
    "command",
    [
        ("schedule", A, "--timeout", "5m"),
        ("schedule", A, "--interval", "5s"),
        ("status", "--timeout", "5m"),
        ("status", "--interval", "5s"),
        ("cancel", "x", "--yes", "--timeout", "5m"),
    ],
)
def test_a_limit_of_following_needs_following(site: Site, command: tuple[str, ...]) -> None:
    ended = site.program(*command)
    assert (ended.code, ended.out) == (2, "")
    assert "goes with --wait" in ended.err
    assert site.world.log == []
