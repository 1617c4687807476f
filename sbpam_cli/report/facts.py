"""What a page tells of a run, from the journal alone."""

import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from sbpam_cli.errors import UsageError
from sbpam_cli.jobs.rows import batch_rows, merge_aside
from sbpam_cli.journal.journal import open_journal
from sbpam_cli.journal.records import Batch, Run
from sbpam_cli.models import FINISHED, SCHEDULED, HostRow, ScanStatus, sum_status
from sbpam_cli.report.remedies import find_remedy

if TYPE_CHECKING:
    from sbpam_cli.system.services import Services

_GOING = SCHEDULED - FINISHED - {ScanStatus.UNKNOWN}
_NO_TROUBLE = _GOING | {ScanStatus.COMPLETE, ScanStatus.SKIPPED}
_MESSAGES_SHOWN = 3


class Trouble(NamedTuple):
    """Hosts with one failure reason or status, and what to do about it.

    meaning, steps: our own sentences; what is in backquotes is code. messages: the most
    frequent messages of the server about these hosts, with how many hosts have it.
    """

    name: str
    meaning: str
    steps: Sequence[str]
    messages: Sequence[tuple[str, int]]
    rows: Sequence[HostRow]


class RunReport(NamedTuple):
    """A run as one page shows it. Times: epoch seconds, our clock.

    states: of each batch: its job's status, or without a job, the batch's own state.
    seen_from, seen_to: when the server was asked about the hosts, earliest and latest.
    going: hosts whose scans had not ended then. again: the command that schedules those
    that did not succeed. durations_s: of the scans whose times are known, ascending.
    """

    run: Run
    batches: Sequence[Batch]
    states: Sequence[str]
    rows: Sequence[HostRow]
    counts: Mapping[ScanStatus, int]
    troubles: Sequence[Trouble]
    durations_s: Sequence[float]
    seen_from: float | None
    seen_to: float | None
    going: int
    again: str | None
    made_at: float


def report_run(services: "Services", name: str | None) -> RunReport:
    """The run whose id begins so; without a name, the newest. The server is not asked.

    Raises UsageError if there is none, JournalError.
    """
    with closing(open_journal(services)) as journal:
        if name is not None:
            run = journal.find_run(name)
        elif newest := journal.runs(limit=1):
            run = newest[0]
        else:
            raise UsageError("there is no run yet", hint="`sbpam schedule` starts one")
        batches = journal.batches(run.run_id)
    parts = [list(batch_rows(batch)) for batch in batches]
    rows = list(merge_aside(0, (row for part in parts for row in part), run.aside))
    counts = Counter(row.status for row in rows)
    seen = [batch.seen_at for batch in batches if batch.seen_at is not None]
    durations_s = [took_s for row in rows if (took_s := scan_duration_s(row)) is not None]
    return RunReport(
        run,
        batches,
        [_state(batch, part) for batch, part in zip(batches, parts, strict=True)],
        rows,
        counts,
        _find_troubles(rows, run.run_id),
        sorted(durations_s),
        min(seen, default=None),
        max(seen, default=None),
        sum(counts[status] for status in _GOING),
        _again(run, counts),
        services.clock.now(),
    )


def scan_duration_s(row: HostRow) -> float | None:
    """How long the scan took, None if that is not known."""
    if row.started_at is None or row.finished_at is None:
        return None
    took_s = row.finished_at - row.started_at
    # The server's clock may have been set back meanwhile.
    return took_s if took_s >= 0 else None


def _state(batch: Batch, rows: Iterable[HostRow]) -> str:
    return sum_status(None, (row.status for row in rows)) if batch.job_id else batch.state


def _find_troubles(rows: Iterable[HostRow], run_id: str) -> list[Trouble]:
    """What is in doubt first, then the most frequent."""
    found: dict[str, list[HostRow]] = defaultdict(list)
    for row in rows:
        if row.status not in _NO_TROUBLE:
            found[row.failure_reason or row.status].append(row)
    doubt: str = ScanStatus.OUTCOME_UNKNOWN
    troubles = []
    for name in sorted(found, key=lambda name: (name != doubt, -len(found[name]), name)):
        meaning, *steps = find_remedy(name)
        steps = [step.replace("RUN", run_id) for step in steps]
        messages = Counter(row.detail for row in found[name] if row.detail)
        common = messages.most_common(_MESSAGES_SHOWN)
        troubles.append(Trouble(str(name), meaning, steps, common, found[name]))
    return troubles


def _again(run: Run, counts: Counter[ScanStatus]) -> str | None:
    """The command that schedules once more what ended without success."""
    ended = [status for status in ScanStatus if status in FINISHED and counts[status]]
    wanted = ",".join(status.lower() for status in ended if status is not ScanStatus.COMPLETE)
    if not wanted:
        return None
    target = f"--profile {shlex.quote(run.profile)} --server {run.server}"
    schedule = f"sbpam schedule {target} --credential {run.credential_id} -"
    return f"sbpam status {run.run_id} --only {wanted} | {schedule}"
