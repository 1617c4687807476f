"""Clocks that tests move, and workers without threads."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from sbpam_cli.system.clock import Clock
from sbpam_cli.system.threads import Done, Workers


class MovedClock(Clock):
    """Waiting moves it. Threads may share it.

    moment_s: what other threads do takes real time, so much of it at most in each wait.
    """

    # Windows wakes a thread up to 16 ms late.
    moment_s = 0.05 if os.name == "nt" else 0.02

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
        if event.wait(min(timeout_s, self.moment_s)):
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
