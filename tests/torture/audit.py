"""Fails whatever goes round the seams: sockets, and files opened for writing."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_state = threading.local()
_armed = False


class WentRoundError(BaseException):
    """The program reached the world without a seam."""


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _armed or getattr(_state, "inside", False):
        return
    if event in (
        "socket.getaddrinfo",
        "socket.connect",
        "socket.bind",
        "sqlite3.connect",
        "subprocess.Popen",
    ):
        raise WentRoundError(f"{event} {arguments[:1]}")
    if event == "open":
        path, mode, flags = arguments
        writes = isinstance(flags, int) and flags & _WRITING
        # A number is a descriptor: what it stands for was opened before. And the interpreter
        # has its own cache of compiled modules.
        own = isinstance(path, int) or (isinstance(path, str) and "__pycache__" in path)
        if writes and not own:
            raise WentRoundError(f"open {path!r} {mode} {flags}")


# One that was added stays.
sys.addaudithook(_hook)


@contextmanager
def watched() -> Iterator[None]:
    """While the program runs: nothing may go round the seams."""
    global _armed
    _armed = True
    try:
        yield
    finally:
        _armed = False


@contextmanager
def inside_seam() -> Iterator[None]:
    """What a seam itself does is its own business."""
    before = getattr(_state, "inside", False)
    _state.inside = True
    try:
        yield
    finally:
        _state.inside = before
