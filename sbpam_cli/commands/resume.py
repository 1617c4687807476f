"""`sbpam resume`: finishes a run that was cut short."""

from typing import Annotated

import typer

from sbpam_cli.commands.app import Common, with_common
from sbpam_cli.commands.completing import complete_runs
from sbpam_cli.commands.durations import parse_duration, positive_duration


@with_common
def resume(
    ctx: typer.Context,
    *,
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            help="A run (or the beginning of its id); without it, the newest unfinished one.",
            show_default=False,
            autocompletion=complete_runs,
        ),
    ] = None,
    accept: Annotated[
        str | None,
        typer.Option(
            metavar="JOB_ID", help="This job is the batch that is in doubt.", show_default=False
        ),
    ] = None,
    resend: Annotated[
        bool, typer.Option("--resend", help="Send again what cannot be decided.")
    ] = False,
    send_timeout: Annotated[
        str, typer.Option(metavar="TIME", help="Limit for one POST, answer included.")
    ] = "2m",
    settle_after: Annotated[
        str,
        typer.Option(metavar="TIME", help="How long until 'no such job' is believed."),
    ] = "3m",
    common: Common,
) -> int:
    """Finds out what became of a run's hosts, sends what is left, prints the whole run."""
    from sbpam_cli.commands.present import present
    from sbpam_cli.commands.schedule import connection_options
    from sbpam_cli.output.columns import HOSTS
    from sbpam_cli.runs.resume import ResumeOptions, run_resume
    from sbpam_cli.runs.send import SendLimits

    options = ResumeOptions(
        connection=connection_options(common),
        run=run,
        accept=accept,
        resend=resend,
        settle_after_s=parse_duration(settle_after, "--settle-after"),
        limits=SendLimits(send_timeout_s=positive_duration(send_timeout, "--send-timeout")),
    )

    return present(ctx.obj, common, "resume", HOSTS, lambda context: run_resume(context, options))
