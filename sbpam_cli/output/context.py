"""What goes through a command from its first function to its last."""

import errno
from collections.abc import Callable
from dataclasses import dataclass

from sbpam_cli.errors import Interrupted, SbpamError, SignInError, UnreachableError, UsageError
from sbpam_cli.outcome import Outcome
from sbpam_cli.output.console import Console
from sbpam_cli.output.escape import escape_controls
from sbpam_cli.output.forms import Printer
from sbpam_cli.settings.profiles import ConnectionOptions
from sbpam_cli.system.services import Services


@dataclass(eq=False, repr=False)
class Context:
    """One command: the world it touches, where its rows and its talk go, how it ends.

    console: stderr; a `models.Talk`. printer: stdout, the command's kind of rows.
    connection: what the command line says about server and user.
    """

    services: Services
    console: Console
    printer: Printer
    outcome: Outcome
    connection: ConnectionOptions

    @property
    def can_ask(self) -> bool:
        return self.services.can_ask(no_input=self.connection.no_input)

    def confirm(self, question: str) -> bool:
        """Asks a person; only yes is yes."""
        return self.reply(f"{question} [y/N] ").lower() in ("y", "yes")

    def reply(self, *question: str) -> str:
        """What a person types after these lines; a closed terminal says nothing."""
        try:
            return self.services.ask().line("\n".join(map(escape_controls, question))).strip()
        except EOFError:
            return ""

    def agree(self, question: str, hint: str = "--yes answers the question") -> None:
        """Raises UsageError unless a person confirms."""
        if not self.confirm(question):
            raise UsageError("not confirmed; nothing was sent", hint=hint)

    def ask(self, question: str, *, optional: bool = False) -> str:
        """What a person types, without blanks around it. Raises SignInError for nothing."""
        return self._answer(self.services.ask().line, question, optional=optional).strip()

    def ask_secret(self, question: str) -> str:
        """What a person types without echo. Raises SignInError for nothing."""
        return self._answer(self.services.ask().secret, question)

    def _answer(self, ask: Callable[[str], str], question: str, *, optional: bool = False) -> str:
        self.console.clear_display()
        try:
            answer = ask(escape_controls(question))
        except EOFError:
            raise SignInError("the terminal was closed while asking", hint="run it again") from None
        if not (answer.strip() or optional):
            raise SignInError("nothing was typed", hint="run it again")
        return answer


def as_error(error: BaseException, services: Services) -> SbpamError:
    """Any exception as an error to be shown; an unforeseen one without its values."""
    if isinstance(error, SbpamError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return Interrupted("interrupted", signal_number=2)
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return UnreachableError("too many files are open", hint="raise the limit: ulimit -n 1024")
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        hint = "raise the limit: ulimit -u, or TasksMax= of the unit"
        return UnreachableError("no thread can be started", hint=hint)
    if services.env("SBPAM_DEBUG") is not None:
        import traceback

        # Places in the program's text: no values, no messages.
        services.stderr.write("".join(traceback.format_tb(error.__traceback__)))
    return SbpamError(
        f"a bug in sbpam: {type(error).__name__}",
        hint="please report it; SBPAM_DEBUG=1 shows where it happened",
    )
