from sbpam_cli.commands import options as known
from sbpam_cli.commands.options import Follow, flag, option, run_argument, with_common
from sbpam_cli.output.columns import HOSTS
from sbpam_cli.output.context import Context


@with_common(HOSTS)
def resume(
    ctx: Context,
    run: str | None = run_argument("the newest unfinished one"),
    accept: list[str] = option([], "This job is a batch that is in doubt.", "JOB_ID"),
    ruled_out: list[str] = option([], "This job is none of them.", "JOB_ID", "--not"),
    resend: bool = flag("Send again what is in doubt and has no possible job."),
    send_timeout: float = known.SEND_TIMEOUT,
    settle_after: float = known.SETTLE_AFTER,
    follow: Follow = None,
) -> None:
    """Looks for what is in doubt of a run, sends what is left, prints the whole run.

    Examples:
      sbpam resume --wait
      sbpam resume 20261123-031502-7f3a --resend
    """
    from sbpam_cli.runs.resume import ResumeOptions, run_resume
    from sbpam_cli.runs.state import SendLimits

    options = ResumeOptions(
        run=run,
        accept=accept,
        ruled_out=ruled_out,
        resend=resend,
        limits=SendLimits(send_timeout_s=send_timeout, settle_after_s=settle_after),
        follow=follow,
    )
    run_resume(ctx, options)
