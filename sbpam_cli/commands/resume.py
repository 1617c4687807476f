"""`sbpam resume`: finishes a run that was cut short."""

from sbpam_cli.commands import options as known
from sbpam_cli.commands.options import Common, flag, option, run_argument, with_common


@with_common
def resume(
    common: Common,
    run: str | None = run_argument("the newest unfinished one"),
    accept: str | None = option(None, "This job is the batch that is in doubt.", "JOB_ID"),
    resend: bool = flag("Send again what cannot be decided.", "--resend"),
    send_timeout: float = known.SEND_TIMEOUT,
    settle_after: float = known.SETTLE_AFTER,
    full: bool = known.FULL,
) -> int:
    """Finds out what became of a run's hosts, sends what is left, prints the whole run.

    Examples:
      sbpam resume
      sbpam resume 20261123-031502-7f3a --resend
    """
    from sbpam_cli.commands.present import present
    from sbpam_cli.output.columns import HOSTS
    from sbpam_cli.runs.resume import ResumeOptions, run_resume
    from sbpam_cli.runs.state import SendLimits

    options = ResumeOptions(
        connection=common.connection(),
        run=run,
        accept=accept,
        resend=resend,
        limits=SendLimits(send_timeout_s=send_timeout, settle_after_s=settle_after),
    )
    return present(common, "resume", HOSTS, lambda ctx: run_resume(ctx, options), full=full)
