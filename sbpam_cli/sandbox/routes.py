"""What the server answers, free of any transport; strictly as its documented interface has it."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

from sbpam_cli.sandbox import bodies
from sbpam_cli.sandbox.authorisation import NOBODY, Call, Gate, Refused
from sbpam_cli.sandbox.faults import Faults, perform
from sbpam_cli.sandbox.http import (
    Reply,
    Request,
    html_reply,
    json_reply,
    text_reply,
)
from sbpam_cli.sandbox.world import Job, LogEntry, World

_SCANS = "/api/v1/HostScanJob"
_CREDENTIAL_TYPES = ("Configuration", "Standard")
_DNS_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})+", re.IGNORECASE)

# Nobody may wipe the scan tables, or drive a host by a GET that acts.
_TRIPWIRES = (f"{_SCANS}/TruncateAllTables", f"{_SCANS}/Host/[^/]*/(?:Start|Stop)")


class App(Gate):
    """`handle` is deterministic, thread-safe and never waits: waiting is the transport's."""

    def __init__(self, world: World, faults: Faults | None = None) -> None:
        super().__init__(world)
        self.faults = faults or Faults()
        self._routes: list[tuple[str, str, str, Callable[[Call], Reply]]] = [
            ("POST", "/signinBody", "open", self.sign_in),
            ("POST", "/sign?in2fa", "open", self.second_step),
            ("POST", "(?:/WebAppApi)?/api/v1/AppUserToken", "open", self.application_token),
            ("GET", "/api/v1/Version", "open", lambda _: json_reply(self.world.version)),
            ("GET", "/api/v1/Health", "open", lambda _: text_reply("Healthy")),
            ("GET", "/api/v1/UserToken", "token", self.renew),
            ("DELETE", _TRIPWIRES[0], "role", lambda _: Reply(200)),
            ("GET", _TRIPWIRES[1], "role", lambda _: Reply(200)),
            ("POST", f"{_SCANS}/ValidateImportedCSV", "role", self._validate),
            ("POST", f"{_SCANS}/OuMapping/([^/]*)", "role", self._schedule),
            ("GET", _SCANS, "role", lambda _: self._list()),
            ("GET", f"{_SCANS}/ByHostId/([^/]*)", "role", self._job_of_host),
            ("GET", f"{_SCANS}/([^/]+)", "role", self._one_job),
            ("DELETE", f"{_SCANS}/([^/]+)", "role", self._cancel),
            ("GET", "/api/v1/Host/OuManageResources", "role", self._manage_unit),
            ("GET", "/api/v1/Credential/Search", "role", self._credentials),
        ]

    def handle(self, request: Request) -> Reply:
        """The reply, and how the transport is to give it."""
        from email.utils import formatdate

        world = self.world
        with world.lock:
            path = unquote(urlsplit(request.target).path)
            h = world.next_id("trace").replace("-", "")
            call = Call(request, path, f"00-{h}-{h[:16]}-00")
            fired = self.faults.fire(request.method, path)
            if any(fault.action == "revoke" for fault in fired):
                world.revoke_tokens()
            reply = perform(
                fired, lambda effects: self._answer(replace(call, effects=effects)), call.trace_id
            )
            always = {"Server": "Microsoft-IIS/10.0", "Date": formatdate(world.now(), usegmt=True)}
            headers = tuple((always | dict(reply.headers)).items())
            violation = any(re.fullmatch(trap, path, re.IGNORECASE) for trap in _TRIPWIRES)
            actions = tuple(fault.action for fault in fired)
            ending = reply.behaviour.ending
            world.log.append(
                LogEntry(world.now(), request, reply.status, ending, actions, violation)
            )
            return replace(reply, headers=headers)

    def _answer(self, call: Call) -> Reply:
        request, path = call.request, call.path.lower()
        if len(request.body) > self.world.body_limit_bytes:
            return html_reply(413)
        missing = self.world.missing
        if self.world.version.startswith("4.1"):
            missing = missing | {"OuManageResources"}
        if {name.lower() for name in missing} & {path, *path.split("/")}:
            return Reply(404)
        allowed = []
        for method, pattern, gate, answer in self._routes:
            match = re.fullmatch(pattern, call.path, re.IGNORECASE)
            if match is None:
                continue
            allowed.append(method)
            if method == request.method:
                try:
                    user = NOBODY if gate == "open" else self.authorised(call, gate)
                    return answer(replace(call, argument="".join(match.groups()), user=user))
                except Refused as refused:
                    return refused.reply
        return Reply(405, (("Allow", ", ".join(allowed)),)) if allowed else Reply(404)

    def _schedule(self, call: Call) -> Reply:
        world = self.world
        credential_id = self.uuid(call, "credentialId")
        names = self.json(call)
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise self.refuse(call, 400, None, body="An array of strings is required.")
        if not world.knows_credential(credential_id):
            raise self.refuse(call, 404, "The credential does not exist.")
        job = world.add_job(
            names,
            credential_id=credential_id,
            creator=call.user.login,
            address=call.request.peer_address,
            effects=call.effects,
        )
        world.scheduled[job.job_id] = job.names
        return json_reply(bodies.job_status(world, job))

    def _list(self) -> Reply:
        now = self.world.now()
        jobs = [
            job for job in self.world.jobs.values() if max(job.created_at, job.listed_at) <= now
        ]
        return json_reply([bodies.job_status(self.world, job) for job in jobs])

    def _found(self, call: Call, job: Job | None) -> Job:
        if job is None:
            raise self.refuse(call, 404, "The host scan job does not exist.")
        return job

    def _one_job(self, call: Call) -> Reply:
        job = self._found(call, self.world.job(self.uuid(call, "hostScanJobId")))
        return json_reply(bodies.job_entity(self.world, job))

    def _job_of_host(self, call: Call) -> Reply:
        job = self._found(call, self.world.current_job(self.uuid(call, "hostId")))
        return json_reply(bodies.job_entity(self.world, job))

    def _cancel(self, call: Call) -> Reply:
        job = self._found(call, self.world.job(self.uuid(call, "hostScanJobId")))
        if job.cancelled_at is None:
            job.cancelled_at = self.world.now()
        return Reply(202)

    def _validate(self, call: Call) -> Reply:
        rows = self.json(call)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise self.refuse(call, 400, None, body="An array of rows is required.")
        return json_reply([row | self._row_errors(row) for row in rows])

    def _row_errors(self, row: dict[str, Any]) -> dict[str, str | None]:
        name = str(row.get("dnsHostName"))
        host_error = None
        if _DNS_NAME.fullmatch(name) is None:
            host_error = "The DNS host name is not valid."
        elif not self.world.knows_host(name):
            host_error = "The host was not found."
        known = self.world.knows_credential(str(row.get("credentialId")).lower())
        return {
            "credentialNameError": None if known else "The credential does not exist.",
            "platformNameError": None if row.get("platformName") else "A platform is required.",
            "ipAddressError": None,
            "dnsHostNameError": host_error,
        }

    def _manage_unit(self, call: Call) -> Reply:
        dn, children = self.query(call, "ou", ""), self.query(call, "includeChildOus", "false")
        if not dn:
            raise self.refuse(call, 400, None, ou="The ou field is required.")
        if children.lower() not in ("true", "false"):
            raise self.refuse(call, 400, None, includeChildOus=f"'{children}' is not valid.")
        hosts = self.world.hosts_of_unit(dn, children=children.lower() == "true")
        if hosts is None:
            raise self.refuse(call, 404, "The organisational unit does not exist.")
        return json_reply(hosts)

    def _credentials(self, call: Call) -> Reply:
        text = self.query(call, "filterText", "").lower()
        kind = self.query(call, "credentialType", "")
        numbers = [self.query(call, "skip", "0"), self.query(call, "take", "50")]
        if not all(re.fullmatch("[0-9]{1,9}", number) for number in numbers):
            raise self.refuse(call, 400, None, skip="skip and take must be numbers.")
        if kind not in ("", *_CREDENTIAL_TYPES):
            raise self.refuse(call, 400, None, credentialType=f"'{kind}' is not valid.")
        skip, take = map(int, numbers)
        rows = [
            row
            for row in self.world.credentials
            if text in row["userName"].lower() and kind in ("", row["credentialType"])
        ]
        return json_reply({"data": rows[skip : skip + take], "recordsTotal": len(rows)})
