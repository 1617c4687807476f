"""From a command's end to what is seen of it: rows, envelope, errors, hint, exit code."""

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

from sbpam_cli.errors import ExitCode, OptionError, OutputError
from sbpam_cli.models import FINISHED, GOING, RESCANNED, Form, ScanStatus
from sbpam_cli.outcome import Outcome
from sbpam_cli.output.columns import HOSTS, RUNS, Row, RowSet
from sbpam_cli.output.console import Console
from sbpam_cli.output.context import Context, as_error
from sbpam_cli.output.forms import Printer, choose_form
from sbpam_cli.output.summary import HostSummary
from sbpam_cli.settings.profiles import DEFAULT_PROFILE, ConnectionOptions, form_of_profile
from sbpam_cli.system.services import Services

Rows: TypeAlias = Iterable[Row]
Body = Callable[[Context], Rows | None]
_AFTER = {
    "login": "`sbpam credentials{profile}` finds the account to schedule with",
    "logout": "`sbpam login{profile}` signs in again",
    "whoami": "`sbpam doctor{profile}` checks everything that a run needs",
    "doctor": "`sbpam schedule{profile} --credential ID hosts.txt` schedules scans",
    "hosts": "`sbpam schedule{profile} --credential ID -` schedules scans of what it reads",
    "demo": "`sbpam login --server HOST` signs in to a server of yours",
}
"""The next step, if the command did what it was to do. Those on hosts have `_step_for_hosts`."""


class Shown(NamedTuple):
    """What a command prints. row_set: None if no rows. full: every row, on a terminal too."""

    command: str
    row_set: RowSet | None
    output: Form | None
    full: bool


def present(console: Console, connection: ConnectionOptions, shown: Shown, body: Body) -> int:
    """Runs `body`, prints the rows that it returns, and shows how it ended.

    Returns the exit code. Raises OptionError: errors in the options themselves are on
    stderr only.
    """
    services, (command, row_set, output, full) = console.services, shown
    if row_set is None and output is not None:
        raise OptionError(
            f"`{command}` prints no rows", hint="a page has --format html or md, rows have --output"
        )
    by_name = output or services.env("SBPAM_OUTPUT")
    by_name = by_name or form_of_profile(services, connection.profile)
    form = choose_form(by_name, services) if row_set is not None else "tsv"
    summary = None
    if form == "table" and row_set is HOSTS:
        from sbpam_cli.report.remedies import REMEDIES

        summary = HostSummary(REMEDIES)
    printer = Printer(
        form, console, row_set or RUNS, every_row=full or by_name is not None, summary=summary
    )
    outcome = Outcome(profile=connection.profile)
    try:
        rows = body(Context(services, console, printer, outcome, connection))
        if rows is not None:
            printer.write(rows)
    except OptionError:
        raise
    except (Exception, KeyboardInterrupt) as error:
        outcome.errors.append(as_error(error, services))
    try:
        printer.close(command, outcome)
    except Exception as error:
        # A stdout that takes nothing hides no error that came before.
        outcome.errors.append(as_error(error, services))
    if summary is not None and not printer.is_summed_up:
        for line in summary.lines_below(outcome):
            console.note(line)
    if outcome.verdict is not None:
        console.note(outcome.verdict)
    for found in outcome.errors:
        if isinstance(found, OutputError) and outcome.run is not None:
            found.hint = f"the hosts are recorded: `sbpam status {outcome.run}` prints them again"
            outcome.rows_lost()
            if command == "schedule":
                found.hint += "; don't schedule them again"
        console.error(found)
    if not any(error.hint for error in outcome.errors):
        console.hint(_next_step(services, command, row_set, outcome))
    if outcome.exit_code == ExitCode.DONE and console.stdout_closed:
        return ExitCode.STDOUT_CLOSED
    return outcome.exit_code


def _next_step(
    services: Services, command: str, row_set: RowSet | None, outcome: Outcome
) -> str | None:
    if command == "report" or (row_set is HOSTS and command not in _AFTER):
        return _step_for_hosts(command, outcome)
    step = _AFTER.get(command) or outcome.next_step
    if outcome.exit_code != ExitCode.DONE or step is None:
        return None
    # What is typed next takes the environment's, else the default one.
    known = outcome.profile in (None, services.env("SBPAM_PROFILE") or DEFAULT_PROFILE)
    return step.replace("{profile}", "" if known else f" --profile {outcome.profile}")


def _step_for_hosts(command: str, outcome: Outcome) -> str | None:
    run, found = outcome.run, set(outcome.counts)
    if found and found <= {ScanStatus.VALID, ScanStatus.SKIPPED}:
        return "without --dry-run they are scheduled" if ScanStatus.VALID in found else None
    if run is not None and found & {ScanStatus.OUTCOME_UNKNOWN, ScanStatus.NOT_SENT}:
        return f"`sbpam resume {run}` goes on with it"
    if found & GOING:
        if command in ("status", "report"):
            again = f"`sbpam status {run} --watch`" if run is not None else "the same with --watch"
            return f"{again} follows the scans to their end"
        return f"`sbpam status {run}` shows how far the scans are"
    if run is not None and found & RESCANNED:
        return f"`sbpam rescan {run}` scans again what did not succeed"
    if run is not None and found & FINISHED and command != "report":
        return f"`sbpam report {run} --open` makes a page of it"
    return None
