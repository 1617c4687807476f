"""What became of hosts: of a run, of a job, of one host, of all."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from sbpam_cli.errors import ExitCode, Interrupted, JournalError, SbpamError, UsageError
from sbpam_cli.jobs.follow import POLLS_IN_FLIGHT, Follower, FollowLimits, fetch
from sbpam_cli.jobs.job import Followed, summarise
from sbpam_cli.jobs.matching import match_hosts
from sbpam_cli.jobs.rows import RowStream, batch_rows
from sbpam_cli.journal.journal import Journal, open_journal
from sbpam_cli.journal.records import Batch, Run
from sbpam_cli.models import (
    FINISHED,
    SCHEDULED,
    HostRow,
    JobSummary,
    ScanJob,
    ScanStatus,
)
from sbpam_cli.names import canonical_uuid, fold_host
from sbpam_cli.nps.client import NotFoundError, NpsClient
from sbpam_cli.settings.profiles import ConnectionOptions, Target, resolve_target
from sbpam_cli.signin.session import open_site

if TYPE_CHECKING:
    from sbpam_cli.output.context import Context
    from sbpam_cli.system.services import Services

_OPENED_FOR_TIMES = 20


class StatusOptions(NamedTuple):
    """What `status` was asked to show. `only`: statuses to print; empty for all."""

    connection: ConnectionOptions
    names: Sequence[str] = ()
    every: bool = False
    offline: bool = False
    watch: bool = False
    exit_status: bool = False
    only: frozenset[ScanStatus] = frozenset()
    follow: FollowLimits = FollowLimits()


@dataclass(slots=True, eq=False, repr=False)
class _Section:
    """What one argument stands for: a run, or jobs to look at. `host`: still to be looked for."""

    followed: list[Followed] = field(default_factory=list)
    run: Run | None = None
    batches: Iterable[Batch] = ()
    host: str | None = None
    recorded: list[JobSummary] = field(default_factory=list)

    def write(self, put: Callable[[Iterable[HostRow]], None], *, offline: bool) -> None:
        """The rows, in the order asked for, else the server's; a batch at a time."""
        if self.run is None:
            put([row for item in self.followed for row in item.rows])
            return
        told = {item.first: item for item in self.followed}
        rows = RowStream(put, self.run.aside, keep_rows=False)
        for batch in self.batches:
            if batch.first in told:
                batch.rows = told[batch.first].rows
            elif offline:
                batch.rows = dated_rows(batch, self.run)
                if batch.job_id is not None:
                    self.recorded.append(summarise(batch.job_id, None, batch.rows))
            rows.settle(batch)
        rows.finish(())

    def jobs(self) -> list[JobSummary]:
        """The jobs that were looked at, or those of the journal once its rows are written."""
        return [item.summary() for item in self.followed] or self.recorded


def run_status(
    ctx: "Context",
    options: StatusOptions,
    write: Callable[[Iterable[HostRow]], None],
    progress: Callable[[Sequence[Followed]], None],
) -> None:
    """Writes the rows of every argument; without one, of the newest run.

    Where the server fails, the rows are the journal's and the error is in
    `outcome`. Raises UsageError for what nobody knows, SbpamError where the
    journal cannot be read. The scans' own failures are no error here.
    """
    _Status(ctx, options, progress).run(write)


def target_of_run(services: "Services", options: ConnectionOptions, run: Run) -> Target:
    """The server of a run. Raises UsageError where option or variable name another."""
    named = (options.profile, options.server)
    if not any(named) and not any(map(services.env, ("SBPAM_PROFILE", "SBPAM_SERVER"))):
        options = options._replace(profile=run.profile, server=run.server)
    target = resolve_target(services, options)
    if target.origin != run.server:
        raise UsageError(
            f"run {run.run_id} is of {run.server}, not of {target.origin}",
            hint="leave the server out: a run knows its own",
        )
    return target


