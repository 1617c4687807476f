"""`sbpam resume`: finishes a run that was cut short."""

from typing import Annotated

from sbpam_cli.commands.options import (
    Common,
    Full,
    SendTimeout,
    SettleAfter,
    flag,
    option,
    run_argument,
    with_common,
)


@with_common
def resume(
    common: Common,
    run: Annotated[str | None, run_argument("the newest unfinished one")] = None,
    accept: Annotated[
        str | None, option("This job is the batch that is in doubt.", "JOB_ID")
    ] = None,
    resend: Annotated[bool, flag("Send again what cannot be decided.", "--resend")] = False,
    send_timeout: SendTimeout = 120.0,
    settle_after: SettleAfter = 180.0,
    full: Full = False,
) -> int:
    """Finds out what became of a run's hosts, sends what is left, prints the whole run.

    Examples:
      sbpam resume
      sbpam resume 20261123-031502-7f3a --resend
    """
    from sbpam_cli.commands.present import present
    from sbpam_cli.output.columns import HOSTS
    from sbpam_cli.runs.resume import ResumeOptions, run_resume
    from sbpam_cli.runs.send import SendLimits

    options = ResumeOptions(
        connection=common.connection(),
        run=run,
        accept=accept,
        resend=resend,
        settle_after_s=settle_after,
        limits=SendLimits(send_timeout_s=send_timeout),
    )
    return present(common, "resume", HOSTS, lambda ctx: run_resume(ctx, options), full=full)
