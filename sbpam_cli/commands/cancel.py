"""`sbpam cancel`: asks the server to stop jobs."""

from typing import TYPE_CHECKING

from sbpam_cli.commands import options as known
from sbpam_cli.commands.completing import complete_runs
from sbpam_cli.commands.options import Common, argument, with_common

if TYPE_CHECKING:
    from sbpam_cli.jobs.cancel import CancelRow
    from sbpam_cli.output.context import Context


@with_common
def cancel(
    common: Common,
    names: list[str] = argument(
        ...,
        "A job's UUID, or a run (or the beginning of its id) for all its jobs.",
        "JOB_ID|RUN...",
        autocompletion=complete_runs,
    ),
    yes: bool = known.YES,
    wait: bool = known.WAIT,
    timeout: float | None = known.TIMEOUT,
    interval: float | None = known.INTERVAL,
) -> int:
    """Asks the server to stop jobs; scans that have ended stay as they are.

    Examples:
      sbpam cancel 20261123-031502-7f3a
      sbpam cancel 3f2504e0-4f89-41d3-9a0c-0305e82c3301 --yes --wait
    """
    from sbpam_cli.commands.present import present
    from sbpam_cli.jobs.cancel import CancelOptions, run_cancel
    from sbpam_cli.jobs.watching import following
    from sbpam_cli.output.columns import CANCEL

    options = CancelOptions(
        connection=common.connection(),
        names=names,
        sure=yes,
        wait=wait,
        follow=known.follow_limits(timeout, interval, wait=wait),
    )

    def body(ctx: "Context") -> "list[CancelRow]":
        with following(ctx, prints=False) as progress:
            rows = run_cancel(ctx, options, progress)
        ctx.outcome.next_step = f"`sbpam status {' '.join(names)}` shows what became of them"
        return rows

    return present(common, "cancel", CANCEL, body)
