"""What became of hosts: of a run, of a job, of one host, of all."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import NamedTuple

from sbpam_cli.errors import ExitCode, JournalError, SbpamError, UsageError
from sbpam_cli.jobs.follow import Follower, FollowLimits
from sbpam_cli.jobs.job import FollowedJob, followed_jobs, join_words, match_hosts, record_looks
from sbpam_cli.jobs.rows import RowStream, batch_rows
from sbpam_cli.jobs.watching import Watching, following
from sbpam_cli.journal.journal import Journal
from sbpam_cli.journal.records import Batch, Run
from sbpam_cli.models import GOING, HostRow, Rows, ScanJob, ScanStatus
from sbpam_cli.names import canonical_uuid, fold_host
from sbpam_cli.nps.client import NpsClient
from sbpam_cli.output.context import Context
from sbpam_cli.settings.profiles import Target, resolve_target
from sbpam_cli.signin.session import Site, find_target, names_server
from sbpam_cli.wording import counted, utc

_OPENED_FOR_TIMES = 20
_NAMED_AGAIN = 3


class StatusOptions(NamedTuple):
    """What `status` was asked to show.

    only: statuses to print; empty for all. prints: False for no rows.
    """

    names: Sequence[str] = ()
    every: bool = False
    offline: bool = False
    exit_status: bool = False
    only: frozenset[ScanStatus] = frozenset()
    follow: FollowLimits | None = None
    prints: bool = True


def run_status(ctx: Context, options: StatusOptions) -> None:
    """Writes the rows of every argument; without one, of the newest run.

    If the server fails, the rows are the journal's and the error is in `outcome`. Raises
    UsageError for what nobody knows, SbpamError if the journal cannot be read.
    """
    with (
        following(ctx, options.only, prints=options.prints) as watching,
        closing(Journal(ctx.services)) as journal,
    ):
        _Status(ctx, options, journal, watching).run()


def find_run(ctx: Context, journal: Journal, name: str | None = None) -> Run:
    """The run whose id begins so; without a name the newest, of the named server if one is named.

    Raises UsageError if there is none.
    """
    if name is not None:
        return journal.find_run(name)
    runs, where = journal.runs(), ""
    if names_server(ctx):
        origin = resolve_target(ctx.services, ctx.connection).origin
        runs = [run for run in runs if run.server == origin]
        where = f" of {origin}"
    if not runs:
        raise UsageError(
            f"there is no run{where} yet",
            hint="`sbpam schedule` starts one; `sbpam status --all` asks the server",
        )
    return journal.find_run(runs[0].run_id)


class _Status:
    """One `status`. parts: what each argument stands for; a host that only the server may know.

    batches: of the runs that the server is asked about; of others, they are read one at a time.
    """

    def __init__(
        self, ctx: Context, options: StatusOptions, journal: Journal, watching: Watching
    ) -> None:
        self._ctx = ctx
        self._options = options
        self._journal = journal
        self._watching = watching
        self._parts: list[Run | FollowedJob | str] = []
        self._batches: dict[str, list[Batch]] = {}
        self._jobs: list[FollowedJob] = []

    def run(self) -> None:
        target = self._read_journal()
        if not self._options.offline:
            try:
                self._ask_server(Site(self._ctx, target))
            except UsageError:
                raise
            except SbpamError as error:
                self._ctx.outcome.errors.append(error)
            self._record()
        self._write()

    def _read_journal(self) -> Target:
        """Finds what each argument stands for; returns the server that they are all about."""
        ctx, options = self._ctx, self._options
        target = find_target(ctx)
        if options.every:
            return target
        runs = [
            None if canonical_uuid(name) or "." in name else self._journal.find_run(name)
            for name in options.names
        ]
        runs = runs or [find_run(ctx, self._journal)]
        known = {run.run_id: run for run in runs if run is not None}
        if len({run.server for run in known.values()}) > 1:
            raise UsageError("the runs are of several servers", hint="ask for one at a time")
        self._ctx.outcome.run = next(iter(known)) if len(known) == 1 else None
        for run in known.values():
            target = find_target(ctx, run)
        for found, name in zip(runs, options.names or [""], strict=True):
            self._parts.append(found or self._job_or_host(name, target))
            if found is not None and not options.offline and found.run_id not in self._batches:
                batches = self._batches[found.run_id] = list(_dated_batches(self._journal, found))
                self._jobs += followed_jobs(batches)
        return target

    def _job_or_host(self, name: str, target: Target) -> FollowedJob | str:
        job_id, host, offline = canonical_uuid(name), fold_host(name), self._options.offline
        if job_id is not None:
            found = self._journal.batch_of_job(job_id)
        else:
            # Offline, if no server is named, the newest run's is meant.
            server = target.origin if offline else target.server
            server = server or find_run(self._ctx, self._journal).server
            found = self._journal.newest_batch_of(host, server)
        if found is None and offline:
            raise UsageError(
                f"no {'job' if job_id else 'host'} {name[:253]} in the journal",
                hint="without --offline the server is asked",
            )
        if found is not None:
            run, batch = found
            rows = [row for row in dated_rows(batch, run) if job_id or row.host == host]
            names = None if job_id else [host]
            job = FollowedJob(batch.job_id or "", names, Rows.of(HostRow, rows))
        elif job_id is not None:
            job = FollowedJob(job_id)
        else:
            return host
        self._jobs.append(job)
        return job

    def _ask_server(self, site: Site) -> None:
        """Asks about all jobs: once, or to their end with `--watch`."""
        options, client = self._options, site.client
        if options.follow is not None:
            # Before the display: this may ask a person, or find that nobody answers.
            client.version()
            site.session.token()
        hosts = [part for part in self._parts if isinstance(part, str)]
        if options.every or hosts:
            listed = client.jobs(lambda jobs: list(self._watching.count(jobs)))
            found = _find_hosts(client, hosts, listed)
            self._parts = [found[part] if isinstance(part, str) else part for part in self._parts]
            self._jobs += found.values()
            if options.every:
                self._jobs = [FollowedJob(job.job_id).see(job) for job in listed]
                self._parts = [*self._jobs]
        again = " ".join(["sbpam status", *options.names[:_NAMED_AGAIN], "--watch"])
        limits = options.follow or FollowLimits()
        follower = Follower(self._ctx, site, again, limits, self._watching)
        if options.follow is not None:
            follower.follow(self._jobs)
        else:
            follower.look_once(self._jobs)

    def _record(self) -> None:
        """What was reported goes into the journal, for `--offline`; if it cannot, it doesn't."""
        seen = record_looks(self._jobs, self._ctx.services.clock.now())
        try:
            if seen:
                self._journal.record_rows(seen)
        except JournalError as error:
            self._ctx.console.warn(f"not recorded: {error.reason or error.message}")

    def _write(self) -> None:
        outcome, write = self._ctx.outcome, self._watching.write
        summaries = [job.summary for job in self._jobs]
        for part in self._parts:
            if isinstance(part, Run):
                keep_rows = not self._options.offline
                stream = RowStream(write, outcome, part.aside, keep_rows=keep_rows)
                batches = self._batches.get(part.run_id)
                for batch in batches or _dated_batches(self._journal, part):
                    if self._options.offline:
                        summaries += [job.summary for job in followed_jobs([batch])]
                    stream.settle(batch)
                stream.finish()
            elif isinstance(part, FollowedJob):
                RowStream(write, outcome).write(part.rows)
        outcome.jobs = summaries
        if mute := sum(job.seen and not job.rows for job in self._jobs):
            self._ctx.console.note(f"the server reports no hosts of {counted(mute, 'job')}")
        if self._options.exit_status:
            # A job whose hosts nobody told stands for itself.
            own = {job.summary.status for job in self._jobs if not job.rows and not job.told}
            outcome.code = judge_statuses(set(outcome.counts) | own, self._jobs)


