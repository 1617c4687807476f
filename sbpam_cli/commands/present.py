"""From a command's end to what is seen of it: rows, envelope, errors, exit code."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from sbpam_cli.commands.app import Common
from sbpam_cli.errors import ExitCode, Interrupted, OptionError, OutputError, SbpamError
from sbpam_cli.outcome import Outcome
from sbpam_cli.output.columns import RowSet
from sbpam_cli.output.console import Console
from sbpam_cli.output.context import Context
from sbpam_cli.output.forms import Printer, choose_form

if TYPE_CHECKING:
    from sbpam_cli.system.services import Services

Body = Callable[[Context], None]


def present(
    services: "Services",
    common: Common,
    command: str,
    row_set: RowSet,
    body: Body,
) -> int:
    """Runs `body` and shows how it ended; returns the exit code.

    Raises OptionError: errors in the options themselves are on stderr only.
    """
    console = Console(services, quiet=common.quiet, verbose=common.verbose)
    form = choose_form(common.output, services)
    printer = Printer(form, console, row_set)
    outcome = Outcome(profile=common.profile)
    try:
        body(Context(services, console, printer, outcome, common.no_input))
    except OptionError:
        raise
    except (Exception, KeyboardInterrupt) as error:
        outcome.errors.append(as_error(error, services))
    _try_output(lambda: printer.close(command, outcome), outcome)
    _try_output(console.flush, outcome)
    code = outcome.exit_code
    if form == "table" and outcome.counts:
        from sbpam_cli.output.summary import host_summary

        console.summary(host_summary(outcome.counts, outcome.jobs))
    for shown in outcome.errors:
        if isinstance(shown, OutputError) and outcome.run is not None:
            shown.hint = f"the hosts are recorded: `sbpam status {outcome.run}` prints them again"
            if command == "schedule":
                shown.hint += "; don't schedule them again"
        console.error(shown)
    if console.gives_hints:
        from sbpam_cli.commands.next_step import next_step

        console.hint(next_step(services, command, outcome))
    if code == ExitCode.DONE and console.stdout_closed:
        return ExitCode.STDOUT_CLOSED
    return code


def _try_output(action: Callable[[], None], outcome: Outcome) -> None:
    """A stdout that fails at the end hides no error that came before."""
    try:
        action()
    except OutputError as error:
        outcome.errors.append(error)


def exit_code_of(error: SbpamError) -> int:
    """The exit code of a command that this error ended; a signal has its own."""
    return Outcome(errors=[error]).exit_code


def as_error(error: BaseException, services: "Services") -> SbpamError:
    """Any exception as an error to be shown; an unforeseen one without its values."""
    if isinstance(error, SbpamError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return Interrupted("interrupted", signal_number=2)
    if services.env("SBPAM_DEBUG") is not None:
        _show_stack(error, services)
    return SbpamError(
        f"a bug in sbpam: {type(error).__name__}",
        hint="please report it; SBPAM_DEBUG=1 shows where it happened",
    )


def _show_stack(error: BaseException, services: "Services") -> None:
    """Places in the program's text: no values, no messages."""
    import traceback

    stack = traceback.extract_tb(error.__traceback__)
    services.stderr.write("".join(traceback.format_list(stack)))
