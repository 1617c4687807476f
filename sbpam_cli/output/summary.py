"""How statuses look, and what became of the hosts as far as it fits a screen."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sbpam_cli.models import FINISHED, PROBLEMS, SCHEDULED, ScanStatus
from sbpam_cli.outcome import Outcome
from sbpam_cli.output.console import Console
from sbpam_cli.output.escape import escape_controls
from sbpam_cli.wording import counted

if TYPE_CHECKING:
    from rich.console import OverflowMethod

_JOBS_IN_FULL = 3
_NAMED_HOSTS = 3
_WIDE_ENOUGH, _WRAPPED_LINES = 70, 3
_OTHER_LINES = 9
"""Of a screen: the command, counts, how to see every row, the next step, the prompt."""


_KINDS = {
    "good": ("✓", "+", "green", "Complete Accepted Valid yes"),
    "bad": ("✗", "x", "red", "Failed NotAccepted Rejected Invalid no"),
    "flawed": ("!", "!", "yellow", "CompletedWithErrors"),
    "going": ("●", "*", "cyan", "Running"),
    "waiting": ("○", ".", "dim", "Queued Paused Scheduled Pending"),
    "idle": ("–", "-", "yellow", "Cancelled CompletedNotRun NotSent Skipped"),  # noqa: RUF001
    "unclear": ("?", "?", "magenta", "Unknown OutcomeUnknown"),
}
"""The sign, which says the same as the colour; that of old locales; rich's style; of what."""
_KIND_OF = {status: kind for kind, (*_, of) in _KINDS.items() for status in of.split()}


def status_kind(status: str) -> str:
    """How a host fares: good, bad, flawed, going, waiting, idle or unclear."""
    return _KIND_OF.get(status, "unclear")


def mark_status(status: str, label: str, *, ascii_only: bool) -> tuple[str, str]:
    """`label` behind the sign of a status, and rich's style for it."""
    sign, plain, style, _ = _KINDS[status_kind(status)]
    return f"{plain if ascii_only else sign} {label}", style


def done_of(counts: Mapping[ScanStatus, int]) -> int:
    """How many hosts cannot change any more."""
    return sum(n for s, n in counts.items() if s in FINISHED or s not in SCHEDULED)


def count_words(counts: Mapping[ScanStatus, int]) -> list[tuple[ScanStatus, str]]:
    """Each status that occurs, in the usual order, with `3 Queued`."""
    return [(s, f"{counts[s]:,} {s}") for s in ScanStatus if counts.get(s)]


class HostSummary:
    """What became of hosts, for people: counts, and the problems by reason with their remedies.

    remedies: for each reason its meaning, then what to do; RUN in it is the run's id.
    """

    def __init__(self, remedies: Mapping[str, Sequence[str]]) -> None:
        self._remedies = remedies
        self._problems: Counter[str] = Counter()
        self._hosts: dict[str, list[str]] = {}

    def add(self, rows: Iterable[Any]) -> None:
        for row in rows:
            if row.status in PROBLEMS:
                reason = row.failure_reason or row.status
                self._problems[reason] += 1
                named = self._hosts.setdefault(reason, [])
                if len(named) < _NAMED_HOSTS:
                    named.append(row.host)

    def lines_below(self, outcome: Outcome) -> list[str]:
        """Below a table: counts, the first jobs' ids and how many more, a remedy a reason."""
        if not outcome.counts:
            return []
        lines, jobs = ["", _count_line(outcome)], outcome.jobs
        if jobs:
            ids = ", ".join(job.job_id for job in jobs[:_JOBS_IN_FULL])
            more = len(jobs) - _JOBS_IN_FULL
            lines.append(f"{counted(len(jobs), 'job')}: {ids}{f' and {more:,} more' * (more > 0)}")
        return lines + [
            f"{reason}: {self._remedy(reason, outcome)}"
            for reason, _ in self._problems.most_common()
        ]

    def print(self, console: Console, command: str, outcome: Outcome) -> None:
        """Instead of a table: what fits a screen, and how to see every row."""
        from rich.padding import Padding
        from rich.text import Text

        rich, run = console.rich_stdout, outcome.run
        ascii_only = rich.options.ascii_only
        rich.print(Text(_count_line(outcome) + "\n"))
        room = rich.height - _OTHER_LINES - _WRAPPED_LINES * (rich.width < _WIDE_ENOUGH)
        several, shown = self._problems.most_common(), list[tuple[Text, Padding]]()
        for reason, number in several:
            words = mark_status("Failed", f"{number:,} {reason}", ascii_only=ascii_only)
            remedy = Padding(Text(self._remedy(reason, outcome)), (0, 0, 0, 2))
            lines = 1 + len(rich.render_lines(remedy))
            if shown and lines > room:
                break
            room -= lines
            shown.append((Text(*words), remedy))
        for place, (head, remedy) in enumerate(shown):
            rich.print(head)
            rich.print(remedy)
            if place < room:
                hosts = ", ".join(self._hosts[several[place][0]])
                too_long: OverflowMethod = "crop" if ascii_only else "ellipsis"
                line = Text("  " + escape_controls(hosts), "dim")
                rich.print(line, no_wrap=True, overflow=too_long)
        if rest := several[len(shown) :]:
            hosts_left = counted(sum(number for _, number in rest), "host")
            rich.print(Text(f"and {hosts_left} for {counted(len(rest), 'other reason')}"))
        if run is None or command == "demo":
            rich.print(Text("every row: --full, or -o csv"))
        else:
            rich.print(Text(f"every row: `sbpam status {run} --full`, or -o csv"))
            rich.print(Text(f"a page: `sbpam report {run}`"))

    def _remedy(self, reason: str, outcome: Outcome) -> str:
        return self._remedies[reason][1].replace("RUN", outcome.run or "RUN")


def _count_line(outcome: Outcome) -> str:
    words = ", ".join(text for _, text in count_words(outcome.counts))
    return f"{counted(outcome.counts.total(), 'host')}: {words}"
