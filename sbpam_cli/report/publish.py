"""`sbpam report`: brings the run up to date, makes the page, and puts it where it is wanted."""

import os
from pathlib import Path

from sbpam_cli.errors import OptionError, UsageError
from sbpam_cli.jobs.status import StatusOptions, run_status
from sbpam_cli.output.context import Context
from sbpam_cli.output.escape import escape_controls
from sbpam_cli.report.facts import report_run
from sbpam_cli.report.page import ReportForm, render_report


def run_report(
    ctx: Context,
    name: str | None,
    form: ReportForm | None,
    out: str | None,
    *,
    opens: bool,
    offline: bool,
) -> None:
    """Writes the page. If the server fails, it is the journal's, and the error is in `outcome`.

    name: the beginning of a run's id. form: None: as `out` ends. out: a file, `-` for stdout.
    Raises OptionError, and UsageError for a run or a file that cannot be.
    """
    if opens and out == "-":
        raise OptionError("--open opens a file, not stdout", hint="name one with --out FILE")
    form = form or ("md" if (out or "").lower().endswith(".md") else "html")
    found = report_run(ctx, name)
    run = found.run
    if found.may_change and not offline:
        # The same look as `sbpam status RUN`: what it sees is in the journal.
        run_status(ctx, StatusOptions([run.run_id], prints=False))
        found = report_run(ctx, run.run_id)
    ctx.outcome.run, ctx.outcome.server, ctx.outcome.profile = run.run_id, run.server, run.profile
    text = render_report(found, form)
    if out is None and (opens or ctx.services.stdout_is_terminal()):
        out = f"sbpam-{run.run_id}.{form}"
    if out in (None, "-"):
        ctx.console.write(text)
    else:
        # Not resolved: `--out >(cat)` names a pipe by a link.
        file = Path(out).absolute()
        try:
            _write_whole(file, text)
        except OSError as error:
            raise UsageError(
                f"{file} cannot be written",
                reason=error.strerror,
                hint="name another file with --out, or print the page with --out -",
            ) from None
        ctx.console.write(f"{escape_controls(str(file))}\n")
        if opens and not ctx.services.open_page(file.as_uri()):
            ctx.console.warn("no browser could be started: open the file yourself")
    # What is to be done about them is told as for `status`.
    ctx.outcome.counts.update(found.counts)


def _write_whole(file: Path, text: str) -> None:
    """The whole page or nothing; what is no file (a device, a pipe) is written as it is."""
    part = file
    if file.is_file() or not file.exists():
        file = file.resolve()
        part = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        part.write_text(text, encoding="ascii", newline="\n")
        if part != file:
            os.replace(part, file)
    except OSError:
        if part != file:
            part.unlink(missing_ok=True)
        raise
