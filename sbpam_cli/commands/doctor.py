"""`sbpam doctor`: everything a run needs, for the moment when cron fails and the terminal works."""

from typing import TYPE_CHECKING

import typer

from sbpam_cli.commands.app import Common, with_common

if TYPE_CHECKING:
    from sbpam_cli.output.context import Context


@with_common
def doctor(ctx: typer.Context, common: Common) -> int:
    """Checks everything a run needs; a line each with the remedy.

    A check is not ok, and the exit code 3, only for what breaks a run now or
    within 14 days; other remedies are advice. Signs in afresh, as cron would:
    run it as the same user with the same environment. Never asks, schedules nothing.
    """
    from sbpam_cli.commands.present import present
    from sbpam_cli.doctor.diagnosis import run_doctor
    from sbpam_cli.output.columns import DOCTOR
    from sbpam_cli.settings.profiles import ConnectionOptions

    options = ConnectionOptions(
        profile=common.profile,
        server=common.server,
        ca_bundle=common.ca_bundle,
        fingerprint=common.fingerprint,
        no_input=True,
    )

    def body(context: "Context") -> None:
        for finding in run_doctor(context, options):
            context.printer.write([finding])
            context.outcome.partial = context.outcome.partial or finding.ok is False

    return present(ctx.obj, common, "doctor", DOCTOR, body)
