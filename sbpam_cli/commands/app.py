"""The command line's frame: lazily loaded commands, and the options they share."""

import inspect
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, get_type_hints

import typer
from typer.core import TyperGroup

from sbpam_cli.commands.completing import (
    COMPLETION_VARIABLE,
    complete_profiles,
    keep_help_whole,
)
from sbpam_cli.commands.mistakes import NamedGroup
from sbpam_cli.errors import ExitCode
from sbpam_cli.models import FORMS, Form

if TYPE_CHECKING:
    from sbpam_cli.system.services import Services

COMMANDS: tuple[str, ...] = (
    "login",
    "logout",
    "whoami",
    "schedule",
    "status",
    "resume",
    "runs",
    "cancel",
    "credentials",
    "hosts",
    "report",
    "doctor",
    "demo",
    "sandbox",
)
"""Each is a function of its name in a module of its name; in the order of the help page."""


def _on_every(words: str, metavar: str | None = None, *names: str, **more: Any) -> Any:
    panel = "Options of every command"
    return typer.Option(
        *names, help=words, metavar=metavar, show_default=False, rich_help_panel=panel, **more
    )


class Common(NamedTuple):
    """The options that mean the same on every command and stand after it."""

    profile: Annotated[
        str | None,
        _on_every("The profile to use (SBPAM_PROFILE).", "NAME", autocompletion=complete_profiles),
    ] = None
    server: Annotated[
        str | None, _on_every("The server, HOST[:PORT] or URL (SBPAM_SERVER).", "URL")
    ] = None
    ca_bundle: Annotated[
        str | None, _on_every("Trust these CA certificates (SBPAM_CA_BUNDLE).", "FILE")
    ] = None
    fingerprint: Annotated[
        str | None,
        _on_every("Trust exactly this server certificate (SBPAM_FINGERPRINT).", "SHA256"),
    ] = None
    output: Annotated[
        Form | None,
        _on_every(
            f"Form of stdout: {', '.join(FORMS)} (SBPAM_OUTPUT); without it, table on a terminal,"
            " tsv elsewhere.",
            "FORM",
            "--output",
            "-o",
        ),
    ] = None
    quiet: Annotated[bool, _on_every("Only errors on stderr.", None, "--quiet", "-q")] = False
    verbose: Annotated[
        bool,
        _on_every("Show each request: method, path, status, time.", None, "--verbose", "-v"),
    ] = False
    no_input: Annotated[
        bool, _on_every("Never ask, not even on a terminal.", None, "--no-input")
    ] = False


def with_common(command: Callable[..., int]) -> Callable[..., int]:
    """Adds the common options to a Typer function and hands them over as `common`."""
    signature = inspect.signature(command)
    hints = get_type_hints(Common, include_extras=True)
    shared = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=Common._field_defaults[name],
            annotation=hints[name],
        )
        for name in Common._fields
    ]
    own = [p for name, p in signature.parameters.items() if name != "common"]

    def adapted(**values: Any) -> int:
        common = Common(**{parameter.name: values.pop(parameter.name) for parameter in shared})
        return command(**values, common=common)

    parameters = [
        *(p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own),
        *shared,
    ]
    adapted.__name__ = command.__name__
    adapted.__doc__ = command.__doc__
    adapted.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    adapted.__annotations__ = {p.name: p.annotation for p in parameters}
    return adapted


class LazyGroup(NamedGroup):
    """Imports a command's module when the command is asked for."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        if cmd_name not in self.commands:
            module = import_module(f"sbpam_cli.commands.{cmd_name}")
            self.commands[cmd_name] = _build(cmd_name, getattr(module, cmd_name))
        return self.commands[cmd_name]


def _build(name: str, command: Callable[..., int] | typer.Typer) -> Any:
    if isinstance(command, typer.Typer):
        return typer.main.get_command(command)
    single = typer.Typer(add_completion=False)
    single.command(name)(command)
    return typer.main.get_command(single)


def _version(ctx: typer.Context, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from sbpam_cli import __version__

        typer.echo(f"sbpam {__version__}")
        raise typer.Exit


def _frame(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """Schedules host scans on Netwrix Privilege Secure and shows what became of each host."""


def build_program() -> TyperGroup:
    """`sbpam` as Typer's command, for running, completing and describing it."""
    app = typer.Typer(
        name="sbpam",
        cls=LazyGroup,
        no_args_is_help=False,
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    app.callback(cls=LazyGroup)(_frame)
    program = typer.main.get_command(app)
    assert isinstance(program, TyperGroup)
    return program


def run_app(arguments: Sequence[str], services: "Services") -> int:
    """Parses the arguments and runs the command; returns its exit code."""
    program = build_program()
    if services.env(COMPLETION_VARIABLE) is not None:
        return _complete(program, services)
    code = program.main(list(arguments), prog_name="sbpam", standalone_mode=False, obj=services)
    return int(code or 0)


def _complete(program: TyperGroup, services: "Services") -> int:
    """Typer finds the variable by itself; a shell that asks for words gets no messages."""
    keep_help_whole()
    try:
        program.main([], prog_name="sbpam", standalone_mode=False, obj=services)
    except Exception:
        return ExitCode.BUG
    return ExitCode.DONE
