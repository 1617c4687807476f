"""What goes wrong on the sandbox: rules that a test sets, and how the server keeps to them."""

import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote, urlsplit

from sbpam_cli.sandbox.bodies import job_status
from sbpam_cli.sandbox.http import Call, Request, Response, encode, json_response
from sbpam_cli.sandbox.people import EXAMPLE_CREDENTIAL_ID, User
from sbpam_cli.sandbox.routes import Answer
from sbpam_cli.sandbox.world import Job, Machine, World

Action = Literal[
    "status", "html200", "reset", "close", "hang", "truncate", "drip", "delay", "edit", "reword",
    "twice", "later", "leave_out", "fill_gradually", "hide_job", "revoke",
]  # fmt: skip
_PREVENTING = frozenset({"status", "html200", "reset", "close", "hang"})
_FROM_IIS = frozenset({413, 502, 503, 504})
_ELSEWHERE = {"/sigin2fa": "/signin2fa", "/api/v1/appusertoken": "/WebAppApi/api/v1/AppUserToken"}
"""Paths at which other versions serve what this one serves elsewhere."""
_ACTION_FIELDS = frozenset({"status", "statusDescription", "failureReason"})
# Nobody may wipe the scan tables, or drive a host by a GET that acts.
_TRAPS = ("/api/v1/HostScanJob/TruncateAllTables", "/api/v1/HostScanJob/Host/[^/]*/(?:Start|Stop)")
_TRACE_ID = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


class LogEntry(NamedTuple):
    """One request and the status of its response; violation: a call that nobody may make."""

    at: float
    request: Request
    status: int
    violation: bool


