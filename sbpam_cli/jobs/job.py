"""A job's hosts, as the server spells them <-> the hosts that were asked for."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from sbpam_cli.jobs.rows import batch_rows
from sbpam_cli.journal.records import Batch
from sbpam_cli.models import (
    FINISHED,
    GOING,
    PROBLEMS,
    SCHEDULED,
    HostRow,
    JobSummary,
    Rows,
    ScanHost,
    ScanJob,
    ScanStatus,
    sum_status,
)
from sbpam_cli.names import fold_host, short_host

NOT_IN_REPLY = "not in the reply"
SECOND_LOOK_AFTER_S = 8.0
"""A job may still be filling when the reply to its POST is written."""
_NOT_THERE = ScanHost(None, None, ScanStatus.ACCEPTED, detail=NOT_IN_REPLY)
_UNNAMED = "the job does not name this host any more"
_UNTOLD = "the job tells nothing of this host"
_GONE = "the server does not know this job any more"
_WAITING = {ScanStatus.QUEUED, ScanStatus.UNKNOWN}
_FIRST_INTERVAL_S = 2.0
_LOST_S = 60.0
_LOOKS_BELIEVED = 3


class Match(NamedTuple):
    """rows: one per asked name, in order. missing: names that the job does not hold.

    unasked: names in it that nobody asked for. nameless: it holds hosts without a name.
    """

    rows: Rows[HostRow]
    missing: list[str]
    unasked: list[str]
    nameless: bool = False


def host_name(found: ScanHost) -> str:
    """The name of a host that the server holds: its FQDN if it has one, else its name."""
    return fold_host(found.dns_host_name or found.name or "")


def match_hosts(names: Sequence[str], hosts: Iterable[ScanHost]) -> dict[str, ScanHost]:
    """Asked name -> the job's host of that name.

    By `dnsHostName`, else by `name` if it is the FQDN or the first label of
    exactly one asked host; case and a trailing dot don't count.
    """
    asked = set(names)
    labels: dict[str, str | None] = {}
    for name in names:
        label = name.partition(".")[0]
        labels[label] = None if label in labels else name
    found: dict[str, ScanHost] = {}
    for host in hosts:
        own: str | None = host_name(host)
        if own not in asked and host.dns_host_name is None:
            own = labels.get(own or "")
        if own is not None and own in asked:
            found.setdefault(own, host)
    return found


def match_job(names: Sequence[str], job: ScanJob, *, unsaid: ScanStatus) -> Match:
    """The rows of a batch from its job.

    unsaid: the status of hosts about which the server says nothing; without an array, of all.
    Hosts left over on both sides are the same where their first labels agree as Windows cuts
    them; the detail has the server's name then. Missing hosts are Accepted here, with a
    detail: that they are not in the job is believed only after a second look.
    """
    if job.hosts is None:
        return Match(Rows.alike(names, HostRow("", unsaid, job.job_id)), [], [])
    if [*job.hosts.column("dns_host_name")] == names:
        return Match(_rows(names, job.job_id, job.hosts, unsaid), [], [])
    hosts = list(job.hosts)
    found = match_hosts(names, hosts)
    others = _others(hosts, found)
    if others and len(found) < len(names):
        _match_alike(names, others, found)
        others = _others(others, found)
    told = Rows.of(ScanHost, [found.get(name, _NOT_THERE) for name in names])
    spare = [host_name(host) for host in others]
    return Match(
        _rows(names, job.job_id, told, unsaid),
        [name for name in names if name not in found],
        [name for name in spare if name],
        "" in spare,
    )


def _others(hosts: Sequence[ScanHost], found: Mapping[str, ScanHost]) -> list[ScanHost]:
    """The hosts of the job that are none of those found; a name may stand in it twice."""
    used = set(map(id, found.values()))
    held = {*found, *map(host_name, found.values())}
    return [host for host in hosts if id(host) not in used and host_name(host) not in held]


def _match_alike(
    names: Sequence[str], others: Sequence[ScanHost], found: dict[str, ScanHost]
) -> None:
    left: dict[str, list[ScanHost]] = defaultdict(list)
    for host in others:
        left[short_host(host_name(host))].append(host)
    for name in names:
        if name not in found and (alike := left.get(short_host(name))):
            host = alike.pop(0)
            words = f"the server calls it {host_name(host)}"
            found[name] = host._replace(detail=join_words(host.detail, words))


def join_words(detail: str | None, more: str) -> str:
    return f"{detail}; {more}" if detail else more


def _rows(
    names: Sequence[str], job_id: str, hosts: Rows[ScanHost], unsaid: ScanStatus
) -> Rows[HostRow]:
    told = hosts.columns
    own = {"host": names, "status": [one or unsaid for one in told["status"]], "job_id": [job_id]}
    columns = {field: (own if field in own else told)[field] for field in HostRow._fields}
    return Rows(HostRow, columns, len(hosts))


def is_unconfirmed(row: HostRow) -> bool:
    """Whether a reply left this host out, and the job was not read once more."""
    return row.status is ScanStatus.ACCEPTED and (row.detail or "").startswith(NOT_IN_REPLY)


def with_unasked(rows: Sequence[HostRow], unasked: Sequence[str]) -> Sequence[HostRow]:
    """Names in the job that nobody asked for stand with the rows it lacks, else with the first."""
    if not unasked:
        return rows
    more = f" and {len(unasked) - 3} more" if len(unasked) > 3 else ""
    words = f"the reply names {', '.join(unasked[:3])}{more}"
    lacking = {row.host for row in rows if row.detail == NOT_IN_REPLY} or {rows[0].host}
    return [
        row._replace(detail=join_words(row.detail, words)) if row.host in lacking else row
        for row in rows
    ]


@dataclass(eq=False, repr=False)
class FollowedJob:
    """A job whose hosts are looked at, and what is believed of the looks so far.

    names: the hosts that were asked for; None: whatever the job holds.
    rows: as the server last reported them, before that as the journal has them.
    batch: the one whose job it is, if the journal has it in the run that is shown.
    status: what the server says of the whole job, if it says anything.
    seen: the server was asked in this command. told: it reported the hosts.
    gone: it does not know the job. lacking: looks in a row that lacked a host.
    problems: hosts that did not succeed, by reason. printed: hosts whose rows are out.
    due_at, interval_s, failures, unlisted (the list lacks the job): the next look.
    """

    job_id: str
    names: Sequence[str] | None = None
    rows: Rows[HostRow] = field(default_factory=lambda: Rows.of(HostRow, ()))
    batch: Batch | None = None
    status: ScanStatus | None = None
    counts: Counter[ScanStatus] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    printed: set[str] = field(default_factory=set)
    seen: bool = False
    told: bool = False
    gone: bool = False
    lacking: int = 0
    missing_since: float | None = None
    due_at: float = 0.0
    interval_s: float = _FIRST_INTERVAL_S
    failures: int = 0
    unlisted: bool = False

    def __post_init__(self) -> None:
        self._take(self.rows)

    def _take(self, rows: Sequence[HostRow]) -> None:
        self.rows = kept = Rows.of(HostRow, rows)
        self.counts, self.problems = kept.tally("status"), Counter()
        if PROBLEMS.intersection(self.counts):
            told = zip(kept.column("status"), kept.column("failure_reason"), strict=True)
            self.problems.update(why or status for status, why in told if status in PROBLEMS)

    @property
    def is_over(self) -> bool:
        """Whether no host of it can change any more."""
        if self.gone or not self.seen:
            return self.gone
        if not self.rows and not self.told:
            return self.status in FINISHED
        if not GOING.intersection(self.counts):
            return True
        return self.lacking >= _LOOKS_BELIEVED and all(
            row.status not in GOING
            or (row.detail or "").startswith((NOT_IN_REPLY, _UNNAMED, _UNTOLD))
            for row in self.rows
        )

    @property
    def summary(self) -> JobSummary:
        return JobSummary(self.job_id, sum_status(self.status, self.counts), len(self.rows))

    def _is_young(self, now: float) -> bool:
        age_s = now - ((self.batch and self.batch.accepted_at) or 0.0)
        return 0.0 <= age_s < SECOND_LOOK_AFTER_S

    def see(self, job: ScanJob, now: float = math.inf) -> Self:
        """Takes what the server says, at this wall clock; a null array of hosts says nothing."""
        self.seen, self.missing_since = True, None
        self.status = job.status or self.status
        if job.hosts is None:
            if not self.rows and self.names:
                self._take(match_job(self.names, job, unsaid=ScanStatus.UNKNOWN).rows)
            return self
        self.told = True
        if self.names is None:
            self._take(_held_rows(job.job_id, job.hosts))
            lacks = _UNTOLD in self.rows.columns["detail"]
            self.lacking = self.lacking + 1 if lacks else 0
            return self
        match = match_job(self.names, job, unsaid=ScanStatus.UNKNOWN)
        self.lacking = self.lacking + 1 if match.missing else 0
        rows: Sequence[HostRow] = match.rows
        if match.missing:
            before, missing = {row.host: row for row in self.rows}, set(match.missing)
            rows = [
                self._missing_row(r, before.get(r.host), match, now) if r.host in missing else r
                for r in match.rows
            ]
        self._take(rows)
        return self

    def _missing_row(
        self, row: HostRow, before: HostRow | None, match: Match, now: float
    ) -> HostRow:
        """The row of a host that the job lacks now; any part of a reply may be absent.

        One that was never in it is NotAccepted at the second look. What was in
        it stays as it was, and is Unknown after a few looks.
        """
        if before is None or (before.status is ScanStatus.ACCEPTED and before.detail is None):
            return row
        if before.status not in SCHEDULED or is_unconfirmed(before):
            # A host that it holds under an unknown name may be this one; or it is still filling.
            if match.nameless or match.unasked or self._is_young(now):
                return with_unasked([row], match.unasked)[0]
            return row._replace(status=ScanStatus.NOT_ACCEPTED)
        if before.status in FINISHED:
            return before
        lost = self.lacking >= _LOOKS_BELIEVED
        return before._replace(
            status=ScanStatus.UNKNOWN if lost else before.status, detail=_UNNAMED
        )

    def miss(self, now: float, *, believed: bool) -> None:
        """The server does not find the job; unless that is believed, it may pass for a minute.

        After that, what has not ended never will be known.
        """
        self.missing_since = now if self.missing_since is None else self.missing_since
        if not believed and now - self.missing_since < _LOST_S:
            return
        self.gone = self.seen = True
        rows = [
            row._replace(status=ScanStatus.UNKNOWN, detail=_GONE) if row.status in GOING else row
            for row in self.rows
        ]
        self._take(rows)


def _held_rows(job_id: str, hosts: Rows[ScanHost]) -> Sequence[HostRow]:
    told = zip(hosts.column("dns_host_name"), hosts.column("name"), strict=True)
    names = [fold_host(fqdn or name or "") for fqdn, name in told]
    rows = _rows(names, job_id, hosts, ScanStatus.UNKNOWN)
    if all(names):
        return rows
    # A join without host and queue: it says `Queued` for ever.
    return [
        row._replace(detail=_UNTOLD)
        if not row.host and row.status in _WAITING and not any(host._replace(status=None))
        else row
        for row, host in zip(rows, hosts, strict=True)
    ]


def followed_jobs(batches: Iterable[Batch]) -> list[FollowedJob]:
    """The jobs that the server made of batches, as far as they are known."""
    return [
        FollowedJob(batch.job_id, batch.names, batch_rows(batch), batch)
        for batch in batches
        if batch.state == "accepted" and batch.job_id is not None
    ]


def record_looks(jobs: Iterable[FollowedJob], now: float) -> list[Batch]:
    """Gives batches the rows of their jobs; returns those whose hosts the server reported."""
    reported = []
    for job in jobs:
        if job.batch is not None:
            job.batch.rows = job.rows
            if job.told:
                job.batch.seen_at = now
                reported.append(job.batch)
    return reported
