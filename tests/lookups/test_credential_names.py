"""The account of `schedule`: by name exactly one, or chosen by a person, else nothing is sent."""

import json
from typing import Any

import pytest
from support.faults import Fault
from support.site import CREDENTIAL, Ended, Site

HOSTS = ("web01.corp.example", "web02.corp.example", "web03.corp.example")


@pytest.fixture(autouse=True)
def no_credential(site: Site) -> None:
    del site.environ["SBPAM_CREDENTIAL"]


def id_of(site: Site, name: str, domain: str = "CORP") -> str:
    accounts = {(row["userName"], row["domain"]): row for row in site.world.credentials}
    return str(accounts[name, domain]["credentialId"])


def add(site: Site, **fields: Any) -> str:
    """One more account in the sandbox; its id."""
    row = dict.fromkeys(site.world.credentials[0]) | {"credentialType": "Configuration"}
    row |= {"credentialId": site.world.next_id("added"), "userName": "?"} | fields
    site.world.credentials.append(row)
    return str(row["credentialId"])


def used(site: Site) -> set[str]:
    """The ids that scans were scheduled with."""
    return {target.rpartition("/")[2] for _, target in site.requests("OuMapping")}


def assert_refused(site: Site, ended: Ended, *words: str) -> None:
    ended.expect(2, *words, out="")
    assert len(ended.err.splitlines()) <= 4
    assert site.requests("HostScanJob") == []
    assert site.run("runs").out == ""


@pytest.mark.parametrize(
    ("name", "account"),
    [
        ("svc-onboard", ("svc-onboard", "CORP")),
        ("SVC-Onboard", ("svc-onboard", "CORP")),
        ("EMEA\\svc-scan", ("svc-scan", "EMEA")),
        ("corp\\SVC-SCAN", ("svc-scan", "CORP")),
        ("svc-scan (emea)", ("svc-scan", "EMEA")),
    ],
)
def test_a_name_is_its_accounts_id(site: Site, name: str, account: tuple[str, str]) -> None:
    ended = site.run("schedule", *HOSTS, "--credential", name).expect(0)
    assert used(site) == {id_of(site, *account)}
    [run] = site.run("runs", "-o", "json").json()["runs"]
    assert run["credential"] == id_of(site, *account)
    assert f"service account {account[1]}\\{account[0]} {id_of(site, *account)}" in ended.err


def test_the_environment_and_the_profile_name_it_too(site: Site) -> None:
    site.run("schedule", HOSTS[0], env={"SBPAM_CREDENTIAL": "CORP\\svc-scan"}).expect(0)
    assert used(site) == {CREDENTIAL}
    login = ["login", "--server", site.server.url, "--no-store", "--credential"]
    site.clock.move(31)
    assert site.run(*login, "Svc-Onboard").code == 0
    config = site.config.read_text()
    assert 'credential = "Svc-Onboard"' in config
    site.clock.move(31)
    assert site.run("schedule", HOSTS[1]).code == 0
    assert used(site) == {CREDENTIAL, id_of(site, "svc-onboard")}


def test_an_id_is_not_looked_up(site: Site) -> None:
    assert site.run("schedule", HOSTS[0], "--credential", CREDENTIAL.upper()).code == 0
    assert site.requests("Credential") == []


ID = "9c711ab3-8fc1-4d66-88d4-08f85117f32e"


@pytest.mark.parametrize(
    "name",
    [
        *(f"{{{ID}}}", f"urn:uuid:{ID}", f"URN:UUID:{ID.upper()}", f" {ID}", f"{ID}/..", f"x{ID}"),
        ID.replace("-", ""),
        *(ID.replace("9", "９"), ID.replace("c", "𝐜")),  # noqa: RUF001
        *(ID[:-1] + "g", "x" * 36, "ü" * 36, "../HostScanJob", "../x"),
    ],
)
def test_what_could_be_an_id_must_be_one(site: Site, name: str) -> None:
    add(site, userName=name)
    ended = site.run("schedule", HOSTS[0], "--credential", name)
    assert_refused(site, ended, "not a service account's id")
    assert site.requests() == []


@pytest.mark.parametrize(
    "name",
    ["svc-scän", "a:b", "a/b", "a{b}", "x" * 35, "x" * 37, "..", r"日本\走査", "O'Neil & #?"],
)
def test_anything_else_is_a_name(site: Site, name: str) -> None:
    account = add(site, userName=name)
    assert site.run("schedule", HOSTS[0], "--credential", name).code == 0
    assert used(site) == {account}


