"""The main job: from a list of hosts to a row for each of them."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from typing import TYPE_CHECKING, NamedTuple

from sbpam_cli.errors import (
    ExitCode,
    InputError,
    JournalError,
    SbpamError,
    UsageError,
)
from sbpam_cli.hosts.lists import HostList, HostSource, read_hosts, refuse_invalid
from sbpam_cli.jobs.follow import FollowLimits, Watching, following
from sbpam_cli.jobs.rows import RowStream, reorder
from sbpam_cli.journal.journal import Journal, open_journal
from sbpam_cli.journal.records import Aside, Batch, Run, digest_names
from sbpam_cli.lookups.accounts import find_credential_id, read_credential
from sbpam_cli.models import ScanStatus, Talk
from sbpam_cli.names import canonical_uuid
from sbpam_cli.runs.run import Execution, judge_counts
from sbpam_cli.runs.send import SendLimits
from sbpam_cli.settings.profiles import ConnectionOptions, Target, resolve_target
from sbpam_cli.signin.session import Site, sign_in
from sbpam_cli.system.filesystems import filesystem_type, is_passing
from sbpam_cli.system.locks import hold_lock
from sbpam_cli.system.signals import Interruption, leave_now
from sbpam_cli.wording import counted

if TYPE_CHECKING:
    from sbpam_cli.output.context import Context
    from sbpam_cli.system.services import Services

CONFIRM_ABOVE_HOSTS = 1000
_CONTINUED_FOR_S = 12 * 3600.0


class ScheduleOptions(NamedTuple):
    """What `schedule` was asked to do; `--help` has the words.

    judge_scans: with `wait`, a scan that did not succeed makes the end partial.
    """

    connection: ConnectionOptions
    sources: Sequence[HostSource] = ()
    column: str | None = None
    batch_size: int = 500
    limits: SendLimits = SendLimits()
    max_hosts: int | None = None
    assume_yes: bool = False
    skip_invalid: bool = False
    allow_empty: bool = False
    dry_run: bool = False
    offline: bool = False
    wait: bool = False
    judge_scans: bool = True
    new_run: bool = False
    settle_after_s: float = 180.0
    skip_recent_s: float | None = None
    follow: FollowLimits = FollowLimits()


def run_schedule(ctx: "Context", options: ScheduleOptions) -> None:
    """Reads, validates, locks, signs in, records, sends, and follows where asked to.

    Writes a row for every host in every end but exit 2. Raises the SbpamError
    that ended it; what only some hosts suffered is in `outcome`.
    """
    services, outcome = ctx.services, ctx.outcome
    target = resolve_target(services, options.connection)
    outcome.server, outcome.profile = target.origin, target.profile
    needs_credential = not (options.dry_run and options.offline)
    source = target.sources.get("credential", "--credential")
    credential = read_credential(target.credential, source) if needs_credential else ""
    hosts = read_hosts(
        options.sources,
        stdin=services.stdin,
        stdin_is_terminal=services.stdin_is_terminal(),
        column=options.column,
        talk=ctx.console,
    )
    _check_list(hosts, options)
    if options.dry_run:
        from sbpam_cli.runs.validation import run_validation

        run_validation(ctx, options, target, credential, hosts)
        return
    _confirm(ctx, options, target, hosts)
    with following(ctx) as watching:
        _Scheduling(ctx, options, target, credential, hosts, watching).run()


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
            f"the list names {counted(len(hosts.names), 'host')},"
            f" --max-hosts allows {options.max_hosts:,}",
            hint="check the list, or raise the guard",
        )


def _confirm(ctx: "Context", options: ScheduleOptions, target: Target, hosts: HostList) -> None:
    if len(hosts.names) <= CONFIRM_ABOVE_HOSTS or options.assume_yes or not ctx.can_ask:
        return
    question = f"Schedule scans of {len(hosts.names):,} hosts on {target.origin}?"
    if not ctx.confirm(question):
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
        ctx: "Context",
        options: ScheduleOptions,
        target: Target,
        credential: str,
        hosts: HostList,
        watching: Watching,
    ) -> None:
        self._ctx = ctx
        self._services = ctx.services
        self._options = options
        self._outcome = ctx.outcome
        self._watching = watching
        self._target = target
        self._credential = credential
        # Of a name it is not known before the server was asked.
        self._credential_id = canonical_uuid(credential)
        self._names = hosts.names
        self._aside = set_aside(hosts)
        self._execution: Execution | None = None
        self._rows: RowStream | None = None

    def run(self) -> None:
        """Everything from the lock to the last row. Raises what ended it."""
        stopped: SbpamError | None = None
        with Interruption(lambda code: leave_now(self._services, code)) as interruption:
            try:
                site = self._carry_out(interruption) if self._names else None
                if self._execution is not None:
                    stopped = self._execution.stopped
                    if self._options.wait and site is not None and stopped is None:
                        self._follow(self._execution, site, interruption)
            except SbpamError as error:
                stopped = error
        if stopped is not None and stopped.exit_code is ExitCode.USAGE:
            self._outcome.run = None
            raise stopped
        self._finish(stopped)

    def _follow(self, execution: Execution, site: Site, interruption: Interruption) -> None:
        """`--wait`, after the lock is given back. A run that is cut short here was cut short."""
        try:
            interruption.act_at_once()
            execution.follow(site, self._options.follow, self._watching)
        except SbpamError as error:
            execution.stopped = error
            if error.hint is None:
                error.hint = f"the scans go on; `sbpam status {execution.run.run_id}` shows them"
            raise
        finally:
            with suppress(JournalError), closing(open_journal(self._services)) as journal:
                execution.record_end(journal)

    def _carry_out(self, interruption: Interruption) -> Site:
        """Lock, sign in, record or continue, send and settle."""
        options, services = self._options, self._services
        digest = digest_names(self._names)
        with ExitStack() as stack:
            stack.enter_context(hold_lock(services, self._target.server, digest))
            journal = open_journal(services)
            stack.callback(journal.close)
            warn_of_passing_state(services, self._ctx.console)
            # Before anything else can end the command: its rows are those of that run.
            before = None if options.new_run else self._cut_short(journal, digest)
            self._execution = before
            site = sign_in(self._ctx, self._target, interruption, parallel=options.limits.parallel)
            if self._credential_id is None:
                before = self._name_account(site, journal, digest)
            if before is not None:
                self._continue(journal, before)
            elif options.skip_recent_s is not None:
                self._skip_recent(journal, site, interruption, digest)
            execution = self._execution = before or self._begin(journal, digest)
            self._outcome.run = execution.run.run_id
            execution.carry_out(
                journal,
                site,
                interruption,
                settle_first=before is not None,
                goes_on=options.wait,
            )
        return site

    def _name_account(self, site: Site, journal: Journal, digest: str) -> Execution | None:
        """Finds the account that was named, and the run of this list that is with it.

        Up to here a run with any account stood for that one: should the search
        fail, no host is called NotSent that was sent.
        """
        talk = self._ctx.console
        self._credential_id = find_credential_id(site.client, self._credential, talk)
        self._outcome.run = None
        self._execution = None if self._options.new_run else self._cut_short(journal, digest)
        return self._execution

    def _cut_short(self, journal: Journal, digest: str) -> Execution | None:
        """The unfinished run of this list that `schedule` goes on with, as `resume` would."""
        run = journal.unfinished_run(self._target.server, self._credential_id, digest)
        if run is None or self._services.clock.now() - run.started > _CONTINUED_FOR_S:
            return None
        self._outcome.run = run.run_id
        return self._execution_of(run, journal.batches(run.run_id), lambda _: None)

    def _skip_recent(
        self, journal: Journal, site: Site, interruption: Interruption, digest: str
    ) -> None:
        from sbpam_cli.runs.skip_recent import find_recent, set_apart

        apart = find_recent(
            self._ctx,
            journal,
            site,
            interruption,
            own_digest=digest,
            age_s=self._options.skip_recent_s or 0.0,
            quiet_s=self._options.settle_after_s,
        )
        self._names, self._aside = set_apart(self._names, self._aside, apart)

    def _begin(self, journal: Journal, digest: str) -> Execution:
        now = self._services.clock.now()
        batches = cut_batches(self._names, self._options.batch_size)
        run = Run(
            run_id=make_run_id(self._services, now),
            started=now,
            server=self._target.server,
            profile=self._target.profile,
            username=self._target.username,
            credential_id=self._credential_id or self._credential,
            digest=digest,
            hosts=len(self._names) + len(self._aside),
            aside=self._aside,
        )
        journal.record_run(run, batches)
        self._ctx.console.note(
            f"run {run.run_id}: {counted(len(self._names), 'host')} in"
            f" {counted(len(batches), 'batch')} to {run.server}"
        )
        # `--max-running` counts in them.
        keep_rows = self._options.limits.max_running is not None
        self._rows = self._row_stream(keep_rows=keep_rows)
        settled = self._rows.settle if not self._options.wait else lambda _: None
        return self._execution_of(run, batches, settled)

    def _row_stream(self, *, keep_rows: bool = True) -> RowStream:
        return RowStream(self._watching.write, self._outcome, self._aside, keep_rows=keep_rows)

    def _continue(self, journal: Journal, before: Execution) -> None:
        run, batches = before.run, before.batches
        accepted = sum(len(batch.names) for batch in batches if batch.state == "accepted")
        self._ctx.console.note(
            f"continuing run {run.run_id}: {accepted:,} of {counted(len(self._names), 'host')}"
            " accepted (--new-run starts afresh)"
        )
        journal.end_run(run.run_id, None)

    def _execution_of(
        self, run: Run, batches: list[Batch], settled: Callable[[Batch], None]
    ) -> Execution:
        return Execution(
            self._ctx,
            run,
            batches,
            self._options.limits,
            self._options.settle_after_s,
            settled,
        )

    def _finish(self, stopped: SbpamError | None) -> None:
        """The rows that are still owed, the jobs, and what only some hosts suffered."""
        outcome, execution = self._outcome, self._execution
        planned = cut_batches(self._names, max(len(self._names), 1))
        batches = execution.batches if execution is not None else planned
        why = stopped.message if stopped is not None else None
        rows = self._rows
        if rows is None:
            # A continued run's batches may be in another order than the list given now.
            rows, aside = self._row_stream(), execution.run.aside if execution is not None else ()
            batches = reorder(self._names, batches, aside, why)
        rows.finish(batches, why)
        if execution is not None:
            execution.tell(outcome)
            outcome.jobs = execution.jobs()
        judge_counts(outcome, scans=self._options.wait and self._options.judge_scans)
        if stopped is not None:
            raise stopped


def warn_of_passing_state(services: "Services", talk: Talk) -> None:
    """Says where the journal ends with the container: so do the guarantees."""
    folder = services.state_folder().resolve()
    kind = filesystem_type(folder)
    if is_passing(kind):
        talk.note(f"{folder} lies on {kind}: what the journal knows may end with the container")


def make_run_id(services: "Services", now: float) -> str:
    """The UTC start and four hexadecimal digits: `20261123-031502-7f3a`."""
    from datetime import UTC, datetime

    start = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S")
    return f"{start}-{services.random.randrange(0x10000):04x}"
