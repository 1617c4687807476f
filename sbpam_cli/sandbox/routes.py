"""What the server answers, free of any transport; strictly as its documented interface has it."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

from sbpam_cli.sandbox import bodies
from sbpam_cli.sandbox.authorisation import Authorisation
from sbpam_cli.sandbox.http import Call, Refused, Request, Response, json_response
from sbpam_cli.sandbox.world import Job, World

Answer = Callable[[Request], Response]
Intercept = Callable[[Request, Answer], Response]
"""Stands between a request and what the application answers; the world is locked meanwhile."""

_VERSION = "25.12.00000"
_BODY_LIMIT_BYTES = 28 * 1024 * 1024
_SCANS = "/api/v1/HostScanJob"
_CREDENTIAL_TYPES = ("", "Configuration", "Standard")
_DNS_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})+", re.IGNORECASE)


def _health(_: Call) -> Response:
    return Response(200, (("Content-Type", "text/plain; charset=utf-8"),), b"Healthy")


class App:
    """`handle` is deterministic, thread-safe and never waits: waiting is the transport's."""

    def __init__(self, world: World, intercept: Intercept | None = None) -> None:
        self.world = world
        self.intercept = intercept
        self._checks = checks = Authorisation(world)
        self._routes: list[tuple[str, str, str, Callable[[Call], Response]]] = [
            ("POST", "/signinBody", "nobody", checks.sign_in),
            ("POST", "/signin2fa", "nobody", checks.second_step),
            ("POST", "/WebAppApi/api/v1/AppUserToken", "nobody", checks.application_token),
            ("GET", "/api/v1/Version", "nobody", lambda _: json_response(_VERSION)),
            ("GET", "/api/v1/Health", "nobody", _health),
            ("GET", "/api/v1/UserToken", "anybody", checks.renew),
            ("POST", f"{_SCANS}/ValidateImportedCSV", "scanner", self._validate),
            ("POST", f"{_SCANS}/OuMapping/([^/]*)", "scanner", self._schedule),
            ("GET", _SCANS, "scanner", self._list),
            ("GET", f"{_SCANS}/([^/]+)", "scanner", self._one_job),
            ("DELETE", f"{_SCANS}/([^/]+)", "scanner", self._cancel),
            ("GET", "/api/v1/Host/OuManageResources", "scanner", self._manage_unit),
            ("GET", "/api/v1/Credential/Search", "scanner", self._credentials),
            ("GET", "/api/v1/Credential", "scanner", self._named_credentials),
            ("GET", "/api/v1/ManagedResource/Search", "scanner", self._enrolled),
            ("GET", "/api/v1/ManagedResource/Candidate/Search", "scanner", self._candidates),
        ]

    def handle(self, request: Request) -> Response:
        from email.utils import formatdate

        world = self.world
        with world.lock:
            if self.intercept is None:
                response = self.answer(request)
            else:
                response = self.intercept(request, self.answer)
            always = {"Server": "Microsoft-IIS/10.0", "Date": formatdate(world.now(), usegmt=True)}
            return replace(response, headers=tuple((always | dict(response.headers)).items()))

    def answer(self, request: Request) -> Response:
        if len(request.body) > _BODY_LIMIT_BYTES:
            return Response(413)
        h = self.world.next_id("trace").replace("-", "")
        call = Call(request, f"00-{h}-{h[:16]}-00")
        path = unquote(urlsplit(request.target).path)
        allowed = []
        for method, pattern, who, answer in self._routes:
            match = re.fullmatch(pattern, path, re.IGNORECASE)
            if match is None:
                continue
            allowed.append(method)
            if method == request.method:
                try:
                    caller = "" if who == "nobody" else self._checks.caller(call)
                    if who == "scanner":
                        self._checks.require_role(call, caller)
                    return answer(replace(call, argument="".join(match.groups()), caller=caller))
                except Refused as refused:
                    return refused.response
        return Response(405, (("Allow", ", ".join(allowed)),)) if allowed else Response(404)

    def _schedule(self, call: Call) -> Response:
        world = self.world
        credential_id = call.uuid("credentialId")
        names = call.json()
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise call.refuse(400, body="An array of strings is required.")
        if not world.knows_credential(credential_id):
            raise call.refuse(404, "The credential does not exist.")
        job = world.add_job(names, credential_id, call.caller)
        return json_response(bodies.job_status(world, job))

    def _list(self, _: Call) -> Response:
        return json_response([bodies.job_status(self.world, j) for j in self.world.jobs.values()])

    def _one_job(self, call: Call) -> Response:
        return json_response(bodies.job_entity(self.world, self._job(call)))

    def _cancel(self, call: Call) -> Response:
        job = self._job(call)
        if job.cancelled_at is None:
            job.cancelled_at = self.world.now()
        return Response(202)

    def _job(self, call: Call) -> Job:
        job = self.world.jobs.get(call.uuid("hostScanJobId"))
        if job is None:
            raise call.refuse(404, "The host scan job does not exist.")
        return job

    def _validate(self, call: Call) -> Response:
        rows = call.json()
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise call.refuse(400, body="An array of rows is required.")
        return json_response([row | self._row_errors(row) for row in rows])

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

    def _manage_unit(self, call: Call) -> Response:
        dn, children = call.query("ou", ""), call.query("includeChildOus", "false")
        if not dn:
            raise call.refuse(400, ou="The ou field is required.")
        if children.lower() not in ("true", "false"):
            raise call.refuse(400, includeChildOus=f"'{children}' is not valid.")
        hosts = self.world.hosts_of_unit(dn, children=children.lower() == "true")
        if hosts is None:
            raise call.refuse(404, "The organisational unit does not exist.")
        return json_response(hosts)

    def _credentials(self, call: Call) -> Response:
        text = call.query("filterText", "").lower()
        kind = call.query("credentialType", "")
        if kind not in _CREDENTIAL_TYPES:
            raise call.refuse(400, credentialType=f"'{kind}' is not valid.")
        rows = [
            row
            for row in self.world.credentials
            if text in row["userName"].lower() and kind in ("", row["credentialType"])
        ]
        return self._page(call, rows)

    def _named_credentials(self, call: Call) -> Response:
        if call.query("type", "") != "Configuration":
            raise call.refuse(400, type="Configuration is required.")
        rows = [
            row | {"id": row["credentialId"], "username": row["userName"], "name": row.get("name")}
            for row in self.world.credentials
            if row["credentialType"] == "Configuration" and row["credentialId"]
        ]
        return json_response(rows)

    def _enrolled(self, call: Call) -> Response:
        if call.query("filterType", "") != "Host":
            raise call.refuse(400, filterType="Host is required.")
        rows = [row for row in self.world.resources if row["managedResourceId"]]
        return self._page(call, rows, bodies.enrolled_host)

    def _candidates(self, call: Call) -> Response:
        if call.query("filterAppResourceType", "") != "NotEnrolled":
            raise call.refuse(400, filterAppResourceType="NotEnrolled is required.")
        rows = [row for row in self.world.resources if not row["managedResourceId"]]
        text = call.query("filterText", "").lower()
        found = [
            row
            for row in rows
            if text in f"{row['dnsHostName']}\n{row['distinguishedName']}".lower()
        ]
        return self._page(call, found)

    def _page(
        self, call: Call, rows: list[dict[str, Any]], show: Callable[[dict[str, Any]], Any] = dict
    ) -> Response:
        numbers = [call.query("skip", "0"), call.query("take", "25")]
        if not all(re.fullmatch("[0-9]{1,9}", number) for number in numbers):
            raise call.refuse(400, skip="skip and take must be numbers.")
        skip, take = map(int, numbers)
        shown = [show(row) for row in rows[skip : skip + take]]
        return json_response({"data": shown, "recordsTotal": len(rows)})
