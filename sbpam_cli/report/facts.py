"""What one page tells of a run, from the journal alone."""

import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from sbpam_cli.errors import UsageError
from sbpam_cli.jobs.rows import batch_rows, merge_aside
from sbpam_cli.journal.journal import open_journal
from sbpam_cli.journal.records import Batch, Run
from sbpam_cli.models import (
    FINISHED,
    SCHEDULED,
    HostRow,
    ReportedBatch,
    RunReport,
    ScanStatus,
    Trouble,
    sum_status,
)
from sbpam_cli.report.remedies import find_remedy

if TYPE_CHECKING:
    from sbpam_cli.output.context import Context

_GOING = SCHEDULED - FINISHED - {ScanStatus.UNKNOWN}
_NO_TROUBLE = _GOING | {ScanStatus.COMPLETE, ScanStatus.SKIPPED}


def report_run(ctx: "Context", name: str | None) -> RunReport:
    """The run whose id begins so; without a name, the newest. The server is not asked.

    Raises UsageError where there is none, JournalError.
    """
    with closing(open_journal(ctx.services)) as journal:
        if name is None:
            newest = journal.runs(limit=1)
            if not newest:
                raise UsageError("there is no run yet", hint="`sbpam schedule` starts one")
            run = newest[0]
        else:
            run = journal.find_run(name)
        batches = journal.batches(run.run_id)
    return _report(run, batches, ctx.services.clock.now())


def _report(run: Run, batches: Sequence[Batch], now: float) -> RunReport:
    sent = {batch.number: list(batch_rows(batch)) for batch in batches}
    rows = list(merge_aside(0, (row for part in sent.values() for row in part), run.aside))
    counts = Counter(row.status for row in rows)
    troubles = _find_troubles(rows, run.run_id)
    seen = [batch.seen_at for batch in batches if batch.seen_at is not None]
    durations = [
        row.finished_at - row.started_at
        for row in rows
        if row.started_at is not None and row.finished_at is not None
    ]
    return RunReport(
        run_id=run.run_id,
        server=run.server,
        profile=run.profile,
        username=run.username,
        credential_id=run.credential_id,
        started=run.started,
        stopped=run.ended,
        exit_code=run.exit_code,
        made_at=now,
        seen_from=min(seen, default=None),
        seen_to=max(seen, default=None),
        rows=rows,
        counts=counts,
        going=sum(counts[status] for status in _GOING),
        troubles=troubles,
        again=_again(run, counts),
        batches=[_describe(batch, sent[batch.number]) for batch in batches],
        # The server's clock may have been set meanwhile.
        durations=sorted(duration for duration in durations if duration >= 0),
        accepted=_accumulate(
            (
                batch.accepted_at or batch.sent_at or run.started,
                _count_scheduled(sent[batch.number]),
            )
            for batch in batches
            if batch.state == "accepted"
        ),
        ended=_accumulate(
            (ended_at, 1) for batch in batches for ended_at in _ends(batch, sent[batch.number])
        ),
    )


def _find_troubles(rows: Iterable[HostRow], run_id: str) -> list[Trouble]:
    """What is in doubt first, then the most frequent."""
    found: dict[str, list[HostRow]] = defaultdict(list)
    for row in rows:
        if row.status not in _NO_TROUBLE:
            found[row.failure_reason or row.status].append(row)
    doubt: str = ScanStatus.OUTCOME_UNKNOWN
    names = sorted(found, key=lambda name: (name != doubt, -len(found[name]), name))
    troubles = []
    for name in names:
        meaning, steps = find_remedy(name)
        steps = tuple(step.replace("RUN", run_id) for step in steps)
        troubles.append(Trouble(str(name), meaning, steps, found[name]))
    return troubles


def _again(run: Run, counts: Counter[ScanStatus]) -> str | None:
    """The command that schedules once more what ended without success."""
    ended = [status.lower() for status in ScanStatus if status in FINISHED and counts[status]]
    wanted = ",".join(status for status in ended if status != ScanStatus.COMPLETE.lower())
    if not wanted:
        return None
    where = f"--profile {shlex.quote(run.profile)} --server {run.server}"
    schedule = f"sbpam schedule {where} --credential {run.credential_id} -"
    return f"sbpam status {run.run_id} --only {wanted} | {schedule}"


def _describe(batch: Batch, rows: Sequence[HostRow]) -> ReportedBatch:
    statuses = [row.status for row in rows]
    ends = list(_ends(batch, rows))
    return ReportedBatch(
        batch.number,
        len(batch.names),
        batch.state,
        sum_status(None, statuses),
        batch.job_id,
        batch.sent_at,
        batch.accepted_at,
        max(ends) if ends and not _GOING.intersection(statuses) else None,
        batch.reason if batch.state != "accepted" else None,
    )


def _count_scheduled(rows: Iterable[HostRow]) -> int:
    return sum(row.status in SCHEDULED for row in rows)


def _ends(batch: Batch, rows: Iterable[HostRow]) -> Iterable[float]:
    """When scans ended, on our clock."""
    offset_s = batch.clock_offset or 0.0
    return (
        row.finished_at - offset_s
        for row in rows
        if row.status in FINISHED and row.finished_at is not None
    )


def _accumulate(events: Iterable[tuple[float, int]]) -> list[tuple[float, int]]:
    """(when, how many) -> (when, how many until then), in the order of time."""
    total, points = 0, []
    for at, hosts in sorted(events):
        total += hosts
        points.append((at, total))
    return points
