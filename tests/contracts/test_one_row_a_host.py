"""Whatever the list and whatever goes wrong: one row a host, in order, and the row is true."""

from collections import Counter
from dataclasses import replace
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.faults import Fault
from support.site import PrivateProgram, Site

from sbpam_cli.models import SCHEDULED

GOOD = [f"web{n:02}.corp.example" for n in range(12)] + ["unknown1.corp.example"]
INVALID = ["short", "10.0.0.1", "a b.corp.example", "*.corp.example", "-x.corp.example"]
NAMES = st.sampled_from([*GOOD, *(name.upper() + "." for name in GOOD[:4]), *INVALID])

FAULTS = {
    "refused": Fault(action="status", status=422),
    "too large": Fault(action="status", status=413),
    "recycled": Fault(action="status", status=503, headers={"Retry-After": "2"}),
    "throttled": Fault(action="status", status=429, headers={"Retry-After": "1"}),
    "token dies": Fault(action="revoke"),
    "role is gone": Fault(action="status", status=403),
    "fails before": Fault(action="status", status=500),
    "fails after": Fault(action="status", status=502, when="after"),
    "reset before": Fault(action="reset"),
    "reset after": Fault(action="reset", when="after"),
    "closed after": Fault(action="close", when="after"),
    "cut": Fault(action="truncate", when="after"),
    "page before": Fault(action="html200"),
    "page after": Fault(action="html200", when="after"),
    "leaves one out": Fault(action="leave_out", count=1),
    "fills slowly": Fault(action="fill_gradually", seconds=2),
    "hides the job": Fault(action="hide_job", seconds=2),
    "hides it and the reply is lost": Fault(action="hide_job", seconds=2),
    "list fails": Fault(action="status", status=500),
    "second look fails": Fault(action="reset"),
}
ELSEWHERE = {"list fails": "HostScanJob$", "second look fails": "HostScanJob/[0-9a-f]"}
PASSWORD_ONLY = {
    "SBPAM_USERNAME": "CORP\\nomfa",
    "SBPAM_PASSWORD": "Sandbox-Nomfa-1",
    "SBPAM_TOTP_SECRET": "",
}
# Longer than any fault here hides a job; each half second of it takes the clock a moment.
SETTLE_AFTER = "4s"
_folders = count()


def set_faults(site: Site, drawn: list[tuple[int, str]]) -> None:
    site.faults.clear()
    for nth, name in drawn:
        method = "GET" if name in ELSEWHERE else "POST"
        path = ELSEWHERE.get(name, "OuMapping")
        site.faults.add(replace(FAULTS[name], method=method, path=path, nth=nth))
        if name.startswith("hides it and"):
            site.faults.add(Fault(action="reset", when="after", method="POST", path=path, nth=nth))


def wanted_rows(names: list[str]) -> list[str]:
    return list(dict.fromkeys(name.lower().removesuffix(".") for name in names))


def assert_true(
    site: Site, host: str, status: str, job_id: str, detail: str, *, fills_slowly: bool
) -> None:
    jobs = [job_id for job_id, names in site.world.scheduled.items() if host in names]
    assert len(jobs) <= 1, f"{host} is in {len(jobs)} jobs"
    if status in {member.value for member in SCHEDULED}:
        assert jobs == [job_id] or (status == "Accepted" and "not in the reply" in detail)
    elif status in ("NotSent", "Invalid", "Rejected"):
        assert jobs == []
    elif status == "NotAccepted":
        # A job that fills after both looks cannot be told from one that lacks the host.
        assert jobs == [] or fills_slowly
    else:
        assert status == "OutcomeUnknown"


def expected_code(statuses: Counter[str]) -> set[int]:
    """The exit codes that these rows allow."""
    if statuses["OutcomeUnknown"]:
        return {4, 5}
    if statuses["NotSent"]:
        return {3, 4, 6}
    if any(statuses[name] for name in ("Rejected", "NotAccepted", "Invalid")):
        return {3}
    return {0}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(NAMES, min_size=1, max_size=14),
    batch_size=st.integers(1, 3),
    parallel=st.integers(1, 4),
    drawn=st.lists(
        st.tuples(st.integers(1, 4), st.sampled_from(sorted(FAULTS))), min_size=1, max_size=4
    ),
)
def test_one_true_row_a_host(
    site: Site, names: list[str], batch_size: int, parallel: int, drawn: list[tuple[int, str]]
) -> None:
    site.world.log.clear()
    site.world.jobs.clear()
    site.world.scheduled.clear()
    set_faults(site, drawn)
    program = PrivateProgram(site.program.folder / f"home-{next(_folders)}", site.clock)
    program.environ = {**site.program.environ, **program.environ, **PASSWORD_ONLY}
    ended = program(
        "schedule",
        *(part for name in names for part in ("--host", name)),
        "--skip-invalid",
        "--batch-size",
        str(batch_size),
        "--parallel",
        str(parallel),
        "--settle-after",
        SETTLE_AFTER,
    )
    rows = ended.rows()
    assert [row[0] for row in rows] == wanted_rows(names)
    for host, status, job_id, *_, detail in rows:
        fills_slowly = any(name == "fills slowly" for _, name in drawn)
        assert_true(site, host, status, job_id, detail, fills_slowly=fills_slowly)
    assert ended.code in expected_code(Counter(row[1] for row in rows)), ended
