"""Who is there to be asked, and the terminal's mode, which every way out puts back."""

import os
import signal
import threading
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from sbpam_cli.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator


def is_terminal(stream: object) -> bool:
    """Whether a stream, open or not, is one."""
    try:
        if not stream.isatty():  # type: ignore[attr-defined]
            return False
    except (AttributeError, ValueError):
        return False
    if os.name != "nt":
        return True
    from sbpam_cli.system.windows import is_console

    try:
        return is_console(stream.fileno())  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return True


class Terminal:
    """The terminal that stdin may be; its mode is what was found before anything changed it.

    descriptor: stdin's; None (in tests) changes nothing anywhere.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        self._descriptor = descriptor
        self._found: list[Any] | None = None
        self._before_stop: list[Any] | None = None

    def protect(self) -> None:
        """From now on the terminal gets its mode back however the process ends or stops."""
        if self._found is not None or (found := self._mode()) is None:
            return
        self._found = found
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, self._end)
        if signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL:
            signal.signal(signal.SIGTSTP, self._stop)
            signal.signal(signal.SIGCONT, self._go_on)

    def restore(self) -> bool:
        """Puts the mode back; whether somebody had changed it."""
        changed = self._found is not None and self._mode() != self._found
        if changed:
            self._set(self._found)
        return changed

    @contextmanager
    def without_echo(self) -> "Iterator[None]":
        """What is typed is not shown."""
        self.protect()
        if (mode := self._mode()) is None:
            yield
            return
        import termios

        mode[3] &= ~termios.ECHO
        self._set(mode, flush=True)
        self._before_stop = mode
        try:
            yield
        finally:
            self._before_stop = None
            self.restore()

    def refuse_questions(self) -> None:
        """From now on nothing in this process can ask anybody, nor read stdin.

        A keyring's back end asks with `getpass`, and where there is no terminal that
        reads stdin: the list of a shell's loop.
        """
        if self._descriptor is None:
            return
        import getpass

        getpass.getpass = _refuse
        with suppress(OSError):
            nothing = os.open(os.devnull, os.O_RDONLY)
            os.dup2(nothing, self._descriptor)
            os.close(nothing)
        # A session's leader would take the terminal away from all others too.
        if os.name == "posix" and os.getsid(0) != os.getpid():
            import fcntl
            import termios

            with suppress(OSError):
                terminal = os.open("/dev/tty", os.O_RDWR)
                fcntl.ioctl(terminal, termios.TIOCNOTTY)
                os.close(terminal)

    def _mode(self) -> list[Any] | None:
        if self._descriptor is None or os.name != "posix":
            return None
        import termios

        try:
            return termios.tcgetattr(self._descriptor)
        except (OSError, termios.error):
            return None

    def _set(self, mode: list[Any] | None, *, flush: bool = False) -> None:
        import termios

        if self._descriptor is not None and mode is not None:
            with suppress(OSError, termios.error):
                when = termios.TCSAFLUSH if flush else termios.TCSADRAIN
                termios.tcsetattr(self._descriptor, when, mode)

    def _end(self, number: int, _frame: FrameType | None) -> None:
        self.restore()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self._before_stop = mode = self._mode()
        self.restore()
        # Not SIGSTOP: with no shell to continue it (`ssh -t HOST sbpam login`) nothing may stop.
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
        signal.signal(number, self._stop)
        self._set(mode)

    def _go_on(self, _number: int, _frame: FrameType | None) -> None:
        # The shell has put its own mode there.
        self._set(self._before_stop)


class Prompt:
    """A person at a terminal: asked on stderr, if `Services.can_ask` says so.

    Raises EOFError when input ends, and InputError for bytes that are no text.
    """

    def __init__(self, stdin: BinaryIO, stderr: TextIO, terminal: Terminal) -> None:
        self._stdin = stdin
        self._stderr = stderr
        self._terminal = terminal

    def secret(self, text: str) -> str:
        """Asks without echo."""
        if os.name == "nt":
            import getpass

            return getpass.getpass(text, self._stderr)
        try:
            with self._terminal.without_echo():
                return self.line(text)
        finally:
            self._stderr.write("\n")

    def line(self, text: str) -> str:
        """Asks for a line; without its newline."""
        self._stderr.write(text)
        self._stderr.flush()
        raw = self._stdin.readline()
        if not raw:
            raise EOFError
        try:
            return raw.decode(self._stderr.encoding or "utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise InputError(
                "what was typed is not text in this terminal's encoding",
                hint="check the terminal's encoding and the locale (LANG, LC_ALL)",
            ) from None


def _refuse(*_: object, **__: object) -> str:
    raise EOFError("nobody is there to be asked")
