"""`sbpam report`: one page about a run."""

from typing import TYPE_CHECKING, Annotated

import typer

from sbpam_cli.commands.app import Common, with_common
from sbpam_cli.commands.completing import complete_runs
from sbpam_cli.errors import OptionError
from sbpam_cli.report.page import ReportForm

if TYPE_CHECKING:
    from sbpam_cli.output.context import Context


@with_common
def report(
    ctx: typer.Context,
    *,
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            help="A run (or the beginning of its id); without it, the newest.",
            show_default=False,
            autocompletion=complete_runs,
        ),
    ] = None,
    form: Annotated[ReportForm, typer.Option("--format", help="Form of the page.")] = "html",
    common: Common,
) -> int:
    """Writes one self-contained page about a run, for a ticket or a mail.

    From the journal; `sbpam status RUN` brings that up to date.
    """
    from sbpam_cli.commands.present import present
    from sbpam_cli.output.columns import RUNS
    from sbpam_cli.report.facts import report_run
    from sbpam_cli.report.page import render_report

    services = ctx.obj
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

    def body(context: "Context") -> None:
        outcome = context.outcome
        found = report_run(services, run)
        outcome.run, outcome.server = found.run.run_id, found.run.server
        outcome.profile = found.run.profile
        context.console.write(render_report(found, form))
        if found.going:
            outcome.next_step = f"`sbpam status {outcome.run}` asks about scans that had not ended"

    # `SBPAM_OUTPUT` is for commands with rows.
    return present(services, common._replace(output="tsv"), "report", RUNS, body)
