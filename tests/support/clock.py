"""Clocks that tests move, and workers without threads."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from sbpam_cli.system.clock import Clock
from sbpam_cli.system.threads import Done, Workers

_MOMENT_S = 0.05 if os.name == "nt" else 0.02
"""Windows wakes a thread up to 16 ms late."""


class MovedClock(Clock):
    """Waiting moves it and takes no time. Threads may share it."""

    def __init__(self, start: float = 1_795_403_702.0) -> None:
        self._now = start
        self._lock = threading.Lock()

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now

    def move(self, seconds: float) -> None:
        with self._lock:
            self._now += seconds

    def sleep(self, seconds: float) -> None:
        self.move(seconds)
        time.sleep(0)

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        # What other threads do takes real time: they get a moment of it first.
        if event.wait(_MOMENT_S if timeout_s else 0):
            return True
        self.move(timeout_s)
        return event.is_set()


class Inline(Workers):
    """Workers that run a task when its result is wanted; without any, time passes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: deque[tuple[object, Callable[[], Any]]] = deque()

    def submit(self, key: object, task: Callable[[], Any]) -> None:
        self._waiting.append((key, task))

    def next(self, timeout_s: float) -> Done | None:
        if not self._waiting:
            self._clock.sleep(timeout_s)
            return None
        key, task = self._waiting.popleft()
        try:
            return Done(key, task(), None)
        except Exception as error:
            return Done(key, None, error)


class RealWaits(MovedClock):
    """Another clock's time; what other threads do is waited for in real time, `longest_s` at most.

    Where it does not come, the time has passed.
    """

    def __init__(self, clock: MovedClock, longest_s: float = 0.5) -> None:
        super().__init__()
        self.now = clock.now  # type: ignore[method-assign]
        self.monotonic = clock.monotonic  # type: ignore[method-assign]
        self.sleep = clock.sleep  # type: ignore[method-assign]
        self.move = clock.move  # type: ignore[method-assign]
        self._longest_s = longest_s

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        if event.wait(min(timeout_s, self._longest_s)):
            return True
        self.move(timeout_s)
        return event.is_set()
