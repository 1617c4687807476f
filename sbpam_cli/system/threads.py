"""Threads of our own for what waits on the network.

Daemons, because a pool's exit waits for its threads, and one of them may be
blocked in a read that the server never ends.
"""

import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from sbpam_cli.system.clock import Clock

WAIT_SLICE_S = 0.5
"""The longest wait of the main thread: signals are looked at in between."""
_IDLE_S = 5.0
Answer = TypeVar("Answer")


class Done(NamedTuple):
    """A finished task: its key and what it returned or raised."""

    key: object
    result: Any
    error: BaseException | None


class Workers:
    """Runs tasks in a bounded number of daemon threads. Tests bring their own order."""

    def __init__(self, count: int, clock: Clock) -> None:
        self._count = count
        self._clock = clock
        self._threads = self._idle = 0
        self._tasks: deque[tuple[object, Callable[[], Any]]] = deque()
        self._done: deque[Done] = deque()
        self._lock = threading.Condition()
        self._arrived = threading.Event()

    def submit(self, key: object, task: Callable[[], Any]) -> None:
        """Starts a task as soon as a thread is free. Raises RuntimeError if none can be started."""
        with self._lock:
            self._tasks.append((key, task))
            if self._idle < len(self._tasks) and self._threads < self._count:
                try:
                    threading.Thread(target=self._work, daemon=True).start()
                    self._threads += 1
                except RuntimeError:
                    # With one at work, the others take their turn.
                    if not self._threads:
                        raise
            self._lock.notify()

    def next(self, timeout_s: float) -> Done | None:
        """A finished task, or None when none finished in that time."""
        if not self._clock.wait(self._arrived, timeout_s):
            return None
        with self._lock:
            done = self._done.popleft()
            if not self._done:
                self._arrived.clear()
        return done

    def _work(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
                self._lock.wait_for(lambda: self._tasks, _IDLE_S)
                self._idle -= 1
                if not self._tasks:
                    self._threads -= 1
                    return
                key, task = self._tasks.popleft()
            try:
                done = Done(key, task(), None)
            except BaseException as error:
                done = Done(key, None, error)
            with self._lock:
                self._done.append(done)
                self._arrived.set()
            # An idle thread must not keep a client, and with it its connections, alive.
            del key, task, done


def call(
    workers: Workers, task: Callable[[], Answer], check: Callable[[], None] = lambda: None
) -> Answer:
    """What a task, run beside the main thread, returns or raises.

    Meanwhile `check` is called twice a second; what it raises ends the wait. The workers must
    have no other task.
    """
    workers.submit("call", task)
    while (done := workers.next(WAIT_SLICE_S)) is None:
        check()
    if done.error is not None:
        raise done.error
    answer: Answer = done.result
    return answer


def interruptible(task: Callable[[], Answer]) -> Answer:
    """What `task` returns or raises; a signal ends the wait for it.

    Windows ends no read of the main thread for Ctrl-C, so that there another thread reads.
    """
    if os.name != "nt" or threading.current_thread() is not threading.main_thread():
        return task()
    return call(Workers(1, Clock()), task)
