"""The hint after a command: one, to a person, and none where an error has its own."""

import re

import pytest
from support.command_tree import all_commands, calls_in, parse_call
from support.faults import Fault
from support.keyrings import MemoryKeyring
from support.site import Ended, Site

HOSTS = ("web01.corp.example", "web02.corp.example")


@pytest.fixture(autouse=True)
def colourless(site: Site) -> None:
    site.environ["NO_COLOR"] = "1"


def hints(ended: Ended) -> list[str]:
    return [line.lstrip() for line in ended.err.splitlines() if line.lstrip().startswith("→")]


def check_words(command: str, said: str) -> None:
    """A hint's command lines are taken by the program, its options by the command that gave it."""
    lines = re.findall("`(.+?)`", said)
    calls = calls_in("\n".join(lines))
    assert len(calls) == said.count("sbpam")
    for words in calls:
        assert parse_call(words) != "sbpam", said
    own = {name for option in all_commands()[f"sbpam {command}"].params for name in option.opts}
    bare = re.findall("--[a-z-]+", re.sub("`.+?`", "", said))
    assert set(bare) <= own
    assert calls or bare


def hint(site: Site, *arguments: str) -> str:
    """The only hint that the command ends with on a terminal; what it says can be typed."""
    ended = site.run(*arguments, terminal=True)
    assert len(hints(ended)) == 1, ended.err
    assert ended.err.splitlines()[-1] == hints(ended)[0]
    said = hints(ended)[0].removeprefix("→ ")
    check_words(arguments[0], said)
    return said


def test_from_a_run_to_its_end(site: Site) -> None:
    site.world.scan_duration_s = 1000.0
    said = hint(site, "schedule", *HOSTS)
    run = said.split()[2].rstrip("`")
    assert said == f"`sbpam status {run}` shows how far the scans are"
    assert hint(site, "resume", run) == said
    assert hint(site, "status") == f"`sbpam status {run} --watch` follows the scans to their end"
    assert hint(site, "runs") == f"`sbpam status {run}` shows its hosts"
    job = site.run("status", "-o", "json").json()["jobs"][0]["job_id"]
    assert hint(site, "status", job) == "the same with --watch follows the scans to their end"
    site.clock.move(2000)
    said = f"`sbpam report {run} --open` makes a page of it"
    assert hint(site, "status") == said
    assert hint(site, "status", "--watch") == said
    assert hint(site, "cancel", "--yes", run) == f"`sbpam status {run}` shows what became of them"


def test_an_account_to_schedule_with(site: Site) -> None:
    said = hint(site, "credentials", "svc-scan")
    assert said == "`sbpam schedule --credential ID hosts.txt` schedules scans with one"
    for text in ("nobody-at-all", "svc-discovered"):
        assert hints(site.run("credentials", text, terminal=True)) == []


def test_a_run_that_was_cut_short(site: Site) -> None:
    site.faults.add(Fault(action="status", status=500, path="OuMapping"))
    stopped = site.run("schedule", *HOSTS, "--settle-after", "0", terminal=True).expect(5)
    assert len(hints(stopped)) == 1, "the error has its own"
    assert "resume" in hints(stopped)[0]
    run = site.run("runs").rows()[0][0]
    assert hint(site, "runs") == f"`sbpam resume {run}` finishes the newest unfinished run"
    assert hint(site, "status", "--offline") == f"`sbpam resume {run}` goes on with it"


def test_other_commands(site: Site) -> None:
    assert "sbpam schedule" in hint(site, "runs")
    assert hint(site, "schedule", "--dry-run", *HOSTS) == "without --dry-run they are scheduled"
    assert "sbpam schedule --credential ID" in hint(site, "doctor")
    assert "`sbpam doctor`" in hint(site, "whoami")
    login = ("login", "--no-store", "--profile", "lab", "--server", site.server.url)
    assert "`sbpam credentials --profile lab`" in hint(site, *login)
    own = site.run("whoami", terminal=True, env={"SBPAM_PROFILE": "lab"})
    assert "`sbpam doctor`" in hints(own)[-1], "the variable is there for the next one too"
    other = ("whoami", "--profile", "default")
    said = site.run(*other, terminal=True, env={"SBPAM_PROFILE": "lab"})
    assert "`sbpam doctor --profile default`" in hints(said)[-1], "not the variable's profile"
    left = site.run("logout", "--profile", "lab", terminal=True).expect(3)
    assert hints(left) == [], "its warning says what to do"
    site.prepare = lambda services: setattr(services, "keyring", MemoryKeyring)
    assert hint(site, "logout") == "`sbpam login` signs in again"
    assert "`sbpam login --profile lab`" in hint(site, "logout", "--profile", "lab")


def test_the_demo(site: Site) -> None:
    assert hint(site, "demo") == "`sbpam login --server HOST` signs in to a server of yours"


def test_a_page(site: Site) -> None:
    site.world.overrides[HOSTS[0]] = {"status": 3, "statusDescription": None}
    site.world.overrides[HOSTS[1]] = {"status": 1, "statusDescription": None}
    run = site.run("schedule", *HOSTS, "-o", "json").json()["run"]
    page = ["report", "--out", "-", "--offline"]
    assert hint(site, *page) == f"`sbpam status {run} --watch` follows the scans to their end"
    del site.world.overrides[HOSTS[1]]
    site.clock.move(60)
    site.run("status")
    ended = site.run(*page, terminal=True)
    assert hints(ended) == [f"→ `sbpam rescan {run}` scans again what did not succeed"]


def test_nothing_to_do_where_all_were_scheduled_lately(site: Site) -> None:
    site.run("schedule", *HOSTS)
    ended = site.run("schedule", *HOSTS, "--skip-recent", "1h", "-o", "tsv", terminal=True)
    assert [row[1] for row in ended.rows()] == ["Skipped", "Skipped"]
    assert hints(ended) == []


@pytest.mark.parametrize(
    ("options", "env", "terminal", "count"),
    [
        (["--quiet"], {}, True, 0),
        ([], {"SBPAM_NO_HINTS": "1"}, True, 0),
        ([], {"SBPAM_NO_HINTS": "0"}, True, 0),
        ([], {"SBPAM_NO_HINTS": ""}, True, 1),
        ([], {}, False, 0),
    ],
)
def test_nobody_who_wants_it(
    site: Site, options: list[str], env: dict[str, str], terminal: bool, count: int
) -> None:
    ended = site.run("schedule", *HOSTS, *options, terminal=terminal, env=env).expect(0)
    assert len(hints(ended)) == count


@pytest.mark.parametrize(
    "arguments",
    [["status", "nonsense"], ["schedule", "nodots"], ["status", "--only", "x"], ["nonsense"]],
)
def test_an_error_has_the_only_hint(site: Site, arguments: list[str]) -> None:
    ended = site.run(*arguments, terminal=True).expect(2)
    assert len(hints(ended)) == 1


def test_hosts_in_a_pipe_are_on_their_way_already(site: Site) -> None:
    listed = ["hosts", "--onboard", "--ou", "OU=Servers,DC=corp,DC=example", "--yes"]
    assert "`sbpam schedule --credential ID -`" in hint(site, *listed)
    piped = site.run(*listed, terminal=True, stdout_terminal=False).expect(0)
    assert hints(piped) == []
