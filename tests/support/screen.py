"""A terminal that is held in memory: what stands on its screen, whatever wrote it."""

import re
import unicodedata
from typing import Any

from pyte import HistoryScreen, Screen, Stream

from sbpam_cli.system.services import Services

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def is_harmless(text: str, keep: str = "") -> bool:
    """Whether nothing in it acts on a terminal, or on who reads it there."""
    kinds = ("Cc", "Cs", "Zl", "Zp")
    return not any(unicodedata.category(c) in kinds or c in BIDI for c in text if c not in keep)


def colourless(text: str) -> str:
    """Without our own colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


class Terminal:
    """Stdout and stderr. `seen`: the screen after each write, if that is wanted."""

    encoding = "utf-8"

    def __init__(self, columns: int, lines: int, *, above: str = "", keeps: bool = False) -> None:
        self.screen: Screen = HistoryScreen(columns, lines)
        self.environ = {"COLUMNS": str(columns), "LINES": str(lines), "TERM": "xterm"}
        self.seen: list[str] = []
        self._keeps = keeps
        self._stream = Stream(self.screen)
        self._stream.feed(above)

    def serve(self, services: Services) -> None:
        of_both: Any = self
        services.stdout = services.stderr = of_both

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        shown = text.encode(self.encoding, "backslashreplace").decode(self.encoding)
        self._stream.feed(shown.replace("\n", "\r\n"))
        if self._keeps:
            self.seen.append("\n".join(self.lines()))
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def lines(self) -> list[str]:
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip().split("\n")
