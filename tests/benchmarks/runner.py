"""Runs what it is told on stdin, an object a line, and answers with time and memory.

A process of its own that stays small: what the kernel tells of a child's peak
includes its parent's, as large as that was when the child began.
"""

import contextlib
import json
import os
import pty
import subprocess
import sys
import threading
import time


def _drain(descriptor: int) -> None:
    with contextlib.suppress(OSError):
        while os.read(descriptor, 1 << 16):
            pass


def run(
    words: list[str], files: list[str], folder: str, environ: dict[str, str], terminal: bool
) -> list[float]:
    """Exit code, seconds, peak MiB, processor seconds. files: stdin, stdout and stderr."""
    with contextlib.ExitStack() as stack:
        streams = [
            stack.enter_context(open(name, mode))
            for name, mode in zip(files, ("rb", "wb", "wb"), strict=True)
        ]
        if terminal:
            shown, screen = pty.openpty()
            stack.callback(os.close, shown)
            reader = threading.Thread(target=_drain, args=(shown,), daemon=True)
            reader.start()
            streams[1] = streams[2] = os.fdopen(screen, "wb", buffering=0)
        started = time.perf_counter()
        process = subprocess.Popen(
            words, stdin=streams[0], stdout=streams[1], stderr=streams[2], env=environ, cwd=folder
        )
        # Not `wait`: only this tells of memory and processor time.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        if terminal:
            streams[1].close()
    process.returncode = os.waitstatus_to_exitcode(status)
    cpu_s = usage.ru_utime + usage.ru_stime
    return [process.returncode, seconds, usage.ru_maxrss / 1024, cpu_s]


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(run(**json.loads(line))), flush=True)
