"""What became of hosts: of a run, of a job, of one host, of all."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sbpam_cli.errors import ExitCode, JournalError, SbpamError, UsageError
from sbpam_cli.models import FINISHED, SCHEDULED, HostRow, JobSummary, ScanJob, ScanStatus, Talk
from sbpam_cli.nps.client import NpsClient
from sbpam_cli.nps.wire import canonical_uuid, sum_status
from sbpam_cli.storage.journal import Journal, open_journal
from sbpam_cli.storage.profiles import ConnectionOptions, Target, resolve_target
from sbpam_cli.storage.records import Batch, Run
from sbpam_cli.work.connection import connect
from sbpam_cli.work.following import (
    POLLS_IN_FLIGHT,
    Followed,
    Follower,
    FollowLimits,
    fetch,
    held_rows,
)
from sbpam_cli.work.matching import match_hosts
from sbpam_cli.work.outcome import Outcome
from sbpam_cli.work.row_stream import batch_rows, merge_aside
from sbpam_cli.work.workers import ThreadWorkers

if TYPE_CHECKING:
    from sbpam_cli.services import Services

_OPENED_FOR_TIMES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusOptions:
    """What `status` was asked to show. `only`: statuses to print; empty for all."""

    connection: ConnectionOptions
    names: Sequence[str] = ()
    every: bool = False
    offline: bool = False
    watch: bool = False
    exit_status: bool = False
    only: frozenset[ScanStatus] = frozenset()
    follow: FollowLimits = field(default_factory=FollowLimits)


@dataclass(slots=True)
class _Section:
    """What one argument stands for: jobs to look at and rows that stand by themselves."""

    followed: list[Followed] = field(default_factory=list)
    run: Run | None = None
    batches: list[Batch] = field(default_factory=list)

    def rows(self) -> Iterable[HostRow]:
        """The rows, in the order asked for, else the server's."""
        if self.run is None:
            return [row for item in self.followed for row in item.rows]
        fresh = {item.first: item.rows for item in self.followed}
        parts = (fresh.get(batch.first) or batch_rows(batch) for batch in self.batches)
        return merge_aside(0, (row for part in parts for row in part), self.run.aside)


def run_status(
    services: "Services",
    options: StatusOptions,
    talk: Talk,
    write: Callable[[Iterable[HostRow]], None],
    progress: Callable[[Sequence[Followed]], None],
    outcome: Outcome,
) -> None:
    """Writes the rows of every argument; without one, of the newest run.

    Raises UsageError for what nobody knows, SbpamError where the server or
    the journal cannot be asked. The scans' own failures are no error here.
    """
    _Status(services, options, talk, progress, outcome).run(write)


