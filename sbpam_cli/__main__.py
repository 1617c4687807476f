"""`python -m sbpam_cli`, and the installed command."""

import os
import sys
from contextlib import suppress
from typing import NoReturn


def run() -> NoReturn:
    """Runs the program and leaves at once.

    `os._exit`, because the interpreter's own exit waits: for a thread blocked
    in a keyring that never answers, for an import lock it holds, for a read
    that the server never ends. Everything that must be finished (streams,
    journal, temporary files) is finished before.
    """
    from sbpam_cli.main import main

    code = main()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
