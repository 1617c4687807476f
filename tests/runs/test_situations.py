"""What becomes of a lost answer: the protocol's table of situations, row by row.

Each with a batch of 1 and of 3, for every clock of the server, and with a job accepted in the
run before it or not.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
from support.clock import Inline
from support.faults import UNLISTED, Fault, html_response
from support.site import CREDENTIAL, Site
from support.tables import slow

from sbpam_cli.runs.reads import ListBefore
from sbpam_cli.sandbox.http import Request, Response, encode
from sbpam_cli.sandbox.routes import Answer
from sbpam_cli.system.threads import Done

CLOCKS = {
    "right": 0.0,
    "absent": None,
    "+10 min": 600.0,
    "-10 min": -600.0,
    "+70 min": 4200.0,
    "-70 min": -4200.0,
    "local": -8 * 3600.0,
    "another node's": 1800.0,
}
FIRST = "first.corp.example"
OURS = "CORP\\demo"
NEWER = "9c711ab3-0000-4000-8000-000000000001"
KNOWN = tuple(clock for clock in CLOCKS if clock != "absent")
HOUR, DAY = 3600.0, 24 * 3600.0
LIST, POST = "/HostScanJob", "OuMapping"


def each_with(**fields: Any) -> Callable[[Any], Any]:
    return lambda hosts: [{**host, **fields} for host in hosts]


short = each_with(dnsHostName=None)
nameless = each_with(name=None, dnsHostName=None)
addresses = each_with(name="10.0.0.7", dnsHostName=None)


def renamed(hosts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One of them, where there are others; cut as NetBIOS does."""
    odd = {"name": None, "dnsHostName": f"{hosts[-1]['name'][:15].lower()}.other.example"}
    return [*hosts[:-1], {**hosts[-1], **odd}] if len(hosts) > 1 else hosts


def all_renamed(hosts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**h, "name": None, "dnsHostName": f"{h['name'][:15]}.other.example"} for h in hosts]


@dataclass(frozen=True)
class Other:
    """Somebody's job: age_s before the send, or new; `share` of the batch's hosts, or more."""

    age_s: float | None = None
    share: str = "exactly"
    creator: str = "CORP\\somebody"
    account: str = CREDENTIAL

    def names(self, asked: Sequence[str]) -> list[str]:
        if self.share == "some" and len(asked) > 1:
            return list(asked[:1])
        return [*asked, "more.corp.example"] if self.share != "exactly" else list(asked)


@dataclass(frozen=True)
class Row:
    """own: whether the server made the job of the lost answer; hosts: as it shows them.

    left: how many of the asked hosts are in it, at least one. later_s: it appears so much later.
    address: where its sender sits. leap_s: the wall clock is set on when the answer is lost.
    listed: the whole list was read before; `late`: the read ended after the POST was sent.
    followed: a batch is accepted after it. end: `accepted`, `sent`, `unknown`; for 1 or 3 hosts.
    """

    number: int
    end: str
    own: bool = False
    hosts: Callable[[Any], Any] | None = None
    left: Callable[[int], int] = lambda n: n
    later_s: float = 0.0
    address: str = "127.0.0.1"
    leap_s: float = 0.0
    other: Other | None = None
    listed: bool = True
    late: bool = False
    followed: bool = False
    list_edit: Callable[[Any], Any] | None = None
    sizes: tuple[int, ...] = (1, 3)
    clocks: tuple[str, ...] = tuple(CLOCKS)
    accepted: tuple[bool, ...] = (False, True)