def target_of_run(services: "Services", options: ConnectionOptions, run: Run) -> Target:
    """The server of a run. Raises UsageError where option or variable name another."""
    named = (options.profile, options.server)
    if not any(named) and not any(map(services.env, ("SBPAM_PROFILE", "SBPAM_SERVER"))):
        options = replace(options, profile=run.profile, server=run.server)
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
        services: "Services",
        options: StatusOptions,
        talk: Talk,
        progress: Callable[[Sequence[Followed]], None],
        outcome: Outcome,
    ) -> None:
        self._services = services
        self._options = options
        self._talk = talk
        self._progress = progress
        self._outcome = outcome
        self._journal: Journal | None = None
        self._listed: list[ScanJob] | None = None
        self._client: NpsClient | None = None

    def run(self, write: Callable[[Iterable[HostRow]], None]) -> None:
        try:
            sections = self._sections()
            if not self._options.offline:
                self._look(sections)
            rows = self._rows(sections)
            self._finish(sections, rows, write)
        finally:
            if self._journal is not None:
                self._journal.close()

    def _sections(self) -> list[_Section]:
        options = self._options
        if options.every:
            return [self._everything()]
        runs = [self._run_of(name) for name in options.names] or [self._newest_run()]
        known = [run for run in runs if run is not None]
        target = (
            target_of_run(self._services, options.connection, known[0])
            if known
            else resolve_target(self._services, options.connection)
        )
        for run in known[1:]:
            target_of_run(self._services, options.connection, run)
            if run.server != known[0].server:
                raise UsageError("the runs are of several servers", hint="ask for one at a time")
        self._use(target)
        if len(runs) == 1 and known:
            self._outcome.run = known[0].run_id
        names = options.names or [""]
        return [
            self._run_section(run) if run is not None else self._other_section(name, target)
            for run, name in zip(runs, names, strict=True)
        ]

    def _use(self, target: Target) -> None:
        self._outcome.server, self._outcome.profile = target.origin, target.profile
        if not self._options.offline:
            connection = connect(
                self._services, target, self._talk, no_input=self._options.connection.no_input
            )
            self._client = connection.client

    def _run_of(self, name: str) -> Run | None:
        """The run that an argument names; None for a job or a host."""
        if canonical_uuid(name) is not None or "." in name:
            return None
        return self._journal_of().find_run(name)

    def _newest_run(self) -> Run:
        runs = self._journal_of().runs(limit=1)
        if not runs:
            raise UsageError(
                "there is no run yet",
                hint="`sbpam schedule` starts one; `sbpam status --all` asks the server",
            )
        return runs[0]

    def _journal_of(self) -> Journal:
        if self._journal is None:
            self._journal = open_journal(self._services)
        return self._journal

    def _run_section(self, run: Run) -> _Section:
        batches = self._journal_of().batches(run.run_id)
        followed = [
            Followed(batch.job_id, batch.names, list(batch_rows(batch)), batch.first)
            for batch in batches
            if batch.state == "accepted" and batch.job_id is not None
        ]
        return _Section(followed, run, batches)

    def _other_section(self, name: str, target: Target) -> _Section:
        job_id = canonical_uuid(name)
        if job_id is not None:
            return self._job_section(job_id)
        host = name.lower().removesuffix(".")
        found = self._journal_of().newest_batch_of(host, target.server)
        if found is not None:
            run, batch = found
            assert batch.job_id is not None
            rows = [row for row in batch_rows(batch) if row.host == host]
            if self._options.offline:
                rows = [_as_of(row, batch, run) for row in rows]
            return _Section([Followed(batch.job_id, [host], rows)])
        return _Section([self._listed_host(host)])

    def _job_section(self, job_id: str) -> _Section:
        if self._client is not None:
            item = Followed(job_id)
            item.see(self._client.job(job_id))
            return _Section([item])
        found = self._journal_of().batch_of_job(job_id)
        if found is None:
            raise UsageError(
                f"no job {job_id} in the journal", hint="without --offline the server is asked"
            )
        run, batch = found
        rows = [_as_of(row, batch, run) for row in batch_rows(batch)]
        return _Section([Followed(job_id, batch.names, rows)])

    def _listed_host(self, host: str) -> Followed:
        """The newest job of a host on the server. The list has no times, so a few are opened."""
        if self._client is None:
            raise UsageError(
                f"no host {host} in the journal", hint="without --offline the server is asked"
            )
        holding = [job for job in self._jobs() if match_hosts([host], job.hosts or ())]
        if not holding:
            raise UsageError(
                f"neither the journal nor the server knows a scan of {host}",
                hint="`sbpam schedule` starts one",
            )
        newest = holding[-1]
        if len(holding) > 1:
            opened = [self._client.job(job.job_id) for job in holding[-_OPENED_FOR_TIMES:]]
            newest = max(opened, key=lambda job: job.created_at or 0.0)
        item = Followed(newest.job_id, [host])
        item.see(newest)
        return item

    def _jobs(self) -> list[ScanJob]:
        assert self._client is not None
        if self._listed is None:
            self._listed = self._client.jobs()
        return self._listed

    def _everything(self) -> _Section:
        if self._options.offline or self._options.names:
            raise UsageError("--all asks the server, and for everything", hint="leave the rest out")
        self._use(resolve_target(self._services, self._options.connection))
        return _Section(
            [Followed(job.job_id, None, held_rows(job), seen=True) for job in self._jobs()]
        )

    def _look(self, sections: Sequence[_Section]) -> None:
        """Asks the server about the jobs: once, or to their end with `--watch`."""
        assert self._client is not None
        workers = ThreadWorkers(POLLS_IN_FLIGHT, self._services.clock)
        items = [item for section in sections for item in section.followed]
        stale = [item for item in items if not item.seen]
        fetch(self._client, workers, stale)
        if self._options.watch:
            follower = Follower(
                self._services,
                self._client,
                workers,
                self._talk,
                self._options.follow,
                self._progress,
            )
            try:
                follower.follow(items)
            except SbpamError as error:
                self._outcome.errors.append(error)
        self._remember(sections)

    def _remember(self, sections: Sequence[_Section]) -> None:
        """What was seen goes into the journal, for `--offline`; where it cannot, it doesn't."""
        now = self._services.clock.now()
        for section in sections:
            if section.run is None:
                continue
            fresh = {item.first: item.rows for item in section.followed if item.rows}
            seen = [batch for batch in section.batches if batch.first in fresh]
            for batch in seen:
                batch.rows, batch.seen_at = fresh[batch.first], now
            try:
                self._journal_of().record_rows(section.run.run_id, seen)
            except JournalError as error:
                self._talk.warn(f"not remembered: {error.reason or error.message}")
                return

    def _rows(self, sections: Sequence[_Section]) -> list[HostRow]:
        if not self._options.offline:
            return [row for section in sections for row in section.rows()]
        rows: list[HostRow] = []
        for section in sections:
            if section.run is None:
                rows.extend(section.rows())
                continue
            run = section.run
            dated = (_as_of(r, b, run) for b in section.batches for r in batch_rows(b))
            rows.extend(merge_aside(0, dated, run.aside))
        return rows

    def _finish(
        self,
        sections: Sequence[_Section],
        rows: Sequence[HostRow],
        write: Callable[[Iterable[HostRow]], None],
    ) -> None:
        outcome, only = self._outcome, self._options.only
        for _ in outcome.count(rows):
            pass
        write(row for row in rows if not only or row.status in only)
        outcome.jobs = [
            JobSummary(
                item.job_id,
                sum_status(None, (r.status for r in item.rows if r.status in SCHEDULED)),
                len(item.rows),
            )
            for section in sections
            for item in section.followed
        ]
        if self._options.exit_status:
            outcome.code = judge_rows(outcome.counts)


def judge_rows(counts: "dict[ScanStatus, int]") -> ExitCode:
    """`--exit-status`: 8 while anything is going, else 5 in doubt, else 3 not Complete, else 0."""
    found = {status for status, number in counts.items() if number}
    if found & (SCHEDULED - FINISHED):
        return ExitCode.STILL_GOING
    if ScanStatus.OUTCOME_UNKNOWN in found:
        return ExitCode.UNKNOWN_OUTCOME
    if found - {ScanStatus.COMPLETE, ScanStatus.SKIPPED}:
        return ExitCode.PARTIAL
    return ExitCode.DONE


def _as_of(row: HostRow, batch: Batch, run: Run) -> HostRow:
    from datetime import UTC, datetime

    seen_at = batch.seen_at or batch.gave_up_at or run.ended or run.started
    moment = datetime.fromtimestamp(seen_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return row._replace(detail=f"{row.detail}; as of {moment}" if row.detail else f"as of {moment}")
