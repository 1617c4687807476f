"""Time: the only module that reads the clock or waits."""

import threading
import time


class Clock:
    """Time, and waiting. All waiting of the program goes through here."""

    def now(self) -> float:
        """Wall clock, epoch seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never go back; only differences mean anything."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Waits for `event`, at most `timeout_s`; True if it is set."""
        return event.wait(timeout_s)
