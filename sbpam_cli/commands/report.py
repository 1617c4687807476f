from sbpam_cli.commands.options import OFFLINE, flag, option, run_argument, with_common
from sbpam_cli.output.context import Context
from sbpam_cli.report.page import ReportForm


@with_common(None)
def report(
    ctx: Context,
    run: str | None = run_argument("the newest"),
    out: str | None = option(
        None, "Write to this file; - is stdout. On a terminal sbpam-RUN.html without it.", "FILE"
    ),
    form: ReportForm | None = option(
        None, "html or md; without it what --out ends in, else html.", "FORM", "--format"
    ),
    opens: bool = flag("Open the file in the browser.", "--open"),
    offline: bool = OFFLINE,
) -> None:
    """Makes one self-contained page about a run, for a ticket or a mail.

    Asks the server first about scans that had not ended. Prints the path of the file.

    Examples:
      sbpam report --open
      sbpam report 20261123-031502-7f3a --out ticket.md
      sbpam report --offline > report.html
    """
    from sbpam_cli.report.publish import run_report

    run_report(ctx, run, form, out, opens=opens, offline=offline)
