"""The main job: from a list of hosts to a row for each of them."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sbpam_cli.errors import (
    ExitCode,
    InputError,
    OptionError,
    RejectedError,
    SbpamError,
    UnknownOutcomeError,
    UsageError,
)
from sbpam_cli.models import FINISHED, HostRow, JobSummary, ScanStatus, Talk
from sbpam_cli.nps.wire import canonical_uuid, sum_status
from sbpam_cli.storage.journal import Journal, open_journal
from sbpam_cli.storage.locks import hold_lock
from sbpam_cli.storage.profiles import ConnectionOptions, Target, resolve_target
from sbpam_cli.storage.records import Aside, Batch, Run, digest_names
from sbpam_cli.work.connection import Connection, connect
from sbpam_cli.work.following import Followed, Follower, FollowLimits
from sbpam_cli.work.hosts import HostList, HostSource, read_hosts, refuse_invalid
from sbpam_cli.work.interruption import Interruption
from sbpam_cli.work.outcome import Outcome
from sbpam_cli.work.row_stream import RowStream, batch_rows
from sbpam_cli.work.sending import Sending, SendLimits
from sbpam_cli.work.workers import ThreadWorkers

if TYPE_CHECKING:
    from sbpam_cli.services import Services

CONFIRM_ABOVE_HOSTS = 1000
_CREDENTIAL_ID_LENGTH = 36


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleOptions:
    """What `schedule` was asked to do; `--help` has the words.

    judge_scans: with `wait`, a scan that did not succeed makes the end partial.
    """

    connection: ConnectionOptions
    sources: Sequence[HostSource] = ()
    column: str | None = None
    batch_size: int = 500
    limits: SendLimits = field(default_factory=SendLimits)
    max_hosts: int | None = None
    assume_yes: bool = False
    skip_invalid: bool = False
    allow_empty: bool = False
    dry_run: bool = False
    offline: bool = False
    wait: bool = False
    judge_scans: bool = True
    follow: FollowLimits = field(default_factory=FollowLimits)


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom the work speaks to: talk, rows, questions, progress."""

    talk: Talk
    write: Callable[[Iterable[HostRow]], None]
    confirm: Callable[[str], bool]
    progress: Callable[[Sequence[Followed]], None]


def run_schedule(
    services: "Services", options: ScheduleOptions, audience: Audience, outcome: Outcome
) -> None:
    """Reads, validates, locks, signs in, records, sends, and follows where asked to.

    Writes a row for every host in every end but exit 2. Raises the SbpamError
    that ended it; what only some hosts suffered is in `outcome`.
    """
    target = resolve_target(services, options.connection)
    outcome.server, outcome.profile = target.origin, target.profile
    needs_credential = not (options.dry_run and options.offline)
    credential_id = read_credential_id(target.credential) if needs_credential else ""
    hosts = read_hosts(
        options.sources,
        stdin=services.stdin,
        stdin_is_terminal=services.stdin_is_terminal(),
        column=options.column,
        talk=audience.talk,
    )
    _check_list(hosts, options)
    if options.dry_run:
        from sbpam_cli.work.validation import run_validation

        run_validation(services, options, target, credential_id, hosts, audience, outcome)
        return
    _confirm(services, options, audience, target, hosts)
    job = _Scheduling(services, options, audience, outcome, target, credential_id, hosts)
    job.run()


def read_credential_id(text: str | None) -> str:
    """The service account's id, lower-cased. Raises OptionError or UsageError.

    Strict, because it becomes part of a URL that acts.
    """
    if text is None:
        raise OptionError(
            "no credential is given",
            hint="name the service account's id with --credential, or set SBPAM_CREDENTIAL",
        )
    found = canonical_uuid(text)
    if found is not None:
        return found
    looks_like_id = len(text) == _CREDENTIAL_ID_LENGTH or any(c in "{}/:" for c in text)
    if looks_like_id or not text.isascii():
        raise OptionError(
            f"not a credential's id: {text[:60]}",
            hint="an id looks like 9c711ab3-8fc1-4d66-88d4-08f85117f32e",
        )
    raise OptionError(
        f"a credential cannot be named yet: {text[:60]}",
        hint="give its id; the web page shows it under Credentials",
    )


