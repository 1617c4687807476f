"""What goes with watching: rows as hosts finish, `--only`, `--notify`."""

import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import pytest
from programs import find_program
from pyte import Screen, Stream
from staging import Inline, Site

from sbpam_cli.sandbox.faults import Fault
from sbpam_cli.system.services import Services
from sbpam_cli.system.threads import Done

HOSTS = [f"web{n:02}.corp.example" for n in range(12)]


def lines(text: str) -> list[tuple[str, str]]:
    return [(row["host"], row["status"]) for row in map(json.loads, text.splitlines())]


class Timed(io.StringIO):
    """Notes what the clock showed when each line came."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        self.site = site
        self.moments: list[float] = []

    def write(self, text: str) -> int:
        self.moments += [self.site.clock.now()] * text.count("\n")
        return super().write(text)


@pytest.mark.parametrize("command", ["schedule", "status"])
def test_ndjson_has_each_host_when_it_finishes_and_once(site: Site, command: str) -> None:
    site.world.scan_duration_s, site.world.failing_share = 120.0, 0.3
    outs: list[Timed] = []

    def prepare(services: Services) -> None:
        outs.append(Timed(site))
        services.stdout = outs[-1]
        # Answers take no time: what passes is what the program waits.
        services.workers = lambda _, clock: Inline(clock)

    site.program.prepare = prepare
    arguments = ["schedule", *HOSTS, "--batch-size", "4", "-o", "ndjson"]
    code = site.program(*arguments, *(["--wait"] if command == "schedule" else [])).code
    if command == "status":
        assert code == 0
        code = site.program("status", "--watch", "--exit-status", "-o", "ndjson").code
    assert code == 3
    found = lines(outs[-1].getvalue())
    ends = {h: "Failed" if site.world.machine(h).reason else "Complete" for h in HOSTS}
    assert sorted(found) == sorted(ends.items())
    assert [host for host, _ in found] != HOSTS
    # Known at the latest half a minute (the longest interval) after its end, and not before;
    # the polls of the three jobs stand half a second apart.
    for moment, (host, _) in zip(outs[-1].moments, found, strict=True):
        [job] = [job for job in site.world.jobs.values() if host in job.names]
        end = site.world.scan(job, site.world.machine(host), site.clock.now()).finished_at
        assert end is not None
        assert 0 <= moment - end <= 30 + 3 * 0.5
    assert len(set(outs[-1].moments)) > 3


def test_hosts_that_never_finish_come_at_the_end(site: Site) -> None:
    site.world.overrides[HOSTS[0]] = {"status": 7, "statusDescription": None}
    ended = site.program("schedule", *HOSTS, "--wait", "--timeout", "90s", "-o", "ndjson")
    assert ended.code == 124
    assert lines(ended.out)[-1] == (HOSTS[0], "Paused")
    assert sorted(host for host, _ in lines(ended.out)) == HOSTS


def test_what_was_asked_for_twice_is_told_twice(site: Site) -> None:
    site.program("schedule", *HOSTS)
    [job] = site.world.scheduled
    run = site.program("runs").rows()[0][0]
    ended = site.program("status", job, run, HOSTS[3], "--watch", "-o", "ndjson")
    assert sorted(host for host, _ in lines(ended.out)) == sorted([*HOSTS, *HOSTS, HOSTS[3]])


def test_only_filters_what_comes_early_too(site: Site) -> None:
    site.world.failing_share = 0.4
    site.program("schedule", *HOSTS)
    ended = site.program("status", "--watch", "--only", "failed", "-o", "ndjson")
    failing = [host for host in HOSTS if site.world.machine(host).reason]
    assert 0 < len(failing) < len(HOSTS)
    assert sorted(lines(ended.out)) == [(host, "Failed") for host in failing]


def test_an_id_that_is_unknown_prints_nothing(site: Site) -> None:
    site.program("schedule", *HOSTS)
    [job] = site.world.scheduled
    site.clock.move(60)
    unknown = "11111111-2222-4333-8444-555555555555"
    ended = site.program("status", job, unknown, "--watch", "-o", "ndjson")
    assert ended.code == 2
    assert ended.out == ""
    assert "knows no job" in ended.err


@pytest.mark.parametrize("with_token", [False, True])
def test_a_server_that_is_not_there_is_not_waited_for(site: Site, with_token: bool) -> None:
    site.program("schedule", *HOSTS)
    if with_token:
        user = next(user for user in site.world.users if "Admin" in user.roles)
        site.program.environ["SBPAM_TOKEN"] = site.world.issue_token(user)[0]
    site.faults.add(Fault(action="close"))
    before = site.clock.now()
    ended = site.program("status", "--watch")
    assert ended.code == 6
    assert site.clock.now() - before < 60
    assert [row[0] for row in ended.rows()] == HOSTS


class Shown(io.StringIO):
    """A terminal, and its screen after each write."""

    SIZE: ClassVar = {"COLUMNS": "400", "LINES": "50", "TERM": "xterm"}

    def __init__(self) -> None:
        super().__init__()
        self.screen = Screen(400, 50)
        self.stream = Stream(self.screen)
        self.seen: list[str] = []

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.stream.feed(text.replace("\n", "\r\n"))
        self.seen.append("\n".join(line.rstrip() for line in self.screen.display))
        return len(text)


WAITED = ["schedule", *HOSTS, "--batch-size", "4", "--wait", "-o", "ndjson"]


def test_rows_and_the_display_share_a_terminal(site: Site) -> None:
    both = Shown()

    def prepare(services: Services) -> None:
        services.stdout = services.stderr = both

    site.world.scan_duration_s = 60.0
    site.program.prepare = prepare
    assert site.program(*WAITED, env=Shown.SIZE).code == 0
    seen = both.seen
    rows = [line for line in seen[-1].splitlines() if line.startswith("{")]
    assert sorted(json.loads(row)["host"] for row in rows) == HOSTS
    # Rows came while the display was there: it was whole and below them, or gone for a moment.
    last = max(n for n, text in enumerate(seen) if "of 12 hosts" in text)
    found = [text for text in seen[: last + 1] if "{" in text]
    for text in found:
        rest = text.rpartition("}")[2].strip()
        assert text.count("of 12 hosts") == ("of 12 hosts" in rest.partition("\n")[0]) == bool(rest)
        # One display, and nothing of an older one.
        assert rest.count("3 jobs:") == bool(rest), rest
        assert rest.count(" running") <= 1, rest
        assert all(rest.count(f"● {host}") <= 1 for host in HOSTS), rest
    assert len(found) > 10
    assert "of 12 hosts" not in seen[-1]


def test_rows_that_go_elsewhere_leave_the_display_alone(site: Site) -> None:
    talk = Shown()
    site.world.scan_duration_s = 60.0
    site.program.prepare = lambda services: setattr(services, "stderr", talk)
    ended = site.program(*WAITED, env=Shown.SIZE)
    assert sorted(host for host, _ in lines(ended.out)) == HOSTS
    is_there = ["of 12 hosts" in text for text in talk.seen]
    first, last = is_there.index(True), len(is_there) - is_there[::-1].index(True)
    assert all(is_there[first:last])
    assert last - first > 10, "it was drawn again and again"


class Launched:
    """Programs that would have been run."""

    def __init__(self) -> None:
        self.calls: list[tuple[Sequence[str], Mapping[str, str], float]] = []

    def __call__(self, arguments: Sequence[str], environ: Mapping[str, str], within: float) -> None:
        self.calls.append((arguments, environ, within))

    def prepare(self, services: Services) -> None:
        services.launch = self


@pytest.fixture
def desktop(site: Site) -> Launched:
    """A `notify-send` on the path, and a session's bus."""
    folder = site.program.folder / "bin"
    folder.mkdir()
    program = folder / "notify-send"
    program.write_text('#!/bin/sh\nprintf \'%s\\n\' "$@" > "$0.said"; env > "$0.env"\n')
    program.chmod(0o755)
    site.program.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"
    site.program.environ["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=/nowhere"
    launched = Launched()
    site.program.prepare = launched.prepare
    return launched


def test_notify_rings_on_a_terminal_and_tells_the_desktop_figures_alone(
    site: Site, desktop: Launched
) -> None:
    ended = site.program("schedule", *HOSTS, "--wait", "--notify", "-o", "tsv", terminal=True)
    assert ended.code == 0
    assert ended.err.count("\a") == 1
    [(arguments, environ, within_s)] = desktop.calls
    assert arguments[1:] == ["--app-name=sbpam", "sbpam schedule", "12 hosts: 12 Complete"]
    assert within_s <= 2
    assert not [name for name in environ if name.startswith("SBPAM_")]
    assert "PATH" in environ
    quiet = site.program("status", "--notify", "--quiet", "--watch", terminal=True)
    assert quiet.err == "\a"
    assert "\a" not in site.program("status", "--notify").err
    assert len(desktop.calls) == 3


@pytest.mark.parametrize("missing", ["DBUS_SESSION_BUS_ADDRESS", "PATH"])
def test_notify_where_there_is_no_desktop(site: Site, desktop: Launched, missing: str) -> None:
    site.program.environ[missing] = "" if missing.startswith("DBUS") else "/nowhere"
    assert site.program("schedule", *HOSTS, "--notify").code == 0
    assert desktop.calls == []


def test_without_notify_nothing_rings(site: Site, desktop: Launched) -> None:
    ended = site.program("schedule", *HOSTS, "--wait", "-o", "tsv", terminal=True)
    assert "\a" not in ended.err
    assert desktop.calls == []


def test_notify_is_silent_about_an_end_that_the_person_brought_about(
    site: Site, desktop: Launched
) -> None:
    class Interrupted(Inline):
        def next(self, timeout_s: float) -> Done | None:
            raise KeyboardInterrupt

    def prepare(services: Services) -> None:
        desktop.prepare(services)
        services.workers = lambda _, clock: Interrupted(clock)

    site.program("schedule", *HOSTS)
    site.program.prepare = prepare
    ended = site.program("status", "--watch", "--notify", terminal=True)
    assert ended.code == 130
    assert "\a" not in ended.err
    assert desktop.calls == []


def test_notify_of_a_failure(site: Site, desktop: Launched) -> None:
    site.faults.add(Fault(action="status", status=401, path="signin"))
    assert site.program("status", "--all", "--notify", "--watch").code == 4
    [(arguments, _, _)] = desktop.calls
    assert arguments[-1] == "ended with exit code 4"


@pytest.mark.skipif(os.name != "posix", reason="a script as a program")
@pytest.mark.parametrize(
    "way", ["runs", pytest.param("hangs", marks=pytest.mark.slow), "cannot start"]
)
def test_the_program_is_run_without_a_shell_and_never_holds_anything_up(
    site: Site, desktop: Launched, way: str
) -> None:
    import time

    find_program("sh")
    site.program.prepare = lambda _: None
    program = Path(site.program.environ["PATH"].split(os.pathsep)[0]) / "notify-send"
    if way == "hangs":
        program.write_text("#!/bin/sh\nexec sleep 60\n")
    elif way == "cannot start":
        program.write_text("#!/nowhere/sh\n")
    started = time.monotonic()
    assert site.program("schedule", "$(id).corp.example", *HOSTS, "--skip-invalid").code == 3
    site.clock.move(60)
    assert site.program("status", "--notify").code == 0
    assert time.monotonic() - started < 20
    if way == "runs":
        said = Path(f"{program}.said").read_text()
        assert said == "--app-name=sbpam\nsbpam status\n13 hosts: 12 Complete, 1 Invalid\n"
        assert "SBPAM_PASSWORD" not in Path(f"{program}.env").read_text()
