"""Which job of the server's list could be the one that a lost reply was about."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sbpam_cli.jobs.job import host_name
from sbpam_cli.journal.records import Batch, Run
from sbpam_cli.models import ScanJob

EARLIER_S = 300.0
"""How long before the send a job may have been made: the clocks' disagreement."""


class Sighting(NamedTuple):
    """A job that holds hosts of one batch alone, and nothing else.

    names: those it holds. most: more than half of the batch; fewer may be
    somebody else's job, or all that the server took. whole: all of the batch.
    """

    job_id: str
    names: frozenset[str]
    most: bool
    whole: bool


@dataclass(slots=True, eq=False, repr=False)
class Reading:
    """What one read of the list showed, for the batches that were looked for.

    began: when the read began, epoch seconds of our clock.
    sightings: by batch number, unclaimed jobs alone.
    blank: unclaimed jobs whose hosts the list does not name.
    claimed: jobs of the journal that it showed. jobs: how many it held.
    """

    began: float
    sightings: dict[int, list[Sighting]] = field(default_factory=dict)
    blank: list[str] = field(default_factory=list)
    claimed: set[str] = field(default_factory=set)
    jobs: int = 0


def read_list(
    jobs: Iterable[ScanJob], batches: Sequence[Batch], claimed: Mapping[str, str], began: float
) -> Reading:
    """Goes through the list once, a job at a time, and keeps what concerns the batches."""
    owner = {name: batch for batch in batches for name in batch.names}
    reading = Reading(began)
    for job in jobs:
        reading.jobs += 1
        if job.job_id in claimed:
            reading.claimed.add(job.job_id)
        elif not job.hosts:
            reading.blank.append(job.job_id)
        elif (found := sight(job, owner)) is not None:
            batch, sighting = found
            reading.sightings.setdefault(batch.number, []).append(sighting)
    return reading


def sight(job: ScanJob, owner: Mapping[str, Batch]) -> tuple[Batch, Sighting] | None:
    """The batch whose hosts a job holds, where it holds nothing else."""
    names = frozenset(host_name(host) for host in job.hosts or ())
    batch = owner.get(next(iter(names), ""))
    if batch is None or any(owner.get(name) is not batch for name in names):
        return None
    held, asked = len(names), len(batch.names)
    return batch, Sighting(job.job_id, names, 2 * held > asked, held == asked)


class Origin(NamedTuple):
    """Who made a job, and from where; None where the server does not tell."""

    creator: str | None
    address: str | None

    def disagrees(self, job: ScanJob) -> bool:
        """Whether the job was surely made by somebody else, or from elsewhere."""
        pairs = ((self.creator, job.created_by), (self.address, job.created_from))
        return any(ours and theirs and ours != theirs for ours, theirs in pairs)


def is_in_time(job: ScanJob, batch: Batch, run: Run, now: float, quiet_s: float) -> bool | None:
    """Whether a job was made when the batch's POST may have made it; None: it does not tell.

    Compared on the server's clock. A batch that was never sent, as far as the
    journal knows, may have been sent at any time since its run began.
    """
    if job.created_at is None:
        return None
    offset_s = batch.clock_offset or 0.0
    sent_at = batch.sent_at if batch.sent_at is not None else run.started
    ended = batch.gave_up_at or batch.deadline
    until = ended + quiet_s if ended is not None else now
    return sent_at - EARLIER_S <= job.created_at - offset_s <= until


def uses_other_account(job: ScanJob, credential_id: str) -> bool:
    """Whether a host of the job is scanned with another service account."""
    return any(
        host.credential_id is not None and host.credential_id != credential_id
        for host in job.hosts or ()
    )


def claims(job: ScanJob, batch: Batch) -> bool:
    """Whether all hosts of a job are of the batch, and it has any."""
    names = {host_name(host) for host in job.hosts or ()}
    return bool(names) and names <= set(batch.names)
