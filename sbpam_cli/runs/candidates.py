"""Which jobs of the server's list could be the one that a lost reply was about."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sbpam_cli.jobs.job import host_name, match_hosts, match_job
from sbpam_cli.journal.records import Batch, Run
from sbpam_cli.models import ScanJob, ScanStatus
from sbpam_cli.names import fold_host, is_address, short_host

_HOUR_S = 3600.0
_EARLIER_S = 2 * _HOUR_S
_WITHOUT_JOBS_CLOCK_S = 15 * _HOUR_S
"""A server can write local time as UTC."""
_SHORTLY_BEFORE_S = 300.0


class Names:
    """The batches of one run by the names of their hosts."""

    def __init__(self, batches: Iterable[Batch]) -> None:
        self._exact: dict[str, int] = {}
        self._alike: dict[str, set[int]] = {}
        for batch in batches:
            for name in batch.names:
                self._exact[name] = batch.number
                self._alike.setdefault(short_host(name), set()).add(batch.number)

    def sharing(self, job: ScanJob) -> set[int] | None:
        """The batches that share a host with the job; None if it names none: it may be any's."""
        found: set[int] = set()
        says_names = False
        for host in job.hosts or ():
            for name in (host.dns_host_name, host.name):
                if not name or is_address(name):
                    continue
                says_names, folded = True, fold_host(name)
                # One that is exactly another host of the run is no namesake.
                if folded in self._exact:
                    found.add(self._exact[folded])
                    break
                found |= self._alike.get(short_host(folded), set())
        return found if says_names else None


@dataclass(eq=False, repr=False)
class Doubt:
    """A batch whose job is looked for, and what was listed before its POST.

    whole: that read came to its end. names: of its run. creator: who made another job
    under the sign-in of this POST.
    """

    run: Run
    batch: Batch
    names: Names
    before: frozenset[bytes] = frozenset()
    whole: bool = False
    creator: str | None = None

    def shares(self, job: ScanJob) -> bool:
        sharing = self.names.sharing(job)
        return self.batch.number in sharing if sharing is not None else True


class Times(NamedTuple):
    """When a job was made, judged for what the server's clocks can be.

    now: our clock. quiet_s: how long after its POST a job may still appear.
    jobs_clocks: node id -> how far the clock by which that node dates jobs is ahead of ours.
    """

    now: float
    quiet_s: float
    jobs_clocks: Mapping[str | None, float] = {}

    def _window(self, doubt: Doubt) -> tuple[float, float]:
        batch = doubt.batch
        began = batch.sent_at if batch.sent_at is not None else doubt.run.started
        ended = batch.gave_up_at or batch.deadline
        return began, ended + self.quiet_s if ended is not None else self.now

    def surely(self, job: ScanJob, doubt: Doubt) -> int:
        """-1: surely made before the POST; 1: surely after it; 0: neither, or it does not say."""
        if job.created_at is None:
            return 0
        began, ended = self._window(doubt)
        jobs_s = self.jobs_clocks.get(job.node_id)
        earlier_s = later_s = _WITHOUT_JOBS_CLOCK_S
        offsets = [0.0, doubt.batch.clock_offset or 0.0]
        if jobs_s is not None:
            offsets.append(jobs_s)
            earlier_s, later_s = _EARLIER_S, 0.0
        moments = [job.created_at - offset for offset in offsets]
        if all(moment < began - earlier_s for moment in moments):
            return -1
        # Where absence is never believed, nothing is too late.
        is_later = self.quiet_s and all(moment > ended + later_s for moment in moments)
        return 1 if is_later else 0

    def is_near(self, job: ScanJob, doubt: Doubt) -> bool:
        """Whether it was made about when the POST could make it, by the best clock there is."""
        if job.created_at is None:
            return False
        began, ended = self._window(doubt)
        offset_s = self.jobs_clocks.get(job.node_id, doubt.batch.clock_offset or 0.0)
        return began - _SHORTLY_BEFORE_S <= job.created_at - offset_s <= ended


class Candidate(NamedTuple):
    """A job of the list, opened if it could be, and the batches that it is possible for."""

    job: ScanJob
    opened: bool
    doubts: list[Doubt]


def fits(job: ScanJob, batch: Batch, credential_id: str) -> bool:
    """Whether it holds nothing but the batch's hosts, more than half of them by their names."""
    accounts = {host.credential_id for host in job.hosts or ()}
    if not holds_most(job, batch) or accounts - {None, credential_id}:
        return False
    match = match_job(batch.names, job, unsaid=ScanStatus.UNKNOWN)
    return not match.unasked and not match.nameless


def holds_most(job: ScanJob, batch: Batch) -> bool:
    return 2 * len(match_hosts(batch.names, job.hosts or ())) > len(batch.names)


def may_fill(job: ScanJob, batch: Batch) -> bool:
    """Whether the job lacks hosts of the batch and holds nobody else's: it may come to be it."""
    match = match_job(batch.names, job, unsaid=ScanStatus.UNKNOWN)
    return job.hosts is None or bool(match.missing and not match.unasked)


def content(job: ScanJob) -> tuple[str, frozenset[str]]:
    return job.job_id, frozenset(host_name(host) for host in job.hosts or ())
