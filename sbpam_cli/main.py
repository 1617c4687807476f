"""`main(argv, services) -> int`: the program."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sbpam_cli.errors import ExitCode, OptionError, SbpamError

if TYPE_CHECKING:
    from sbpam_cli.services import Services


def main(argv: Sequence[str] | None = None, services: "Services | None" = None) -> int:
    """Runs one command line and returns the exit code; never raises.

    argv: without the program's name; None for the process's own.
    services: None for the real world.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments == ["--version"] and services is None:
        from sbpam_cli import __version__

        sys.stdout.write(f"sbpam {__version__}\n")
        return ExitCode.DONE
    if services is None:
        from sbpam_cli.services import system_services

        services = system_services()
    try:
        return _run(arguments, services)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except SystemExit as leaving:
        # Typer's completion leaves this way.
        return leaving.code if isinstance(leaving.code, int) else ExitCode.DONE


def _run(arguments: Sequence[str], services: "Services") -> int:
    import typer

    from sbpam_cli.commands.app import run_app
    from sbpam_cli.commands.present import as_error
    from sbpam_cli.output.console import Console

    try:
        return run_app(arguments, services)
    except typer.Abort:
        return ExitCode.INTERRUPTED
    except typer.TyperException as error:
        problem: SbpamError = OptionError(
            error.format_message(), hint=f"{_command_path(error)} --help shows what it takes"
        )
    except SbpamError as error:
        problem = error
    except Exception as error:
        problem = as_error(error, services)
    console = Console(services, quiet=True, verbose=False)
    console.error(problem)
    console.finish()
    return problem.exit_code


def _command_path(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    return context.command_path if context is not None else "sbpam"
