"""Threads of our own for what waits on the network.

Daemons, because a pool's exit waits for its threads, and one of them may be
blocked in a read that the server never ends.
"""

import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeVar

from sbpam_cli.errors import SbpamError
from sbpam_cli.system.clock import Clock

WAIT_SLICE_S = 0.5
"""The longest wait of the main thread: signals are looked at in between."""


class Done(NamedTuple):
    """A finished task: its key and what it returned or raised."""

    key: object
    result: Any
    error: BaseException | None


class Workers(Protocol):
    """What runs tasks beside the main thread. Tests bring their own order."""

    def submit(self, key: object, task: Callable[[], Any]) -> None:
        """Starts a task as soon as a thread is free."""

    def next(self, timeout_s: float) -> Done | None:
        """A finished task, or None when none finished in that time."""


Answer = TypeVar("Answer")


def call(
    workers: Workers,
    task: Callable[[], Answer],
    stop: threading.Event,
    interrupted: Callable[[], SbpamError],
) -> Answer:
    """Runs a task beside the main thread, which meanwhile looks at `stop` twice a second.

    Raises what the task raises, and `interrupted()` when `stop` is set first.
    The workers must have no other task.
    """
    workers.submit("call", task)
    while (done := workers.next(WAIT_SLICE_S)) is None:
        if stop.is_set():
            raise interrupted()
    answer: Answer = _outcome(done)
    return answer


def _outcome(done: Done) -> Any:
    if done.error is not None:
        raise done.error
    return done.result


def interruptible(task: Callable[[], Answer]) -> Answer:
    """What `task` returns or raises; a signal ends the wait for it.

    Windows ends no read of the main thread for Ctrl-C, so that there another thread reads.
    """
    if os.name != "nt" or threading.current_thread() is not threading.main_thread():
        return task()
    done: list[Done] = []
    ended = threading.Event()

    def run() -> None:
        try:
            done.append(Done("task", task(), None))
        except BaseException as error:
            done.append(Done("task", None, error))
        ended.set()

    threading.Thread(target=run, daemon=True).start()
    while not ended.wait(WAIT_SLICE_S):
        pass
    answer: Answer = _outcome(done[0])
    return answer


class ThreadWorkers:
    """A bounded number of daemon threads, started as they are needed."""

    def __init__(self, count: int, clock: Clock) -> None:
        self._count = count
        self._clock = clock
        self._threads = 0
        self._idle = 0
        self._tasks: deque[tuple[object, Callable[[], Any]]] = deque()
        self._done: deque[Done] = deque()
        self._wanted = threading.Condition()
        self._arrived = threading.Event()

    def submit(self, key: object, task: Callable[[], Any]) -> None:
        with self._wanted:
            self._tasks.append((key, task))
            if self._idle < len(self._tasks) and self._threads < self._count:
                self._threads += 1
                threading.Thread(target=self._work, daemon=True).start()
            self._wanted.notify()

    def next(self, timeout_s: float) -> Done | None:
        if not self._done and not self._clock.wait(self._arrived, timeout_s):
            return None
        with self._wanted:
            done = self._done.popleft() if self._done else None
            if not self._done:
                self._arrived.clear()
        return done

    def _work(self) -> None:
        while True:
            with self._wanted:
                self._idle += 1
                while not self._tasks:
                    self._wanted.wait()
                self._idle -= 1
                key, task = self._tasks.popleft()
            result, failure = None, None
            try:
                result = task()
            except BaseException as error:
                failure = error
            with self._wanted:
                self._done.append(Done(key, result, failure))
                self._arrived.set()
            # An idle thread must not keep a client, and with it its connections, alive.
            del key, task, result, failure
