"""The server's calls, a method each. Sources: vendor's 4.1 and 4.2 pages, a live 25.12.

Reads are repeated here, because a read may be; the scheduling POST is sent
once and its fate is told, because only the caller's journal knows what may
follow. No id enters a path but a canonical UUID, no text a query but encoded.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from sbpam_cli.errors import ServerError, UsageError
from sbpam_cli.models import KnownHost, ScanJob, ServiceAccount, Token
from sbpam_cli.names import canonical_uuid
from sbpam_cli.nps import replies as wire
from sbpam_cli.nps.array_stream import read_array
from sbpam_cli.nps.calls import TOTAL_S, backoff_s, check_success, retry_after_s
from sbpam_cli.nps.failures import NotFoundError, RefusedError, failed_answer, no_answer
from sbpam_cli.nps.signed_in import SignedInCalls, Tokens, is_passing, never
from sbpam_cli.nps.transport import NoReplyError, Reply

__all__ = [
    "ACTED_OR_NOT",
    "LIST_TOTAL_S",
    "LONGEST_RETRY_AFTER_S",
    "NotFoundError",
    "NpsClient",
    "RefusedError",
    "Tokens",
    "backoff_s",
    "retry_after_s",
]

Read = TypeVar("Read")

LIST_TOTAL_S = 300.0
_HOSTS_A_PAGE = 100
LONGEST_RETRY_AFTER_S = 300.0
ACTED_OR_NOT = "whether the server onboarded hosts is not known: look there before you ask again"
"""What to say where `manage_unit` was sent and did not end well."""
_SCANS = "/api/v1/HostScanJob"


class NpsClient(SignedInCalls):
    """The calls of one server. Threads may share it."""

    # Reads.

    def fresh_token(self, token: Token) -> Token:
        """`GET /api/v1/UserToken` [vendor's script]: a fresh token for a current one."""
        reply = self._try(self._read_sender("/api/v1/UserToken", token), is_passing)
        check_success(reply, "the token's renewal")
        return self._token_of(reply, "the token's renewal")

    def version(self) -> str | None:
        """`GET /api/v1/Version` [live], the harmless read: any answer but a 5xx or HTML will do."""
        reply = self._try(self._read_sender("/api/v1/Version", None), is_passing)
        if reply.status >= 500 or reply.is_web_page:
            raise failed_answer(reply, "the server")
        return reply.problem()[0] if reply.status == 200 else None

    def health(self) -> Reply:
        """One try of `GET /api/v1/Health` [live], whatever it answers. Raises UnreachableError."""
        return self._once("/api/v1/Health")

    def _once(self, path: str) -> Reply:
        try:
            return self._send("GET", path)
        except NoReplyError as error:
            raise no_answer(self.origin, error) from None

    def probe(self) -> None:
        """One try of the harmless read. Raises UnreachableError or ServerError."""
        reply = self._once("/api/v1/Version")
        if reply.status >= 500 or reply.is_web_page:
            raise failed_answer(reply, "the server")

    def look(self, path: str) -> Reply:
        """A signed-in read, whatever it answers: for what `doctor --assumptions` compares."""
        return self._ask(path, total_s=LIST_TOTAL_S)

    def job(self, job_id: str, *, once: bool = False) -> ScanJob:
        """`GET /api/v1/HostScanJob/{id}` [vendor]: one job, with times and creator.

        once: whoever asks repeats it. Raises NotFoundError for 404.
        """
        path, again = f"{_SCANS}/{_path_id(job_id)}", never if once else is_passing
        reply = self._read(path, "the job", unknown=f"job {job_id}", again=again)
        return _job_in(reply, "the job")

    def jobs(self, gather: Callable[[Iterator[ScanJob]], Read]) -> Read:
        """`GET /api/v1/HostScanJob` [vendor]: all jobs. Large: once a command.

        gather: takes the jobs as they arrive, one at a time, and answers what
        it kept; called afresh with each try.
        """
        kept: list[Read] = []

        def consume(chunks: Iterator[bytes]) -> None:
            kept[:] = [gather(wire.read_each_job(read_array(chunks)))]

        try:
            self._read(_SCANS, "the list of jobs", total_s=LIST_TOTAL_S, consume=consume)
        except wire.WireError as error:
            raise _not_understood(error, "the list of jobs") from error
        return kept[0]

    def cancel(self, job_id: str) -> None:
        """`DELETE /api/v1/HostScanJob/{id}` [vendor]: asks to stop a job.

        Raises NotFoundError for 404. Asking twice does no harm, so it is
        repeated like a read.
        """
        path = f"{_SCANS}/{_path_id(job_id)}"
        self._read(path, "the job", unknown=f"job {job_id}", method="DELETE")

    def host_job(self, host_id: str) -> ScanJob:
        """`GET /api/v1/HostScanJob/ByHostId/{id}` [vendor]: the current job of one host.

        Raises NotFoundError for 404.
        """
        path = f"{_SCANS}/ByHostId/{_path_id(host_id)}"
        reply = self._read(path, "the host's job", unknown=f"job of the host {host_id}")
        return _job_in(reply, "the host's job")

    def validate_hosts(
        self, credential_id: str, names: Sequence[str]
    ) -> list[dict[str, str | None]]:
        """`POST .../ValidateImportedCSV` [vendor]: checks rows, schedules nothing.

        Answers the rows in the server's order, with the errors of the name and
        the credential only. Raises NotFoundError where the server has no such call.
        """
        import json

        rows = [_import_row(name, credential_id) for name in names]
        reply = self._read(
            f"{_SCANS}/ValidateImportedCSV", "the validation", body=json.dumps(rows).encode()
        )
        answer = _decoded(reply, wire.read_rows, "the validation")
        wanted = ("dnsHostName", "dnsHostNameError", "credentialNameError")
        return [{key: wire.read_text(row.get(key)) for key in wanted} for row in answer]

    def accounts(
        self, text: str, *, skip: int, take: int
    ) -> tuple[list[ServiceAccount], int | None]:
        """`GET /api/v1/Credential/Search` [vendor]: a page of service accounts, and their total.

        text: a part of the user name, in any case; empty for all.
        """
        query = f"filterText={_in_query(text)}&credentialType=Configuration&skip={skip}&take={take}"
        what = "the list of service accounts"
        return _decoded(
            self._read(f"/api/v1/Credential/Search?{query}", what), wire.read_accounts, what
        )

    def named_accounts(self) -> list[ServiceAccount]:
        """`GET /api/v1/Credential` [vendor: to be avoided]: all, by the console's names.

        The name is the display name here; no other call has it.
        """
        what = "the service accounts' names"
        reply = self._read("/api/v1/Credential?type=Configuration", what, total_s=LIST_TOTAL_S)
        return [
            ServiceAccount(
                canonical_uuid(row.get("id")),
                wire.read_text(row.get("username")),
                wire.read_text(row.get("domain")),
                wire.read_text(row.get("name")),
                *(None, None, None),
            )
            for row in _decoded(reply, wire.read_rows, what)
        ]

    def known_hosts(self, *, enrolled: bool) -> Iterator[list[KnownHost]]:
        """`GET /api/v1/ManagedResource/Search` [vendor]: the enrolled hosts, a page at a time.

        Without `enrolled`: `.../Candidate/Search`, what the directory has besides. The total may
        be wrong: a full page is never the last. Raises ServerError if pages bring nothing new.
        """
        what, received, seen = "the list of hosts", 0, set[int]()
        while True:
            path = f"Search?filterType=Host&Skip={received}&Take={_HOSTS_A_PAGE}"
            if not enrolled:
                path = "Candidate/Search?filterAppResourceType=NotEnrolled&filterText="
                path += f"&skip={received}&take={_HOSTS_A_PAGE}"
            reply = self._read(f"/api/v1/ManagedResource/{path}", what)
            rows, total = _decoded(
                reply, lambda value: wire.read_hosts(value, enrolled=enrolled), what
            )
            received += len(rows)
            fresh = [row for row in dict.fromkeys(rows) if hash(row) not in seen]
            seen.update(map(hash, fresh))
            if fresh:
                yield fresh
            if not rows or (len(rows) != _HOSTS_A_PAGE and (total is None or total <= received)):
                return
            if not fresh:
                raise ServerError(
                    f"{what} does not end",
                    reason=f"after {len(seen):,} its pages bring nothing new",
                )

    # The calls that act.

    def manage_unit(self, dn: str, *, children: bool) -> list[str]:
        """`GET /api/v1/Host/OuManageResources` [vendor, from 4.2 on]: the hosts of a unit.

        It may onboard what it finds, although it is a GET: so it is sent once,
        and again only where it surely did not leave or its token was refused.
        Raises NotFoundError where the server lacks the call or the unit.
        """
        what = "the hosts of the organisational unit"
        path = f"/api/v1/Host/OuManageResources?ou={_in_query(dn)}"
        path += f"&includeChildOus={'true' if children else 'false'}"
        reply = self._ask(path, once=ACTED_OR_NOT, total_s=LIST_TOTAL_S, read_s=LIST_TOTAL_S)
        if reply.status in (400, 404, 405):
            words, trace_id = reply.problem()
            raise NotFoundError(
                f"the server gives no hosts of {dn}",
                reason=words or f"HTTP {reply.status}: does it lack the call, which came with 4.2?",
                trace_id=trace_id,
            )
        try:
            check_success(reply, what)
            return _decoded(reply, wire.read_names, what)
        except ServerError as error:
            error.hint = f"{error.hint}; {ACTED_OR_NOT}"
            raise

    def schedule(self, credential_id: str, body: bytes, token: Token, *, total_s: float) -> Reply:
        """`POST /api/v1/HostScanJob/OuMapping/{credentialId}` [seed], once. Raises NoReplyError."""
        path = f"{_SCANS}/OuMapping/{_path_id(credential_id)}"
        return self._send(
            "POST", path, body=body, token=token.value, total_s=total_s, read_s=total_s
        )

    def _read(
        self,
        path: str,
        what: str,
        *,
        unknown: str | None = None,
        body: bytes | None = None,
        total_s: float = TOTAL_S,
        **how: Any,
    ) -> Reply:
        """A signed-in read. A refused token is renewed once.

        unknown: what a 404 means that the server does not know. A body makes
        it a POST, and then a 404 or 405 means that there is no such call.
        """
        reply = self._ask(path, body=body, total_s=total_s, **how)
        if body is not None and reply.status in (404, 405):
            raise NotFoundError(f"the server has no call for {what}")
        # A web page is not the application's word: a proxy or an empty IIS gave it.
        if unknown is not None and reply.status == 404 and not reply.is_web_page:
            words, trace_id = reply.problem()
            raise NotFoundError(
                f"the server knows no {unknown}", reason=words or "HTTP 404", trace_id=trace_id
            )
        try:
            check_success(reply, what)
        except ServerError as error:
            error.retry_after_s = retry_after_s(reply, self.server_time())
            raise
        return reply


def _in_query(text: str) -> str:
    """A text as a value in a query: whatever the server decodes is that text."""
    try:
        return quote(text, safe="")
    except UnicodeEncodeError:
        raise UsageError("an argument is not text in this terminal's encoding") from None


def _job_in(reply: Reply, what: str) -> ScanJob:
    try:
        return wire.decode_job(reply.content)
    except wire.WireError as error:
        raise _not_understood(error, what) from error


def _decoded(reply: Reply, read: Callable[[Any], Read], what: str) -> Read:
    try:
        return read(wire.decode(reply.content))
    except wire.WireError as error:
        raise _not_understood(error, what) from error


def _not_understood(error: wire.WireError, what: str) -> ServerError:
    return ServerError(
        f"{what} could not be understood",
        reason=str(error),
        hint="`--verbose` shows the request; a server of another version may answer so",
    )


def _path_id(text: str) -> str:
    """The only way for an id into a path."""
    found = canonical_uuid(text)
    if found is None:
        raise UsageError(f"not an id: {text[:60]}", hint="an id has the form of a UUID")
    return found


def _import_row(name: str, credential_id: str) -> dict[str, str | None]:
    """A row of the validation call: the two fields that count, the others null [vendor]."""
    return {
        "dnsHostName": name,
        "ipAddress": None,
        "os": None,
        "credentialId": credential_id,
        "credentialName": None,
        "platformName": None,
    }
