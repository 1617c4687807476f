"""What the program assumes of the server, held against what a server answers.

Nothing here acts on the server. Nothing of a reply is shown but the names of known fields,
forms, numbers and known words, so that the table can be sent to anybody.
"""

import math
import re
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from sbpam_cli.errors import ServerError, UnreachableError
from sbpam_cli.names import canonical_uuid
from sbpam_cli.nps.client import NpsClient
from sbpam_cli.nps.decoding import WireError, decode
from sbpam_cli.nps.replies import make_token, read_status, read_time
from sbpam_cli.output.context import Context
from sbpam_cli.settings.profiles import resolve_target
from sbpam_cli.signin.session import Site

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
_KINDS = {"str": "a JSON string", "list": "an array", "dict": "an object", "bytearray": "no JSON"}
_FQDN = re.compile(r"[\w-]+(\.[\w-]+)+", re.ASCII)
_NEAR_S = 5.0
_LIFE_S = (600.0, 1200.0)


class Fact(NamedTuple):
    """ok: None where the server has nothing that would show it."""

    fact: str
    expected: str
    seen: str
    ok: bool | None


def run_assumptions(ctx: Context) -> list[Fact]:
    """A fact a row; raises what signing in raises. The outcome names no server."""
    site = Site(ctx, resolve_target(ctx.services, ctx.connection))
    site.session.token()
    unknown = str(uuid.UUID(int=ctx.services.random.getrandbits(128)))
    facts = [*_form_facts(site.client, unknown), *_job_facts(site.client)]
    wrong = [fact.fact for fact in facts if fact.ok is False]
    ctx.outcome.partial, ctx.outcome.profile = bool(wrong), None
    ctx.outcome.verdict = (
        f"This server differs from what is assumed: {', '.join(wrong)}. Please report the table;"
        " no name and no secret is in it."
        if wrong
        else "This server is as assumed."
    )
    return facts


def _form_facts(client: NpsClient, unknown: str) -> Iterator[Fact]:
    """unknown: the id of a job that does not exist."""
    kind, value = _read(client, "/api/v1/Version")
    ok = isinstance(value, str) and bool(re.fullmatch(r"[0-9]+(\.[0-9]+)+", value))
    yield Fact("Version", "a JSON string such as 25.12.00000", value if ok else kind, ok)
    kind, value = _read(client, "/api/v1/Health")
    ok = value in ("Healthy", b"Healthy")
    yield Fact("Health", "Healthy", "Healthy" if ok else kind, ok)
    kind, value = _read(client, f"{_JOBS}/{unknown}")
    ok = kind.startswith("404") and "traceId" in _dict(value)
    yield Fact("unknown job", "404 with a traceId", kind, ok)
    kind, value = _read(client, "/api/v1/UserToken")
    server_time = client.server_time()
    yield Fact("renewal", "200, a JSON string", kind, isinstance(value, str))
    begins = ends = None
    with suppress(WireError):
        _, ends, begins = make_token(value if isinstance(value, str) else "", None)
    life_s = ends - begins if begins and ends else 0.0
    seen = f"{life_s / 60:.0f} minutes" if life_s else "no JWT with both"
    ok = _LIFE_S[0] <= life_s <= _LIFE_S[1]
    yield Fact("token", "a JWT; iat to exp about 15 minutes", seen, ok)
    apart_s = abs(begins - server_time) if begins else math.inf
    seen = f"{apart_s:.0f} s apart" if begins else "no iat"
    yield Fact("clocks of Date and iat", "the same", seen, apart_s <= _NEAR_S)
    for path, fields in _SEARCHES.items():
        kind, value = _read(client, f"/api/v1/{path}")
        rows, total = _dict(value).get("data"), _dict(value).get("recordsTotal")
        ok = isinstance(rows, list) and len(rows) <= 1 and isinstance(total, int)
        seen = "data and recordsTotal" if ok else kind
        name = path.partition("?")[0]
        yield Fact(name, "data (at most the 1 asked for) and recordsTotal", seen, ok)
        yield _fields(f"a row of {name}", _objects([_dict(value)], "data"), fields)


