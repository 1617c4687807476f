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
    if services is None:
        if arguments in (["--version"], ["-V"]) and _show_version():
            return 0
        from sbpam_cli.system.services import system_services

        services = system_services()
    try:
        return _run(arguments, services)
    except KeyboardInterrupt:
        return 130
    finally:
        services.terminal.restore()


def _show_version() -> bool:
    """Whether it was possible without services, the one answer that nothing need be loaded for."""
    from sbpam_cli import __version__

    try:
        sys.stdout.write(f"sbpam {__version__}\n")
        sys.stdout.flush()
    except (AttributeError, OSError):
        return False
    return True


def _run(arguments: "Sequence[str]", services: "Services") -> int:
    import typer

    from sbpam_cli.commands.app import as_option_error, run_app
    from sbpam_cli.outcome import Outcome
    from sbpam_cli.output.console import Console
    from sbpam_cli.output.context import as_error

    # Before anything is printed: the console makes the streams take every character.
    console = Console(services)
    try:
        return run_app(arguments, console)
    except typer.Abort:
        return 130
    except typer.TyperException as error:
        problem = as_error(as_option_error(error), services)
    except Exception as error:
        problem = as_error(error, services)
    console.error(problem)
    return Outcome(errors=[problem]).exit_code