def _check_list(hosts: HostList, options: ScheduleOptions) -> None:
    if hosts.refusals and not options.skip_invalid:
        raise refuse_invalid(hosts)
    if not hosts.names and not hosts.refusals and not options.allow_empty:
        raise InputError(
            "the list names no hosts",
            hint="where an empty list is right, --allow-empty makes it a success",
        )
    if options.max_hosts is not None and len(hosts.names) > options.max_hosts:
        raise InputError(
            f"the list names {len(hosts.names):,} hosts, --max-hosts allows {options.max_hosts:,}",
            hint="check the list, or raise the guard",
        )


def _confirm(
    services: "Services",
    options: ScheduleOptions,
    audience: Audience,
    target: Target,
    hosts: HostList,
) -> None:
    asks = services.can_ask(no_input=options.connection.no_input)
    if len(hosts.names) <= CONFIRM_ABOVE_HOSTS or options.assume_yes or not asks:
        return
    question = f"Schedule scans of {len(hosts.names):,} hosts on {target.origin}?"
    if not audience.confirm(question):
        raise UsageError("not confirmed, nothing was sent", hint="--yes answers the question")


def set_aside(hosts: HostList) -> list[Aside]:
    """The entries that are no host names, as rows that are not sent."""
    return [
        Aside(r.position, r.text, ScanStatus.INVALID, f"{r.where}: {r.reason}")
        for r in hosts.refusals
    ]


def cut_batches(names: Sequence[str], size: int) -> list[Batch]:
    """The names in batches of at most `size`, numbered from 1."""
    starts = range(0, len(names), size)
    return [Batch(n, first, names[first : first + size]) for n, first in enumerate(starts, 1)]


