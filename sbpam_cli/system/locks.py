"""One run at a time for one list on one server: the operating system's own lock.

It dies with the process, however that ends; the file itself is never
unlinked, because two processes could then hold locks on two files of one name.
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from sbpam_cli.errors import JournalError, LockedError
from sbpam_cli.system.files import open_private, private_folder
from sbpam_cli.system.services import Services

_TURN_WITHIN_S, _TURN_PAUSE_S = 10.0, 0.2


@contextmanager
def hold_lock(services: Services, server: str, digest: str) -> Iterator[None]:
    """Holds the lock of a list (`digest` of its names) on a server.

    Raises LockedError at once if another process holds it. Nothing may
    fork without exec meanwhile: a forked child keeps the lock alive.
    """
    with _file(services, f"{server}\n{digest}") as descriptor:
        if not _try_lock(services, descriptor):
            raise LockedError(
                "another sbpam is scheduling this list on this server",
                hint="wait for it to end; `sbpam status` shows how far it is",
            )
        yield


@contextmanager
def take_turn(services: Services, what: str, pause: Callable[[float], None]) -> Iterator[bool]:
    """Holds the lock `what` against other processes; yields whether it was waited for.

    After ten seconds, or if no lock can be had, it goes on without: what two processes then do at
    once is done twice, which is no harm. pause: waits that many seconds; may raise Interrupted.
    """
    until, waited = services.clock.monotonic() + _TURN_WITHIN_S, False
    with ExitStack() as stack:
        with suppress(JournalError):
            descriptor = stack.enter_context(_file(services, f"turn\n{what}"))
            while not _try_lock(services, descriptor) and services.clock.monotonic() < until:
                waited = True
                pause(_TURN_PAUSE_S)
        yield waited


@contextmanager
def _file(services: Services, what: str) -> Iterator[int]:
    import hashlib

    key = hashlib.sha256(what.encode(errors="surrogateescape")).hexdigest()[:32]
    folder = private_folder(services, services.state_folder())
    path = private_folder(services, folder / "locks") / f"{key}.lock"
    descriptor = open_private(services, path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _try_lock(services: Services, descriptor: int) -> bool:
    try:
        services.files().lock(descriptor)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
            return False
        raise JournalError(
            "the list cannot be locked",
            reason=error.strerror or str(error),
            hint="put the state on a local disk: set SBPAM_STATE_HOME",
        ) from error
    return True
