"""What is believed of looks at jobs: replies that lack hosts, the array of them, or the job."""

from collections.abc import Sequence
from typing import Any

import pytest
from support.faults import Fault
from support.site import Ended, Site

ONE_JOB = "HostScanJob/[0-9a-f]{8}-"
A, B = HOSTS = ("a.corp.example", "b.corp.example")
NOT_THERE, ALIAS = "unknown1.corp.example", "alias.other.example"

Join = tuple[str | None, int | None]
MUTE: Join = (None, None)


def show(site: Site, *looks: Sequence[Join] | None, **own: Any) -> None:
    """Each look at a job shows the next of these hosts with their status; the last one stays.

    None: a null array. A host or a status that is None is null. own: fields of the job itself.
    """
    left = list(looks)

    def edit(job: dict[str, Any]) -> dict[str, Any]:
        look = left.pop(0) if len(left) > 1 else left[0]
        joins = [
            {
                "hostScanHost": name and {"dnsHostName": name},
                "actionQueue": None if status is None else {"status": status},
            }
            for name, status in look or ()
        ]
        return {**job, **own, "hostScanJobHostJoin": None if look is None else joins}

    site.faults.add(Fault(action="edit", method="GET", path=ONE_JOB, edit=edit))


def follow(site: Site, *arguments: str) -> Ended:
    how = ["--watch", "--timeout", "2m", "--exit-status"]
    ended = site.run("status", *arguments, *how)
    # It says the same again: what was reported is in the journal.
    assert ended.code == 2 or "--all" in arguments or site.run("status", "--offline").code == 0
    return ended


GONE = "the job does not name this host any more"
CASES: dict[str, tuple[list[Sequence[Join] | None], int, list[str]]] = {
    **{f"finished {n}": ([[(A, 2), (B, n)]], 3 if n > 2 else 0, []) for n in (2, 3, 4, 5, 6)},
    **{f"going {n}": ([[(A, 2), (B, n)]], 124, []) for n in (0, 1, 7, 8, 9, 10)},
    "no queue": ([[(A, 2), (B, None)]], 124, ["Complete", "Queued"]),
    "a null array": ([None, None, [(A, 2), (B, 2)]], 0, ["Complete", "Complete"]),
    "a null array after the end": ([[(A, 1), (B, 3)], None, [(A, 2)]], 3, ["Complete", "Failed"]),
    "a null array for ever": ([None], 124, ["Queued", "Queued"]),
    "an empty array once": ([[], [(A, 2), (B, 2)]], 0, ["Complete", "Complete"]),
    "twice lacking": ([[(A, 2)], [(A, 2)], [(A, 2), (B, 2)]], 0, ["Complete", "Complete"]),
    "lacking": ([[(A, 1), (B, 1)], [(A, 2)]], 3, ["Complete", "Unknown"]),
    "named again": ([[(A, 1), (B, 1)], [], [(A, 2), (B, 3)]], 3, ["Complete", "Failed"]),
    "a host without a name": ([[(A, 2), (None, 1)]], 3, ["Complete", "Unknown"]),
    "a join that says nothing": ([[(A, 2), MUTE]], 3, ["Complete", "Unknown"]),
}


@pytest.mark.parametrize(("looks", "code", "ends"), CASES.values(), ids=CASES)
def test_a_run_is_followed_as_long_as_a_host_may_change(
    site: Site, looks: list[Sequence[Join] | None], code: int, ends: list[str]
) -> None:
    assert site.run("schedule", *HOSTS).code == 0
    show(site, *looks)
    ended = follow(site).expect(code)
    assert [row[0] for row in ended.rows()] == [*HOSTS]
    if ends:
        assert [row[1] for row in ended.rows()] == ends
    for row in ended.rows():
        assert code == 124 or (GONE in row[7]) == (row[1] == "Unknown")


