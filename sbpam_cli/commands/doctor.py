"""`sbpam doctor`: what a person has, what cron has, and what is assumed of the server."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sbpam_cli.commands.options import Common, flag, with_common
from sbpam_cli.errors import OptionError

if TYPE_CHECKING:
    from sbpam_cli.output.columns import Row
    from sbpam_cli.output.context import Context


@with_common
def doctor(
    common: Common,
    unattended: bool = flag("Check what cron has: sign in afresh.", "--unattended"),
    assumptions: bool = flag(
        "Compare the server with what is assumed of it, for a report.", "--assumptions"
    ),
) -> int:
    """Checks everything a run needs; what is not ok comes first, with its remedy.

    Takes the session that `sbpam login` stored. With --unattended it signs in afresh, as
    cron must: run it as the same user with the same environment. Not ok (exit code 3) is
    only what breaks a run now or within 14 days. Never asks, schedules nothing.

    Examples:
      sbpam doctor
      sbpam doctor --unattended --profile nightly -o json
      sbpam doctor --assumptions > assumptions.tsv
    """
    from sbpam_cli.commands.present import present
    from sbpam_cli.doctor.diagnosis import run_doctor
    from sbpam_cli.output.columns import ASSUMPTIONS, DOCTOR

    if assumptions and unattended:
        raise OptionError("--assumptions and --unattended are two questions", hint="ask one")
    options = common._replace(no_input=True).connection()

    def body(ctx: "Context") -> "Iterable[Row]":
        if assumptions:
            from sbpam_cli.doctor.assumptions import run_assumptions

            return run_assumptions(ctx, options)
        return run_doctor(ctx, options, unattended=unattended)

    return present(common, "doctor", ASSUMPTIONS if assumptions else DOCTOR, body)
