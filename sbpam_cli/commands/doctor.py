"""`sbpam doctor`: everything a run needs, for the moment when cron fails and the terminal works."""

from typing import TYPE_CHECKING

from sbpam_cli.commands.options import Common, with_common

if TYPE_CHECKING:
    from sbpam_cli.output.context import Context


@with_common
def doctor(common: Common) -> int:
    """Checks everything a run needs; a line each with the remedy.

    A check is not ok, and the exit code 3, only for what breaks a run now or
    within 14 days; other remedies are advice. Signs in afresh, as cron would:
    run it as the same user with the same environment. Never asks, schedules nothing.

    Examples:
      sbpam doctor
      sbpam doctor --profile nightly -o json
    """
    from sbpam_cli.commands.present import present
    from sbpam_cli.doctor.diagnosis import run_doctor
    from sbpam_cli.output.columns import DOCTOR

    options = common._replace(no_input=True).connection()

    def body(ctx: "Context") -> None:
        for finding in run_doctor(ctx, options):
            ctx.printer.write([finding])
            ctx.outcome.partial = ctx.outcome.partial or finding.ok is False

    return present(common, "doctor", DOCTOR, body)