class _Scheduling:
    """One run of `schedule` with a list that is fit to be sent."""

    def __init__(
        self,
        services: "Services",
        options: ScheduleOptions,
        audience: Audience,
        outcome: Outcome,
        target: Target,
        credential_id: str,
        hosts: HostList,
    ) -> None:
        self._services = services
        self._options = options
        self._audience = audience
        self._outcome = outcome
        self._target = target
        self._credential_id = credential_id
        self._hosts = hosts
        self._aside = set_aside(hosts)
        self._batches = cut_batches(hosts.names, options.batch_size)
        self._journal: Journal | None = None
        self._run: Run | None = None
        self._stopped: SbpamError | None = None
        self._rows = RowStream(self._write, self._aside)
        self._write_failure: SbpamError | None = None

    def run(self) -> None:
        """Everything from the lock to the last row. Raises what ended it."""
        with Interruption(self._leave_now) as interruption:
            try:
                connection = self._send(interruption) if self._batches else None
                if self._options.wait and connection is not None and self._stopped is None:
                    self._follow(connection)
            except SbpamError as error:
                self._stopped = error
        if self._stopped is not None and self._stopped.exit_code is ExitCode.USAGE:
            raise self._stopped
        self._finish()
        if self._stopped is not None:
            raise self._stopped

    def _write(self, rows: Iterable[HostRow]) -> None:
        """Rows to stdout. A disk that is full there must not stop what is being sent."""
        counted = list(self._outcome.count(rows))
        if self._write_failure is None:
            try:
                self._audience.write(counted)
            except SbpamError as error:
                self._write_failure = error

    def _leave_now(self, code: int) -> None:
        for stream in (self._services.stdout, self._services.stderr):
            with suppress(OSError, ValueError, RuntimeError):
                stream.flush()
        self._services.exit_now(code)

    def _send(self, interruption: Interruption) -> Connection:
        """Lock, sign in, record, send. Afterwards `_stopped` says what ended it early."""
        options, services, talk = self._options, self._services, self._audience.talk
        origin = self._target.server
        digest = digest_names(self._hosts.names)
        with ExitStack() as stack:
            stack.enter_context(hold_lock(services, origin, digest))
            journal = self._journal = open_journal(services)
            stack.callback(journal.close)
            connection = connect(
                services,
                self._target,
                talk,
                no_input=options.connection.no_input,
                stop=interruption.event,
                connections=options.limits.parallel + 2,
            )
            # A harmless read on the same client comes first: under TLS 1.3 a refused
            # client certificate shows only after the first request was written.
            connection.client.version()
            connection.session.token()
            self._record(journal, origin, digest)
            assert self._run is not None
            interruption.defer()
            sending = Sending(
                services,
                journal,
                connection.client,
                connection.session,
                self._run,
                self._batches,
                options.limits,
                talk,
                interruption,
                ThreadWorkers(options.limits.parallel + 1, services.clock),
                self._settled,
            )
            try:
                sending.send_all()
            finally:
                self._batches = sending.batches
            self._stopped = sending.stopped
            if interruption.event.is_set():
                self._stopped = interruption.error()
            self._record_end(journal)
        return connection

    def _record(self, journal: Journal, origin: str, digest: str) -> None:
        now = self._services.clock.now()
        self._run = Run(
            run_id=make_run_id(self._services, now),
            started=now,
            server=origin,
            profile=self._target.profile,
            username=self._target.username,
            credential_id=self._credential_id,
            digest=digest,
            hosts=len(self._hosts.names) + len(self._aside),
            aside=self._aside,
        )
        journal.record_run(self._run, self._batches)
        self._outcome.run = self._run.run_id
        self._audience.talk.note(
            f"run {self._run.run_id}: {len(self._hosts.names):,} hosts in"
            f" {len(self._batches):,} batches to {origin}"
        )

    def _record_end(self, journal: Journal) -> None:
        """How it ended, for the list of runs; a journal that failed cannot take it."""
        assert self._run is not None
        code = self._end_code()
        if self._stopped is None or self._stopped.code != "journal":
            journal.end_run(self._run.run_id, code)

    def _end_code(self) -> int:
        states = {batch.state for batch in self._batches}
        errors = [self._stopped] if self._stopped is not None else []
        if states & {"unknown", "sending"}:
            errors.append(_in_doubt(0))
        return Outcome(errors=errors, partial="rejected" in states).exit_code

    def _settled(self, batch: Batch) -> None:
        if not self._options.wait:
            self._rows.settle(batch)

    def _follow(self, connection: Connection) -> None:
        """`--wait`: the jobs to their end; the lock is given back already."""
        services = self._services
        followed = [
            Followed(batch.job_id, batch.names, list(batch_rows(batch)), batch.first)
            for batch in self._batches
            if batch.state == "accepted" and batch.job_id is not None
        ]
        follower = Follower(
            services,
            connection.client,
            ThreadWorkers(4, services.clock),
            self._audience.talk,
            self._options.follow,
            self._audience.progress,
        )
        by_first = {batch.first: batch for batch in self._batches}
        try:
            follower.follow(followed)
        finally:
            for item in followed:
                by_first[item.first].rows = item.rows

    def _finish(self) -> None:
        """The rows that are still owed, the jobs, and what only some hosts suffered."""
        outcome, stopped = self._outcome, self._stopped
        self._rows.finish(self._batches, stopped.message if stopped is not None else None)
        outcome.jobs = [
            JobSummary(
                batch.job_id,
                sum_status(None, [row.status for row in batch_rows(batch)]),
                len(batch.names),
            )
            for batch in sorted(self._batches, key=lambda batch: batch.first)
            if batch.job_id is not None
        ]
        counts = outcome.counts
        if unknown := counts[ScanStatus.OUTCOME_UNKNOWN]:
            outcome.errors.append(_in_doubt(unknown))
        if counts[ScanStatus.REJECTED] and not isinstance(stopped, RejectedError):
            outcome.errors.append(self._rejection(counts[ScanStatus.REJECTED]))
        not_done = (ScanStatus.NOT_ACCEPTED, ScanStatus.NOT_SENT, ScanStatus.INVALID)
        outcome.partial = any(counts[status] for status in not_done)
        if (
            self._options.wait
            and self._options.judge_scans
            and any(counts[status] for status in FINISHED if status is not ScanStatus.COMPLETE)
        ):
            outcome.partial = True
        if self._write_failure is not None:
            outcome.errors.append(self._write_failure)
        if stopped is None and outcome.run is not None and not self._options.wait:
            outcome.next_step = f"sbpam status {outcome.run} shows how far the scans are"

    def _rejection(self, hosts: int) -> RejectedError:
        batch = next(batch for batch in self._batches if batch.state == "rejected")
        return RejectedError(
            f"the server refused {hosts:,} hosts",
            reason=batch.reason,
            trace_id=batch.trace_id,
            hint="check the credential's id and the list",
        )


def _in_doubt(hosts: int) -> UnknownOutcomeError:
    return UnknownOutcomeError(
        f"the outcome is unknown for {hosts:,} hosts",
        hint="`sbpam resume` finds out; don't schedule them again by hand",
    )


def make_run_id(services: "Services", now: float) -> str:
    """The UTC start and four hexadecimal digits: `20261123-031502-7f3a`."""
    from datetime import UTC, datetime

    start = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S")
    return f"{start}-{services.random.randrange(0x10000):04x}"
