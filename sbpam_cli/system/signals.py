"""Signals: the first asks, the second leaves.

While nothing has been sent, a signal ends the command where it stands. From the first POST on
(`defer`) a handler sets an event only, and the main loop looks at it at least twice a second.
"""

import os
import signal
import threading
from contextlib import suppress
from types import FrameType
from typing import Any, Self

from sbpam_cli.errors import Interrupted
from sbpam_cli.system.services import Services

_WORDS = {1: "hung up", 2: "interrupted", 15: "terminated"}
GRACE_S = 8.0
"""How long the first signal waits for answers under way; `docker stop` kills after 10 s."""


class Interruption:
    """Context manager around a command that must end in order."""

    def __init__(self, services: Services) -> None:
        self.event = threading.Event()
        self.number: int | None = None
        self._deferred = False
        self._services = services
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
                number = getattr(signal, name, None)
                # One that was ignored at start (nohup, a shell's `&`) stays ignored.
                if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._handle)
            if os.name == "nt":
                from sbpam_cli.system.windows import interrupt_on_console_close

                interrupt_on_console_close()
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def defer(self, *, deferred: bool = True) -> None:
        """From now on a signal only sets the event. Raises Interrupted if one came before."""
        self._deferred = deferred
        self.check()

    def check(self) -> None:
        """Raises Interrupted if a signal came."""
        if self.number is not None:
            raise self.error()

    def error(self) -> Interrupted:
        """The error of the signal that came."""
        number = int(self.number or signal.SIGINT)
        hint = "`sbpam resume` finishes the run" if self._deferred else None
        return Interrupted(_WORDS[number], signal_number=number, hint=hint)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if number == getattr(signal, "SIGBREAK", None):
            number = signal.SIGINT
        if self.number is not None and self._deferred:
            # The second one: what was written goes out, and the process ends.
            services = self._services
            for stream in (services.stdout, services.stderr):
                # It may be in the middle of a write.
                with suppress(OSError, ValueError, RuntimeError):
                    stream.flush()
            services.terminal.restore()
            services.exit_now(128 + number)
        self.number = number
        self.event.set()
        if not self._deferred:
            raise self.error()
