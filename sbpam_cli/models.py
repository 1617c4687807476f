"""What the program speaks of: hosts, jobs, statuses, tokens, profiles.

Rows are named tuples, and many are kept by their columns: there are a million, and a frozen
dataclass costs five times as much to build. Names and order of the server's enumerations:
vendor's 4.2 pages.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from itertools import repeat
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

Made = TypeVar("Made", bound=tuple[Any, ...])


class ScanStatus(StrEnum):
    """Of a host or a job: the server's `ActionStatus`, then our own."""

    QUEUED = "Queued"
    RUNNING = "Running"
    COMPLETE = "Complete"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    COMPLETED_WITH_ERRORS = "CompletedWithErrors"
    COMPLETED_NOT_RUN = "CompletedNotRun"
    PAUSED = "Paused"
    SCHEDULED = "Scheduled"
    UNKNOWN = "Unknown"
    PENDING = "Pending"

    ACCEPTED = "Accepted"
    NOT_ACCEPTED = "NotAccepted"
    REJECTED = "Rejected"
    OUTCOME_UNKNOWN = "OutcomeUnknown"
    NOT_SENT = "NotSent"
    INVALID = "Invalid"
    VALID = "Valid"
    SKIPPED = "Skipped"

    # `Enum` has one in Python: too slow for a million rows.
    __hash__ = str.__hash__


SERVER_STATUSES: tuple[ScanStatus, ...] = tuple(ScanStatus)[:11]
"""The server's statuses; the index is the integer on the wire (Pending: 10 or -1)."""

FINISHED: frozenset[ScanStatus] = frozenset(
    map(ScanStatus, ("Complete", "CompletedWithErrors", "CompletedNotRun", "Failed", "Cancelled"))
)
"""A scan that has ended. Nothing else ever ends a wait."""

RESCANNED: frozenset[ScanStatus] = FINISHED - {ScanStatus.COMPLETE} | {ScanStatus.NOT_ACCEPTED}
"""What `rescan` schedules again."""

SCHEDULED: frozenset[ScanStatus] = frozenset({*SERVER_STATUSES, ScanStatus.ACCEPTED})
"""The host is in a job of the server."""

GOING: frozenset[ScanStatus] = SCHEDULED - FINISHED
"""The scan may change yet."""

PROBLEMS: frozenset[ScanStatus] = (
    frozenset(ScanStatus) - GOING - {ScanStatus.COMPLETE, ScanStatus.VALID, ScanStatus.SKIPPED}
)
"""What did not succeed: `--only problems`, and what is grouped by reason."""


def sum_status(job_status: ScanStatus | None, hosts: Iterable[ScanStatus | None]) -> ScanStatus:
    """A job's status: what its hosts' statuses add up to, else what it says itself.

    The single-job shape has no status of its own, so both shapes are added up. What is not in
    the job (`NotAccepted`) does not count.
    """
    found = SCHEDULED.intersection(hosts)
    if len(found) < 2:
        return next(iter(found), job_status or ScanStatus.UNKNOWN)
    going = found - FINISHED
    if not going:
        return ScanStatus.COMPLETED_WITH_ERRORS
    if ScanStatus.RUNNING in going or going != found:
        return ScanStatus.RUNNING
    return min(going, key=list(ScanStatus).index)


END_OF_TIME = 253_402_214_400.0
"""A day before the year 10000: what comes later has no date in some time zone."""


class FailureReason(StrEnum):
    """Why a scan failed: the server's `ActionFailureReason`; the order is the wire's integer."""

    NO_ERROR = "NoError"
    UNKNOWN_ERROR = "UnknownError"
    SYSTEM_ERROR = "SystemError"
    ACTION_SERVICE_UNAVAILABLE = "ActionServiceUnavailable"
    ACTION_TIMEOUT = "ActionTimeout"
    ACCESS_DENIED = "AccessDenied"
    USER_ALREADY_MEMBER_OF_GROUP = "UserAlreadyMemberofGroup"
    USER_NOT_MEMBER_OF_GROUP = "UserNotMemberofGroup"
    INVALID_GROUP_NAME = "InvalidGroupName"
    INVALID_USER_NAME = "InvalidUserName"
    INVALID_HOST_NAME = "InvalidHostName"
    FAILED_TO_CONNECT = "FailedToConnect"


