"""What a stream can show: colour, width, glyphs. Decided here and nowhere else."""

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, TextIO

from sbpam_cli.models import ScanStatus

if TYPE_CHECKING:
    from sbpam_cli.system.services import Services

DEFAULT_WIDTH, DEFAULT_HEIGHT = 80, 24
BOLD, DIM, RED, GREEN, YELLOW, MAGENTA, CYAN = "1", "2", "31", "32", "33", "35", "36"


class Glyphs(NamedTuple):
    """The signs in tables and messages; the first seven say how a host fares."""

    good: str
    bad: str
    flawed: str
    going: str
    waiting: str
    unclear: str
    idle: str
    arrow: str
    rule: str
    bar: str
    ellipsis: str


UNICODE_GLYPHS = Glyphs("✓", "✗", "!", "●", "○", "?", "–", "→", "─", "━", "…")  # noqa: RUF001
ASCII_GLYPHS = Glyphs("+", "x", "!", "*", ".", "?", "-", "->", "-", "#", "...")

_LOOKS: Mapping[str, tuple[str, str]] = {
    ScanStatus.QUEUED: ("waiting", DIM),
    ScanStatus.RUNNING: ("going", CYAN),
    ScanStatus.COMPLETE: ("good", GREEN),
    ScanStatus.FAILED: ("bad", RED),
    ScanStatus.CANCELLED: ("idle", YELLOW),
    ScanStatus.COMPLETED_WITH_ERRORS: ("flawed", YELLOW),
    ScanStatus.COMPLETED_NOT_RUN: ("idle", YELLOW),
    ScanStatus.PAUSED: ("waiting", YELLOW),
    ScanStatus.SCHEDULED: ("waiting", DIM),
    ScanStatus.UNKNOWN: ("unclear", YELLOW),
    ScanStatus.PENDING: ("waiting", DIM),
    ScanStatus.ACCEPTED: ("good", GREEN),
    ScanStatus.NOT_ACCEPTED: ("bad", RED),
    ScanStatus.REJECTED: ("bad", RED),
    ScanStatus.OUTCOME_UNKNOWN: ("unclear", MAGENTA),
    ScanStatus.NOT_SENT: ("idle", YELLOW),
    ScanStatus.INVALID: ("bad", RED),
    ScanStatus.VALID: ("good", GREEN),
    ScanStatus.SKIPPED: ("idle", DIM),
    "yes": ("good", GREEN),
    "no": ("bad", RED),
}


def status_kind(status: str) -> str:
    """How a status fares: the name of its glyph in `Glyphs`."""
    return _LOOKS.get(status, ("unclear", YELLOW))[0]


class Look(NamedTuple):
    """How a stream is to be written to; `width` is in terminal cells."""

    width: int
    colour: bool
    glyphs: Glyphs

    def paint(self, text: str, sgr: str) -> str:
        """`text` in a colour (an SGR parameter), or as it is."""
        return f"\x1b[{sgr}m{text}\x1b[0m" if self.colour and text else text

    def status(self, status: str, label: str | None = None) -> str:
        """A status (or yes and no) with its glyph, in its colour; `label` instead of its name."""
        glyph, sgr = self.sign(status)
        return self.paint(f"{glyph} {label or status}", sgr) if status else ""

    def sign(self, status: str) -> tuple[str, str]:
        """The glyph of a status and its colour."""
        kind, sgr = _LOOKS.get(status, ("unclear", YELLOW))
        return getattr(self.glyphs, kind), sgr


def look_at(stream: TextIO, services: "Services") -> Look:
    """What `stream`, one of the services' two, can show."""
    return Look(_width(stream, services), use_colour(stream, services), _glyphs(stream))


def use_colour(stream: TextIO, services: "Services") -> bool:
    """Whether to colour: NO_COLOR, then FORCE_COLOR and CLICOLOR_FORCE, then the terminal."""
    if services.env("NO_COLOR"):
        return False
    if any(services.env(name) not in (None, "0") for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return can_redraw(stream, services)


def can_redraw(stream: TextIO, services: "Services") -> bool:
    """Whether `stream` is a terminal that understands escape sequences."""
    is_terminal = (
        services.stderr_is_terminal()
        if stream is services.stderr
        else services.stdout_is_terminal()
    )
    return is_terminal and services.env("TERM") != "dumb" and _understands_ansi(stream)


def _width(stream: TextIO, services: "Services") -> int:
    columns = services.env("COLUMNS") or ""
    if columns.isdecimal() and int(columns[:6]) > 0:
        return int(columns[:6])
    try:
        return os.get_terminal_size(stream.fileno()).columns or DEFAULT_WIDTH
    except (AttributeError, OSError, ValueError):
        return DEFAULT_WIDTH


def height_of(stream: TextIO, services: "Services") -> int:
    """The lines of the terminal that `stream` is, at its present size."""
    try:
        return os.get_terminal_size(stream.fileno()).lines or DEFAULT_HEIGHT
    except (AttributeError, OSError, ValueError):
        lines = services.env("LINES") or ""
        return int(lines[:6]) if lines.isdecimal() and int(lines[:6]) else DEFAULT_HEIGHT


def _glyphs(stream: TextIO) -> Glyphs:
    try:
        "".join(UNICODE_GLYPHS).encode(getattr(stream, "encoding", None) or "utf-8")
    except (LookupError, UnicodeEncodeError):
        return ASCII_GLYPHS
    return UNICODE_GLYPHS


def _understands_ansi(stream: TextIO) -> bool:
    if sys.platform != "win32":
        return True
    import ctypes
    import msvcrt

    # The old Windows console does so only when told to, by every program anew.
    enable_virtual_terminal_processing = 4
    mode = ctypes.c_uint32()
    try:
        handle = ctypes.c_void_p(msvcrt.get_osfhandle(stream.fileno()))
        kernel = ctypes.windll.kernel32
        return bool(kernel.GetConsoleMode(handle, ctypes.byref(mode))) and bool(
            kernel.SetConsoleMode(handle, mode.value | enable_virtual_terminal_processing)
        )
    except (AttributeError, OSError, ValueError):
        return False
