"""A job whose hosts are looked at, and what is believed of one look."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sbpam_cli.jobs.matching import (
    NOT_IN_REPLY,
    Match,
    host_name,
    is_unconfirmed,
    make_rows,
    match_job,
)
from sbpam_cli.models import (
    FINISHED,
    SCHEDULED,
    HostRow,
    JobSummary,
    ScanJob,
    ScanStatus,
    sum_status,
)

_FIRST_INTERVAL_S = 2.0
_LOST_S = 60.0
_LOOKS_BELIEVED = 3
_GONE = "the server does not know this job any more"
_UNNAMED = "the job does not name this host any more"
_GOING = SCHEDULED - FINISHED


@dataclass(eq=False, repr=False)
class Followed:
    """A job whose hosts are looked at.

    names: the hosts that were asked for, None for whatever the job holds.
    rows: as the server last told them, before that as the journal has them.
    first: where they stand among the names of their run.
    status: what the server says of the whole job, where it says anything.
    seen: the server was asked in this command. gone: it does not know the job.
    told: it told of the hosts. failures: polls of it that failed in a row.
    lacking: looks in a row that lacked a host. unlisted: the list lacks the job.
    missing_since: since when it is not found.
    """

    job_id: str
    names: Sequence[str] | None = None
    rows: Sequence[HostRow] = field(default_factory=list)
    first: int = 0
    status: ScanStatus | None = None
    gone: bool = False
    seen: bool = False
    told: bool = False
    due_at: float = 0.0
    interval_s: float = _FIRST_INTERVAL_S
    failures: int = 0
    lacking: int = 0
    unlisted: bool = False
    missing_since: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether no host of it can change any more."""
        if self.gone or not self.seen:
            return self.gone
        if not self.rows and not self.told:
            return self.status in FINISHED
        if not any(row.status in _GOING for row in self.rows):
            return True
        return self.lacking >= _LOOKS_BELIEVED and all(
            row.status not in _GOING or (row.detail or "").startswith((NOT_IN_REPLY, _UNNAMED))
            for row in self.rows
        )

    def see(self, job: ScanJob) -> None:
        """Takes what the server says now; a null array of hosts says nothing."""
        self.seen, self.missing_since = True, None
        self.status = job.status or self.status
        if job.hosts is None:
            if not self.rows and self.names:
                self.rows = [HostRow(name, ScanStatus.UNKNOWN, self.job_id) for name in self.names]
            return
        self.told = True
        if self.names is None:
            self.rows = held_rows(job)
            return
        match = match_job(self.names, job, unsaid=ScanStatus.UNKNOWN)
        self.lacking = self.lacking + 1 if match.missing else 0
        before = {row.host: row for row in self.rows} if match.missing else {}
        missing = set(match.missing)
        self.rows = (
            [
                self._missing_row(row, before.get(row.host), match) if row.host in missing else row
                for row in match.rows
            ]
            if missing
            else match.rows
        )

    def _missing_row(self, row: HostRow, before: HostRow | None, match: Match) -> HostRow:
        """The row of a host that the job lacks now; any part of a reply may be absent.

        One that was never in it is NotAccepted at the second look. What was in
        it stays as it was, and is Unknown after a few looks.
        """
        if before is None or (before.status is ScanStatus.ACCEPTED and before.detail is None):
            return row
        if before.status not in SCHEDULED or is_unconfirmed(before):
            return row if match.nameless else row._replace(status=ScanStatus.NOT_ACCEPTED)
        if before.status in FINISHED:
            return before
        lost = self.lacking >= _LOOKS_BELIEVED
        return before._replace(
            status=ScanStatus.UNKNOWN if lost else before.status, detail=_UNNAMED
        )

    def miss(self, now: float) -> None:
        """The server does not find the job: for a minute that may pass."""
        self.missing_since = now if self.missing_since is None else self.missing_since
        if now - self.missing_since >= _LOST_S:
            self.lose()

    def lose(self) -> None:
        """The server does not know the job: what has not ended never will be known."""
        self.gone = self.seen = True
        self.rows = [
            row
            if row.status in FINISHED or row.status not in SCHEDULED
            else row._replace(status=ScanStatus.UNKNOWN, detail=_GONE)
            for row in self.rows
        ]

    def summary(self) -> JobSummary:
        """The job in a line."""
        return summarise(self.job_id, self.status, self.rows)


def summarise(job_id: str, status: ScanStatus | None, rows: Sequence[HostRow]) -> JobSummary:
    """A job in a line; status: what the server says of the whole, where it says anything."""
    statuses = {row.status for row in rows} & SCHEDULED
    return JobSummary(job_id, sum_status(status, statuses), len(rows))


def held_rows(job: ScanJob) -> Sequence[HostRow]:
    """Every host that the server holds in a job."""
    hosts = job.hosts or ()
    return make_rows([*map(host_name, hosts)], job.job_id, hosts, ScanStatus.UNKNOWN)