class _Status:
    def __init__(
        self,
        ctx: "Context",
        options: StatusOptions,
        progress: Callable[[Sequence[Followed]], None],
    ) -> None:
        self._ctx = ctx
        self._services = ctx.services
        self._options = options
        self._talk = ctx.console
        self._progress = progress
        self._outcome = ctx.outcome
        self._opened: Journal | None = None

    def run(self, write: Callable[[Iterable[HostRow]], None]) -> None:
        try:
            sections, target = self._from_journal()
            self._outcome.server, self._outcome.profile = target.origin, target.profile
            if not self._options.offline:
                self._from_server(sections, target)
                self._remember(sections)
            self._finish(sections, write)
        finally:
            if self._opened is not None:
                self._opened.close()

    # What the journal knows.

    def _from_journal(self) -> tuple[list[_Section], Target]:
        """A section for each argument, and the server that they are all about."""
        options = self._options
        if options.every:
            return [], resolve_target(self._services, options.connection)
        runs = [self._run_of(name) for name in options.names] or [self._newest_run()]
        known = [run for run in runs if run is not None]
        if len({run.server for run in known}) > 1:
            raise UsageError("the runs are of several servers", hint="ask for one at a time")
        if len({run.run_id for run in known}) == 1:
            self._outcome.run = known[0].run_id
        if known:
            target = target_of_run(self._services, options.connection, known[0])
        else:
            target = resolve_target(self._services, options.connection)
        names = options.names or [""]
        return [
            self._run_section(run) if run is not None else self._section(name, target)
            for run, name in zip(runs, names, strict=True)
        ], target

    def _run_of(self, name: str) -> Run | None:
        """The run that an argument names; None for a job or a host."""
        if not name:
            raise UsageError("an argument is empty", hint="name a run, a job or a host")
        if canonical_uuid(name) is not None or "." in name:
            return None
        return self._journal().find_run(name)

    def _newest_run(self) -> Run:
        runs = self._journal().runs(limit=1)
        if not runs:
            raise UsageError(
                "there is no run yet",
                hint="`sbpam schedule` starts one; `sbpam status --all` asks the server",
            )
        return runs[0]

    def _journal(self) -> Journal:
        if self._opened is None:
            self._opened = open_journal(self._services)
        return self._opened

    def _run_section(self, run: Run) -> _Section:
        if self._options.offline:
            # One at a time: a run may be of a million hosts.
            return _Section(run=run, batches=self._journal().each_batch(run.run_id))
        batches = self._journal().batches(run.run_id)
        followed = [
            Followed(batch.job_id, batch.names, dated_rows(batch, run), batch.first)
            for batch in batches
            if batch.state == "accepted" and batch.job_id is not None
        ]
        return _Section(followed, run, batches)

    def _section(self, name: str, target: Target) -> _Section:
        """The section of a job or a host."""
        job_id, host = canonical_uuid(name), fold_host(name)
        if job_id is not None:
            found = self._journal().batch_of_job(job_id)
        else:
            found = self._journal().newest_batch_of(host, self._server(target))
        if found is None:
            if self._options.offline:
                raise UsageError(
                    f"no {'job' if job_id else 'host'} {name[:253]} in the journal",
                    hint="without --offline the server is asked",
                )
            return _Section([Followed(job_id)]) if job_id else _Section(host=host)
        run, batch = found
        assert batch.job_id is not None
        rows = dated_rows(batch, run)
        if job_id is None:
            rows = [row for row in rows if row.host == host]
        return _Section([Followed(batch.job_id, None if job_id else [host], rows)])

    def _server(self, target: Target) -> str:
        """The server whose jobs count; offline, where none is named, the newest run's."""
        if target.origin is None and self._options.offline:
            return self._newest_run().server
        return target.server

    # What the server knows.

    def _from_server(self, sections: list[_Section], target: Target) -> None:
        """Asks about all jobs: once, or to their end with `--watch`."""
        options = self._options
        site = open_site(self._ctx, target)
        try:
            if options.watch:
                # Before the display: this may ask a person, or find that nobody answers.
                site.client.version()
                site.session.token()
            self._look(sections, site.client)
        except UsageError:
            raise
        except SbpamError as error:
            self._outcome.errors.append(error)
        except KeyboardInterrupt:
            self._outcome.errors.append(Interrupted("interrupted", signal_number=2))

    def _look(self, sections: list[_Section], client: NpsClient) -> None:
        workers = self._services.workers(POLLS_IN_FLIGHT, self._services.clock)
        sought = [section for section in sections if section.host is not None]
        if self._options.every or sought:
            jobs = client.jobs(list)
            if self._options.every:
                sections.append(_Section([_seen(job, None) for job in jobs]))
            _find_hosts(client, sought, jobs)
        items = [item for section in sections for item in section.followed]
        if not self._options.watch:
            fetch(client, workers, [item for item in items if not item.seen])
        else:
            Follower(
                self._services, client, workers, self._talk, self._options.follow, self._progress
            ).follow(items)

    def _remember(self, sections: Sequence[_Section]) -> None:
        """What was told goes into the journal, for `--offline`; where it cannot, it doesn't."""
        now = self._services.clock.now()
        for section in sections:
            told = {item.first: item.rows for item in section.followed if item.told}
            if section.run is None or not told:
                continue
            seen = [batch for batch in section.batches if batch.first in told]
            for batch in seen:
                batch.rows, batch.seen_at = told[batch.first], now
            try:
                self._journal().record_rows(section.run.run_id, seen)
            except JournalError as error:
                self._talk.warn(f"not remembered: {error.reason or error.message}")
                return

    def _finish(
        self, sections: Sequence[_Section], write: Callable[[Iterable[HostRow]], None]
    ) -> None:
        outcome, only = self._outcome, self._options.only

        def put(rows: Iterable[HostRow]) -> None:
            counted = outcome.count(rows)
            write([row for row in counted if row.status in only] if only else counted)

        for section in sections:
            section.write(put, offline=self._options.offline)
        items = [item for section in sections for item in section.followed]
        outcome.jobs = [job for section in sections for job in section.jobs()]
        if self._options.exit_status:
            # A job whose hosts nobody told stands for itself.
            mute = {item.summary().status for item in items if not item.rows and not item.told}
            outcome.code = judge_statuses(set(outcome.counts) | mute, items)