@pytest.mark.parametrize(
    ("look", "code", "end", "detail"),
    [
        ([(A, 2)], 3, "NotAccepted", "not in the reply"),
        ([(A, 2), (None, 1)], 3, "Accepted", "not in the reply"),
        ([(A, 2), (ALIAS, 2)], 3, "Accepted", f"not in the reply; the reply names {ALIAS}"),
        ([(A, 2), (NOT_THERE, 2)], 0, "Complete", ""),
    ],
)
def test_a_host_that_the_reply_left_out_needs_a_second_look(
    site: Site, look: Sequence[Join], code: int, end: str, detail: str
) -> None:
    site.faults.add(Fault(action="status", status=500, method="GET", path=ONE_JOB))
    started = site.run("schedule", A, NOT_THERE)
    assert started.statuses() == [(A, "Queued"), (NOT_THERE, "Accepted")]
    assert started.rows()[1][7] == "not in the reply"
    site.faults.clear()
    show(site, look)
    ended = follow(site)
    assert (ended.code, ended.statuses()) == (code, [(A, "Complete"), (NOT_THERE, end)])
    assert ended.rows()[1][7] == detail
    # What is not in the job keeps it from no end.
    [run] = site.run("runs").rows()
    [job] = site.run("runs", "show", run[0], "-o", "json").json()["jobs"]
    assert job["status"] == ("Running" if end == "Accepted" else "Complete")
    before = len(site.requests("OuMapping"))
    site.run("rescan")
    assert len(site.requests("OuMapping")) - before == (end == "NotAccepted")


@pytest.mark.parametrize(
    ("looks", "own", "code", "rows"),
    [
        ([[(A, 2), MUTE]], {}, 3, [(A, "Complete"), ("", "Queued")]),
        ([[MUTE, MUTE]], {}, 3, [("", "Queued"), ("", "Queued")]),
        ([[(A, 2), (None, 1)], [(A, 2), (None, 2)]], {}, 0, [(A, "Complete"), ("", "Complete")]),
        ([[(A, 2), (None, 1)]], {}, 124, [(A, "Complete"), ("", "Running")]),
        ([None], {}, 124, []),
        ([None], {"status": 1}, 124, []),
        ([None], {"status": 3}, 3, []),
        ([[]], {"status": 2}, 0, []),
    ],
)
def test_a_job_by_its_id_is_what_the_server_holds(
    site: Site,
    looks: list[Sequence[Join] | None],
    own: dict[str, Any],
    code: int,
    rows: list[tuple[str, str]],
) -> None:
    site.run("schedule", *HOSTS)
    [job] = site.world.jobs
    site.environ["SBPAM_STATE_HOME"] += "-of-another"
    site.clock.move(31)
    show(site, *looks, **own)
    ended = site.run("status", job, "--watch", "--timeout", "2m", "--exit-status")
    assert (ended.code, ended.statuses()) == (code, rows)
    assert ("the server reports no hosts of 1 job" in ended.err) == (not rows)


def test_a_host_that_one_look_does_not_name_is_not_forgotten(site: Site) -> None:
    """A null in the graph is no word about the host: it must not be scheduled again for it."""
    site.run("schedule", *HOSTS)
    show(site, [(A, 2), (None, 2)])
    assert site.run("status").statuses() == [(A, "Complete"), (B, "Queued")]
    site.faults.clear()
    again = site.run("schedule", "--skip-recent", "24h", *HOSTS)
    assert again.statuses() == [(A, "Skipped"), (B, "Skipped")]
    assert sorted(site.scheduled()) == [*HOSTS]


@pytest.mark.parametrize(
    ("nth", "code", "end"),
    [(1, 0, "Complete"), (2, 0, "Complete"), ([2, 3], 0, "Complete"), (range(3, 99), 3, "Unknown")],
)
def test_a_job_that_is_not_found_ends_a_wait_if_it_stays_so(
    site: Site, nth: Any, code: int, end: str
) -> None:
    site.world.scan_duration_s = 600.0 if code else 10.0
    site.faults.add(Fault(action="status", status=404, method="GET", path=ONE_JOB, nth=nth))
    began = site.clock.now()
    ended = site.run("schedule", *HOSTS, "--wait").expect(code)
    assert ended.statuses() == [(A, end), (B, end)]
    assert code == 0 or 60 <= site.clock.now() - began < 200


@pytest.mark.parametrize("wait", [True, False])
def test_a_list_that_lags_loses_no_job(site: Site, wait: bool) -> None:
    hosts = [f"h{n}.corp.example" for n in range(205)]
    site.world.scan_duration_s = 100.0
    hidden = Fault(action="hide_job", path="OuMapping", seconds=90.0 if wait else 9999.0)
    site.faults.add(hidden if wait else Fault(**{**vars(hidden), "nth": range(1, 8)}))
    ended = site.run("schedule", *hosts, "--batch-size", "1", *["--wait"] * wait)
    if not wait:
        site.clock.move(200)
        ended = site.run("status")
        # Only what the list lacks is asked for by its id; `schedule` has read the list too.
        asked = [method for method, _ in site.requests("HostScanJob") if method == "GET"]
        assert len(asked) == 2 + 7
    assert ended.code == 0, ended.err
    assert ended.statuses() == [(host, "Complete") for host in hosts]
