from sbpam_cli.commands.options import flag, with_common
from sbpam_cli.commands.present import Rows
from sbpam_cli.errors import OptionError
from sbpam_cli.output.columns import ASSUMPTIONS, DOCTOR
from sbpam_cli.output.context import Context


@with_common(DOCTOR)
def doctor(
    ctx: Context,
    unattended: bool = flag("Check what cron has: sign in afresh."),
    assumptions: bool = flag("Compare the server with what is assumed of it, for a report."),
) -> Rows:
    """Checks everything a run needs; what is not ok comes first, with its remedy.

    Takes the session that `sbpam login` stored. With --unattended it signs in afresh, as
    cron must: run it as the same user with the same environment. Not ok (exit code 3) is
    only what breaks a run now or within 14 days. Never asks, schedules nothing.

    Examples:
      sbpam doctor
      sbpam doctor --unattended --profile nightly -o json
      sbpam doctor --assumptions > assumptions.tsv
    """
    from sbpam_cli.doctor.assumptions import run_assumptions
    from sbpam_cli.doctor.diagnosis import run_doctor

    if assumptions and unattended:
        raise OptionError("--assumptions and --unattended are two questions", hint="ask one")
    # Nobody is asked, by the keyring neither: cron would not see it.
    ctx.connection = ctx.connection._replace(no_input=True)
    if assumptions:
        ctx.printer.row_set = ASSUMPTIONS
        return run_assumptions(ctx)
    return run_doctor(ctx, unattended=unattended)
