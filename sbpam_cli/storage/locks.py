"""One run at a time for one list on one server: the operating system's own lock.

It dies with the process, however that ends; the file itself is never
unlinked, because two processes could then hold locks on two files of one name.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sbpam_cli.errors import JournalError, LockedError
from sbpam_cli.storage.paths import open_private, private_folder

if TYPE_CHECKING:
    from sbpam_cli.services import Services


@contextmanager
def hold_lock(services: "Services", server: str, digest: str) -> Iterator[None]:
    """Holds the lock of a list (`digest` of its names) on a server.

    Raises LockedError at once where another process holds it. Nothing may
    fork without exec meanwhile: a forked child keeps the lock alive.
    """
    import hashlib

    key = hashlib.sha256(f"{server}\n{digest}".encode()).hexdigest()[:32]
    folder = private_folder(private_folder(services.state_folder()) / "locks")
    try:
        descriptor = open_private(folder / f"{key}.lock")
    except OSError as error:
        raise JournalError(
            f"the lock in {folder} cannot be opened",
            reason=error.strerror or str(error),
            hint="check the folder's rights, or set SBPAM_STATE_HOME",
        ) from error
    try:
        if not _try_lock(descriptor):
            raise LockedError(
                "another sbpam is scheduling this list on this server",
                hint="wait for it to end; `sbpam status` shows how far it is",
            )
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        import errno

        if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
            return False
        raise JournalError(
            "the list cannot be locked",
            reason=error.strerror or str(error),
            hint="put the state on a local disk: set SBPAM_STATE_HOME",
        ) from error
    return True
