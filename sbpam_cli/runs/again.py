"""The second press of the up-arrow: the same names, scheduled a short while ago."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sbpam_cli.errors import UsageError
from sbpam_cli.journal.journal import Journal
from sbpam_cli.journal.records import RunCounts, digest_names
from sbpam_cli.wording import counted

if TYPE_CHECKING:
    from sbpam_cli.output.context import Context

_HOUR_S = 3600.0
_HALF_A_DAY_S = 12 * _HOUR_S


def ask_again(ctx: "Context", server: str, journal: Journal, names: Sequence[str]) -> None:
    """Asks, or warns where nobody can be asked. Raises UsageError for a no.

    Recent is what was accepted within an hour, or within 12 with scans not known to have ended.
    """
    now, digest = ctx.services.clock.now(), digest_names(names)
    counts = journal.counts()
    for run in journal.runs():
        if (run.server, run.digest) != (server, digest):
            continue
        batches = journal.batches(run.run_id, with_rows=False)
        # What was accepted in the future is not recent: some clock was wrong.
        times = [at for batch in batches if (at := batch.accepted_at) is not None and at <= now]
        count = counts.get(run.run_id, RunCounts())
        is_going = count.accepted > count.failed + count.complete
        if not count.accepted or now - max(times, default=0.0) > (
            _HALF_A_DAY_S if is_going else _HOUR_S
        ):
            continue
        said = f"already scheduled {_ago(now - max(times))} by run {run.run_id}"
        if not ctx.can_ask:
            ctx.console.warn(said)
        elif not ctx.confirm(f"{said}. Schedule it again?"):
            raise UsageError(
                "not confirmed, nothing was sent",
                hint="--new-run or --yes answers the question; `sbpam status` shows the scans",
            )
        return


def _ago(seconds: float) -> str:
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{counted(minutes, 'minute')} ago" if minutes else "a moment ago"
    return f"{counted(minutes // 60, 'hour')} ago"
