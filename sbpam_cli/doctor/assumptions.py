"""What the program assumes of the server, held against what a server answers.

Nothing here acts on the server. Nothing of a reply is shown but the names of known fields,
forms, numbers and known words, so that the table can be sent to anybody.
"""

import json
import re
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from sbpam_cli.errors import ServerError, UnreachableError
from sbpam_cli.names import canonical_uuid
from sbpam_cli.nps.decoding import WireError
from sbpam_cli.nps.failures import read_date
from sbpam_cli.nps.replies import make_token, read_status, read_time
from sbpam_cli.settings.profiles import ConnectionOptions, resolve_target
from sbpam_cli.signin.session import Site

if TYPE_CHECKING:
    from sbpam_cli.nps.client import NpsClient
    from sbpam_cli.nps.transport import Reply
    from sbpam_cli.output.context import Context

_JOBS = "/api/v1/HostScanJob"
_JOB = "id status statusDescription hostScanHostStatus"
_HOST = "hostScanHostId hostId name dnsHostName os ipAddress version"
_HOST += " status statusDescription failureReason"
_ENTITY = "id createdByUserName createdFromAddress createdDateTimeUtc hostScanJobHostJoin"
_JOINED = "name dnsHostName ipAddress os version hostId credentialId"
_QUEUE = "timeCreated timeStarted timeFinished status statusDescription failureReason"
_SEARCHES = {
    "Credential/Search?filterText=&credentialType=Configuration&skip=0&take=1": (
        "credentialId userName domain displayName resource platform managedType"
    ),
    "ManagedResource/Search?filterType=Host&Skip=0&Take=1": (
        "name hostId host dnsHostName ipAddress os saName lastScanTimeUtc disableWinRm"
    ),
    "ManagedResource/Candidate/Search?filterAppResourceType=NotEnrolled&skip=0&take=1": (
        "dnsHostName distinguishedName os ipAddress domainName"
    ),
}
_FQDN = re.compile(r"[\w-]+(\.[\w-]+)+", re.ASCII)
_NEAR_S = 5.0
_LIFE_S = (600.0, 1200.0)


class Fact(NamedTuple):
    """ok: None where the server has nothing that would show it."""

    fact: str
    expected: str
    seen: str
    ok: bool | None


def run_assumptions(ctx: "Context", options: ConnectionOptions) -> list[Fact]:
    """A fact a row; raises what signing in raises. The outcome names no server."""
    site = Site(ctx, resolve_target(ctx.services, options))
    site.session.token()
    facts = list(_Look(site.client).facts(str(uuid.UUID(int=ctx.services.random.getrandbits(128)))))
    wrong = [fact.fact for fact in facts if fact.ok is False]
    ctx.outcome.partial, ctx.outcome.profile = bool(wrong), None
    ctx.outcome.verdict = (
        f"This server differs from what is assumed: {', '.join(wrong)}. Please report the table;"
        " no name and no secret is in it."
        if wrong
        else "This server is as assumed."
    )
    return facts


class _Look:
    def __init__(self, client: "NpsClient") -> None:
        self._client = client

    def facts(self, unknown: str) -> Iterator[Fact]:
        """unknown: the id of a job that does not exist."""
        version = self._read("/api/v1/Version")
        words = _value(version)
        form = re.fullmatch(r"[0-9]+(\.[0-9]+)+", words if isinstance(words, str) else "")
        seen = form[0] if form else _kind(version)
        yield Fact("Version", "a JSON string such as 25.12.00000", seen, form is not None)
        health = self._read("/api/v1/Health")
        well = health is not None and health.content.strip(b' \r\n"') == b"Healthy"
        yield Fact("Health", "Healthy", "Healthy" if well else _kind(health), well)
        yield from self._renewal()
        yield from self._jobs()
        missing = self._read(f"{_JOBS}/{unknown}")
        problem = _value(missing)
        told = _kind(missing).startswith("404") and "traceId" in _dict(problem)
        yield Fact("unknown job", "404 with a traceId", _kind(missing), told)
        for path, fields in _SEARCHES.items():
            yield from _search(self._read(f"/api/v1/{path}"), path.partition("?")[0], fields)

    def _read(self, path: str) -> "Reply | None":
        try:
            return self._client.look(path)
        except (ServerError, UnreachableError):
            return None  # what the error says names the server

    def _renewal(self) -> Iterator[Fact]:
        reply = self._read("/api/v1/UserToken")
        text = _value(reply)
        yield Fact("renewal", "200, a JSON string", _kind(reply), isinstance(text, str))
        begins = ends = None
        with suppress(WireError):
            _, ends, begins = make_token(text if isinstance(text, str) else "", None)
        life_s = ends - begins if begins and ends else None
        seen = "no JWT with both" if life_s is None else f"{life_s / 60:.0f} minutes"
        ok = life_s is not None and _LIFE_S[0] <= life_s <= _LIFE_S[1]
        yield Fact("token", "a JWT; iat to exp about 15 minutes", seen, ok)
        served = read_date(reply.headers.get("date")) if reply is not None else None
        apart_s = abs(begins - served) if begins and served else None
        seen = "not both told" if apart_s is None else f"{apart_s:.0f} s apart"
        ok = apart_s is not None and apart_s <= _NEAR_S
        yield Fact("clocks of Date and iat", "the same", seen, ok)

    def _jobs(self) -> Iterator[Fact]:
        reply = self._read(_JOBS)
        jobs = _value(reply)
        yield Fact("list of jobs", "an array", _kind(reply), isinstance(jobs, list))
        jobs = _objects([{"jobs": jobs}], "jobs")
        hosts = _objects(jobs, "hostScanHostStatus")
        yield _fields("a job in the list", jobs, _JOB)
        yield _fields("its hosts", hosts, _HOST)
        yield _forms("status in the list", "0 to 10 or null", jobs + hosts, "status", _number(11))
        yield _forms("failure reason", "0 to 11 or null", hosts, "failureReason", _number(12))
        yield _descriptions(jobs + hosts)
        yield _forms("name in the list", "an FQDN", hosts, "dnsHostName", _name)
        ids = [found for job in jobs if (found := canonical_uuid(job.get("id")))]
        # The list has no times: the newest job is at one of its ends.
        ends = dict.fromkeys(ids[:1] + ids[-1:])
        entities = [_dict(_value(self._read(f"{_JOBS}/{job}"))) for job in ends]
        joins = _objects(entities, "hostScanJobHostJoin")
        queues = _objects(joins, "actionQueue")
        yield _fields("one job", entities, _ENTITY)
        yield _fields("its joined hosts", _objects(joins, "hostScanHost"), _JOINED)
        yield _fields("their action queues", queues, _QUEUE)
        yield _forms("status in a queue", "0 to 10 or null", queues, "status", _number(11))
        times = [{"time": job.get("createdDateTimeUtc")} for job in entities]
        times += [{"time": queue.get(name)} for queue in queues for name in _QUEUE.split()[:3]]
        yield _forms("times", "ISO, with Z or without, 0001 if unset", times, "time", _time)
        made = [at for job in entities if (at := read_time(job.get("createdDateTimeUtc")))]
        if not made:
            yield Fact("clocks of Date and jobs", "no job is made later", "no job", None)
        else:
            late_s = max(made) - self._client.server_time()
            seen = f"{late_s:.0f} s later" if late_s > _NEAR_S else "none later"
            yield Fact("clocks of Date and jobs", "no job is made later", seen, late_s <= _NEAR_S)


