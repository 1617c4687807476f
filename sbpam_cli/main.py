"""`main(argv, services) -> int`: the program."""

import sys

# By this name type checkers know it; `typing` itself is a tenth of what `--version` takes.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from sbpam_cli.system.services import Services


def main(argv: "Sequence[str] | None" = None, services: "Services | None" = None) -> int:
    """Runs one command line and returns the exit code; never raises.

    argv: without the program's name; None for the process's own.
    services: None for the real world.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments == ["--version"] and services is None:
        return _show_version()
    from sbpam_cli.errors import ExitCode

    if services is None:
        from sbpam_cli.system.services import system_services

        services = system_services()
    try:
        return _run(arguments, services)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except SystemExit as leaving:
        # Typer leaves this way: with 0 from completion, with 1 where the reader of its help left.
        return ExitCode.STDOUT_CLOSED if leaving.code == 1 else ExitCode.DONE
    finally:
        services.terminal.restore()


def _show_version() -> int:
    """Without the services: the one answer that nothing need be loaded for."""
    from sbpam_cli import __version__

    try:
        if sys.stdout is not None:
            sys.stdout.write(f"sbpam {__version__}\n")
            sys.stdout.flush()
    except OSError as error:
        from sbpam_cli.errors import ExitCode, OutputError
        from sbpam_cli.output.console import Console
        from sbpam_cli.system.services import system_services

        if isinstance(error, BrokenPipeError):
            return ExitCode.STDOUT_CLOSED
        Console(system_services(), quiet=True, verbose=False).error(OutputError(error))
        return ExitCode.BUG
    return 0


def _run(arguments: "Sequence[str]", services: "Services") -> int:
    import typer

    from sbpam_cli.commands.app import run_app
    from sbpam_cli.commands.mistakes import as_option_error
    from sbpam_cli.commands.present import as_error, exit_code_of
    from sbpam_cli.errors import ExitCode, OutputError, SbpamError
    from sbpam_cli.output.console import Console

    # Before anything is printed: the console makes the streams take every character.
    console = Console(services, quiet=True, verbose=False)
    try:
        return run_app(arguments, services)
    except typer.Abort:
        return ExitCode.INTERRUPTED
    except typer.TyperException as error:
        problem: SbpamError = as_option_error(error)
    except SbpamError as error:
        problem = error
    except OSError as error:
        # Commands turn theirs into words; what is left is Typer's, printing help.
        problem = OutputError(error)
    except Exception as error:
        problem = as_error(error, services)
    console.error(problem)
    return exit_code_of(problem)