class StagedWorld(World):
    """A world with what tests set in it, and what they look at.

    log: every request. scheduled: job id -> names, of every job that was scheduled over HTTP.
    overrides: fields of a host in replies, by lower-case name (raw wire values).
    missing: paths, or segments of paths, that this version does not serve.
    even: all scans of a job end together, and at the end of its time.
    refuse_replay: a code that was used is refused, as the sandbox does.
    """

    overrides: dict[str, dict[str, Any]]
    missing: set[str]
    even = False
    refuse_replay = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.overrides, self.missing = {}, set()
        self.log: list[LogEntry] = []
        self.scheduled: dict[str, Sequence[str]] = {}

    @property
    def violations(self) -> list[LogEntry]:
        return [entry for entry in self.log if entry.violation]

    def add_job(
        self,
        names: Sequence[str],
        credential_id: str = EXAMPLE_CREDENTIAL_ID,
        creator: str = "CORP\\somebody",
        age_s: float = 0.0,
    ) -> Job:
        """Somebody else's job, made so long ago."""
        with self.lock:
            job = super().add_job(names, credential_id, creator)
            job.created_at -= age_s
            return job

    def machine(self, name: str) -> Machine:
        machine = super().machine(name)
        return machine._replace(pace=0.0) if self.even else machine

    def revoke_tokens(self) -> None:
        """Every token issued so far is refused from now on."""
        self.tokens.clear()

    def add_accounts(self, count: int) -> None:
        """So many service accounts more: svc-00013, svc-00014 and so on."""
        model = self.credentials[-1]
        for number in range(len(self.credentials) + 1, len(self.credentials) + 1 + count):
            name = f"svc-{number:05}"
            ids = {"id": self.new_id(f"row {name}"), "credentialId": self.new_id(name)}
            names = dict.fromkeys(("userName", "samAccountName"), name)
            self.credentials.append({**model, **ids, **names, "displayName": f"{name} (CORP)"})

    def person(self, mfa: str) -> User:
        return next(u for u in self.users if u.mfa == mfa and not u.application and not u.locked)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One rule. `method` and `path` (regular expression, searched, any case) select requests.

    nth: only these of the selected requests, counted from 1.
    when: `before`: the server does not act; `after`: it acts, and the reply suffers.
    action:
        status: this status with `headers` and `body`; HTML where IIS answers, else ProblemDetails
        html200: a proxy's page with status 200
        reset, close: no reply; a TCP reset or an orderly end
        hang: no reply until `Faults.release`
        truncate: the connection closes after `count` bytes of the body (0: half of it)
        drip: `seconds` before each byte of the body; delay: `seconds` before the reply
        edit: the reply's JSON becomes `edit(json)`
        reword: a refusal comes with this status
        twice: acts twice, answers once
        later: the job appears `seconds` later; no reply unless another fault gives one
        leave_out: names that match `names`, or the first `count`, are not scheduled
        fill_gradually: the job's hosts appear in it over `seconds`
        hide_job: the job is missing in the list for `seconds`
        revoke: every token issued so far dies first
    """

    action: Action
    method: str = ""
    path: str = ""
    nth: int | Sequence[int] = ()
    when: Literal["before", "after"] = "before"
    status: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    seconds: float = 60.0
    count: int = 0
    names: str = ""
    edit: Callable[[Any], Any] | None = None

    def shape(self, response: "FaultyResponse") -> "FaultyResponse":
        """The response as this fault leaves it."""
        if self.action == "status":
            return FaultyResponse.of(self._status_response())
        if self.action == "html200":
            return FaultyResponse.of(html_response(200, "Please sign in to the network"))
        if self.action == "edit" and self.edit is not None:
            return replace(response, body=encode(self.edit(json.loads(response.body))))
        if self.action == "reword" and response.status == 401:
            return replace(response, status=self.status)
        if self.action in ("reset", "close", "hang", "truncate"):
            keep_bytes = self.count or len(response.body) // 2
            return replace(response, ending=self.action, keep_bytes=keep_bytes)
        if self.action == "drip":
            return replace(response, drip_s=self.seconds)
        if self.action == "delay":
            return replace(response, delay_s=response.delay_s + self.seconds)
        return response

    def _status_response(self) -> Response:
        headers = tuple(self.headers.items())
        if self.body:
            return Response(self.status, headers, self.body.encode())
        if self.status in _FROM_IIS:
            return html_response(self.status, headers=headers)
        refused = Call(Request("", ""), _TRACE_ID).refuse(self.status).response
        return replace(refused, headers=(*refused.headers, *headers))


POST: dict[str, Any] = {"method": "POST", "path": "OuMapping"}
"""The scheduling calls."""
UNLISTED = Fault(action="status", status=500, method="GET", path="HostScanJob$")
"""The list of jobs cannot be read."""


def html_response(
    status: int, title: str = "", headers: tuple[tuple[str, str], ...] = ()
) -> Response:
    """A page as IIS or a proxy puts it in front of the application."""
    title = title or HTTPStatus(status).phrase
    page = f"<!DOCTYPE html>\r\n<title>{title}</title>\r\n<h2>{status} - {title}</h2>\r\n"
    return Response(status, (("Content-Type", "text/html"), *headers), page.encode())


@dataclass(frozen=True, slots=True)
class FaultyResponse(Response):
    """A response with the way in which it goes out.

    ending: `hang` waits for the release and then replies; `truncate` promises the
    whole body and closes after `keep_bytes` of it; `reset` and `close` send nothing.
    delay_s: before the first byte. drip_s: before each byte of the body.
    """

    ending: str = "reply"
    delay_s: float = 0.0
    drip_s: float = 0.0
    keep_bytes: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def of(cls, response: Response) -> "FaultyResponse":
        return cls(response.status, response.headers, response.body)

    def send(self, handler: Any) -> None:
        self.released.wait(self.delay_s)
        if self.ending == "hang":
            self.released.wait()
        handler.close_connection |= self.ending in ("reset", "close", "truncate")
        if self.ending in ("reset", "close"):
            _end(handler.request, reset=self.ending == "reset")
            return
        self.send_head(handler)
        body = self.body[: self.keep_bytes] if self.ending == "truncate" else self.body
        step = 1 if self.drip_s else max(len(body), 1)
        for start in range(0, len(body), step):
            self.released.wait(self.drip_s)
            handler.wfile.write(body[start : start + step])


def _end(connection: Any, *, reset: bool) -> None:
    if reset:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return
    with suppress(OSError, ValueError):
        connection.settimeout(0.0)
        connection.unwrap()


class Faults:
    """The rules in force. Every rule that fires on a request takes part, in order."""

    def __init__(self, world: StagedWorld) -> None:
        self._world = world
        self._released = threading.Event()
        self._rules: list[tuple[Fault, list[int]]] = []
        self._coming: dict[str, Job] = {}
        self._listed_at: dict[str, float] = {}
        self._filling: dict[str, tuple[Sequence[str], float]] = {}

    def add(self, *rules: Fault) -> None:
        self._rules.extend((rule, [0]) for rule in rules)

    def clear(self) -> None:
        self._rules.clear()

    def release(self) -> None:
        """Lets every hanging reply go, and none hang from now on."""
        self._released.set()

    def __call__(self, request: Request, answer: Answer) -> Response:
        """What the server calls for each request, with its world locked."""
        path = unquote(urlsplit(request.target).path)
        fired = [rule for rule, seen in self._rules if _fires(rule, seen, request.method, path)]
        self._let_time_pass()
        if any(fault.action == "revoke" for fault in fired):
            self._world.revoke_tokens()
        if not self._world.refuse_replay:
            for user in self._world.users:
                user.last_step = -1
        response = self._act(fired, request, lambda asked: self._answer(path, asked, answer))
        for fault in fired:
            response = fault.shape(response)
        trapped = any(re.fullmatch(trap, path, re.IGNORECASE) for trap in _TRAPS)
        entry = LogEntry(self._world.now(), request, response.status, trapped)
        self._world.log.append(entry)
        return replace(response, released=self._released)

    def jobs(self) -> dict[str, tuple[list[str], bool, bool]]:
        """Of every job all names, whether the list lacks it, and whether it is still to come."""
        now, coming = self._world.now(), self._coming
        return {
            job_id: (
                list(self._filling.get(job_id, (job.names,))[0]),
                self._listed_at.get(job_id, now) > now,
                job_id in coming,
            )
            for job_id, job in {**self._world.jobs, **coming}.items()
        }

    def fills_slowly(self, host: str, longest_s: float) -> bool:
        """Whether a job of this host takes longer than that to fill."""
        filling = self._filling.values()
        return any(host in names and fill_s > longest_s for names, fill_s in filling)

    def _let_time_pass(self) -> None:
        now, jobs = self._world.now(), self._world.jobs
        for job in [job for job in self._coming.values() if job.created_at <= now]:
            jobs[job.job_id] = self._coming.pop(job.job_id)
        for job_id, (names, fill_s) in self._filling.items():
            if job_id in jobs:
                age_s = max(now - jobs[job_id].created_at, 0.0)
                share = min(age_s / fill_s, 1.0)
                jobs[job_id].names = names[: int(len(names) * share)]

    def _act(self, fired: Sequence[Fault], request: Request, answer: Answer) -> FaultyResponse:
        """Acts as often as the faults let it; without a reply the connection is closed."""
        nothing = replace(FaultyResponse.of(html_response(504)), ending="close")
        actions = {fault.action for fault in fired}
        prevented = any(fault.action in _PREVENTING and fault.when == "before" for fault in fired)
        if prevented and "later" not in actions:
            return nothing
        for fault in fired:
            if fault.action == "leave_out":
                request = replace(request, body=_without(fault, request.body))
        before = set(self._world.jobs)
        response = answer(request)
        if "twice" in actions:
            answer(request)
        made = [job for job_id, job in self._world.jobs.items() if job_id not in before]
        for job in made:
            self._world.scheduled[job.job_id] = job.names
            for fault in fired:
                self._bend(fault, job)
        if "later" in actions:
            return nothing
        if made and "fill_gradually" in actions:
            self._let_time_pass()
            response = json_response(job_status(self._world, made[0]))
        return FaultyResponse.of(self._retouch(request, response))

    def _bend(self, fault: Fault, job: Job) -> None:
        """What the fault does to a job that was just made."""
        if fault.action == "later":
            job.created_at += fault.seconds
            self._coming[job.job_id] = self._world.jobs.pop(job.job_id)
        elif fault.action == "hide_job":
            self._listed_at[job.job_id] = job.created_at + fault.seconds
        elif fault.action == "fill_gradually":
            self._filling[job.job_id] = (job.names, fault.seconds)

    def _answer(self, path: str, request: Request, answer: Answer) -> Response:
        missing = {name.lower() for name in self._world.missing}
        if missing & _parts(path):
            return Response(404)
        here = _ELSEWHERE.get(path.lower())
        if here is not None and missing & _parts(here):
            request = replace(request, target=here)
        return answer(request)

    def _retouch(self, request: Request, response: Response) -> Response:
        """The response with the overrides, and without the jobs that the list lacks."""
        now = self._world.now()
        hidden = {job_id for job_id, listed_at in self._listed_at.items() if listed_at > now}
        overrides = self._world.overrides
        if "HostScanJob" not in request.target or not (hidden or overrides):
            return response
        if response.status != 200 or not response.body:
            return response
        value = json.loads(response.body)
        jobs = [value] if isinstance(value, dict) else value
        for job in jobs:
            for host in job.get("hostScanHostStatus") or ():
                host.update(overrides.get(host["dnsHostName"].lower(), {}))
            for join in job.get("hostScanJobHostJoin") or ():
                _override(join, overrides.get(join["hostScanHost"]["dnsHostName"].lower(), {}))
        if isinstance(value, list):
            value = [job for job in value if job.get("id") not in hidden]
        return replace(response, body=encode(value))


def _fires(rule: Fault, seen: list[int], method: str, path: str) -> bool:
    if rule.method.upper() not in ("", method) or not re.search(rule.path, path, re.IGNORECASE):
        return False
    seen[0] += 1
    nth = (rule.nth,) if isinstance(rule.nth, int) else rule.nth
    return not nth or seen[0] in nth


def _without(fault: Fault, body: bytes) -> bytes:
    """The names to schedule, but for those that the fault leaves out."""
    names = json.loads(body)
    if fault.names:
        names = [name for name in names if not re.search(fault.names, name, re.IGNORECASE)]
    return encode(names[fault.count :])


def _override(join: dict[str, Any], fields: dict[str, Any]) -> None:
    action = {name: value for name, value in fields.items() if name in _ACTION_FIELDS}
    if action:
        join["actionQueue"] = (join["actionQueue"] or {}) | action
    join["hostScanHost"].update((k, v) for k, v in fields.items() if k not in _ACTION_FIELDS)


def _parts(path: str) -> set[str]:
    return {path.lower(), *path.lower().split("/")}
