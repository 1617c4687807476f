"""How a command ends: its errors, its exit code, what its JSON envelope says."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from sbpam_cli.errors import ExitCode, Interrupted, SbpamError
from sbpam_cli.models import SCHEDULED, HostRow, JobSummary, ListTally, Rows, ScanStatus

_PRECEDENCE = (
    ExitCode.USAGE,
    ExitCode.LOCKED,
    ExitCode.SIGN_IN,
    ExitCode.UNKNOWN_OUTCOME,
    ExitCode.UNREACHABLE,
    ExitCode.TIMEOUT,
    # A bug, or rows that are lost: less than doubt, which `resume` must hear of.
    ExitCode.BUG,
    ExitCode.PARTIAL,
)


@dataclass(eq=False, repr=False)
class Outcome:
    """Filled in while a command works, so that an end in the middle is told right too.

    partial: something did not succeed though no error ended the command.
    code: an exit code of its own (`status --exit-status`), where no error is.
    counts: rows printed, by status. verdict: the end in a sentence, for stderr.
    next_step: where the command itself knows best; `{profile}` in it becomes the option.
    has_sent: a POST has begun, so that a bug, or a row that is lost, means doubt.
    rows_lost: called if stdout did not take all.
    """

    server: str | None = None
    profile: str | None = None
    run: str | None = None
    jobs: Sequence[JobSummary] = ()
    errors: list[SbpamError] = field(default_factory=list)
    partial: bool = False
    code: ExitCode | None = None
    counts: Counter[ScanStatus] = field(default_factory=Counter)
    verdict: str | None = None
    next_step: str | None = None
    lists: Sequence[ListTally] = ()
    has_sent: bool = False
    rows_lost: Callable[[], None] = lambda: None

    def count(self, rows: Iterable[HostRow]) -> Collection[HostRow]:
        """Passes rows on and counts them."""
        counted = Rows.of(HostRow, rows if isinstance(rows, Sequence) else list(rows))
        self.counts.update(counted.tally("status"))
        return counted

    @property
    def accepted_some(self) -> bool:
        """Whether any host printed is in a job of the server."""
        return any(self.counts[status] for status in SCHEDULED)

    @property
    def exit_code(self) -> int:
        """Where several apply: the signals, 4, 5, 6, 124, 3, the first that does."""
        for error in self.errors:
            if isinstance(error, Interrupted):
                return 128 + error.signal_number
        codes = {error.exit_code for error in self.errors}
        if self.has_sent and ExitCode.BUG in codes:
            codes.add(ExitCode.UNKNOWN_OUTCOME)
        if self.partial:
            codes.add(ExitCode.PARTIAL)
        own = self.code or ExitCode.DONE
        return next((code for code in _PRECEDENCE if code in codes), own)
