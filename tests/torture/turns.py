"""Workers whose threads take turns: one runs at a time, and a seed draws which.

A task gives up its turn where its POST meets the network, so several POSTs are
in flight at once, in an order that can be repeated.
"""

import random
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from sbpam_cli.system.clock import Clock
from sbpam_cli.system.threads import Done, Workers


class Killed(BaseException):
    """The machine is dead: nothing of the program may see another call succeed."""


class _Task(threading.Thread):
    def __init__(self, key: object, work: Callable[[], Any], home: "Turns") -> None:
        super().__init__(daemon=True)
        self.key = key
        self.go = threading.Semaphore(0)
        self._work = work
        self._home = home

    def run(self) -> None:
        self.go.acquire()
        result, failure = None, None
        try:
            result = self._work()
        except BaseException as error:
            failure = error
        self._home.end(self, Done(self.key, result, failure))


class Turns:
    """Whose turn it is in one process. The main thread hands turns out and takes them back."""

    def __init__(self, seed: int, is_dead: Callable[[], bool]) -> None:
        self.random = random.Random(seed)
        self.is_dead = is_dead
        self.tasks: list[_Task] = []
        self.done: dict[_Task, Done] = {}
        self._back = threading.Semaphore(0)
        self._current: _Task | None = None

    @property
    def in_worker(self) -> bool:
        return threading.current_thread() is self._current

    def add(self, key: object, work: Callable[[], Any]) -> _Task:
        task = _Task(key, work, self)
        task.start()
        self.tasks.append(task)
        return task

    def step(self, task: _Task) -> None:
        """Lets one task run to where it gives up its turn, or to its end."""
        self._current = task
        task.go.release()
        self._back.acquire()
        self._current = None

    def end(self, task: _Task, done: Done) -> None:
        self.tasks.remove(task)
        self.done[task] = done
        self._back.release()

    def give_up_turn(self) -> None:
        """Called by a task: another one, or the main thread, goes on."""
        task = self._current
        if task is None or threading.current_thread() is not task:
            return
        self._back.release()
        task.go.acquire()
        if self.is_dead():
            raise Killed

    def drain(self) -> None:
        """The process is over: every task that is left meets a dead machine."""
        while self.tasks:
            self.step(self.tasks[0])


class TurnWorkers(Workers):
    """`Workers` on `Turns`; `after`: called when the main thread has its turn back."""

    def __init__(self, count: int, clock: Clock, turns: Turns, after: Callable[[], None]) -> None:
        self._count = count
        self._clock = clock
        self._turns = turns
        self._after = after
        self._waiting: deque[tuple[object, Callable[[], Any]]] = deque()
        self._mine: list[_Task] = []
        self._done: deque[Done] = deque()

    def submit(self, key: object, task: Callable[[], Any]) -> None:
        self._waiting.append((key, task))
        # A thread may be well under way before the one that started it goes on.
        while self._turns.random.random() < 0.5 and self._step():
            pass

    def next(self, timeout_s: float) -> Done | None:
        draw = self._turns.random.random
        while not self._done:
            if timeout_s == 0 and draw() < 0.5:
                return None
            if not self._step():
                self._clock.sleep(timeout_s)
                return None
        return self._done.popleft()

    def _step(self) -> bool:
        """One step of one of the tasks; False where there is none."""
        turns = self._turns
        while self._waiting and len(self._mine) < self._count:
            self._mine.append(turns.add(*self._waiting.popleft()))
        if not self._mine:
            return False
        task = turns.random.choice(self._mine)
        turns.step(task)
        if task in turns.done:
            self._mine.remove(task)
            self._done.append(turns.done.pop(task))
        self._after()
        return True
