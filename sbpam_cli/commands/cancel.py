"""`sbpam cancel`: asks the server to stop jobs."""

from typing import TYPE_CHECKING, Annotated

import typer

from sbpam_cli.commands.app import Common, with_common
from sbpam_cli.commands.completing import complete_runs
from sbpam_cli.commands.durations import read_limits

if TYPE_CHECKING:
    from sbpam_cli.output.context import Context


@with_common
def cancel(
    ctx: typer.Context,
    *,
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="JOB_ID|RUN...",
            help="A job's UUID, or a run (or the beginning of its id) for all its jobs.",
            autocompletion=complete_runs,
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the jobs to their end.")] = False,
    timeout: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="With --wait: follow at most so long.", show_default=False
        ),
    ] = None,
    common: Common,
) -> int:
    """Asks the server to stop jobs; scans that have ended stay as they are.

    A job's row says `asked to stop` (with --wait how it ended), `unknown`,
    `refused`, `no answer`, or `not asked`.
    """
    from sbpam_cli.commands.present import present
    from sbpam_cli.commands.schedule import connection_options
    from sbpam_cli.jobs.cancel import CancelOptions, run_cancel
    from sbpam_cli.jobs.display import following
    from sbpam_cli.output.columns import CANCEL

    options = CancelOptions(
        connection=connection_options(common),
        names=names,
        sure=yes,
        wait=wait,
        follow=read_limits(timeout, None, follows=wait, by="--wait"),
    )

    def body(context: "Context") -> None:
        with following(context, prints=False) as progress:
            rows = run_cancel(context, options, progress)
        context.printer.write(rows)
        context.outcome.next_step = f"`sbpam status {' '.join(names)}` shows what became of them"

    return present(ctx.obj, common, "cancel", CANCEL, body)