def _job_facts(client: NpsClient) -> Iterator[Fact]:
    kind, value = _read(client, _JOBS)
    yield Fact("list of jobs", "an array", kind, isinstance(value, list))
    jobs = _objects([{"jobs": value}], "jobs")
    hosts = _objects(jobs, "hostScanHostStatus")
    both = jobs + hosts
    yield _fields("a job in the list", jobs, _JOB)
    yield _fields("its hosts", hosts, _HOST)
    yield _statuses("status in the list", both)
    reasons = (_number(host.get("failureReason"), 12) for host in hosts)
    yield _forms("failure reason", "0 to 11 or null", reasons)
    yield _forms("numbers of statuses", "as their descriptions", _descriptions(both))
    names = (_name(host.get("dnsHostName")) for host in hosts)
    yield _forms("name in the list", "an FQDN", names)
    ids = [found for job in jobs if (found := canonical_uuid(job.get("id")))]
    # The list has no times: the newest job is at one of its ends.
    ends = dict.fromkeys(ids[:1] + ids[-1:])
    entities = [_dict(_read(client, f"{_JOBS}/{job}")[1]) for job in ends]
    joins = _objects(entities, "hostScanJobHostJoin")
    queues = _objects(joins, "actionQueue")
    yield _fields("one job", entities, _ENTITY)
    yield _fields("its joined hosts", _objects(joins, "hostScanHost"), _JOINED)
    yield _fields("their action queues", queues, _QUEUE)
    yield _statuses("status in a queue", queues)
    made = [job.get("createdDateTimeUtc") for job in entities]
    times = made + [queue.get(name) for queue in queues for name in _QUEUE.split()[:3]]
    yield _forms("times", "ISO, with Z or without, 0001 if unset", map(_time, times))
    late_s = [at - client.server_time() for at in map(read_time, made) if at]
    seen = f"{max(late_s, default=0.0):.0f} s later" if late_s else "no job"
    ok = max(late_s) <= _NEAR_S if late_s else None
    yield Fact("clocks of Date and jobs", "no job is made later", "none later" if ok else seen, ok)


def _read(client: NpsClient, path: str) -> tuple[str, Any]:
    """What came, without anything that stood in it; its JSON value, else its bytes."""
    try:
        reply = client.look(path)
    except (ServerError, UnreachableError):
        return "no answer", None  # what the error says names the server
    value: Any = reply.content
    with suppress(WireError):
        value = decode(value)
    return f"{reply.status}, {_KINDS.get(type(value).__name__, 'a value')}", value


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


def _forms(fact: str, expected: str, forms: Iterable[tuple[str, bool]]) -> Fact:
    """forms: of each value, in a word, and whether it is as expected."""
    found = Counter(forms)
    seen = ", ".join(f"{word} ({count:,})" for (word, _), count in found.most_common(20))
    return Fact(fact, expected, seen or "none", all(ok for _, ok in found) if found else None)


def _statuses(fact: str, rows: Iterable[dict[str, Any]]) -> Fact:
    return _forms(fact, "0 to 10 or null", (_number(row.get("status"), 11) for row in rows))


def _number(value: object, below: int) -> tuple[str, bool]:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)[:9], 0 <= value < below
    return ("null", True) if value is None else (f"a {type(value).__name__}", False)


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


def _descriptions(rows: Iterable[dict[str, Any]]) -> Iterator[tuple[str, bool]]:
    """The integers are inferred; a description that names another status says so."""
    for row in rows:
        number, (said, _) = row.get("status"), read_status(None, row.get("statusDescription"))
        if said is not None and isinstance(number, int):
            yield f"{number} is {said}", read_status(number, None)[0] is said
