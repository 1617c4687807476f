"""Folders and files that belong to one user alone: created, checked, written whole."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sbpam_cli.errors import JournalError
from sbpam_cli.system.services import Services

_BINARY = getattr(os, "O_BINARY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_NO_WAITING = getattr(os, "O_NONBLOCK", 0)
_PIPE_WITHIN_S = 3.0
_LONGEST_PRIVATE = 1 << 20
_OTHER_WRITERS = 0o022
_SCANNER_HOLDS_S = 1.0


def private_folder(services: Services, path: Path) -> Path:
    """`path` as a folder of mode 0700, created with its parents if it is missing.

    Our own, if wider, is narrowed. One that the environment names is the
    user's: used as it is if nobody else can write there. Raises JournalError.
    """
    with _usable(path):
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        for folder in reversed(missing):
            services.files().make_folder(folder)
        status = path.stat()
        if not stat.S_ISDIR(status.st_mode):
            raise JournalError(f"{path} is not a folder", hint="remove or rename it")
        # A link in a folder that others may write could lead anywhere.
        _require_own(path, status.st_uid, path.lstat().st_uid)
        mode = stat.S_IMODE(status.st_mode)
        if os.name != "posix" or not mode & 0o077:
            return path
        if not services.is_named_folder(path):
            path.chmod(0o700)
        else:
            _refuse_other_writers(path, mode)
    return path


def require_writable(services: Services, path: Path) -> None:
    """Raises JournalError if `write_private` could not write `path`; makes nothing."""
    with _usable(path):
        _refuse_link(path)
        above = next(folder for folder in path.parents if folder.exists())
        if above == path.parent:
            private_folder(services, above)
        if not (above.is_dir() and os.access(above, os.W_OK | os.X_OK)):
            raise OSError(errno.EROFS, f"{above} is no folder that can be written")


def open_private(services: Services, path: Path, *, create_new: bool = False) -> int:
    """A descriptor of the file, for reading and writing, created 0600 if it is missing.

    Never through a symbolic link in the last component. Raises JournalError; with
    `create_new` FileExistsError if the file is there already.
    """
    flags = os.O_RDWR | os.O_CREAT | _BINARY | _NO_LINK | (os.O_EXCL if create_new else 0)
    with _usable(path, FileExistsError):
        _refuse_link(path)
        descriptor = services.files().open(path, flags)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise JournalError(f"{path} is not a file", hint="remove or rename it")
        _require_own(path, status.st_uid)
        if os.name == "posix" and stat.S_IMODE(status.st_mode) & 0o077:
            os.fchmod(descriptor, 0o600)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def read_private(services: Services, path: Path) -> bytes | None:
    """The content of a file of ours; None if it is missing. Raises JournalError."""
    with _usable(path), suppress(FileNotFoundError):
        _refuse_link(path)
        owner = path.stat().st_uid
        # Root's is fine: an administrator, or a container's image, put it there.
        if owner != 0:
            _require_own(path, owner)
        if services.is_named_folder(path.parent):
            _refuse_other_writers(path.parent, path.parent.stat().st_mode)
        content = read_limited(path, _LONGEST_PRIVATE, pipes=False)
        if len(content) > _LONGEST_PRIVATE:
            raise JournalError(f"{path} is too large", hint="move it away")
        return content
    return None


def read_limited(path: Path, limit: int, *, pipes: bool = True) -> bytes:
    """What is in a file or a pipe; of more than `limit` bytes `limit + 1`.

    A pipe has 3 seconds for each piece. Raises OSError, for folders and devices too.
    """
    descriptor = os.open(path, os.O_RDONLY | _BINARY | _NO_WAITING)
    try:
        mode = os.fstat(descriptor).st_mode
        is_pipe = pipes and stat.S_ISFIFO(mode)
        if not (stat.S_ISREG(mode) or is_pipe):
            kind = "a folder" if stat.S_ISDIR(mode) else "a device or a pipe"
            raise OSError(errno.EINVAL, f"it is {kind}, not a file")
        content = b""
        while len(content) <= limit:
            if is_pipe and os.name == "posix":
                import select

                if not select.select([descriptor], [], [], _PIPE_WITHIN_S)[0]:
                    why = f"nothing came within {_PIPE_WITHIN_S:.0f} seconds"
                    raise OSError(errno.ETIMEDOUT, why)
            piece = os.read(descriptor, limit + 1 - len(content))
            if not piece:
                break
            content += piece
        return content
    finally:
        os.close(descriptor)


def write_private(services: Services, path: Path, data: bytes) -> None:
    """Writes the whole file or leaves it as it was; its folder is made private too."""
    import tempfile

    folder = private_folder(services, path.parent)
    with _usable(path):
        _refuse_link(path)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=folder)
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            _replace(services, temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise


def _replace(services: Services, temporary: str, path: Path) -> None:
    """On Windows a virus scanner may hold the file open for a moment: a second is waited."""
    until = services.clock.monotonic() + (_SCANNER_HOLDS_S if os.name == "nt" else 0.0)
    while True:
        try:
            return os.replace(temporary, path)
        except PermissionError:
            if services.clock.monotonic() >= until:
                raise
        services.clock.sleep(0.05)


def _require_own(path: Path, *owners: int) -> None:
    if os.name == "posix" and set(owners) != {os.geteuid()}:
        raise JournalError(
            f"{path} belongs to another user",
            hint="set SBPAM_CONFIG_HOME and SBPAM_STATE_HOME to folders of your own",
        )


def _refuse_other_writers(folder: Path, mode: int) -> None:
    if os.name == "posix" and mode & _OTHER_WRITERS:
        raise JournalError(
            f"other users can write to the folder {folder}",
            hint=f"chmod go-w {folder}, or name a folder of its own inside",
        )


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        raise JournalError(f"{path} is a symbolic link", hint="put the file itself there")


@contextmanager
def _usable(path: Path, *passing: type[OSError]) -> Iterator[None]:
    """Raises JournalError for every OSError, aside from the kinds that are `passing`."""
    try:
        yield
    except OSError as failure:
        if isinstance(failure, passing):
            raise
        hint = (
            "check its owner, its rights and the space on its disk,"
            " or set SBPAM_CONFIG_HOME and SBPAM_STATE_HOME to other folders"
        )
        if os.name == "nt" and isinstance(failure, PermissionError):
            # Made by an earlier version, or by an elevated start.
            folder = path.parent if path.suffix else path
            hint = (
                f'as an administrator: `takeown /f "{folder}" /r /d y`,'
                f' then `icacls "{folder}" /reset /t`; or {hint}'
            )
        reason = failure.strerror or str(failure)
        raise JournalError(f"{path} cannot be used", reason=reason, hint=hint) from failure
