"""The two streams: stdout is data, stderr is talk.

Nothing raises because of an encoding, a closed stderr or a reader that left: `stdout_closed`
is set, and later writes are dropped. rich decides what a stream can show; pipes never load it.
"""

import contextlib
import errno
import os
import re
import threading
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, TextIO, cast

from sbpam_cli.errors import InputError, OutputError, SbpamError
from sbpam_cli.output.escape import escape_controls
from sbpam_cli.system.services import Services

if TYPE_CHECKING:
    import rich.console

_SIZE = re.compile("0*[1-9][0-9]{0,3}", re.ASCII)
_NARROWEST = 10


class Console:
    """Writes data and talk; a `models.Talk`. Its methods may be called from any thread.

    quiet: errors only. verbose: `trace` is shown too.
    stdout_closed: the reader of stdout left (`| head`).
    clear_display: makes room for a question where a display is redrawn.
    """

    def __init__(self, services: Services, *, quiet: bool = False, verbose: bool = False) -> None:
        self.services = services
        self.quiet = quiet
        self.verbose = verbose
        self.stdout_closed = False
        self._stdout_gone = False
        self._stderr_gone = False
        self.clear_display: Callable[[], None] = lambda: None
        # Reentrant: a signal's handler may write while its own thread does.
        self._lock = threading.RLock()
        # What goes to a pipe or a file is read back by programs, whatever the locale.
        piped = {"newline": "\n", "encoding": "utf-8"}
        _set_up(services.stdout, **({} if services.stdout_is_terminal() else piped))
        _set_up(services.stderr)

    @cached_property
    def rich_stdout(self) -> "rich.console.Console":
        return _make_rich(self.services.stdout, self.write, self.services)

    @cached_property
    def rich_stderr(self) -> "rich.console.Console":
        """A live display on it stays below what is printed meanwhile."""
        return _make_rich(self.services.stderr, self._write_talk, self.services)

    @cached_property
    def can_redraw(self) -> bool:
        return self.services.stderr_is_terminal() and not self.rich_stderr.is_dumb_terminal

    def write(self, text: str) -> None:
        """Data to stdout; the text is ready and ends its own lines.

        Raises OutputError, once, if stdout cannot take it.
        """
        self._to_stdout(self.services.stdout.write, text)

    def flush(self) -> None:
        """Raises as `write` does."""
        self._to_stdout(self.services.stdout.flush)

    def note(self, text: str) -> None:
        if not self.quiet:
            self._say(text)

    def warn(self, text: str) -> None:
        if not self.quiet:
            self.alert(text)

    def alert(self, text: str) -> None:
        """A warning that `--quiet` does not silence."""
        self._say(f"sbpam: warning: {text}", mark=("warning:", "yellow"))

    def trace(self, text: str) -> None:
        if self.verbose and not self.quiet:
            self._say(text, "dim")

    def hint(self, text: str | None) -> None:
        """What one may do next; for a person who wants to hear it alone."""
        services = self.services
        has_person = services.stderr_is_terminal() and services.stdout_is_terminal()
        wanted = not self.quiet and services.env("SBPAM_NO_HINTS") is None
        if text is not None and has_person and wanted:
            self._say(f"{self._arrow} {text}", "dim")

    def error(self, error: SbpamError) -> None:
        """What happened, why, the trace id, what to do next: up to four lines.

        The reason of an InputError may be several lines: a refused entry each.
        """
        self._say(f"sbpam: {_one_line(error.message)}", mark=("sbpam:", "bold red"))
        reason = error.reason or ""
        for line in reason.split("\n") if isinstance(error, InputError) else [_one_line(reason)]:
            if line:
                self._say(f"  {line}")
        if error.trace_id:
            self._say(f"  trace id: {_one_line(error.trace_id)}")
        if error.hint:
            self._say(f"  {self._arrow} {_one_line(error.hint)}")

    @property
    def _arrow(self) -> str:
        encoding = getattr(self.services.stderr, "encoding", None) or "utf-8"
        return "→" if encoding.lower().startswith("utf") else "->"

    def _say(self, text: str, style: str = "", *, mark: tuple[str, str] = ("", "")) -> None:
        """A line on stderr, in rich's styles; on a terminal no word is broken at the edge.

        mark: a word of it that has a style of its own, and that style.
        """
        text = escape_controls(text)
        if not self.services.stderr_is_terminal():
            self._write_talk(text + "\n")
            return
        from textwrap import wrap

        from rich.text import Text

        lines = wrap(
            text,
            max(self.rich_stderr.width, _NARROWEST),
            subsequent_indent=" " * (len(text) - len(text.lstrip()) + 2),
            break_long_words=False,
            break_on_hyphens=False,
        )
        styled = Text("\n".join(lines), style)
        start = text.index(mark[0])
        styled.stylize(mark[1], start, start + len(mark[0]))
        self.rich_stderr.print(styled, soft_wrap=True)

    def _write_talk(self, text: str) -> None:
        with self._lock:
            if not self._stderr_gone:
                try:
                    self.services.stderr.write(text)
                    self.services.stderr.flush()
                except (OSError, ValueError):
                    self._stderr_gone = True

    def _to_stdout(self, action: Callable[..., object], *arguments: object) -> None:
        with self._lock:
            if self._stdout_gone:
                return
            try:
                action(*arguments)
            except (OSError, ValueError) as error:
                self._stdout_gone = True
                # Windows calls a broken pipe EINVAL.
                is_einval = os.name == "nt" and getattr(error, "errno", None) == errno.EINVAL
                self.stdout_closed = is_einval or isinstance(error, BrokenPipeError)
                if not self.stdout_closed:
                    raise OutputError(error) from error


class _Sink:
    """What rich takes for a stream; `write` is the console's."""

    def __init__(self, stream: TextIO, write: Callable[[str], None]) -> None:
        self._stream = stream
        self.write = write

    def flush(self) -> None:
        """The console does that."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _make_rich(
    stream: TextIO, write: Callable[[str], None], services: Services
) -> "rich.console.Console":
    from rich.console import Console as RichConsole

    environ = {name: value for name, value in services.environ.items() if name != "FORCE_COLOR"}
    for name in ("COLUMNS", "LINES"):
        if not _SIZE.fullmatch(environ.get(name, "")):
            environ.pop(name, None)
    # rich takes FORCE_COLOR=0 for a wish, and does not know the other one.
    forced = ("FORCE_COLOR", "CLICOLOR_FORCE")
    return RichConsole(
        file=cast("TextIO", _Sink(stream, write)),
        force_terminal=any(services.env(name) not in (None, "0") for name in forced) or None,
        # rich's own NO_COLOR keeps bold and dim.
        color_system=None if services.env("NO_COLOR") is not None else "auto",
        markup=False,
        emoji=False,
        highlight=False,
        _environ=environ,
    )


def _one_line(text: str) -> str:
    # Spaces within a line stay: a hint may hold a command to copy.
    return " ".join(filter(None, map(str.strip, text.splitlines())))


def _set_up(stream: TextIO, **settings: str) -> None:
    with contextlib.suppress(AttributeError, OSError, ValueError):
        stream.reconfigure(errors="backslashreplace", **settings)  # type: ignore[attr-defined]
