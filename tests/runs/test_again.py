"""The same list twice in a row: a person is asked, a script is warned."""

import pytest
from support.site import Site

HOSTS = [f"web{n:02}.corp.example" for n in range(1, 4)]
MINUTE, HOUR = 60.0, 3600.0


@pytest.mark.parametrize(
    ("later_s", "scans_s", "looked", "said"),
    [
        (30.0, 10.0, True, "a moment ago"),
        (4 * MINUTE, 10.0, True, "4 minutes ago"),
        (59 * MINUTE, 10.0, True, "59 minutes ago"),
        (61 * MINUTE, 10.0, True, None),
        # Nobody looked: the scans are not known to have ended.
        (61 * MINUTE, 10.0, False, "1 hour ago"),
        (11 * HOUR, 20 * HOUR, True, "11 hours ago"),
        (13 * HOUR, 20 * HOUR, True, None),
        (-HOUR, 10.0, False, None),
    ],
)
def test_when_it_is_said(
    site: Site, later_s: float, scans_s: float, looked: bool, said: str | None
) -> None:
    site.world.scan_duration_s, site.world.refuse_replay = scans_s, False
    run = site.run("schedule", *HOSTS, "-o", "json").json()["run"]
    site.clock.move(later_s)
    if looked:
        site.run("status")
    warned = site.run("schedule", *reversed(HOSTS))
    assert (warned.code, len(site.scheduled())) == (0, 6)
    if said is None:
        assert "already" not in warned.err
    else:
        assert f"already scheduled {said} by run {run}\n" in warned.err


@pytest.mark.parametrize(
    ("options", "answers", "code", "asked"),
    [
        ([], ["n"], 2, 1),
        ([], ["y"], 0, 1),
        (["--yes"], [], 0, 0),
        (["--new-run"], [], 0, 0),
        (["--no-input"], [], 0, 0),
        (["--dry-run"], [], 0, 0),
        (["--skip-recent", "1h"], [], 0, 0),
        (["web09.corp.example"], [], 0, 0),
    ],
)
def test_who_is_asked(
    site: Site, options: list[str], answers: list[str], code: int, asked: int
) -> None:
    site.run("schedule", *HOSTS)
    sent = len(site.scheduled())
    site.clock.move(4 * MINUTE)
    ended = site.run("schedule", *HOSTS, *options, terminal=True, answers=answers)
    assert (ended.code, len(ended.asked)) == (code, asked), ended.err
    assert all("already scheduled 4 minutes ago by run " in text for text in ended.asked)
    if code == 2:
        assert len(site.scheduled()) == sent
        assert len(site.run("runs").rows()) == 1
