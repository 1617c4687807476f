"""A run while a command carries it out: what sending and settling share."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from sbpam_cli.errors import SbpamError
from sbpam_cli.jobs.job import followed_jobs, match_job, record_looks, with_unasked
from sbpam_cli.jobs.watching import Watching
from sbpam_cli.journal.journal import Journal
from sbpam_cli.journal.records import Batch, Run
from sbpam_cli.models import HostRow, Rows, ScanJob, ScanStatus
from sbpam_cli.output.context import Context
from sbpam_cli.signin.session import Site
from sbpam_cli.system.signals import Interruption
from sbpam_cli.wording import counted, duration_words


class SendLimits(NamedTuple):
    """How a run is sent.

    parallel: POSTs in flight. send_timeout_s: the whole of one. fail_fast: stop at the first
    failure. max_running: no batch starts while as many hosts are unfinished.
    settle_after_s: how long before absence is believed; 0: never.
    """

    parallel: int = 4
    send_timeout_s: float = 120.0
    fail_fast: bool = False
    max_running: int | None = None
    settle_after_s: float = 180.0


@dataclass(eq=False, repr=False)
class RunState:
    """batches: those that were split are replaced by their halves.

    settled: called with each batch whose rows are final. stopped: what ended it early.
    ruled_out: jobs that are nobody's here. list_before: the newest read of the list of jobs
    that has ended, as the journal numbers them. began, given_up (by batch number): monotonic.
    session: this sign-in.
    """

    ctx: Context
    site: Site
    journal: Journal
    run: Run
    batches: list[Batch]
    interruption: Interruption
    limits: SendLimits
    watching: Watching
    settled: Callable[[Batch], None] = lambda _: None
    stopped: SbpamError | None = None
    ruled_out: Collection[str] = ()
    list_before: int | None = None
    given_up: dict[int, float] = field(default_factory=dict)
    _pace_from: tuple[float, int] | None = None

    def __post_init__(self) -> None:
        services = self.ctx.services
        self.began = services.clock.monotonic()
        self.session = f"{services.random.getrandbits(64):016x}"

    def show_sent(self) -> None:
        """How far sending is; the pace is that of this command."""
        if not self.watching.live.is_due:
            return
        open_hosts = sum(len(b.names) for b in self.batches if b.state in ("planned", "sending"))
        hosts = sum(len(batch.names) for batch in self.batches)
        sent = sum(batch.state not in ("planned", "sending") for batch in self.batches)
        words = f"sent {sent:,} of {counted(len(self.batches), 'batch')}"
        words += f", {hosts - open_hosts:,} of {counted(hosts, 'host')}"
        now = self.ctx.services.clock.monotonic()
        self._pace_from = began, open_then = self._pace_from or (now, open_hosts)
        if open_then > open_hosts > 0:
            left_s = (now - began) * open_hosts / (open_then - open_hosts)
            words += f", about {duration_words(left_s)} left"
        self.watching.live.update(words)

    def has(self, *states: str) -> bool:
        return any(batch.state in states for batch in self.batches)

    def keep_list(self, ids: Iterable[bytes], *, whole: bool) -> None:
        """A read of the list of jobs has ended: later POSTs refer to it. Raises JournalError."""
        self.list_before = self.journal.record_list(self.run.server, ids, whole=whole)

    def take_job(self, batch: Batch, job: ScanJob, rows: Rows[HostRow] | None = None) -> None:
        """The batch is in this job, as a reply told it."""
        batch.state, batch.job_id, batch.reason, batch.possible = "accepted", job.job_id, None, ()
        batch.seen_at = batch.accepted_at = self.ctx.services.clock.now()
        batch.rows = rows or rows_told(batch, job)

    def look_again(self, batch: Batch, job: ScanJob) -> list[Batch]:
        """What its job lacks once more was not accepted; the batch, if that told of hosts."""
        [followed] = followed_jobs([batch])
        return record_looks([followed.see(job)], self.ctx.services.clock.now())

    def record(self, *batches: Batch) -> None:
        """What became of some batches, in one commit. Raises JournalError."""
        if batches:
            self.journal.record_batches(batches)


def rows_told(batch: Batch, job: ScanJob) -> Rows[HostRow]:
    """What a reply says of the batch's hosts."""
    match = match_job(batch.names, job, unsaid=ScanStatus.ACCEPTED)
    return Rows.of(HostRow, with_unasked(match.rows, match.unasked))
