"""The server's calls, a method each. Sources: vendor's 4.1 and 4.2 pages, a live 25.12.

The scheduling POST is sent once and its fate reported: only the caller's journal knows what
may follow. No id enters a path but a canonical UUID, no text a query but encoded.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import quote

from sbpam_cli.errors import ServerError, UsageError
from sbpam_cli.models import KnownHost, ScanJob, ServiceAccount, Token
from sbpam_cli.names import canonical_uuid
from sbpam_cli.nps import replies as wire
from sbpam_cli.nps.decoding import WireError
from sbpam_cli.nps.failures import NotFoundError, Reply, check_success, failed_answer
from sbpam_cli.nps.signing import SignedInCalls
from sbpam_cli.nps.transport import Outgoing

Found = TypeVar("Found")

LIST_TOTAL_S = 300.0
LONGEST_RETRY_AFTER_S = 300.0
MOST_PAGES = 2000
HOSTS_A_PAGE = 100
ACCOUNTS_A_PAGE = 50
ACTED_OR_NOT = "whether the server onboarded hosts is not known: look there before you ask again"
"""What to say if `manage_unit` was sent and did not end well."""
_LARGEST_JOB = 256 << 20
_SCANS = "/api/v1/HostScanJob"


class NpsClient(SignedInCalls):
    """The calls of one server. Threads may share it."""

    # Reads.

    def version(self, *, once: bool = False) -> str | None:
        """`GET /api/v1/Version` [live], the harmless read: any answer but a 5xx or HTML will do.

        once: whoever asks repeats it. Raises UnreachableError or ServerError.
        """
        reply = self._try(Outgoing("/api/v1/Version", repeat="never" if once else "reads"))
        if reply.status >= 500 or reply.is_web_page:
            raise failed_answer(reply, "the server")
        return reply.problem()[0] if reply.status == 200 else None

    def look(self, path: str) -> Reply:
        """A signed-in read, whatever it answers: for what `doctor --assumptions` compares."""
        return self._ask(Outgoing(path, total_s=LIST_TOTAL_S))

    def job(self, job_id: str, *, once: bool = False) -> ScanJob:
        """`GET /api/v1/HostScanJob/{id}` [vendor]: one job, with times and creator.

        once: whoever asks repeats it. Raises NotFoundError for 404 and an empty answer.
        """
        unknown, path = f"job {job_id}", f"{_SCANS}/{_path_id(job_id)}"
        out = Outgoing(path, repeat="never" if once else "reads", largest=_LARGEST_JOB)
        reply = self._read(out, "the job", unknown)
        if not reply.content or reply.content.isspace():
            why = f"HTTP {reply.status} without a job"
            raise NotFoundError(f"the server knows no {unknown}", reason=why)
        with _understanding("the job"):
            return wire.decode_job(reply.content)

    def check_role(self) -> None:
        """Reads a job that does not exist: only an account with the role is told so."""
        unknown = uuid.UUID(int=self._services.random.getrandbits(128), version=4)
        with suppress(NotFoundError):
            self.job(str(unknown))

    def jobs(self, gather: Callable[[Iterator[ScanJob]], Found]) -> Found:
        """`GET /api/v1/HostScanJob` [vendor]: all jobs. Large: once a command.

        gather: takes them as they arrive, returns what it kept; called afresh with each try.
        """
        kept: list[Found] = []

        def consume(chunks: Iterator[bytes]) -> None:
            kept[:] = [gather(wire.read_jobs(chunks))]

        out, what = Outgoing(_SCANS, total_s=LIST_TOTAL_S, consume=consume), "the list of jobs"
        with _understanding(what):
            self._read(out, what)
        return kept[0]

    def cancel(self, job_id: str) -> None:
        """`DELETE /api/v1/HostScanJob/{id}` [vendor]: asks to stop a job.

        Raises NotFoundError for 404. Asking twice does no harm, so it is repeated like a read.
        """
        out = Outgoing(f"{_SCANS}/{_path_id(job_id)}", method="DELETE")
        self._read(out, "the job", f"job {job_id}")

    def validate_hosts(
        self, credential_id: str, names: Sequence[str]
    ) -> list[dict[str, str | None]]:
        """`POST .../ValidateImportedCSV` [vendor]: checks rows, schedules nothing.

        The rows as the server orders them, with the errors of name and credential alone.
        Raises NotFoundError if the server has no such call.
        """
        nulls = dict.fromkeys(("ipAddress", "os", "credentialName", "platformName"))
        rows = [{"dnsHostName": name, "credentialId": credential_id, **nulls} for name in names]
        out = Outgoing(f"{_SCANS}/ValidateImportedCSV", method="POST", body=rows)
        reply, what = self._ask(out), "the validation"
        if reply.status in (404, 405):
            raise NotFoundError(f"the server has no call for {what}")
        check_success(reply, what)
        with _understanding(what):
            return wire.read_rows(reply.content)

    def accounts(self, text: str) -> Iterator[list[ServiceAccount]]:
        """`GET /api/v1/Credential/Search` [vendor]; text: a part of the user name, in any case."""
        what, wanted = "the list of service accounts", _in_query(text)

        def read(skip: int) -> wire.Page:
            query = f"filterText={wanted}&credentialType=Configuration&skip={skip}"
            path = f"/api/v1/Credential/Search?{query}&take={ACCOUNTS_A_PAGE}"
            with _understanding(what):
                return wire.read_accounts(self._read(Outgoing(path), what).content)

        hint = "give the account's id, which the NPS console shows"
        return each_page(read, ACCOUNTS_A_PAGE, what, hint)

    def named_accounts(self) -> list[ServiceAccount]:
        """`GET /api/v1/Credential` [vendor: to be avoided]: all, with the console's names."""
        what = "the service accounts' names"
        out = Outgoing("/api/v1/Credential?type=Configuration", total_s=LIST_TOTAL_S)
        with _understanding(what):
            return wire.read_named_accounts(self._read(out, what).content)

    def known_hosts(self, *, enrolled: bool) -> Iterator[list[KnownHost]]:
        """`GET /api/v1/ManagedResource/Search` [vendor]: the enrolled hosts, a page at a time.

        Without `enrolled`: `.../Candidate/Search`, what the directory has besides.
        """
        what, search = "the list of hosts", "Search?filterType=Host&Skip={}&Take={}"
        if not enrolled:
            search = "Candidate/Search?filterAppResourceType=NotEnrolled&filterText="
            search += "&skip={}&take={}"

        def read(skip: int) -> wire.Page:
            out = Outgoing(f"/api/v1/ManagedResource/{search.format(skip, HOSTS_A_PAGE)}")
            with _understanding(what):
                return wire.read_hosts(self._read(out, what).content, enrolled=enrolled)

        return each_page(read, HOSTS_A_PAGE, what)

    # The calls that act.

    def manage_unit(self, dn: str, *, children: bool) -> list[str]:
        """`GET /api/v1/Host/OuManageResources` [vendor, from 4.2 on]: the hosts of a unit.

        It may onboard what it finds, though a GET: sent again only if it surely did not leave or
        its token was refused. Raises NotFoundError if the server lacks the call or the unit.
        """
        path = f"/api/v1/Host/OuManageResources?ou={_in_query(dn)}"
        path += f"&includeChildOus={'true' if children else 'false'}"
        wait_s = LIST_TOTAL_S
        out = Outgoing(path, repeat="unsent", total_s=wait_s, read_s=wait_s, acts=ACTED_OR_NOT)
        reply, what = self._ask(out), "the hosts of the organisational unit"
        if reply.status in (400, 404, 405):
            words, trace_id = reply.problem()
            why = words or f"HTTP {reply.status}: does it lack the call, which came with 4.2?"
            raise NotFoundError(f"the server gives no hosts of {dn}", reason=why, trace_id=trace_id)
        try:
            check_success(reply, what)
            with _understanding(what):
                return wire.read_names(reply.content)
        except ServerError as error:
            error.hint = f"{error.hint}; {ACTED_OR_NOT}"
            raise

    def schedule(
        self, credential_id: str, names: Sequence[str], token: Token, *, total_s: float
    ) -> Reply:
        """`POST /api/v1/HostScanJob/OuMapping/{credentialId}` [seed], once. Raises NoReplyError."""
        path = f"{_SCANS}/OuMapping/{_path_id(credential_id)}"
        out = Outgoing(path, method="POST", body=list(names), token=token.value, repeat="never")
        largest = (16 << 20) + (16 << 10) * len(names)
        return self._send(replace(out, total_s=total_s, read_s=total_s, largest=largest))