class HostRow(NamedTuple):
    """What became of one host: `host` is the name as asked for, lower-cased.

    failure_reason: never `NoError`. The times (epoch seconds on the server's clock) are
    kept in the journal, and printed in no row.
    """

    host: str
    status: ScanStatus
    job_id: str | None = None
    failure_reason: FailureReason | None = None
    os: str | None = None
    ip_address: str | None = None
    version: str | None = None
    detail: str | None = None
    host_id: str | None = None
    started_at: float | None = None
    finished_at: float | None = None


class Rows(Sequence[Made]):
    """Named tuples of one kind, kept a column at a time; one is made when somebody looks at it.

    columns: for each field, in order, a value for each row, or a single one that all have.
    """

    def __init__(self, kind: type[Made], columns: Mapping[str, Sequence[Any]], size: int) -> None:
        self.kind = kind
        self.columns = columns
        self._size = size

    @classmethod
    def of(cls, kind: type[Made], rows: Sequence[Made]) -> "Rows[Made]":
        """These rows; as they are if they are kept so."""
        if isinstance(rows, Rows):
            return rows
        fields: tuple[str, ...] = kind._fields  # type: ignore[attr-defined]
        values = zip(*rows, strict=True) if rows else repeat(())
        return cls(kind, dict(zip(fields, values, strict=False)), len(rows))

    @classmethod
    def joined(cls, parts: "Sequence[Rows[Made]]") -> "Rows[Made]":
        """The rows of one part after the other; at least one."""
        first = parts[0]
        if len(parts) == 1:
            return first
        columns = {f: [v for part in parts for v in part.column(f)] for f in first.columns}
        return cls(first.kind, columns, sum(map(len, parts)))

    @classmethod
    def alike(cls, hosts: Sequence[str], like: Made) -> "Rows[Made]":
        """Rows that differ in their host alone."""
        columns: dict[str, Sequence[Any]]
        columns = {field: [value] for field, value in like._asdict().items()}  # type: ignore[attr-defined]
        return cls(type(like), {**columns, "host": hosts}, len(hosts))

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            parts = {f: c[at] if self._is_full(c) else c for f, c in self.columns.items()}
            return Rows(self.kind, parts, len(range(self._size)[at]))
        at = range(self._size)[at]
        values = (c[at if self._is_full(c) else 0] for c in self.columns.values())
        return tuple.__new__(self.kind, values)

    def __iter__(self) -> Iterator[Made]:
        # Not `_make`, which calls Python's code for each of a million.
        return map(
            partial(tuple.__new__, self.kind), zip(*map(self.column, self.columns), strict=True)
        )

    def _is_full(self, column: Sequence[Any]) -> bool:
        return len(column) == self._size

    def column(self, field: str) -> Iterable[Any]:
        """A value for each row."""
        values = self.columns[field]
        return values if self._is_full(values) else repeat(values[0], self._size)

    def tally(self, field: str) -> Counter[Any]:
        """How often each value of a column occurs."""
        values = self.columns[field]
        return Counter(values if self._is_full(values) else {values[0]: self._size})

    def replace(self, **columns: Sequence[object]) -> "Rows[Made]":
        """The same rows with other columns."""
        return Rows(self.kind, {**self.columns, **columns}, self._size)


class ScanHost(NamedTuple):
    """A host inside a job, as the server tells it, in either of its shapes.

    detail: the server's description where it says more than the status. Times are epoch seconds.
    """

    name: str | None
    dns_host_name: str | None
    status: ScanStatus | None
    failure_reason: FailureReason | None = None
    os: str | None = None
    ip_address: str | None = None
    version: str | None = None
    detail: str | None = None
    host_id: str | None = None
    started_at: float | None = None
    finished_at: float | None = None
    credential_id: str | None = None


class ScanJob(NamedTuple):
    """A host-scan job. `hosts` is None where the server's array was null or absent.

    The last three are known from the single-job call only; created_at: epoch seconds.
    """

    job_id: str
    status: ScanStatus | None
    detail: str | None
    hosts: Rows[ScanHost] | None
    created_at: float | None = None
    created_by: str | None = None
    node_id: str | None = None


