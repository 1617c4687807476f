"""Runs what it is told on stdin, an object a line, and answers with time and memory.

A process of its own that stays small: what the kernel tells of a child's peak
includes its parent's, as large as that was when the child began.
"""

import json
import os
import subprocess
import sys
import time


def run(words: list[str], files: list[str], folder: str, environ: dict[str, str]) -> list[float]:
    """Exit code, seconds and peak MiB; files: stdin, stdout and stderr."""
    with open(files[0], "rb") as stdin, open(files[1], "wb") as out, open(files[2], "wb") as err:
        started = time.perf_counter()
        process = subprocess.Popen(
            words, stdin=stdin, stdout=out, stderr=err, env=environ, cwd=folder
        )
        # Not `wait`: only this tells of the memory.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    return [process.returncode, seconds, usage.ru_maxrss / 1024]


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(run(**json.loads(line))), flush=True)
