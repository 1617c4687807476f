"""The command line's frame: lazily loaded commands, and what Typer cannot make sense of."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from sbpam_cli import __version__
from sbpam_cli.commands.completing import complete_line, completion_option, set_up_completion
from sbpam_cli.commands.help import find_guides, print_guide, print_help
from sbpam_cli.errors import ExitCode, OptionError
from sbpam_cli.output.console import Console
from sbpam_cli.wording import did_you_mean

PANELS = {
    "Scan": ("schedule", "status", "rescan", "cancel", "report"),
    "Look up": ("credentials", "hosts", "runs"),
    "Set up": ("login", "logout", "whoami", "config", "doctor"),
    "Recover": ("resume",),
    "Try": ("demo", "sandbox"),
}
"""The commands, by their panel on the help page; each is a function in a module of its name."""
COMMANDS = {name: panel for panel, names in PANELS.items() for name in names}

_LONGEST_MESSAGE = 300


def _show_help(_command: Any, ctx: Any) -> str:
    print_help(ctx)
    raise typer.Exit(_code_of(ctx.find_root().obj))


def _code_of(console: Console) -> int:
    console.flush()
    return ExitCode.STDOUT_CLOSED if console.stdout_closed else ExitCode.DONE


class Command(TyperCommand):
    """A command with a help page of ours."""

    get_help = _show_help


class Group(TyperGroup):
    """A group that says which of its commands a word was meant to be.

    panels: of the commands on its help page.
    """

    panels: Mapping[str, str] = {}
    get_help = _show_help

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        word, known = args[0], self.list_commands(ctx)
        if self.get_command(ctx, word) is None and not word.startswith("-"):
            hint = did_you_mean(word, known, f"{ctx.command_path} --help shows what there is")
            raise OptionError(f"there is no command {word[:40]!r}", hint=hint)
        return super().resolve_command(ctx, args)


class LazyGroup(Group):
    """Imports a command's module when the command is asked for."""

    panels = COMMANDS

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        if cmd_name == "help":
            return _build(cmd_name, _help)
        if cmd_name in COMMANDS and cmd_name not in self.commands:
            module = import_module(f"sbpam_cli.commands.{cmd_name}")
            self.commands[cmd_name] = _build(cmd_name, getattr(module, cmd_name))
        return self.commands.get(cmd_name)


def _build(name: str, command: Callable[..., int] | typer.Typer) -> Any:
    if isinstance(command, typer.Typer):
        return typer.main.get_command(command)
    single = typer.Typer(add_completion=False)
    single.command(name, cls=Command)(command)
    return typer.main.get_command(single)


def _complete_topics(incomplete: str) -> list[str]:
    return [name for name in (*COMMANDS, *find_guides()) if name.startswith(incomplete)]


def _help(
    names: Annotated[  # noqa: ARG001
        list[str] | None, typer.Argument(autocompletion=_complete_topics)
    ] = None,
) -> int:
    """For completion alone: `run_app` shows the pages."""
    return ExitCode.DONE


def _frame(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", "-V", help="Show the version.")] = False,
    install_completion: Annotated[
        str | None, completion_option("Set up completion for a shell.")
    ] = None,
    show_completion: Annotated[
        str | None, completion_option("Show the script that does it.")
    ] = None,
) -> None:
    """Schedules host scans on Netwrix Privilege Secure and shows what became of each host.

    Examples:
      sbpam login --server nps.example.com
      sbpam schedule --credential svc-scan hosts.txt --wait
      sbpam status
    """
    console: Console = ctx.obj
    shell = install_completion if show_completion is None else show_completion
    if version:
        console.write(f"sbpam {__version__}\n")
    elif shell is not None:
        set_up_completion(console, shell, install=show_completion is None)
    elif ctx.invoked_subcommand is None:
        ctx.get_help()
    else:
        return
    raise typer.Exit(_code_of(console))


def build_program() -> TyperGroup:
    """`sbpam` as Typer's command, for running, completing and describing it."""
    app = typer.Typer(
        name="sbpam",
        invoke_without_command=True,
        add_completion=False,
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    app.callback(cls=LazyGroup)(_frame)
    program = typer.main.get_command(app)
    assert isinstance(program, TyperGroup)
    return program


def run_app(arguments: Sequence[str], console: Console) -> int:
    line = list(arguments)
    program = build_program()
    if (code := complete_line(program, console)) is not None:
        return code
    if line[:1] == ["help"]:
        if (guide := find_guides().get(" ".join(line[1:]))) is not None:
            print_guide(console, guide)
            return _code_of(console)
        line = [*(word for word in line if word != "help"), "--help"]
    if line in (["--install-completion"], ["--show-completion"]):
        line.append("")
    return int(program.main(line, prog_name="sbpam", standalone_mode=False, obj=console) or 0)


def as_option_error(error: typer.TyperException) -> OptionError:
    """Typer's message, and the option or value that is nearest to what was given."""
    message, word, known = error.format_message(), "", []
    context, parameter = getattr(error, "ctx", None), getattr(error, "param", None)
    path = context.command_path if context is not None else "sbpam"
    otherwise = f"{path} --help shows what it takes"
    if hasattr(error, "possibilities") and context is not None:
        message, word = error.message, str(getattr(error, "option_name", ""))
        known = [name for one in context.command.get_params(context) for name in one.opts]
        if context.parent is None:
            otherwise = f"options stand after the command; {otherwise}"
    elif choices := getattr(getattr(parameter, "type", None), "choices", ()):
        # The value is in the message alone.
        word, known = error.message.partition(" is not one of ")[0].strip("'\""), [*choices]
    if path.endswith(" login") and "extra argument" in message:
        # It may be a secret: `--password-stdin SECRET`.
        message = "login takes no arguments; secrets come from a file, stdin or a prompt"
    if len(message) > _LONGEST_MESSAGE:
        # Whatever was given is quoted in the middle.
        message = f"{message[: _LONGEST_MESSAGE // 2]}...{message[-_LONGEST_MESSAGE // 2 :]}"
    return OptionError(message, hint=did_you_mean(word, known, otherwise))
