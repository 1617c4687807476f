"""Answers that are failures: exit code, the server's words, trace id, what to do."""

import json

import pytest
from support.faults import Fault
from support.site import Ended, Site

JOB = "11111111-2222-4333-8444-555555555555"
BODIES = {
    "problem": (
        "application/problem+json",
        json.dumps({"title": "The words.", "traceId": "00-trace-1"}),
    ),
    "string": ("application/json", '"The words."'),
    "text": ("text/plain", "The words."),
    "html": ("text/html", "<!DOCTYPE html><title>The words.</title>"),
    "nothing": ("text/plain", " "),
}


def answer(site: Site, path: str, status: int, form: str = "problem") -> None:
    content_type, body = BODIES[form]
    headers = {"Content-Type": content_type}
    site.faults.add(Fault(action="status", path=path, status=status, headers=headers, body=body))


def assert_told(ended: Ended, code: int, form: str, status: int) -> None:
    assert ended.code == code, ended
    assert ("The words." if form != "nothing" else f"HTTP {status}") in ended.err
    assert ("trace id: 00-trace-1" in ended.err) == (form == "problem")
    assert "\u2192" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("form", BODIES)
@pytest.mark.parametrize(
    ("status", "code"), [(400, 6), (401, 4), (403, 4), (404, 6), (413, 6), (500, 6), (503, 6)]
)
def test_a_read_that_fails(site: Site, status: int, code: int, form: str) -> None:
    answer(site, "HostScanJob$", status, form)
    assert_told(site.program("status", "--all"), code, form, status)


@pytest.mark.parametrize("form", BODIES)
@pytest.mark.parametrize(
    ("status", "code"), [(400, 4), (401, 4), (403, 4), (404, 6), (500, 6), (502, 6)]
)
def test_a_sign_in_that_fails(site: Site, status: int, code: int, form: str) -> None:
    answer(site, "signinBody", status, form)
    assert_told(site.program("status", "--all"), code, form, status)
    assert len(site.requests("signinBody")) == 1


@pytest.mark.parametrize("form", BODIES)
def test_an_unknown_job(site: Site, form: str) -> None:
    answer(site, f"HostScanJob/{JOB}", 404, form)
    ended = site.program("status", JOB)
    # A web page is no word of the application.
    code = 6 if form == "html" else 2
    assert ended.code == code
    assert ("The words." if form != "nothing" else "HTTP 404") in ended.err
    assert ended.out == ""


@pytest.mark.parametrize(
    ("status", "code"), [(400, 3), (404, 3), (413, 3), (403, 4), (500, 5), (502, 5), (503, 5)]
)
@pytest.mark.parametrize("form", BODIES)
def test_a_post_that_fails(site: Site, status: int, code: int, form: str) -> None:
    answer(site, "OuMapping", status, form)
    ended = site.program("schedule", "a.corp.example", "--settle-after", "0", "-o", "json")
    assert ended.code == code, ended
    assert len(site.requests("OuMapping")) == 1
    report = ended.json()
    assert report["exit_code"] == code
    assert [row["host"] for row in report["hosts"]] == ["a.corp.example"]
    if code == 3:
        assert_told(ended, 3, form, status)
        assert report["hosts"][0]["status"] == "Rejected"


@pytest.mark.parametrize(
    ("body", "said"),
    [(" " * (17 << 20), "larger than 16 MiB"), (" ", "the server's reply was empty")],
)
def test_a_post_whose_reply_is_too_large_or_empty_is_in_doubt(
    site: Site, body: str, said: str
) -> None:
    site.faults.add(Fault(action="status", path="OuMapping", status=200, body=body))
    ended = site.program("schedule", "a.corp.example", "--settle-after", "0", "-o", "json")
    assert ended.code == 5, ended
    assert len(site.requests("OuMapping")) == 1
    assert ended.json()["hosts"][0]["status"] == "OutcomeUnknown"
    assert said in ended.out + ended.err


@pytest.mark.parametrize("status", [200, 204])
def test_a_job_of_an_empty_answer_is_unknown(site: Site, status: int) -> None:
    site.faults.add(Fault(action="status", path=f"HostScanJob/{JOB}", status=status, body=" "))
    assert site.program("status", JOB).code == 2


def test_a_web_page_with_200(site: Site) -> None:
    site.faults.add(Fault(action="html200", path="HostScanJob$"))
    ended = site.program("status", "--all")
    assert ended.code == 6
    assert "web page" in ended.err
    assert "Please sign in to the network" in ended.err


def test_a_secret_that_the_server_repeats_is_hidden(site: Site) -> None:
    password = site.program.environ["SBPAM_PASSWORD"]
    body = json.dumps({"title": f"{'Login failed. ' * 34} for {password}", "traceId": password})
    site.faults.add(Fault(action="status", path="signinBody", status=401, body=body))
    ended = site.program("status", "--all", "--verbose", env={"SBPAM_DEBUG": "1"})
    assert ended.code == 4
    assert password[:6] not in ended.err
    assert "***" in ended.err


def test_a_refused_token_is_renewed_once(site: Site) -> None:
    site.faults.add(Fault(action="status", path="HostScanJob$", status=401, nth=1))
    assert site.program("status", "--all").code == 0
    assert len(site.requests("HostScanJob")) == 2


def test_a_token_that_cannot_be_renewed_has_the_words_of_the_server(site: Site) -> None:
    user = next(user for user in site.world.users if user.mfa == "totp")
    token = site.world.issue_token(user)[0]
    site.world.revoke_tokens()
    ended = site.program("status", "--all", env={"SBPAM_TOKEN": token})
    assert ended.code == 4
    assert "The token is expired or not valid." in ended.err
    assert "trace id: 00-" in ended.err
    assert "SBPAM_TOKEN" in ended.err


@pytest.mark.parametrize("status", [401, 403])
def test_only_a_token_that_owes_nothing_will_do(site: Site, status: int) -> None:
    user = next(user for user in site.world.users if user.mfa == "totp")
    token = site.world.issue_token(user, owes_mfa=True)[0]
    ended = site.program("status", "--all", env={"SBPAM_TOKEN": token})
    assert ended.code == 4
    assert "Multi-factor authentication is required." in ended.err
    assert "trace id: 00-" in ended.err
