"""`python -m sbpam_cli`, and the installed command."""

import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def run() -> "NoReturn":
    """Runs the program and leaves at once.

    `os._exit`, because the interpreter's own exit waits: for a thread blocked in a keyring that
    never answers, for an import lock it holds, for a read that the server never ends. Everything
    that must be finished (streams, journal, temporary files) is finished before.
    """
    # Imports and large replies make much that lives on and no garbage: looking for some took a
    # tenth of a start, and a fifth of what a hundred thousand hosts take.
    gc.set_threshold(300_000, 20, 100)
    from sbpam_cli.main import main

    code = main()
    for stream in (sys.stdout, sys.stderr):
        try:  # noqa: SIM105 (contextlib would be the largest part of `--version`)
            stream.flush()
        except (OSError, ValueError, AttributeError):
            pass
    os._exit(code)


if __name__ == "__main__":
    run()
