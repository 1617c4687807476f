"""What Typer cannot make sense of, as errors of ours: with what was probably meant."""

from typing import Any

import typer
from typer.core import TyperGroup

from sbpam_cli.errors import OptionError
from sbpam_cli.wording import did_you_mean

_LONGEST = 300


class NamedGroup(TyperGroup):
    """A group that says which of its commands a word was meant to be."""

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> Any:  # type: ignore[override]
        word, known = args[0], self.list_commands(ctx)
        if word not in known and not word.startswith("-"):
            path = " ".join([ctx.command_path, *(name for name in args[1:2] if name in known)])
            hint = did_you_mean(word, known, f"{path} --help shows what it takes")
            raise OptionError(f"there is no command {word[:40]!r}", hint=hint)
        return super().resolve_command(ctx, args)


def as_option_error(error: typer.TyperException) -> OptionError:
    """The message of Typer's, and the option or value that is nearest to what was given."""
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
    if len(message) > _LONGEST:
        # Whatever was given is quoted in the middle.
        message = f"{message[: _LONGEST // 2]}...{message[-_LONGEST // 2 :]}"
    return OptionError(message, hint=did_you_mean(word, known, otherwise))
