"""`doctor --assumptions`: the sandbox is as assumed; whatever is turned over is named."""

from collections.abc import Callable
from typing import Any

import pytest
from rich.cells import cell_len
from support.faults import Fault
from support.screen import colourless
from support.site import Site

JOB = "HostScanJob/[0-9a-f]"
LIST = "HostScanJob$"


def examine(site: Site) -> tuple[int, dict[str, dict[str, Any]]]:
    ended = site.run("doctor", "--assumptions", "-o", "json")
    envelope = ended.json()
    assert (envelope["server"], envelope["profile"], envelope["errors"]) == (None, None, [])
    assert {method for method, path in site.requests("/api/")} == {"GET"}
    shown = ended.out + ended.err
    for secret in (site.server.url, "corp.example", "127.0.0.1", "CORP", *site.world.jobs, "eyJ"):
        assert secret not in shown.replace('"server": null', "")
    return ended.code, {row["fact"]: row for row in envelope["doctor"]}


def wrong(rows: dict[str, dict[str, Any]]) -> set[str]:
    return {fact for fact, row in rows.items() if row["ok"] is False}


@pytest.fixture
def filled(site: Site) -> Site:
    site.world.add_job(["web01.corp.example", "web02.corp.example"], age_s=60)
    return site


def test_the_sandbox_is_as_assumed(filled: Site) -> None:
    _, rows = examine(filled)
    assert wrong(rows) == set()
    assert [fact for fact, row in rows.items() if row["ok"] is None] == []
    assert rows["times"]["seen"].startswith("without Z")
    shown = filled.run("doctor", "--assumptions", terminal=True, env={"COLUMNS": "100"}).out
    assert max(map(cell_len, colourless(shown).splitlines())) <= 100


def deep(name: str, value: object) -> Callable[[Any], Any]:
    """Every member of this name becomes the value, or goes."""

    def edit(part: Any) -> Any:
        if isinstance(part, list):
            return [edit(one) for one in part]
        if not isinstance(part, dict):
            return part
        kept = {key: edit(one) for key, one in part.items() if key != name}
        return kept if value is None or name not in part else {**kept, name: value}

    return edit


def always(value: object) -> Callable[[Any], Any]:
    return lambda _: value


TURNED: list[tuple[str, Callable[[Any], Any], str]] = [
    ("Version", always({"v": 1}), "Version"),
    ("UserToken", always("no-jwt"), "token"),
    ("UserToken", always({"token": "x"}), "renewal"),
    (LIST, always({"jobs": []}), "list of jobs"),
    (LIST, deep("statusDescription", None), "a job in the list"),
    (LIST, deep("hostId", None), "its hosts"),
    (LIST, deep("status", "Complete"), "status in the list"),
    (LIST, deep("status", 3), "numbers of statuses"),
    (LIST, deep("failureReason", 40), "failure reason"),
    (LIST, deep("dnsHostName", "WEB01"), "name in the list"),
    (JOB, deep("createdDateTimeUtc", None), "one job"),
    (JOB, deep("credentialId", None), "its joined hosts"),
    (JOB, deep("timeStarted", None), "their action queues"),
    (JOB, deep("status", "Complete"), "status in a queue"),
    (JOB, deep("timeCreated", "yesterday"), "times"),
    (JOB, deep("createdDateTimeUtc", "2090-01-01T00:00:00"), "clocks of Date and jobs"),
    ("Credential/Search", deep("recordsTotal", None), "Credential/Search"),
    ("Credential/Search", deep("credentialId", None), "a row of Credential/Search"),
]


@pytest.mark.parametrize(("path", "edit", "fact"), TURNED)
def test_a_fact_that_fell_is_named(
    filled: Site, path: str, edit: Callable[[Any], Any], fact: str
) -> None:
    filled.faults.add(Fault(action="edit", path=path, edit=edit, when="after", method="GET"))
    code, rows = examine(filled)
    assert (code, fact in wrong(rows)) == (3, True)


@pytest.mark.parametrize(
    ("path", "fact"), [("Health", "Health"), (JOB, "unknown job"), ("UserToken", "renewal")]
)
def test_what_answers_a_page_is_named(filled: Site, path: str, fact: str) -> None:
    filled.faults.add(Fault(action="html200", path=path, method="GET"))
    assert fact in wrong(examine(filled)[1])


def test_clocks_that_differ_are_named(filled: Site) -> None:
    issue, world = filled.world.issue_token, filled.world

    def late(*args: Any, **how: Any) -> tuple[str, str]:
        world.now = lambda: filled.clock.now() - 60
        try:
            return issue(*args, **how)
        finally:
            world.now = filled.clock.now

    world.issue_token = late  # type: ignore[method-assign]
    assert wrong(examine(filled)[1]) == {"clocks of Date and iat"}
