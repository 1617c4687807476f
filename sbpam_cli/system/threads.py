"""Threads of our own for what waits on the network.

Daemons, because a pool's exit waits for its threads, and one of them may be
blocked in a read that the server never ends.
"""

import os
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

from sbpam_cli.errors import SbpamError
from sbpam_cli.system.clock import Clock

WAIT_SLICE_S = 0.5
"""The longest wait of the main thread: signals are looked at in between."""


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
        self._threads = 0
        self._tasks: SimpleQueue[tuple[object, Callable[[], Any]]] = SimpleQueue()
        self._done: deque[Done] = deque()
        self._lock = threading.Lock()
        self._arrived = threading.Event()

    def submit(self, key: object, task: Callable[[], Any]) -> None:
        """Starts a task as soon as a thread is free."""
        self._tasks.put((key, task))
        if self._threads < self._count:
            self._threads += 1
            threading.Thread(target=self._work, daemon=True).start()

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
            key, task = self._tasks.get()
            done = _run(key, task)
            with self._lock:
                self._done.append(done)
                self._arrived.set()
            # An idle thread must not keep a client, and with it its connections, alive.
            del key, task, done


def _run(key: object, task: Callable[[], Any]) -> Done:
    try:
        return Done(key, task(), None)
    except BaseException as error:
        return Done(key, None, error)


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
        done.append(_run("task", task))
        ended.set()

    threading.Thread(target=run, daemon=True).start()
    while not ended.wait(WAIT_SLICE_S):
        pass
    answer: Answer = _outcome(done[0])
    return answer
