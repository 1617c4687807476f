"""Time: the only module that reads the clock or waits."""

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Time, and waiting. All waiting of the program goes through here."""

    def now(self) -> float:
        """Wall clock, epoch seconds."""

    def monotonic(self) -> float:
        """Seconds that never go back; only differences mean anything."""

    def sleep(self, seconds: float) -> None:
        """Waits in this thread."""

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Waits for `event`, at most `timeout_s`; True if it is set."""


class SystemClock:
    """The real one."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        return event.wait(timeout_s)
