"""How statuses look, and what became of the hosts in two lines."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sbpam_cli.models import FINISHED, SCHEDULED, JobSummary, ScanStatus
from sbpam_cli.wording import counted

_JOBS_IN_FULL = 3


class _Kind(NamedTuple):
    """sign: says the same as the colour. ascii: instead of it in old locales. style: rich's."""

    sign: str
    ascii: str
    style: str
    statuses: str


_KINDS = {
    "good": _Kind("✓", "+", "green", "Complete Accepted Valid yes"),
    "bad": _Kind("✗", "x", "red", "Failed NotAccepted Rejected Invalid no"),
    "flawed": _Kind("!", "!", "yellow", "CompletedWithErrors"),
    "going": _Kind("●", "*", "cyan", "Running"),
    "waiting": _Kind("○", ".", "dim", "Queued Paused Scheduled Pending"),
    "idle": _Kind("–", "-", "yellow", "Cancelled CompletedNotRun NotSent Skipped"),  # noqa: RUF001
    "unclear": _Kind("?", "?", "magenta", "Unknown OutcomeUnknown"),
}
_KIND_OF = {status: kind for kind, look in _KINDS.items() for status in look.statuses.split()}


def status_kind(status: str) -> str:
    """How a host fares: good, bad, flawed, going, waiting, idle or unclear."""
    return _KIND_OF.get(status, "unclear")


def mark_status(status: str, label: str, *, ascii_only: bool) -> tuple[str, str]:
    """`label` behind the sign of a status, and rich's style for it."""
    kind = _KINDS[status_kind(status)]
    return f"{kind.ascii if ascii_only else kind.sign} {label}", kind.style


def done_of(counts: Mapping[ScanStatus, int]) -> int:
    """How many hosts cannot change any more."""
    return sum(n for s, n in counts.items() if s in FINISHED or s not in SCHEDULED)


def count_words(counts: Mapping[ScanStatus, int]) -> list[tuple[ScanStatus, str]]:
    """Each status that occurs, in the usual order, with `3 Queued`."""
    return [(s, f"{counts[s]:,} {s}") for s in ScanStatus if counts.get(s)]


def host_summary(counts: Mapping[ScanStatus, int], jobs: Sequence[JobSummary]) -> list[str]:
    """Counts by status, then the jobs' ids: the first three and how many more; below a table."""
    words = ", ".join(text for _, text in count_words(counts))
    lines = ["", f"{counted(sum(counts.values()), 'host')}: {words}"]
    if jobs:
        ids = ", ".join(job.job_id for job in jobs[:_JOBS_IN_FULL])
        more = len(jobs) - _JOBS_IN_FULL
        lines.append(f"{counted(len(jobs), 'job')}: {ids}{f' and {more:,} more' * (more > 0)}")
    return lines
