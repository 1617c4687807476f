"""`runs`: what the journal has of past runs, and what may be forgotten."""

from http import HTTPStatus
from typing import Any

from support.faults import POST, UNLISTED, Fault
from support.site import CREDENTIAL, Site

HOSTS = [f"web{n:02}.corp.example" for n in range(1, 5)]
COLUMNS = (
    "run state started hosts accepted failed unknown server credential list account complete"
    " running"
)


def listed(site: Site, *options: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = site.run("runs", *options, "-o", "json").json()["runs"]
    return rows


def test_a_run_in_every_column(site: Site) -> None:
    failed, running, cancelled = 3, 1, 4
    for host, status in zip(HOSTS, (failed, running, cancelled), strict=False):
        site.world.overrides[host] = {"status": status, "statusDescription": None}
    (site.folder / "hosts.csv").write_text("fqdn\n" + "\n".join(HOSTS[:3]))
    files = [str(site.folder / "hosts.csv"), HOSTS[3], "unknown1.corp.example", "short"]
    site.run("schedule", *files, "--skip-invalid", "--credential", "CORP\\svc-scan")
    site.clock.move(60)
    site.run("status")
    [row] = listed(site)
    assert " ".join(row) == COLUMNS
    _, *values = row.values()
    assert values[:7] == ["finished", "2026-11-23T03:15:02Z", 6, 4, 2, 0, site.server.url]
    assert values[7:] == [CREDENTIAL, f"{files[0]}, arguments", "CORP\\svc-scan", 1, 1]
    env = {"TZ": "UTC", "NO_COLOR": "1", "COLUMNS": "200"}
    shown = site.run("runs", terminal=True, env=env)
    titles, _, cells = (line.split() for line in shown.out.splitlines()[:3])
    assert " ".join(titles) == "RUN STARTED LIST HOSTS COMPLETE PROBLEMS RUNNING ACCOUNT"
    assert cells[-5:] == ["6", "1", "4", "1", "CORP\\svc-scan"]
    page = site.run("report", "--format", "md", "--offline").out
    assert "| Service account | CORP\\\\svc-scan |" in page
    assert "| List |" in page
    site.run("rescan", row["run"]).expect(3)
    assert listed(site)[0]["list"] == f"rescan of {row['run']}"
    assert listed(site)[0]["account"] == "CORP\\svc-scan"


def test_which_runs(site: Site) -> None:
    site.world.refuse_replay = False
    site.clock.move(10 * 365 * 86400)
    site.run("schedule", HOSTS[0])
    site.clock.move(-10 * 365 * 86400)
    for host in HOSTS[1:]:
        site.clock.move(3600)
        site.run("schedule", host)
    names = [row["run"] for row in listed(site)]
    assert (names[:3], names[3][:4]) == (sorted(names[:3], reverse=True), "2036")
    assert [row["run"] for row in listed(site, "--limit", "2")] == names[:2]
    assert [row["run"] for row in listed(site, "--since", "90m")] == names[:2]
    # A clock that was wrong once makes no run the newest, nor a recent one.
    assert [row["run"] for row in listed(site, "--since", "9999d")] == names[:3]
    assert site.run("status", "-o", "json", "--offline").json()["run"] == names[0]
    assert site.run("schedule", HOSTS[0], "--skip-recent", "24h").rows()[0][1] == "Queued"


def test_batches_are_rows(site: Site) -> None:
    site.faults.add(Fault(action="status", status=422, nth=2, **POST))
    options = ["--batch-size", "2", "--parallel", "1", "-o", "json"]
    ended = site.run("schedule", *HOSTS, *options).json()
    [job] = ended["jobs"]
    shown = site.run("runs", "show", ended["run"][:20]).expect(0)
    first, second = shown.rows()
    sent, answered = first[4:6]
    assert first == ["1", "accepted", "2", job["job_id"], sent, answered, ""]
    assert second == ["2", "rejected", "2", "", second[4], "", HTTPStatus(422).phrase]
    # On a busy machine an answer takes seconds of this clock too.
    assert "2026-11-23T03:15:02Z" <= sent <= answered <= second[4] < "2026-11-23T03:16:02Z"
    assert f"4 hosts of arguments with {CREDENTIAL} on {site.server.url}" in shown.err
    again = site.run("runs", "show", ended["run"], "-o", "json").json()
    assert (again["jobs"], len(again["batches"])) == ([job], 2)


def test_what_is_in_doubt_is_not_forgotten(site: Site) -> None:
    site.run("schedule", HOSTS[0])
    site.faults.add(Fault(action="status", status=500, when="after", **POST), UNLISTED)
    lost = site.run("schedule", HOSTS[1], "--settle-after", "0", "-o", "json").expect(5)
    doubtful = lost.json()["run"]
    site.faults.clear()
    # A later job of these hosts could pass for the one in doubt, if nobody knew whose it is.
    later = site.run("schedule", HOSTS[1], HOSTS[2], "-o", "json").json()["run"]
    site.faults.add(Fault(action="status", status=422, **POST))
    refused = site.run("schedule", HOSTS[3], "-o", "json").json()["run"]
    site.faults.clear()
    site.clock.move(60)
    assert "1 run forgotten" in site.run("runs", "prune", "--older-than", "1s").err
    assert [row["run"] for row in listed(site)] == [refused, later, doubtful]
    site.run("resume", refused)
    site.clock.move(300)
    assert site.run("resume", doubtful).code == 0
    assert "3 runs forgotten" in site.run("runs", "prune", "--older-than", "1s").err
    assert listed(site) == []
