"""`sbpam report`: one page about a run."""

from typing import TYPE_CHECKING

from sbpam_cli.commands.options import Common, option, run_argument, with_common
from sbpam_cli.errors import OptionError
from sbpam_cli.report.page import ReportForm

if TYPE_CHECKING:
    from sbpam_cli.output.context import Context


@with_common
def report(
    common: Common,
    run: str | None = run_argument("the newest"),
    form: ReportForm = option("html", "html or md.", "FORM", "--format"),
) -> int:
    """Writes one self-contained page about a run, for a ticket or a mail.

    From the journal; `sbpam status RUN` brings that up to date.

    Examples:
      sbpam report > report.html
      sbpam report 20261123-031502-7f3a --format md
    """
    from sbpam_cli.commands.present import present
    from sbpam_cli.output.columns import RUNS
    from sbpam_cli.report.facts import report_run
    from sbpam_cli.report.page import render_report

    services = common.services
    if common.output is not None:
        raise OptionError(
            "`report` writes a page, not rows",
            hint="--format html or md; `sbpam status RUN --output ...` has the rows",
        )
    if form == "html" and services.stdout_is_terminal():
        raise OptionError(
            "not printing HTML to a terminal",
            hint="sbpam report > report.html, or --format md",
        )

    def body(ctx: "Context") -> None:
        outcome = ctx.outcome
        found = report_run(services, run)
        outcome.run, outcome.server = found.run.run_id, found.run.server
        outcome.profile = found.run.profile
        ctx.console.write(render_report(found, form))
        if found.going:
            outcome.next_step = f"`sbpam status {outcome.run}` asks about scans that had not ended"

    # `SBPAM_OUTPUT` is for commands with rows.
    return present(common._replace(output="tsv"), "report", RUNS, body)
