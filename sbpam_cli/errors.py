"""Exit codes, and the errors that end a command.

An error carries everything its reader needs: what happened, why in the
server's own words, the trace id that the vendor's support asks for, and what
to do next. `main` turns it into words and a code; nothing else does.
"""

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


class SbpamError(Exception):
    """What ends a command, ready to be shown.

    message: what happened, one line without a full stop.
    reason: why, in the server's own words where it said any.
    hint: what to do next.
    trace_id: the server's `traceId`.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.BUG
    code: ClassVar[str] = "bug"

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        hint: str | None = None,
        trace_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.hint = hint
        self.trace_id = trace_id


class OutputError(SbpamError):
    """stdout cannot take what is printed: a full disk, or it is closed."""

    def __init__(self, error: OSError | ValueError) -> None:
        reason = getattr(error, "strerror", None) or str(error)
        hint = "see that what it goes to is open and has room"
        super().__init__("stdout could not be written", reason=reason, hint=hint)


class OptionError(SbpamError):
    """The command line itself is wrong. Shown on stderr alone, in every output form."""

    exit_code = ExitCode.USAGE
    code = "usage"


class UsageError(SbpamError):
    """Something named on the command line turned out not to exist or not to fit."""

    exit_code = ExitCode.USAGE
    code = "usage"


def wrong_value(source: str, problem: str, hint: str | None = None) -> OptionError | UsageError:
    """The error for a value: of an option, or of the variable or profile that `source` names."""
    kind = OptionError if source.startswith("--") else UsageError
    return kind(f"{source}: {problem}", hint=hint)


class InputError(SbpamError):
    """The list of hosts, or a file, cannot be used as it is."""

    exit_code = ExitCode.USAGE
    code = "input"


class SignInError(SbpamError):
    """Sign-in is needed, was refused, or the account may not do this."""

    exit_code = ExitCode.SIGN_IN
    code = "sign_in"


class UnreachableError(SbpamError):
    """No connection to the server, or none that can be trusted."""

    exit_code = ExitCode.UNREACHABLE
    code = "unreachable"


class ServerError(SbpamError):
    """The server answered, and its answer is a failure or makes no sense.

    retry_after_s: when it wants to be asked again, where it says so.
    """

    retry_after_s: float | None = None
    exit_code = ExitCode.UNREACHABLE
    code = "server"


class RejectedError(SbpamError):
    """The server refused some hosts for good."""

    exit_code = ExitCode.PARTIAL
    code = "rejected"


class UnknownOutcomeError(SbpamError):
    """Nobody knows yet whether some hosts were scheduled."""

    exit_code = ExitCode.UNKNOWN_OUTCOME
    code = "unknown_outcome"


class JournalError(SbpamError):
    """The journal, or the folder it lives in, cannot be read or written."""

    exit_code = ExitCode.UNREACHABLE
    code = "journal"


class LockedError(SbpamError):
    """Another process is scheduling the same list."""

    exit_code = ExitCode.LOCKED
    code = "locked"


class TimeoutPassed(SbpamError):
    """`--timeout` passed; the scans go on."""

    exit_code = ExitCode.TIMEOUT
    code = "timeout"


class Interrupted(SbpamError):
    """A signal ended the command; `signal_number` says which."""

    exit_code = ExitCode.INTERRUPTED
    code = "interrupted"

    def __init__(self, message: str, *, signal_number: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.signal_number = signal_number
