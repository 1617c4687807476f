"""The main job: from a list of hosts to a row for each of them."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from sbpam_cli.errors import ExitCode, InputError, SbpamError
from sbpam_cli.hosts.lists import Hosts, HostSource, ReadingRules, read_hosts, refuse_invalid
from sbpam_cli.jobs.follow import FollowLimits
from sbpam_cli.jobs.rows import RowStream, merge_aside, run_rows
from sbpam_cli.jobs.watching import Watching, following
from sbpam_cli.journal.journal import Journal
from sbpam_cli.journal.records import Aside, Batch, Run, digest_names
from sbpam_cli.lookups.accounts import choose_account, find_account, read_credential
from sbpam_cli.models import HostRow, Rows, ScanStatus
from sbpam_cli.names import fold_host
from sbpam_cli.nps.client import NpsClient
from sbpam_cli.nps.failures import NotFoundError
from sbpam_cli.output.context import Context
from sbpam_cli.runs.run import Execution
from sbpam_cli.runs.skip_recent import find_recent, set_apart
from sbpam_cli.runs.state import SendLimits
from sbpam_cli.settings.profiles import Target
from sbpam_cli.signin.session import Site, find_target, sign_in
from sbpam_cli.system.filesystems import filesystem_type, is_passing
from sbpam_cli.wording import counted

CONFIRM_ABOVE_HOSTS = 1000
_LISTS_NAMED = 3
_HOUR_S = 3600.0
_HALF_A_DAY_S = 12 * _HOUR_S


class ScheduleOptions(NamedTuple):
    """What `schedule` was asked to do; `--help` has the words.

    list_name, account: for the journal. site: one of this command, whose token serves again.
    last_check: called under the lock, before a new run begins, with the names to send.
    """

    sources: Sequence[HostSource] = ()
    reading: ReadingRules = ReadingRules()
    batch_size: int = 500
    limits: SendLimits = SendLimits()
    assume_yes: bool = False
    skip_invalid: bool = False
    allow_empty: bool = False
    dry_run: bool = False
    offline: bool = False
    new_run: bool = False
    skip_recent_s: float | None = None
    follow: FollowLimits | None = None
    list_name: str = ""
    account: str | None = None
    site: Site | None = None
    last_check: Callable[[Journal, Sequence[str]], None] = lambda _journal, _names: None


def run_schedule(ctx: Context, options: ScheduleOptions) -> None:
    """Reads, validates, locks, signs in, records, sends, and follows if asked to.

    Raises the SbpamError that ended it; what only some hosts suffered is in `outcome`.
    """
    services, outcome = ctx.services, ctx.outcome
    target = find_target(ctx)
    chooses = target.credential is None and ctx.can_ask and not options.dry_run
    if not (chooses or (options.dry_run and options.offline)):
        source = target.sources.get("credential", "--credential")
        target = target._replace(credential=read_credential(target.credential, source))
    hosts = read_hosts(
        options.sources,
        stdin=services.stdin,
        stdin_is_terminal=services.stdin_is_terminal(),
        rules=options.reading,
        talk=ctx.console,
    )
    outcome.lists = hosts.tallies
    # A path may hold bytes that are no text.
    names = [tally.source.encode("utf-8", "backslashreplace").decode() for tally in hosts.tallies]
    names += ["arguments"] * (len(options.sources) > len(names))
    more = f" and {len(names) - _LISTS_NAMED} more" if len(names) > _LISTS_NAMED else ""
    options = options._replace(list_name=", ".join(names[:_LISTS_NAMED]) + more)
    if not (options.dry_run or options.new_run or options.assume_yes):
        options = options._replace(last_check=partial(ask_again, ctx, target))
    schedule_hosts(ctx, options, target, hosts)


def ask_again(ctx: Context, target: Target, journal: Journal, names: Sequence[str]) -> None:
    """The second press of the up-arrow: asks, or warns where nobody can be asked.

    Recent is what was accepted within an hour, or within 12 with scans not known to have ended.
    Raises UsageError for a no.
    """
    now, counts = ctx.services.clock.now(), journal.counts()
    runs = [run for run in journal.runs() if run.server == target.server]
    digest = digest_names(names) if runs else ""
    for run in runs:
        count = counts[run.run_id]
        if run.digest != digest or not count.accepted:
            continue
        times = [batch.accepted_at or 0.0 for batch in journal.batches(run.run_id)]
        # What was accepted in the future is not recent: some clock was wrong.
        age_s = now - max((at for at in times if at <= now), default=0.0)
        is_going = count.accepted > count.failed + count.complete
        if age_s > (_HALF_A_DAY_S if is_going else _HOUR_S):
            continue
        said = f"already scheduled {_ago(age_s)} by run {run.run_id}"
        if ctx.can_ask:
            hint = "--new-run or --yes answers the question; `sbpam status` shows the scans"
            ctx.agree(f"{said}. Schedule it again?", hint)
        else:
            ctx.console.warn(said)
        return


def _ago(seconds: float) -> str:
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{counted(minutes, 'minute')} ago" if minutes else "a moment ago"
    return f"{counted(minutes // 60, 'hour')} ago"


def schedule_hosts(ctx: Context, options: ScheduleOptions, target: Target, hosts: Hosts) -> None:
    """The same from the list on, however one came by it."""
    outcome = ctx.outcome
    if hosts.refused and not options.skip_invalid:
        raise refuse_invalid(hosts)
    if not hosts.names and not hosts.refused and not options.allow_empty:
        raise InputError(
            "the list names no hosts",
            hint="if an empty list is right, --allow-empty makes it a success",
        )
    if options.dry_run:
        _dry_run(ctx, options, target, hosts)
        return
    if len(hosts.names) > CONFIRM_ABOVE_HOSTS and not options.assume_yes and ctx.can_ask:
        ctx.agree(f"Schedule scans of {len(hosts.names):,} hosts on {target.server}?")
    if not hosts.names:
        RowStream(ctx.printer.write, outcome, set_aside(hosts)).finish()
        outcome.partial = bool(hosts.refused)
        return
    with following(ctx) as watching:
        _Scheduling(ctx, options, target, hosts, watching).carry_out(options.follow)


def set_aside(hosts: Hosts) -> list[Aside]:
    """The entries that are no host names, as rows that are not sent."""
    return [
        Aside(r.position, r.text, ScanStatus.INVALID, f"{r.where}: {r.reason}")
        for r in hosts.refused
    ]


def cut_batches(names: Sequence[str], size: int) -> list[Batch]:
    """The names in batches of at most `size`, numbered from 1."""
    starts = range(0, len(names), size)
    return [Batch(n, first, names[first : first + size]) for n, first in enumerate(starts, 1)]


# `--dry-run`.


def _dry_run(ctx: Context, options: ScheduleOptions, target: Target, hosts: Hosts) -> None:
    """Writes a row `Valid` or `Invalid` for every host; schedules and records nothing."""
    batches = cut_batches(hosts.names, options.batch_size)
    rows = RowStream(ctx.printer.write, ctx.outcome, set_aside(hosts), keep_rows=False)
    client: NpsClient | None = None
    credential_id = ""
    try:
        if batches and not options.offline:
            client = Site(ctx, target).client
            credential_id, _ = find_account(client, target.credential or "", ctx.console)
        for batch in batches:
            try:
                if client is not None:
                    batch.rows = _check(client, credential_id, batch.names)
            except NotFoundError as error:
                ctx.console.warn(f"{error.message}: the list alone was checked")
                client = None
            if client is None:
                batch.rows = Rows.alike(batch.names, HostRow("", ScanStatus.VALID))
            rows.settle(batch)
    except SbpamError as error:
        if error.exit_code is not ExitCode.USAGE:
            rows.finish(batches, f"not checked: {error.message}")
        raise
    rows.finish()
    ctx.outcome.partial = bool(ctx.outcome.counts[ScanStatus.INVALID])


def _check(client: NpsClient, credential_id: str, names: Sequence[str]) -> Rows[HostRow]:
    answers = client.validate_hosts(credential_id, names)
    # A row that came back without its name is the one that was sent in its place.
    places = [*names, *[""] * len(answers)]
    found = {
        fold_host(answer["dnsHostName"] or name): answer
        for name, answer in zip(places, answers, strict=False)
    }
    rows = []
    for name in names:
        answer = found.get(name, {})
        errors = [answer.get("dnsHostNameError"), answer.get("credentialNameError")]
        detail = "; ".join(error for error in errors if error) or None
        status = ScanStatus.INVALID if detail else ScanStatus.VALID
        rows.append(HostRow(name, status, detail=detail))
    return Rows.of(HostRow, rows)


class _Scheduling(Execution):
    """One run of `schedule` with a list that is fit to be sent."""

    def __init__(
        self,
        ctx: Context,
        options: ScheduleOptions,
        target: Target,
        hosts: Hosts,
        watching: Watching,
    ) -> None:
        super().__init__(ctx, target.server, digest_names(hosts.names), options.limits, watching)
        self._options = options
        self._target = target
        self._names = hosts.names
        self._aside = set_aside(hosts)

    def prepare(self, journal: Journal) -> Site:
        ctx, options, now = self._ctx, self._options, self._ctx.services.clock.now()
        folder = ctx.services.state_folder().resolve()
        if is_passing(kind := filesystem_type(folder)):
            # So do the guarantees.
            ctx.console.note(
                f"{folder} lies on {kind}: what the journal knows may end with the container"
            )
        parallel, interruption = self._limits.parallel, self._interruption
        site = sign_in(ctx, self._target, interruption, parallel=parallel, before=options.site)
        wanted = self._target.credential
        if wanted is None:
            account: tuple[str, str | None] = choose_account(ctx, site.client)
        else:
            account = find_account(site.client, wanted, ctx.console)
        before = journal.unfinished_run(self._server, account[0], self._digest)
        if before and not options.new_run and now - before.started <= _HALF_A_DAY_S:
            self._continue(journal, before)
            return site
        if options.skip_recent_s is not None:
            state_of = partial(self._state, site, journal)
            since = now - options.skip_recent_s
            apart = find_recent(state_of, journal, self._server, self._digest, since)
            self._names, self._aside = set_apart(self._names, self._aside, apart)
        options.last_check(journal, self._names)
        self._begin(journal, *account)
        return site

    def _continue(self, journal: Journal, run: Run) -> None:
        """As `resume` would."""
        self.adopt(run, journal.batches(run.run_id))
        accepted = sum(len(b.names) for b in self._batches if b.state == "accepted")
        self._ctx.console.note(
            f"continuing run {run.run_id}: {accepted:,} of {counted(len(self._names), 'host')}"
            " accepted (--new-run starts a new run)"
        )
        journal.end_run(run.run_id, None)

    def _begin(self, journal: Journal, account_id: str, account: str | None) -> None:
        from datetime import UTC, datetime

        ctx, options = self._ctx, self._options
        now = ctx.services.clock.now()
        start = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S")
        batches = cut_batches(self._names, options.batch_size)
        run = Run(
            run_id=f"{start}-{ctx.services.random.randrange(0x10000):04x}",
            started=now,
            server=self._server,
            profile=self._target.profile,
            username=self._target.username,
            credential_id=account_id,
            digest=self._digest,
            hosts=len(self._names) + len(self._aside),
            aside=self._aside,
            account=account or options.account,
            list_name=options.list_name,
        )
        journal.record_run(run, batches)
        self.adopt(run, batches)
        self._is_continued = False
        ctx.console.note(
            f"run {run.run_id}: {counted(len(self._names), 'host')} in"
            f" {counted(len(batches), 'batch')} to {run.server}"
        )
        if options.follow is None:
            # `--max-running` counts in the rows.
            keep_rows = options.limits.max_running is not None
            self._rows = RowStream(
                self._watching.write, ctx.outcome, self._aside, keep_rows=keep_rows
            )

    def _write_rows(self, why: str | None) -> None:
        if not self._is_continued:
            super()._write_rows(why)
            return
        # A continued run's batches may be in another order than the list given now.
        known = {row.host: row for row in run_rows(self._batches, self._run.aside, why)}
        rows = merge_aside(0, [known[name] for name in self._names], self._aside)
        RowStream(self._watching.write, self._ctx.outcome).write(rows)