class KnownHost(NamedTuple):
    """A computer that the server knows, whether enrolled or from the directory alone.

    name: as the console shows it. last_scan_at: epoch seconds, None if never or not told.
    winrm: None if the server says nothing of it.
    """

    dns_host_name: str | None
    name: str | None
    enrolled: bool
    last_scan_at: float | None = None
    os: str | None = None
    ip_address: str | None = None
    service_account: str | None = None
    winrm: bool | None = None
    distinguished_name: str | None = None


class ServiceAccount(NamedTuple):
    """A service account as the server tells it; the fields are the columns of its row.

    credential_id: None if the server does not manage it: nothing can be scheduled with it.
    """

    credential_id: str | None
    user_name: str | None
    domain: str | None
    display_name: str | None
    resource: str | None
    platform: str | None
    managed_type: str | None

    @property
    def names(self) -> list[str]:
        r"""What it may be called: user name, `DOMAIN\name` and display name."""
        full = f"{self.domain}\\{self.user_name}" if self.domain and self.user_name else None
        return [name for name in (self.user_name, full, self.display_name) if name]


@dataclass(slots=True, eq=False)
class ListTally:
    """What became of every record of one list of hosts.

    source: a path as given, or `stdin`. form: `text csv tsv json ndjson ldif inventory sbpam`.
    column: the title as written, else the number asked for. duplicates: entries that were
    there before, in this list or another, valid or not. nameless: where the first rows
    without a name are. entries: those are places in JSON, not lines. cut_short: the words
    of a directory that gave only a part. unused: a column that seems to choose accounts.
    """

    source: str
    form: str = "text"
    column: str | None = None
    header_line: int | None = None
    hosts: int = 0
    duplicates: int = 0
    without_name: int = 0
    blanks: int = 0
    comments: int = 0
    invalid: int = 0
    nameless: list[int] = field(default_factory=list)
    entries: bool = False
    cut_short: str | None = None
    unused: str | None = None

    def place(self, number: int) -> str:
        """`hosts.csv:17`, `hosts.json: entry 17`."""
        return f"{self.source}{': entry ' if self.entries else ':'}{number}"

    def as_dict(self) -> dict[str, str | int | None]:
        """As the envelope has it; `records` is the sum of the six numbers after it."""
        names = ("hosts", "duplicates", "without_name", "blanks", "comments", "invalid")
        numbers = {name: getattr(self, name) for name in names}
        about = {name: getattr(self, name) for name in ("source", "form", "column", "header_line")}
        return {**about, "records": sum(numbers.values()), **numbers}


class JobSummary(NamedTuple):
    """A job in the `jobs` array of the JSON form; `hosts` is their number."""

    job_id: str
    status: ScanStatus
    hosts: int


Form = Literal["table", "tsv", "csv", "json", "ndjson"]
FORMS: tuple[Form, ...] = ("table", "tsv", "csv", "json", "ndjson")

Method = Literal["password", "application", "token"]
METHODS: tuple[Method, ...] = ("password", "application", "token")


class Token(NamedTuple):
    """A bearer token; both times are epoch seconds on the server's clock.

    expires_at: the JWT's `exp`. received_at: its `iat`, else the clock when it came,
    corrected by the reply's `Date`.
    """

    value: str
    expires_at: float | None = None
    received_at: float | None = None

    def __repr__(self) -> str:
        return f"Token(expires_at={self.expires_at})"


class Profile(NamedTuple):
    """What `config.toml` remembers of a server. No secret is in it."""

    name: str
    server: str | None = None
    method: Method | None = None
    username: str | None = None
    credential: str | None = None
    ca_bundle: str | None = None
    fingerprint: str | None = None
    insecure: bool = False
    client_cert: str | None = None
    client_key: str | None = None
    output: Form | None = None


class Talk(Protocol):
    """Where the layers below the commands say something: stderr, in the end.

    `note` and `warn` are silent with `--quiet`, `alert` is not, `trace` is for `--verbose`. The
    text is one line without markup or secrets; it is sanitised on its way out.
    """

    def note(self, text: str) -> None: ...
    def warn(self, text: str) -> None: ...
    def alert(self, text: str) -> None: ...
    def trace(self, text: str) -> None: ...
