"""Exit codes, and the errors that end a command; `main` turns them into words and a code."""

from dataclasses import KW_ONLY, dataclass
from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What a script sees in `$?`. A meaning never changes; numbers are only added."""

    DONE = 0
    BUG = 1
    USAGE = 2
    PARTIAL = 3
    SIGN_IN = 4
    UNKNOWN_OUTCOME = 5
    UNREACHABLE = 6
    STILL_GOING = 8
    LOCKED = 75
    TIMEOUT = 124
    HUNG_UP = 129
    INTERRUPTED = 130
    TERMINATED = 143
    STDOUT_CLOSED = 141


@dataclass(eq=False, repr=False)
class SbpamError(Exception):
    """What ends a command, ready to be shown.

    message: what happened, one line without a full stop.
    reason: why, in the server's own words where it said any.
    hint: what to do next. trace_id: the server's, which the vendor's support asks for.
    """

    message: str
    _: KW_ONLY
    reason: str | None = None
    hint: str | None = None
    trace_id: str | None = None
    code: ClassVar[str] = "bug"
    exit_code: ClassVar[ExitCode] = ExitCode.BUG

    def __post_init__(self) -> None:
        # Else Python keeps, and shows, what a subclass was made of: an answer with its cookies.
        super().__init__(self.message)

    def __init_subclass__(cls, code: str | None = None, exit_code: ExitCode | None = None) -> None:
        cls.code = code or cls.code
        cls.exit_code = exit_code or cls.exit_code


class OutputError(SbpamError):
    """stdout cannot take what is printed: a full disk, or it is closed."""

    def __init__(self, error: OSError | ValueError) -> None:
        reason = getattr(error, "strerror", None) or str(error)
        hint = "see that what it goes to is open and has room"
        super().__init__("stdout could not be written", reason=reason, hint=hint)


class OptionError(SbpamError, code="usage", exit_code=ExitCode.USAGE):
    """The command line itself is wrong. Shown on stderr alone, in every output form."""


class UsageError(SbpamError, code="usage", exit_code=ExitCode.USAGE):
    """Something named on the command line turned out not to exist or not to fit."""


def wrong_value(source: str, problem: str, hint: str | None = None) -> OptionError | UsageError:
    """The error for a value: of an option, or of the variable or profile that `source` names."""
    kind = OptionError if source.startswith("--") else UsageError
    return kind(f"{source}: {problem}", hint=hint)


class InputError(SbpamError, code="input", exit_code=ExitCode.USAGE):
    """The list of hosts, or a file, cannot be used as it is."""


class SignInError(SbpamError, code="sign_in", exit_code=ExitCode.SIGN_IN):
    """Sign-in is needed, was refused, or the account may not do this."""


class UnreachableError(SbpamError, code="unreachable", exit_code=ExitCode.UNREACHABLE):
    """No connection to the server, or none that can be trusted."""


class ServerError(SbpamError, code="server", exit_code=ExitCode.UNREACHABLE):
    """The server answered, and its answer is a failure or makes no sense.

    retry_after_s: when it wants to be asked again, where it says so.
    """

    retry_after_s: float | None = None


class RejectedError(SbpamError, code="rejected", exit_code=ExitCode.PARTIAL):
    """The server refused some hosts for good."""


class UnknownOutcomeError(SbpamError, code="unknown_outcome", exit_code=ExitCode.UNKNOWN_OUTCOME):
    """Nobody knows yet whether some hosts were scheduled."""


class JournalError(SbpamError, code="journal", exit_code=ExitCode.UNREACHABLE):
    """The journal, or the folder it lives in, cannot be read or written."""


class LockedError(SbpamError, code="locked", exit_code=ExitCode.LOCKED):
    """Another process is scheduling the same list."""


class TimeoutPassed(SbpamError, code="timeout", exit_code=ExitCode.TIMEOUT):
    """`--timeout` passed; the scans go on."""


class Interrupted(SbpamError, code="interrupted", exit_code=ExitCode.INTERRUPTED):
    """A signal ended the command; `signal_number` says which."""

    def __init__(self, message: str, *, signal_number: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.signal_number = signal_number