def test_one_name_in_two_domains(site: Site) -> None:
    ended = site.run("schedule", *HOSTS, "--credential", "svc-scan")
    both = [f"CORP\\svc-scan {CREDENTIAL}", f"EMEA\\svc-scan {id_of(site, 'svc-scan', 'EMEA')}"]
    assert_refused(site, ended, "2 service accounts are called svc-scan", *both)


def test_a_display_name_that_is_anothers_user_name(site: Site) -> None:
    other = add(site, userName="other", domain="CORP", displayName="Svc-Onboard")
    ended = site.run("schedule", HOSTS[0], "--credential", "svc-onboard")
    assert_refused(site, ended, id_of(site, "svc-onboard"), f"CORP\\other {other}")


def test_candidates_are_few(site: Site) -> None:
    for number in range(30):
        add(site, userName="many", domain=f"D{number}")
    ended = site.run("schedule", HOSTS[0], "--credential", "many")
    assert_refused(site, ended, "30 service accounts", "D4\\many")
    assert "D5\\many" not in ended.err


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nobody", ["no service account is called nobody", "`sbpam credentials`"]),
        ("svc-onbaord", ["no service account", "did you mean svc-onboard?"]),
        ("LAB\\svc-scan", ["no service account", "`sbpam credentials`"]),
        ("svc-scan (corp", ["no service account", "did you mean svc-scan (CORP)?"]),
        ("helpdesk", ["no service account is called helpdesk"]),
        ("svc-discovered", ["cannot be scheduled with", "does not manage"]),
        (" ", ["no service account"]),
        ("TruncateAllTables", ["no service account"]),
        ("a&filterText=svc-onboard", ["no service account"]),
        ("%00", ["no service account"]),
    ],
)
def test_a_name_that_is_nobodys(site: Site, name: str, words: list[str]) -> None:
    assert_refused(site, site.run("schedule", *HOSTS, "--credential", name), *words)
    envelope = site.run("schedule", *HOSTS, "--credential", name, "-o", "json").json()
    assert (envelope["exit_code"], envelope["hosts"], envelope["run"]) == (2, [], None)
    assert [error["code"] for error in envelope["errors"]] == ["usage"]


@pytest.mark.parametrize("platform", ["Linux", "Unix", "UNIX (AIX)"])
def test_case_counts_on_unix_alone(site: Site, platform: str) -> None:
    ids = {
        name: add(site, userName=name, platform=platform, resource=f"{name}.corp.example")
        for name in ("deploy", "Deploy")
    }
    for number, name in enumerate(ids):
        assert site.run("schedule", HOSTS[number], "--credential", name).code == 0
    assert used(site) == set(ids.values())
    site.run("schedule", HOSTS[2], "--credential", "DEPLOY").expect(2, "did you mean Deploy?")


def test_one_account_that_is_listed_for_several_resources(site: Site) -> None:
    shared = add(site, userName="shared", resource="a.corp.example")
    add(site, userName="shared", resource="b.corp.example", credentialId=shared.upper())
    assert site.run("schedule", HOSTS[0], "--credential", "shared").code == 0
    assert used(site) == {shared}


def test_the_list_is_judged_before_the_server_is_asked(site: Site) -> None:
    site.run("schedule", "short", "--credential", "svc-scan").expect(2, "short")
    assert site.requests() == []


def cut_short(site: Site, *arguments: str) -> str:
    """A run whose second batch was lost on the way; its id."""
    site.work_alone()
    site.faults.add(Fault(action="reset", path="OuMapping", nth=2))
    ended = site.run(
        *("schedule", *HOSTS, "--batch-size", "1", "--parallel", "1", "--settle-after", "0"),
        *("--fail-fast", "-o", "json", *arguments),
    ).expect(5)
    site.faults.clear()
    site.clock.move(600)
    return str(ended.json()["run"])


def assert_finished(site: Site, ended: Ended) -> None:
    assert [row[0] for row in ended.expect(0).rows()] == list(HOSTS)
    assert sorted(site.scheduled()) == sorted(HOSTS)


@pytest.mark.parametrize("named", ["", "svc-onboard", "CORP\\svc-onboard", "id"])
def test_resume_compares_ids(site: Site, named: str) -> None:
    cut_short(site, "--credential", "svc-onboard")
    account = id_of(site, "svc-onboard")
    env = {"SBPAM_CREDENTIAL": account if named == "id" else named}
    assert_finished(site, site.run("resume", env=env))
    assert used(site) == {account}


