"""The program at a terminal of its own, whose mode the test can see."""

import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

PATIENCE_S = 60.0


class PtyProgram:
    """A process whose controlling terminal is a new pseudo-terminal; `screen` is what it wrote."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        self._master, self._slave = os.openpty()
        self.screen = ""
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *command],
            env=dict(environ),
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
        )

    def echoes(self) -> bool:
        import termios

        return bool(termios.tcgetattr(self._slave)[3] & termios.ECHO)

    def wait_for(self, pattern: str, *, echo: bool | None = None) -> str:
        """Until the screen has the pattern, and echo is as it should be."""
        end = time.monotonic() + PATIENCE_S
        while True:
            if re.search(pattern, self.screen) and echo in (None, self.echoes()):
                return self.screen
            going = self.process.poll() is None and time.monotonic() < end
            self._read(0.05)
            found = re.search(pattern, self.screen) is not None
            assert going or found, f"{pattern!r} or echo={echo} missing:\n{self.screen}"

    def type(self, text: bytes | str) -> None:
        os.write(self._master, text.encode() if isinstance(text, str) else text)

    def end(self) -> int:
        """Its exit code, once it has ended; negative for a signal."""
        code = self.process.wait(PATIENCE_S)
        self._read(0.05)
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.kill()
            self.process.wait()
        os.close(self._master)
        os.close(self._slave)

    def _read(self, timeout_s: float) -> None:
        while select.select([self._master], [], [], timeout_s)[0]:
            self.screen += os.read(self._master, 65536).decode(errors="replace")
            timeout_s = 0.0
