"""What came of one scheduling POST: may it be repeated, was it refused, is it in doubt?

The question behind each rule is only whether the application can have begun to act.
"""

from typing import NamedTuple

from sbpam_cli.errors import (
    RejectedError,
    SbpamError,
    ServerError,
    SignInError,
    UnknownOutcomeError,
    UnreachableError,
)
from sbpam_cli.journal.records import Batch, BatchState
from sbpam_cli.models import HostRow, Rows, ScanJob
from sbpam_cli.names import canonical_uuid
from sbpam_cli.nps import replies as wire
from sbpam_cli.nps.client import LONGEST_RETRY_AFTER_S
from sbpam_cli.nps.decoding import WireError
from sbpam_cli.nps.failures import Reply, redirect_target, retry_after_s
from sbpam_cli.nps.transport import NoReplyError
from sbpam_cli.wording import counted

_JOBS_NAMED = 20
_REFUSED = frozenset({400, 404, 405, 413, 415, 422})


class Verdict(NamedTuple):
    """state: the batch's next one; `planned` means that it may be sent again.

    wait_s: how long the server asked to wait. server_failure: counts towards
    giving up. refused_token: 401. stop: no other batch will fare better.
    accepted_before: a fresh token was refused; so many batches were accepted when it was sent.
    located: of a success that cannot be read, the job that its `Location` names.
    rows: what the job says of the hosts.
    """

    state: BatchState
    job: ScanJob | None = None
    http_status: int | None = None
    reason: str | None = None
    trace_id: str | None = None
    wait_s: float | None = None
    server_failure: bool = False
    refused_token: bool = False
    stop: SbpamError | None = None
    accepted_before: int | None = None
    located: str | None = None
    rows: Rows[HostRow] | None = None


def judge_failure(failure: NoReplyError) -> Verdict:
    """A POST without an answer: never begun, or in doubt."""
    state: BatchState = "unknown" if failure.sent else "planned"
    reason = failure.final.reason if failure.final else failure.reason
    stop = None if failure.sent else failure.final
    return Verdict(state, reason=reason, server_failure=True, stop=stop)


def judge_reply(reply: Reply, hosts: int, server_now: float) -> Verdict:
    """An answer to a POST of so many hosts; server_now: epoch seconds, server's clock."""
    status = reply.status
    if 200 <= status < 300:
        return _judge_success(reply)
    words, trace_id = reply.problem() if status >= 300 else (None, None)
    if is_redirect := 300 <= status < 400:
        words = f"redirected to {redirect_target(reply)}; redirects are not followed"
    # IIS's own module also answers 503 after the application has begun; not the kernel's
    # listener, and nobody who gives a date to come back.
    is_listener = reply.headers.get("server", "").lower().startswith("microsoft-httpapi")
    is_busy = status == 429 or (status == 503 and ("retry-after" in reply.headers or is_listener))
    wait_s = retry_after_s(reply, server_now)
    state: BatchState = "unknown"
    stop: SbpamError | None = None
    if status == 413 and hosts > 1:
        state = "split"
    elif status in _REFUSED or is_redirect:
        state = "rejected"
    elif status in (401, 403, 407) or is_busy:
        state = "planned"
    if status == 403:
        stop = SignInError(
            "the server does not allow scheduling",
            reason=words or "HTTP 403",
            trace_id=trace_id,
            hint="the account needs the role Admin or App, and the token must not owe its MFA"
            " step; then `sbpam resume`",
        )
    elif status == 407:
        stop = UnreachableError(
            "the proxy asks for authentication",
            reason=words,
            hint="put the proxy's user and password into HTTPS_PROXY",
        )
    elif is_busy and (wait_s or 0.0) > LONGEST_RETRY_AFTER_S:
        stop = ServerError(
            f"the server asks to wait {(wait_s or 0.0) / 60:.0f} minutes",
            reason=words,
            trace_id=trace_id,
            hint="`sbpam resume` goes on when it is ready again",
        )
    return Verdict(
        state,
        http_status=status,
        reason=words or f"HTTP {status}",
        trace_id=trace_id,
        wait_s=wait_s,
        server_failure=is_busy or state == "unknown",
        refused_token=status == 401,
        stop=stop,
    )


def _judge_success(reply: Reply) -> Verdict:
    if reply.is_web_page:
        reason = reply.problem()[0]
    else:
        try:
            return Verdict("accepted", wire.decode_job(reply.content), reply.status)
        except WireError as error:
            reason = str(error)
    path = reply.headers.get("location", "").partition("?")[0]
    located = canonical_uuid(path.rpartition("/")[2])
    return Verdict("unknown", None, reply.status, reason, server_failure=True, located=located)


def not_sent(error: SbpamError) -> Verdict:
    """A token could not be had: the POST did not start, or its 401 means that nothing began."""
    final = isinstance(error, SignInError)
    return Verdict(
        "planned",
        reason=error.reason or error.message,
        trace_id=error.trace_id,
        server_failure=not final,
        stop=error if final else None,
    )


def _said(of: Batch | Verdict) -> dict[str, str | None]:
    """The server's own words, for an error."""
    return {"reason": of.reason, "trace_id": of.trace_id}


def refuses_fresh_token(verdict: Verdict) -> SignInError:
    hint = "check the account's role; `sbpam login` signs in again"
    return SignInError("the server refuses even a fresh token", hint=hint, **_said(verdict))


def gave_up(origin: str, batch: Batch, failures: int) -> SbpamError:
    kind = ServerError if batch.http_status is not None else UnreachableError
    words = f"{failures} POSTs in a row failed at {origin}; nothing more was sent"
    return kind(words, hint="once the server is well again: `sbpam resume`", **_said(batch))


def refused(batch: Batch, which: str, again: str = "sbpam resume") -> RejectedError:
    """The server refused a batch, or all so far; again: what retries it unchanged."""
    hint = "fix the list or the account and run `sbpam schedule` again; to retry unchanged:"
    return RejectedError(f"the server refused {which}", hint=f"{hint} `{again}`", **_said(batch))


def could_be(run_id: str, batch: Batch) -> UnknownOutcomeError:
    """Doubt that only a person can decide."""
    last = f" to {batch.names[-1]}" if len(batch.names) > 1 else ""
    shown = batch.possible[:_JOBS_NAMED]
    more = len(batch.possible) - len(shown)
    lines = [
        f"`sbpam resume {run_id} --accept {job_id}` if job {job_id} is theirs,"
        f" `sbpam resume {run_id} --not {job_id}` if it is not"
        for job_id in shown
    ]
    return UnknownOutcomeError(
        f"the outcome is unknown for {counted(len(batch.names), 'host')}, {batch.names[0]}{last}:"
        f" {counted(len(batch.possible), 'job')} could be theirs",
        hint="; ".join(lines) + (f"; and {more} more" if more else ""),
    )


def left_in_doubt(batch: Batch) -> UnknownOutcomeError:
    """`--fail-fast`: the answer to this batch was lost."""
    words = "the outcome of a batch is unknown; nothing more was sent"
    return UnknownOutcomeError(words, hint="`sbpam resume` looks again", **_said(batch))