def _find_hosts(
    client: NpsClient, hosts: Sequence[str], jobs: Sequence[ScanJob]
) -> dict[str, FollowedJob]:
    """The newest job of each host that the journal does not know; raises UsageError."""
    holding: dict[str, list[ScanJob]] = {host: [] for host in hosts}
    for job in jobs if hosts else ():
        for host in match_hosts(hosts, job.hosts or ()):
            holding[host].append(job)
    found = {}
    for host, several in holding.items():
        if not several:
            raise UsageError(
                f"neither the journal nor the server knows a scan of {host[:253]}",
                hint="`sbpam schedule` starts one",
            )
        if len(several) > 1:
            # The list tells no times.
            several = [client.job(job.job_id) for job in several[-_OPENED_FOR_TIMES:]]
        newest = max(reversed(several), key=lambda job: job.created_at or 0.0)
        found[host] = FollowedJob(newest.job_id, [host]).see(newest)
    return found


def judge_statuses(found: set[ScanStatus], jobs: Sequence[FollowedJob]) -> ExitCode:
    """`--exit-status`: 8 while anything is going, else 5 in doubt, else 3 not Complete, else 0.

    What nobody can tell any more is not going.
    """
    over = bool(jobs) and all(job.is_over for job in jobs)
    if not over and found & GOING:
        return ExitCode.STILL_GOING
    if ScanStatus.OUTCOME_UNKNOWN in found:
        return ExitCode.UNKNOWN_OUTCOME
    if found - {ScanStatus.COMPLETE, ScanStatus.SKIPPED}:
        return ExitCode.PARTIAL
    return ExitCode.DONE


def _dated_batches(journal: Journal, run: Run) -> Iterator[Batch]:
    for batch in journal.each_batch(run.run_id):
        batch.rows = dated_rows(batch, run)
        yield batch


def dated_rows(batch: Batch, run: Run) -> Rows[HostRow]:
    """The journal's rows of a batch; `detail` says as of when."""
    seen_at = batch.seen_at or batch.gave_up_at or run.ended or run.started
    as_of = f"as of {utc(seen_at)}"
    rows = batch_rows(batch)
    return rows.replace(detail=[join_words(one, as_of) for one in rows.columns["detail"]])