@pytest.mark.parametrize(
    ("named", "word"),
    [
        ("EMEA\\svc-scan", "but SBPAM_CREDENTIAL says"),
        ("svc-scan", "2 service accounts"),
        ("nobody", "no service account"),
        ("../b", "not a service account's id"),
        ("a/b", "no service account is called a/b"),
        (CREDENTIAL, "but SBPAM_CREDENTIAL says"),
    ],
)
def test_resume_refuses_another_account(site: Site, named: str, word: str) -> None:
    cut_short(site, "--credential", "svc-onboard")
    sent = len(site.requests("OuMapping"))
    site.run("resume", env={"SBPAM_CREDENTIAL": named}).expect(2, word, out="")
    assert len(site.requests("OuMapping")) == sent


@pytest.mark.parametrize("again", ["svc-onboard", "corp\\SVC-ONBOARD", "id"])
def test_schedule_again_goes_on_with_it(site: Site, again: str) -> None:
    run = cut_short(site, "--credential", "svc-onboard")
    name = id_of(site, "svc-onboard") if again == "id" else again
    ended = site.run("schedule", *HOSTS, "--credential", name)
    assert f"continuing run {run}" in ended.err
    assert_finished(site, ended)


def test_another_account_or_new_run_starts_afresh(site: Site) -> None:
    run = cut_short(site, "--credential", "svc-onboard")
    for more in (["--credential", "EMEA\\svc-scan"], ["--credential", "svc-onboard", "--new-run"]):
        ended = site.run("schedule", *HOSTS, *more, "-o", "json").expect(0)
        assert ended.json()["run"] != run
        assert "continuing" not in ended.err
        site.clock.move(1)


def test_a_search_that_fails_schedules_nothing(site: Site) -> None:
    site.faults.add(Fault(action="status", path="Credential/Search", status=503))
    site.run("schedule", *HOSTS, "--credential", "svc-onboard").expect(6, out="")
    assert site.run("runs").out == ""
    assert site.scheduled() == []


def test_a_dry_run_sends_the_id(site: Site) -> None:
    site.run("schedule", *HOSTS, "--dry-run", "--credential", "svc-onboard").expect(0)
    [entry] = [e for e in site.world.log if "ValidateImportedCSV" in e.request.target]
    rows = json.loads(entry.request.body)
    assert {row["credentialId"] for row in rows} == {id_of(site, "svc-onboard")}
    assert {row["credentialName"] for row in rows} == {None}


QUESTION = "Number of the one to schedule with (Enter: none): "


def test_a_number_chooses(site: Site) -> None:
    site.world.credentials.append(site.world.credentials[0] | {"resource": "other.example"})
    site.world.credentials[1]["displayName"] = "red \x1b[31m\nalert"
    wrong = ["0", "11", "svc-scan"]
    ended = site.run(
        "schedule", HOSTS[0], "--quiet", terminal=True, answers=[*wrong, " 1 "]
    ).expect(0)
    first, *again = ended.asked
    lines = first.splitlines()
    assert (lines[-1], again) == (QUESTION, [QUESTION] * 3)
    assert lines[1:3] == [
        r"  1  CORP\svc-scan (svc-scan (CORP))",
        r"  2  EMEA\svc-scan (red \x1b[31m\nalert)",
    ]
    # Neither the account of another type, nor the one without an id, nor one twice.
    assert (len(lines), "svc-discovered" in first) == (1 + 10 + 1, False)
    assert site.requests("OuMapping") == [("POST", f"/api/v1/HostScanJob/OuMapping/{CREDENTIAL}")]
    assert r"CORP\svc-scan" in site.run("runs", "-o", "csv").out


@pytest.mark.parametrize("answers", [[""], []])
def test_no_number_sends_nothing(site: Site, answers: list[str]) -> None:
    ended = site.run("schedule", HOSTS[0], terminal=True, answers=answers)
    assert len(ended.expect(2, "no service account was chosen, nothing was sent").asked) == 1
    assert (site.scheduled(), site.run("runs").out) == ([], "")


@pytest.mark.parametrize("offered", [0, 101])
def test_what_nobody_can_choose_from_is_not_asked(site: Site, offered: int) -> None:
    some, new_id = site.world.credentials[0], site.world.next_id
    site.world.credentials = [some | {"credentialId": new_id("x")} for _ in range(offered)]
    ended = site.run("schedule", HOSTS[0], terminal=True).expect(2, "no service account is given")
    assert ended.asked == []


@pytest.mark.parametrize(
    ("options", "terminal"), [(["--no-input"], True), (["--dry-run"], True), ([], False)]
)
def test_nobody_is_asked(site: Site, options: list[str], terminal: bool) -> None:
    ended = site.run("schedule", HOSTS[0], *options, terminal=terminal)
    assert ended.expect(2, "no service account is given").asked == []
    assert site.requests() == []
