"""A real terminal: a tmux session of one window."""

import os
import re
import shlex
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from support.programs import find_program


class Tmux:
    """A shell with this environment and no other, until `close`."""

    def __init__(
        self, folder: Path, columns: int, lines: int, environ: Mapping[str, str], shell: str = "sh"
    ) -> None:
        self._tmux = [find_program("tmux"), "-S", str(folder / "tmux"), "-f", os.devnull]
        self._runs = 0
        given = [f"{name}={shlex.quote(value)}" for name, value in environ.items()]
        command = f"env -i {' '.join(given)} TERM=screen-256color PS1='$ ' {shell}"
        self.do("new-session", "-d", "-x", str(columns), "-y", str(lines), command)

    def do(self, *arguments: str) -> str:
        ended = subprocess.run(
            [*self._tmux, *arguments], capture_output=True, text=True, timeout=30, check=True
        )
        return ended.stdout

    def screen(self, *, colours: bool = False, history: bool = True) -> str:
        start = ["-S", "-"] if history else []
        return self.do("capture-pane", "-p", *start, *(["-e"] if colours else []))

    def type(self, text: str, *keys: str) -> None:
        self.do("send-keys", "-l", text)
        for key in keys:
            self.do("send-keys", key)

    def wait_for(self, pattern: str, *, history: bool = True, timeout_s: float = 60.0) -> str:
        """The screen, once it has the pattern."""
        end = time.monotonic() + timeout_s
        while not re.search(pattern, screen := self.screen(history=history), re.MULTILINE):
            assert time.monotonic() < end, f"{pattern!r} did not appear:\n{screen}"
            time.sleep(0.02)
        return screen

    def run(self, command: str) -> str:
        """Types a command and waits for its end; the screen from the command on."""
        self.do("clear-history")
        self._runs += 1
        self.type(f"clear; {command}; echo ended=$? run {self._runs}", "Enter")
        return self.wait_for(rf"^ended=\d+ run {self._runs}")

    def resize(self, columns: int, lines: int) -> None:
        self.do("resize-window", "-x", str(columns), "-y", str(lines))

    def shows_cursor(self) -> bool:
        return self.do("display-message", "-p", "#{cursor_flag}").strip() == "1"

    def close(self) -> None:
        self.do("kill-server")
