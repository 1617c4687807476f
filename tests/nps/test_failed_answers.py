"""Answers that are failures: exit code, the server's words, trace id, what to do."""

import json

import pytest
from support.faults import Fault
from support.site import Ended, Site
from support.tables import crossed

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


@pytest.mark.parametrize(("status", "form"), crossed([400, 401, 403, 404, 413, 500, 503], BODIES))
@pytest.mark.parametrize("path", ["HostScanJob$", "signinBody"])
def test_a_read_or_a_sign_in_that_fails(site: Site, path: str, status: int, form: str) -> None:
    answer(site, path, status, form)
    refusals = (400, 401, 403) if path == "signinBody" else (401, 403)
    code = 4 if status in refusals else 6
    assert_told(site.run("status", "--all"), code, form, status)
    assert len(site.requests("signinBody")) == 1


@pytest.mark.parametrize("form", BODIES)
def test_an_unknown_job(site: Site, form: str) -> None:
    answer(site, f"HostScanJob/{JOB}", 404, form)
    ended = site.run("status", JOB)
    # A web page is no word of the application.
    assert (ended.code, ended.out) == (6 if form == "html" else 2, "")
    assert ("The words." if form != "nothing" else "HTTP 404") in ended.err


@pytest.mark.parametrize(("status", "form"), crossed([400, 404, 413, 403, 500, 502, 503], BODIES))
def test_a_post_that_fails(site: Site, status: int, form: str) -> None:
    answer(site, "OuMapping", status, form)
    code = {403: 4}.get(status, 3 if status < 500 else 5)
    ended = site.run("schedule", "a.corp.example", "--settle-after", "0", "-o", "json")
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
def test_a_post_with_too_large_or_no_reply_is_in_doubt(site: Site, body: str, said: str) -> None:
    site.faults.add(Fault(action="status", path="OuMapping", status=200, body=body))
    ended = site.run("schedule", "a.corp.example", "--settle-after", "0", "-o", "json").expect(5)
    assert len(site.requests("OuMapping")) == 1
    assert ended.json()["hosts"][0]["status"] == "OutcomeUnknown"
    assert said in ended.out + ended.err


@pytest.mark.parametrize("status", [200, 204])
def test_a_job_of_an_empty_answer_is_unknown(site: Site, status: int) -> None:
    site.faults.add(Fault(action="status", path=f"HostScanJob/{JOB}", status=status, body=" "))
    assert site.run("status", JOB).code == 2


def test_a_web_page_with_200(site: Site) -> None:
    site.faults.add(Fault(action="html200", path="HostScanJob$"))
    site.run("status", "--all").expect(6, "web page", "Please sign in to the network")
