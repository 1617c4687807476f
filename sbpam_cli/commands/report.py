"""`sbpam report`: one page about a run."""

from typing import TYPE_CHECKING

from sbpam_cli.commands import options as known
from sbpam_cli.commands.options import Common, flag, option, run_argument, with_common
from sbpam_cli.errors import OptionError
from sbpam_cli.report.page import ReportForm

if TYPE_CHECKING:
    from sbpam_cli.output.context import Context


@with_common
def report(
    common: Common,
    run: str | None = run_argument("the newest"),
    out: str | None = option(
        None, "Write to this file; - is stdout. On a terminal sbpam-RUN.html without it.", "FILE"
    ),
    form: ReportForm | None = option(
        None, "html or md; without it what --out ends in, else html.", "FORM", "--format"
    ),
    opens: bool = flag("Open the file in the browser.", "--open"),
    offline: bool = known.OFFLINE,
) -> int:
    """Makes one self-contained page about a run, for a ticket or a mail.

    Asks the server first about scans that had not ended. Prints the path of the file.

    Examples:
      sbpam report --open
      sbpam report 20261123-031502-7f3a --out ticket.md
      sbpam report --offline > report.html
    """
    from sbpam_cli.commands.present import present
    from sbpam_cli.output.columns import RUNS
    from sbpam_cli.report.publish import ReportOptions, run_report

    if common.output is not None:
        raise OptionError(
            "`report` writes a page, not rows",
            hint="--format html or md; `sbpam status RUN --output ...` has the rows",
        )
    options = ReportOptions(common.connection(), run, form, out, opens, offline)

    def body(ctx: "Context") -> None:
        run_report(ctx, options)

    # `SBPAM_OUTPUT` is for commands with rows.
    return present(common._replace(output="tsv"), "report", RUNS, body)