def each_page(
    read: Callable[[int], wire.Page], take: int, what: str, hint: str | None = None
) -> Iterator[list[Any]]:
    """The rows of a search, a page at a time, none twice, none that is empty.

    read: from how many on. The total may be wrong, or count what was filtered out: so a full
    page is never the last, and an empty one always. Raises ServerError if pages repeat.
    """
    seen: set[int] = set()
    received, total = 0, None
    for _ in range(MOST_PAGES):
        rows, total = read(received)
        received += len(rows)
        fresh = [row for row in dict.fromkeys(rows) if any(row) and hash(row) not in seen]
        seen.update(map(hash, fresh))
        if fresh:
            yield fresh
        if not rows or (len(rows) != take and (total is None or total <= received)):
            return
        if not fresh:
            break
    of_all = f" of {total:,}" if total is not None else ""
    reason = f"after {len(seen):,}{of_all} its pages bring nothing new"
    raise ServerError(f"{what} does not end", reason=reason, hint=hint)


@contextmanager
def _understanding(what: str) -> Iterator[None]:
    try:
        yield
    except WireError as error:
        hint = "`--verbose` shows the request; a server of another version may answer so"
        message = f"{what} could not be understood"
        raise ServerError(message, reason=str(error), hint=hint) from error


def _in_query(text: str) -> str:
    """A text as a value in a query: whatever the server decodes is that text."""
    try:
        return quote(text, safe="")
    except UnicodeEncodeError:
        raise UsageError("an argument is not text in this terminal's encoding") from None


def _path_id(text: str) -> str:
    """The only way for an id into a path."""
    found = canonical_uuid(text)
    if found is None:
        raise UsageError(f"not an id: {text[:60]}", hint="an id has the form of a UUID")
    return found
