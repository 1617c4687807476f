"""What a page tells of a run, from the journal alone."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from typing import NamedTuple

from sbpam_cli.jobs.rows import run_rows
from sbpam_cli.jobs.status import find_run
from sbpam_cli.journal.journal import Journal
from sbpam_cli.journal.records import Batch, Run
from sbpam_cli.models import GOING, RESCANNED, HostRow, ScanStatus
from sbpam_cli.output.context import Context
from sbpam_cli.report.remedies import REMEDIES
from sbpam_cli.wording import counted

_GOING = GOING - {ScanStatus.UNKNOWN}
_NO_TROUBLE = _GOING | {ScanStatus.COMPLETE, ScanStatus.SKIPPED}
_MAY_CHANGE = GOING | {ScanStatus.NOT_ACCEPTED}
_MESSAGES_SHOWN = 3
_NAMED_IN_VERDICT = 2


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

    rows: of every host, those with a trouble first, then what is going, then what is done.
    seen_from, seen_to: when the server was asked about the hosts, earliest and latest.
    durations_s: as far as known, ascending.
    """

    run: Run
    batches: Sequence[Batch]
    rows: Sequence[HostRow]
    counts: Mapping[ScanStatus, int]
    troubles: Sequence[Trouble]
    durations_s: Sequence[float]
    seen_from: float | None
    seen_to: float | None
    made_at: float

    @property
    def may_change(self) -> bool:
        """Whether the server may have news of a host."""
        return any(self.counts.get(status) for status in _MAY_CHANGE)

    @property
    def rescan(self) -> str | None:
        """The command that schedules again what ended without success; None if nothing did."""
        wanted = any(self.counts.get(status) for status in RESCANNED)
        return f"sbpam rescan {self.run.run_id}" if wanted else None

    @property
    def verdict(self) -> str:
        """What became of the run, in a sentence."""
        done, total = self.counts.get(ScanStatus.COMPLETE, 0), sum(self.counts.values())
        found = Counter({trouble.name: len(trouble.rows) for trouble in self.troubles})
        others = {
            "skipped": self.counts.get(ScanStatus.SKIPPED, 0),
            "still going": sum(self.counts.get(status, 0) for status in _GOING),
            "with a problem": found.total(),
        }
        parts = [f"{number:,} {words}" for words, number in others.items() if number]
        which = ", ".join(f"{name} {n:,}" for name, n in found.most_common(_NAMED_IN_VERDICT))
        more = " and others" if len(found) > _NAMED_IN_VERDICT else ""
        share = "All" if done == total > 1 else f"{done:,} of"
        text = ", ".join([f"{share} {counted(total, 'host')} scanned", *parts])
        return f"{text}: {which}{more}." if which else f"{text}."


def report_run(ctx: Context, name: str | None = None) -> RunReport:
    """The run whose id begins so; without a name, the newest. The server is not asked.

    Raises UsageError if there is none, JournalError.
    """
    with closing(Journal(ctx.services)) as journal:
        run = find_run(ctx, journal, name)
        batches = journal.batches(run.run_id)
    rows = list(run_rows(batches, run.aside))
    counts = Counter(row.status for row in rows)
    troubles = _find_troubles(rows, run.run_id)
    seen = [batch.seen_at for batch in batches if batch.seen_at is not None]
    well = [row for row in rows if row.status in _NO_TROUBLE]
    return RunReport(
        run,
        batches,
        [row for trouble in troubles for row in trouble.rows]
        + sorted(well, key=lambda row: row.status not in _GOING),
        counts,
        troubles,
        sorted(took_s for row in rows if (took_s := scan_duration_s(row)) is not None),
        min(seen, default=None),
        max(seen, default=None),
        ctx.services.clock.now(),
    )


def scan_duration_s(row: HostRow) -> float | None:
    """How long the scan took, None if that is not known."""
    if row.started_at is None or row.finished_at is None:
        return None
    took_s = row.finished_at - row.started_at
    # The server's clock may have been set back meanwhile.
    return took_s if took_s >= 0 else None


def _find_troubles(rows: Iterable[HostRow], run_id: str) -> list[Trouble]:
    """What is in doubt first, then the most frequent."""
    found: dict[str, list[HostRow]] = defaultdict(list)
    for row in rows:
        if row.status not in _NO_TROUBLE:
            found[row.failure_reason or row.status].append(row)
    doubt: str = ScanStatus.OUTCOME_UNKNOWN
    troubles = []
    for name in sorted(found, key=lambda name: (name != doubt, -len(found[name]), name)):
        meaning, *steps = (step.replace("RUN", run_id) for step in REMEDIES[name])
        messages = Counter(row.detail for row in found[name] if row.detail)
        common = messages.most_common(_MESSAGES_SHOWN)
        troubles.append(Trouble(str(name), meaning, steps, common, found[name]))
    return troubles
