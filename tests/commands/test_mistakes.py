"""What was mistyped is named, and the nearest that there is: exit 2, nothing sent."""

import pytest
from support.site import Site

from sbpam_cli.wording import did_you_mean

MISTYPED = {
    "command": (["shedule", "a.example"], "'shedule'", "did you mean schedule?"),
    "command in capitals": (["STATUS"], "'STATUS'", "did you mean status?"),
    "command like none": (["xyzzy"], "'xyzzy'", "sbpam --help shows what there is"),
    "three letters off": (["scheeeeule"], "'scheeeeule'", "sbpam --help shows what there is"),
    "help about none": (["help", "runz"], "'runz'", "did you mean runs?"),
    "command of a group": (["runs", "shw"], "'shw'", "did you mean show?"),
    "help in a group": (["runs", "help"], "'help'", "sbpam runs --help shows what there is"),
    "option": (["schedule", "--credental", "x"], "--credental", "did you mean --credential?"),
    "option with a value": (["status", "--olny=x"], "--olny", "did you mean --only?"),
    "option of every command": (["runs", "--profil", "x"], "--profil", "did you mean --profile?"),
    "option of the program": (["--verison"], "--verison", "did you mean --version?"),
    "option before the command": (["-o", "json", "status"], "-o", "stand after the command"),
    "option like none": (["status", "--xyzzy"], "--xyzzy", "sbpam status --help shows"),
    "flag that is no flag": (["hosts", "--no-not-enrolled"], "--no-not-en", "sbpam hosts --help"),
    "form": (["status", "-o", "jsn"], "'jsn'", "did you mean json?"),
    "form in capitals": (["status", "-o", "JSNO"], "'JSNO'", "did you mean json?"),
    "form like none": (["status", "-o", "yaml"], "'yaml'", "sbpam status --help shows"),
    "method": (["login", "--method", "pasword"], "'pasword'", "did you mean password?"),
    "number": (["schedule", "--batch-size", "1O", "a.example"], "'1O'", "sbpam schedule --help"),
    "status": (["status", "--only", "complete,faild"], "faild", "did you mean Failed?"),
    "status like none": (["status", "--only", "xyzzy"], "xyzzy", "Queued, Running"),
    "profile": (["whoami", "--profile", "berlni"], "'berlni'", "did you mean berlin?"),
    "profile like none": (["whoami", "--profile", "xyzzy"], "'xyzzy'", "there are: berlin"),
    "profile to log out of": (["logout", "--profile", "Berlin"], "'Berlin'", "mean berlin?"),
}


@pytest.fixture
def profiled(site: Site) -> Site:
    site.write_config("[profiles.berlin]\n")
    del site.environ["SBPAM_SERVER"]
    return site


@pytest.mark.parametrize("case", MISTYPED)
def test_the_nearest_is_named(profiled: Site, case: str) -> None:
    arguments, word, hint = MISTYPED[case]
    ended = profiled.run(*arguments).expect(2, out="")
    what, *_, next_step = ended.err.splitlines()
    assert word in what
    assert hint in next_step
    assert profiled.requests() == []


def test_case_is_no_difference() -> None:
    assert did_you_mean("berlin", ["BERLIN", "Berlni"]) == "did you mean BERLIN?"


def test_the_form_in_the_environment(site: Site) -> None:
    ended = site.run("status", env={"SBPAM_OUTPUT": "ndjsn"})
    ended.expect(2, "SBPAM_OUTPUT: there is no form 'ndjsn'", "did you mean ndjson?")


def test_a_run(site: Site) -> None:
    run = site.run("schedule", "web01.corp.example", "-o", "json").json()["run"]
    assert site.run("runs", "show", run[:-1], "-o", "json").json()["run"] == run
    last = "0" if run[-1] != "0" else "1"
    for mistyped in (run[:-1] + last, run.replace("-", "", 1), run[:14] + run[15:]):
        for command in (["status"], ["resume"], ["runs", "show"], ["cancel", "--yes"]):
            site.run(*command, mistyped).expect(2, f"no run {mistyped}", f"did you mean {run}?")
    for unlike in ("xyzzy", "2019", "20190704-114459-abcd"):
        assert "`sbpam runs` lists them" in site.run("status", unlike).err


def test_hostile_words_break_no_line(site: Site) -> None:
    long = "x" * 100_000
    for word in ("\x1b[2Jstatus", "sta\ntus", long, f"--{long}", "--\x1b[2Jonly", "'", '"'):
        for arguments in ([word], ["status", "-o", word], ["runs", word]):
            ended = site.run(*arguments).expect(2)
            assert "\x1b" not in ended.err
            assert len(ended.err.splitlines()) == 2
            assert len(ended.err) < 1000


@pytest.mark.parametrize(
    "value", ["x" * 100_000, "~" * 100_000, "http://" + "x" * 100_000, "[" + "x" * 100_000 + "]"]
)
def test_a_long_value_is_not_said_whole(site: Site, value: str) -> None:
    for option in ("--profile", "--server"):
        ended = site.run("status", option, value).expect(2)
        assert len(ended.err) < 1000
