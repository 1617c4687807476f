"""The two streams: stdout is data, stderr is talk.

Nothing written here raises because of an encoding, a closed stderr or a
reader that left: `stdout_closed` says that, and later writes are dropped.
"""

import contextlib
import errno
import os
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TextIO

from sbpam_cli.errors import InputError, OutputError, SbpamError
from sbpam_cli.output.escape import escape_controls
from sbpam_cli.output.look import BOLD, DIM, RED, YELLOW, Look, look_at

if TYPE_CHECKING:
    from sbpam_cli.system.services import Services


class Console:
    """Writes data and talk; a `models.Talk`. Its methods may be called from any thread.

    quiet: errors only. verbose: `trace` is shown too.
    stdout_closed: the reader of stdout left (`| head`).
    lines_above: where a live display is on, writes a line of talk above it.
    """

    def __init__(self, services: "Services", *, quiet: bool = False, verbose: bool = False) -> None:
        self.services = services
        self.quiet = quiet
        self.verbose = verbose
        self.stdout_closed = False
        self.lines_above: Callable[[str], None] | None = None
        self._stdout_gone = False
        self._stderr_gone = False
        # Reentrant: a signal's handler may speak while its own thread does.
        self._lock = threading.RLock()
        newline = None if services.stdout_is_terminal() else "\n"
        _tolerate(services.stdout, newline)
        _tolerate(services.stderr, None)

    def stdout_look(self) -> Look:
        """What stdout can show, at its present size."""
        return look_at(self.services.stdout, self.services)

    def stderr_look(self) -> Look:
        """What stderr can show, at its present size."""
        return look_at(self.services.stderr, self.services)

    def write(self, text: str) -> None:
        """Data to stdout; the text is ready and ends its own lines.

        Raises SbpamError, once, where stdout cannot take it (a full disk).
        """
        self._to_stdout(_put, self.services.stdout, text)

    def write_utf8(self, text: str) -> None:
        """As `write`, in UTF-8 whatever the locale, but on a terminal."""
        reconfigure = getattr(self.services.stdout, "reconfigure", None)
        if reconfigure is not None and not self.services.stdout_is_terminal():
            with contextlib.suppress(OSError, ValueError):
                reconfigure(encoding="utf-8", errors="backslashreplace")
        self.write(text)

    def flush(self) -> None:
        """What was written goes out now. Raises as `write` does."""
        self._to_stdout(self.services.stdout.flush)

    def note(self, text: str) -> None:
        """Progress or information, one line."""
        if not self.quiet:
            self._say(escape_controls(text))

    def warn(self, text: str) -> None:
        """A warning, one line."""
        if not self.quiet:
            mark = self.stderr_look().paint("warning:", YELLOW)
            self._say(f"sbpam: {mark} {escape_controls(text)}")

    def trace(self, text: str) -> None:
        """A line for `--verbose`."""
        if self.verbose and not self.quiet:
            self._say(self.stderr_look().paint(escape_controls(text), DIM))

    @property
    def gives_hints(self) -> bool:
        """Whether a person is there who wants any."""
        wanted = not self.quiet and self.services.env("SBPAM_NO_HINTS") is None
        return wanted and self.services.stderr_is_terminal()

    def hint(self, text: str | None) -> None:
        """What one may do next; shown to a person alone."""
        if text is not None and self.gives_hints:
            look = self.stderr_look()
            self._say(look.paint(f"{look.glyphs.arrow} {escape_controls(text)}", DIM))

    def summary(self, lines: Iterable[str]) -> None:
        """What became of it all, after the data; the first line stands out.

        On a terminal no word is broken, so that a job's id can be marked and copied.
        """
        if self.quiet:
            return
        first, *rest = map(escape_controls, lines)
        look, apart = self.stderr_look(), []
        if self.services.stderr_is_terminal():
            apart = [""]
            rest = [part for line in rest for part in _folded(line, look.width)]
        self._say("\n".join([*apart, look.paint(first, BOLD), *rest]))

    def error(self, error: SbpamError) -> None:
        """What happened, why, the trace id, what to do next: up to four lines.

        The reason of an InputError may be several lines: a refused entry each.
        """
        look = self.stderr_look()
        lines = [f"{look.paint('sbpam:', f'{BOLD};{RED}')} {_one_line(error.message)}"]
        if error.reason:
            many = isinstance(error, InputError)
            reasons = error.reason.split("\n") if many else [_one_line(error.reason)]
            lines += [f"  {escape_controls(reason)}" for reason in reasons]
        if error.trace_id:
            lines.append(f"  trace id: {_one_line(error.trace_id)}")
        if error.hint:
            lines.append(f"  {look.glyphs.arrow} {_one_line(error.hint)}")
        self._say("\n".join(lines))

    def write_talk(self, text: str) -> None:
        """Ready text to stderr; for a live display."""
        with self._lock:
            if self._stderr_gone:
                return
            try:
                _put(self.services.stderr, text)
                self.services.stderr.flush()
            except (OSError, ValueError):
                self._stderr_gone = True

    def finish(self) -> None:
        """Flushes both streams for the last time, so that the interpreter's exit is quiet.

        Raises as `write` does.
        """
        try:
            self.flush()
        finally:
            self.write_talk("")
            if self._stdout_gone:
                _drain(self.services.stdout)
            if self._stderr_gone:
                _drain(self.services.stderr)

    def _say(self, text: str) -> None:
        if self.lines_above is not None:
            self.lines_above(text)
        else:
            self.write_talk(text + "\n")

    def _to_stdout(self, action: Callable[..., None], *arguments: object) -> None:
        with self._lock:
            if self._stdout_gone:
                return
            try:
                action(*arguments)
            except (OSError, ValueError) as error:
                self._stdout_gone = True
                self.stdout_closed = _reader_left(error)
                if not self.stdout_closed:
                    raise unwritable(error) from error


def unwritable(error: OSError | ValueError) -> OutputError:
    """The error of a stdout that takes nothing any more."""
    reason = getattr(error, "strerror", None) or str(error)
    return OutputError("stdout could not be written", reason=reason, hint="make room where it goes")


def _folded(line: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(
        line, width, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False
    )


def _one_line(text: str) -> str:
    # Spaces within a line stay: a hint may hold a command to copy.
    lines = (line.strip() for line in text.splitlines())
    return escape_controls(" ".join(line for line in lines if line))


def _tolerate(stream: TextIO, newline: str | None) -> None:
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        with contextlib.suppress(OSError, ValueError):
            reconfigure(errors="backslashreplace")
            if newline is not None:
                reconfigure(newline=newline)


def _put(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
    except UnicodeEncodeError as error:
        stream.write(text.encode(error.encoding, "backslashreplace").decode(error.encoding))


def _reader_left(error: Exception) -> bool:
    # Windows says EINVAL for a broken pipe; a closed file object raises ValueError.
    return isinstance(error, BrokenPipeError | ValueError) or (
        os.name == "nt" and getattr(error, "errno", None) == errno.EINVAL
    )


def _drain(stream: TextIO) -> None:
    # What is still buffered would fail again at the interpreter's exit, with a complaint.
    with contextlib.suppress(AttributeError, OSError, ValueError):
        descriptor = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(descriptor, stream.fileno())
        finally:
            os.close(descriptor)
        stream.flush()
