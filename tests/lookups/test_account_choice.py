"""`schedule` without an account: a person chooses by number, nobody else is asked."""

import pytest
from support.site import CREDENTIAL, Site

HOST = "web01.corp.example"
QUESTION = "Number of the one to schedule with (Enter: none): "


@pytest.fixture(autouse=True)
def no_account(site: Site) -> None:
    del site.environ["SBPAM_CREDENTIAL"]
    site.environ["NO_COLOR"] = "1"


def test_a_number_chooses(site: Site) -> None:
    site.world.credentials.append(site.world.credentials[0] | {"resource": "other.example"})
    site.world.credentials[1]["displayName"] = "red \x1b[31m\nalert"
    wrong = ["0", "11", "svc-scan"]
    ended = site.run("schedule", HOST, "--quiet", terminal=True, answers=[*wrong, " 1 "]).expect(0)
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
    ended = site.run("schedule", HOST, terminal=True, answers=answers)
    assert len(ended.expect(2, "no service account was chosen, nothing was sent").asked) == 1
    assert (site.scheduled(), site.run("runs").out) == ([], "")


@pytest.mark.parametrize("offered", [0, 101])
def test_what_nobody_can_choose_from_is_not_asked(site: Site, offered: int) -> None:
    some, new_id = site.world.credentials[0], site.world.next_id
    site.world.credentials = [some | {"credentialId": new_id("x")} for _ in range(offered)]
    ended = site.run("schedule", HOST, terminal=True).expect(2, "no service account is given")
    assert ended.asked == []


@pytest.mark.parametrize(
    ("options", "terminal"), [(["--no-input"], True), (["--dry-run"], True), ([], False)]
)
def test_nobody_is_asked(site: Site, options: list[str], terminal: bool) -> None:
    ended = site.run("schedule", HOST, *options, terminal=terminal)
    assert ended.expect(2, "no service account is given").asked == []
    assert site.requests() == []