def _seen(job: ScanJob, names: Sequence[str] | None) -> Followed:
    item = Followed(job.job_id, names)
    item.see(job)
    return item


def _find_hosts(client: NpsClient, sought: Sequence[_Section], jobs: Sequence[ScanJob]) -> None:
    """The newest job of each host that the journal does not know; raises UsageError."""
    hosts = [section.host for section in sought if section.host is not None]
    holding: dict[str, list[ScanJob]] = {host: [] for host in hosts}
    for job in jobs:
        for host in match_hosts(list(holding), job.hosts or ()):
            holding[host].append(job)
    for section, host in zip(sought, hosts, strict=True):
        if not holding[host]:
            raise UsageError(
                f"neither the journal nor the server knows a scan of {host[:253]}",
                hint="`sbpam schedule` starts one",
            )
        section.followed = [_seen(_newest(client, holding[host]), [host])]


def _newest(client: NpsClient, jobs: Sequence[ScanJob]) -> ScanJob:
    """The newest of some jobs of the list. It tells no times, so a few are opened."""
    newest = jobs[-1]
    if len(jobs) > 1:
        latest = 0.0
        for job in jobs[-_OPENED_FOR_TIMES:]:
            try:
                opened = client.job(job.job_id)
            except NotFoundError:
                continue
            if (opened.created_at or 0.0) >= latest:
                newest, latest = opened, opened.created_at or 0.0
    return newest


def judge_statuses(found: set[ScanStatus], followed: Sequence[Followed]) -> ExitCode:
    """`--exit-status`: 8 while anything is going, else 5 in doubt, else 3 not Complete, else 0.

    What nobody can tell any more is not going.
    """
    over = bool(followed) and all(item.is_over for item in followed)
    if not over and found & (SCHEDULED - FINISHED):
        return ExitCode.STILL_GOING
    if ScanStatus.OUTCOME_UNKNOWN in found:
        return ExitCode.UNKNOWN_OUTCOME
    if found - {ScanStatus.COMPLETE, ScanStatus.SKIPPED}:
        return ExitCode.PARTIAL
    return ExitCode.DONE


def dated_rows(batch: Batch, run: Run) -> Sequence[HostRow]:
    """The journal's rows of a batch; `detail` says as of when."""
    from datetime import UTC, datetime

    seen_at = batch.seen_at or batch.gave_up_at or run.ended or run.started
    as_of = f"as of {datetime.fromtimestamp(seen_at, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return [
        row._replace(detail=f"{row.detail}; {as_of}" if row.detail else as_of)
        for row in batch_rows(batch)
    ]