def _kind(reply: "Reply | None") -> str:
    """What came, without anything that stood in it."""
    if reply is None:
        return "no answer"
    value = _value(reply)
    kinds = {str: "a JSON string", list: "an array", dict: "an object", type(None): "no JSON"}
    return f"{reply.status}, {kinds.get(type(value), 'a value')}"


def _value(reply: "Reply | None") -> Any:
    with suppress(ValueError, RecursionError):
        return json.loads(reply.content) if reply is not None else None
    return None


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(rows: Iterable[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """The objects that are this member of each row, or stand in it."""
    found = [row.get(name) for row in rows]
    flat = [one for value in found for one in (value if isinstance(value, list) else [value])]
    return [one for one in flat if isinstance(one, dict) and one]


def _fields(fact: str, rows: list[dict[str, Any]], names: str) -> Fact:
    known = set().union(*rows) if rows else set()
    missing = [name for name in names.split() if name not in known]
    seen = f"without {' '.join(missing)}" if missing else "all of them"
    return Fact(fact, names, seen if rows else "none", not missing if rows else None)


def _forms(
    fact: str,
    expected: str,
    rows: list[dict[str, Any]],
    name: str,
    form: Callable[[object], tuple[str, bool]],
) -> Fact:
    """form: in a word, and whether it is as expected."""
    found = Counter(form(row.get(name)) for row in rows)
    seen = ", ".join(f"{word} ({count:,})" for (word, _), count in found.most_common(20))
    return Fact(fact, expected, seen or "none", all(ok for _, ok in found) if found else None)


def _number(below: int) -> Callable[[object], tuple[str, bool]]:
    def form(value: object) -> tuple[str, bool]:
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)[:9], 0 <= value < below
        return ("null", True) if value is None else (f"a {type(value).__name__}", False)

    return form


def _name(value: object) -> tuple[str, bool]:
    if isinstance(value, str):
        return ("an FQDN", True) if _FQDN.fullmatch(value) else ("not an FQDN", False)
    return "null", False


def _time(value: object) -> tuple[str, bool]:
    if value is None or str(value).startswith("0001-"):
        return "unset", True
    if read_time(value) is None:
        return "not a time", False
    return ("with Z" if str(value).endswith("Z") else "without Z"), True


def _descriptions(rows: list[dict[str, Any]]) -> Fact:
    """The integers are inferred; a description that names another status says so."""
    found: Counter[tuple[str, bool]] = Counter()
    for row in rows:
        number, (said, _) = row.get("status"), read_status(None, row.get("statusDescription"))
        if said is not None and isinstance(number, int):
            meant, _ = read_status(number, None)
            found[(f"{number} is {said}", meant is said)] += 1
    seen = ", ".join(f"{word} ({count:,})" for (word, _), count in found.most_common(20))
    ok = all(same for _, same in found) if found else None
    return Fact("numbers of statuses", "as their descriptions", seen or "none", ok)


def _search(reply: "Reply | None", path: str, fields: str) -> Iterator[Fact]:
    page = _dict(_value(reply))
    rows, total = page.get("data"), page.get("recordsTotal")
    ok = isinstance(rows, list) and isinstance(total, int)
    seen = f"data ({len(rows)}) and recordsTotal" if isinstance(rows, list) and ok else _kind(reply)
    ok = ok and len(rows or ()) <= 1
    yield Fact(path, "data (at most the 1 asked for) and recordsTotal", seen, ok)
    yield _fields(f"a row of {path}", _objects([page], "data"), fields)