BEFORE = [None, *(Other(age, s) for age in (DAY, HOUR, 60.0) for s in ("exactly", "some", "more"))]
ROWS = [
    *(Row(1, "accepted", own=True, other=other) for other in BEFORE),
    *(Row(1, "accepted", own=True, hosts=h, other=o) for h in (short, renamed) for o in BEFORE[:2]),
    *(Row(2, "accepted", own=True, later_s=100.0, other=other) for other in BEFORE[:4]),
    Row(2, "accepted", own=True, later_s=100.0, leap_s=HOUR),
    *(Row(3, "sent", other=other) for other in BEFORE),
    Row(4, "accepted", own=True, left=lambda n: n - 1, sizes=(3, 5)),
    Row(5, "unknown", own=True, left=lambda n: n // 2, sizes=(3, 4)),
    *(Row(5, "unknown", own=True, hosts=h) for h in (all_renamed, nameless, addresses)),
    Row(5, "unknown", own=True, hosts=lambda _: None),
    *(Row(6, "sent", other=Other(share=s), accepted=(True,)) for s in ("exactly", "some", "more")),
    *(Row(7, "unknown", other=Other(share=s, creator=OURS), sizes=(3,)) for s in ("some", "more")),
    Row(7, "unknown", other=Other(share="more"), accepted=(False,)),
    Row(8, "accepted", other=Other(creator=OURS)),
    Row(8, "unknown", other=Other(creator=OURS, account=NEWER)),
    Row(9, "unknown", own=True, other=Other(creator=OURS)),
    Row(10, "unknown", list_edit=lambda _: []),
    Row(10, "unknown", list_edit=lambda _: [[]] * 2),
    Row(10, "unknown", list_edit=lambda jobs: [{**jobs[0], "id": NEWER}]),
    Row(10, "unknown", list_edit=lambda jobs: jobs[:1], accepted=(True,)),
    Row(10, "unknown", list_edit=lambda jobs: jobs[-1:], followed=True),
    Row(11, "accepted", own=True, listed=False, clocks=("right",)),
    Row(11, "accepted", own=True, late=True, followed=True, clocks=("right",)),
    Row(11, "accepted", own=True, listed=False, accepted=(True,), clocks=KNOWN),
    Row(11, "unknown", own=True, listed=False, accepted=(False,), clocks=tuple(CLOCKS)[1:]),
    Row(12, "sent", listed=False, other=Other(DAY, creator=OURS), clocks=KNOWN),
    Row(12, "unknown", listed=False, other=Other(DAY, creator=OURS), clocks=("absent",)),
    Row(13, "unknown", listed=False, other=Other(HOUR, creator=OURS)),
    Row(16, "accepted", own=True, address="10.0.0.9", accepted=(True,)),
]  # fmt: skip


@dataclass
class Server:
    """Stands before the application: loses an answer, and words its jobs as the row has them."""

    site: Site
    row: Row
    clock_s: float | None
    names: list[str]
    lost: bool = False
    ahead_s: float = 0.0
    jobs: set[str] = field(default_factory=set)

    def __call__(self, request: Request, answer: Answer) -> Response:
        world, row = self.site.world, self.row
        if POST in request.target and json.loads(request.body) == self.names and not self.lost:
            self.lost = True
            self.site.clock.move(1.0)
            if row.own:
                count = max(row.left(len(self.names)), 1)
                held = Request("POST", request.target, request.headers, encode(self.names[:count]))
                self.site.faults(held, answer)
                self.jobs.add(next(reversed(world.scheduled)))
            if row.other is not None and row.other.age_s is None:
                other = row.other
                job = world.add_job(other.names(self.names), other.account, other.creator)
                self.jobs.add(job.job_id)
            return html_response(504)
        response = self.site.faults(request, answer)
        if request.method == "GET" and LIST in request.target and response.status == 200:
            value = json.loads(response.body)
            listed = isinstance(value, list)
            if self.lost:
                self.ahead_s = row.leap_s
            if listed and row.list_edit is not None and self.lost:
                value = row.list_edit(value)
            if listed and not row.listed and not self.lost:
                return Response(500)
            if listed and value and not value[0]:
                return Response(200, response.headers, b"]")
            for job in value if listed else [value]:
                self._word(job)
            if listed and row.later_s and self.jobs:
                due = min(world.jobs[job].created_at for job in self.jobs) + 100.0
                value = [job for job in value if job["id"] not in self.jobs or world.now() >= due]
            return Response(200, response.headers, encode(value))
        return response

    def _word(self, job: dict[str, Any]) -> None:
        if "createdDateTimeUtc" in job:
            made = self.site.world.jobs[job["id"]].created_at
            moment = datetime.fromtimestamp(made + (self.clock_s or 0.0), UTC)
            told = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            job["createdDateTimeUtc"] = None if self.clock_s is None else told
        if job["id"] in self.jobs and "createdFromAddress" in job:
            job["createdFromAddress"] = self.row.address
        if job["id"] in self.jobs and self.row.own and self.row.hosts is not None:
            if "hostScanHostStatus" in job:
                job["hostScanHostStatus"] = self.row.hosts(job["hostScanHostStatus"])
            else:
                joins = job["hostScanJobHostJoin"]
                hosts = self.row.hosts([join["hostScanHost"] for join in joins])
                job["hostScanJobHostJoin"] = hosts and [
                    {**join, "hostScanHost": host} for join, host in zip(joins, hosts, strict=True)
                ]


def cases() -> Iterator[Any]:
    """Each row meets one size and clock each time, and all of them with `-m slow`."""
    for number, row in enumerate(ROWS):
        ordinary = row.sizes[number % len(row.sizes)], row.clocks[number % len(row.clocks)]
        for size, clock, accepted in product(row.sizes, row.clocks, row.accepted):
            name = f"row{row.number}-{number}-{size}-{clock}-{'accepted' if accepted else 'none'}"
            own = row.accepted[number // 8 % len(row.accepted)]
            often = (size, clock, accepted) == (*ordinary, own)
            marks = () if often else pytest.mark.slow
            yield pytest.param(row, size, clock, accepted, id=name, marks=marks)


class LateList(Inline):
    """The run's first read of the list ends after its first POST."""

    _began = False

    def next(self, timeout_s: float) -> Done | None:
        key = self._waiting[0][0] if self._waiting else None
        if isinstance(key, ListBefore) and not self._began:
            if len(self._waiting) == 1:
                self._clock.sleep(timeout_s)
                return None
            self._waiting.rotate(-1)
        done = super().next(timeout_s)
        self._began = self._began or done is not None
        return done


def start(site: Site, row: Row, size: int, clock: str = "right", *, accepted: bool = False) -> Any:
    site.work_alone(LateList if row.late else Inline)
    names = [f"h{n}-has-a-long-name.corp.example" for n in range(size)]
    site.world.add_job(["elsewhere.corp.example"], age_s=2 * DAY)
    if row.other is not None and row.other.age_s is not None:
        site.world.add_job(row.other.names(names), age_s=row.other.age_s, creator=row.other.creator)
    server = Server(site, row, CLOCKS[clock], names)
    site.server.app.intercept = server
    # Ours alone: the server's own clock goes on as it did.
    site.clock.now = lambda: site.world.now() + server.ahead_s
    how = ("--batch-size", str(size), "--parallel", "1")
    first = [f"{n}.{FIRST}" for n in range(size)] if accepted else []
    last = [f"{n}.last.corp.example" for n in range(size)] if row.followed else []
    return server, site.run("schedule", *first, *names, *last, *how)


@pytest.mark.parametrize(("row", "size", "offset", "accepted"), list(cases()))
def test_situation(site: Site, row: Row, size: int, offset: str, accepted: bool) -> None:
    server, ended = start(site, row, size, offset, accepted=accepted)
    found = {r[0]: r for r in ended.rows()}
    rows = [found[name] for name in server.names]
    copies = [site.scheduled().count(name) for name in server.names]
    if row.end == "unknown":
        assert ended.code == 5, ended.err
        assert {r[1] for r in rows} == {"OutcomeUnknown"}
        for job_id in server.jobs:
            assert f"--accept {job_id}" in ended.err
            assert f"--not {job_id}" in ended.err
        assert all(copy <= 1 for copy in copies)
        return
    held = max(row.left(size), 1)
    assert ended.code == (0 if held == size else 3), ended.err
    statuses = [r[1] for r in rows]
    assert statuses[held:] == ["NotAccepted"] * (size - held)
    assert not {"NotAccepted", "OutcomeUnknown", "NotSent"} & set(statuses[:held])
    if row.end == "sent":
        assert copies == [1] * size
    else:
        assert {r[2] for r in rows} == server.jobs
        assert copies == [int(row.own)] * held + [0] * (size - held)


OPEN = [row for row in ROWS if row.number in (5, 7)]


def decide(site: Site, *how: str) -> list[str]:
    ended = site.run("resume", *how)
    assert ended.code in (0, 5), ended.err
    return [row[1] for row in ended.rows()]


@pytest.mark.parametrize("row", [*OPEN[::2], *slow(*OPEN[1::2])])
def test_what_is_named_is_for_a_person_to_decide(site: Site, row: Row) -> None:
    server, _ = start(site, row, 3)
    [job] = server.jobs
    asked = len(site.requests(POST))
    assert decide(site, "--resend") == ["OutcomeUnknown"] * 3
    assert len(site.requests(POST)) == asked
    if row.own:
        ended = site.run("resume", "--accept", job)
        held = max(row.left(3), 1)
        assert "NotAccepted" not in [r[1] for r in ended.rows()[:held]]
        assert [r[2] for r in ended.rows()] == [job] * 3
        assert len(site.requests(POST)) == asked
        site.run("schedule", "later.corp.example")
    else:
        assert decide(site, "--not", job) == ["Queued"] * 3
        assert sorted(site.scheduled()) == sorted(server.names)


def lose(site: Site, *names: str) -> str:
    """The answer, and the list too; the run's id."""
    site.faults.add(UNLISTED)
    ended = site.run("schedule", *names, "--settle-after", "0", "-o", "json").expect(5)
    site.faults.clear()
    return str(ended.json()["run"])


def test_without_a_quiet_time_no_job_is_too_late(site: Site) -> None:
    """`--settle-after 0` believes nothing: a job that is made after the give-up may be its."""
    site.work_alone()
    site.run("schedule", FIRST).expect(0)
    names = [f"h{n}.corp.example" for n in range(2)]
    site.faults.add(Fault(action="later", method="POST", path=POST, seconds=60))
    site.run("schedule", *names, "--settle-after", "0").expect(5)
    site.clock.move(120)
    site.run("resume", "--resend", "--settle-after", "0").expect(0)
    assert sorted(site.scheduled()) == sorted([FIRST, *names])


def test_a_job_possible_for_two_runs_is_neithers(site: Site) -> None:
    """Row 15; and a job that a batch has is nobody else's."""
    site.work_alone()
    site.world.add_job(["elsewhere.corp.example"], age_s=2 * DAY)
    names = [f"h{n}.corp.example" for n in range(3)]
    site.faults.add(Fault(action="close", method="POST", path=POST, when="after", nth=1))
    first = lose(site, *names[:2])
    site.faults.add(Fault(action="close", method="POST", path=POST, when="before", nth=1))
    second = lose(site, *names)
    [job] = site.world.scheduled
    for run, count in ((first, 2), (second, 3)):
        assert decide(site, run) == ["OutcomeUnknown"] * count
    assert "NotAccepted" not in decide(site, first, "--accept", job)
    assert site.run("resume", second, "--accept", job).code == 2
    assert len(site.world.scheduled) == 1


def test_what_was_never_sent_is_sent_whatever_shares_its_hosts(site: Site) -> None:
    """Row 14."""
    names = [f"h{n}.corp.example" for n in range(4)]
    site.faults.add(Fault(action="status", status=400, method="POST", path=POST))
    site.run("schedule", *names, "--batch-size", "2", "--parallel", "1", "--fail-fast").expect(3)
    site.faults.clear()
    site.world.add_job([names[2], "more.corp.example"], creator=OURS)
    assert decide(site) == ["Queued"] * 4


def test_another_sign_in_on_resume(site: Site) -> None:
    """Row 16: who made the jobs of the run's first sign-in says nothing of another's."""
    names = [f"h{n}.corp.example" for n in range(4)]
    site.faults.add(Fault(action="status", status=400, method="POST", path=POST, nth=2))
    assert site.run("schedule", *names, "--batch-size", "2", "--parallel", "1").code == 3
    site.faults.add(Fault(action="close", method="POST", path=POST, when="after"))
    user = site.world.person("none")
    who = {"SBPAM_USERNAME": user.login, "SBPAM_PASSWORD": user.password, "SBPAM_TOTP_SECRET": ""}
    assert site.run("resume", env=who).code == 0
    assert sorted(site.scheduled()) == names
    assert [site.world.jobs[job].creator for job in site.world.scheduled] == [OURS, user.login]


def test_a_job_that_another_run_claims_meanwhile_is_its(site: Site) -> None:
    """Rule 8: what the journal holds of jobs is read after the list."""
    names = [f"h{n}.corp.example" for n in range(3)]
    site.world.add_job(["elsewhere.corp.example"], age_s=2 * DAY)
    site.faults.add(Fault(action="close", method="POST", path=POST, when="before", nth=1))
    assert site.run("schedule", *names[:2], "--settle-after", "0").code == 5
    ended: list[Any] = []

    class Meanwhile(Inline):
        def next(self, timeout_s: float) -> Done | None:
            if self._waiting and self._waiting[0][0] == "call" and not ended:
                site.work_alone()
                ended.append(site.run("schedule", *names, "--batch-size", "2"))
            return super().next(timeout_s)

    site.work_alone(Meanwhile)
    resumed = site.run("resume").expect(0)
    assert not {row[2] for row in ended[0].rows()} & {row[2] for row in resumed.rows()}


@pytest.mark.parametrize(
    ("whose", "end"),
    [("its", "Queued"), ("listed before", "OutcomeUnknown"), ("no job", "OutcomeUnknown")],
)
def test_a_reply_without_a_job_may_say_where_it_is(site: Site, whose: str, end: str) -> None:
    """Rule 4."""
    names = [f"h{n}.corp.example" for n in range(3)]
    old = site.world.add_job(names, age_s=HOUR)

    def place_alone(request: Request, answer: Answer) -> Response:
        if site.world.scheduled and request.target.endswith(LIST):
            return Response(500)
        reply = site.faults(request, answer)
        if POST not in request.target:
            return reply
        its = next(iter(site.world.scheduled))
        ids = {"its": its, "listed before": old.job_id, "no job": NEWER}
        return Response(201, (("Location", f"https://nps.example{LIST}/{ids[whose]}?x=/y"),))

    site.server.app.intercept = place_alone
    ended = site.run("schedule", *names, "--settle-after", "0")
    assert {row[1] for row in ended.rows()} == {end}
    assert ended.code == (0 if whose == "its" else 5)
