"""Folders and files that belong to one user alone: created, checked, written whole."""

import os
import stat
from contextlib import suppress
from pathlib import Path

from sbpam_cli.errors import JournalError, SbpamError

_OPEN_FLAGS = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOINHERIT", 0)
    | getattr(os, "O_BINARY", 0)
)


class Files:
    """The calls by which files and folders come about; `Services.files` is one of these."""

    def make_folder(self, path: Path) -> None:
        """One folder of mode 0700; one that is there already is fine."""
        path.mkdir(mode=0o700, exist_ok=True)

    def open(self, path: Path, flags: int) -> int:
        """A descriptor; a new file has mode 0600."""
        return os.open(path, flags, 0o600)

    def copy(self, source: Path, target: Path) -> None:
        """The content and the times."""
        import shutil

        shutil.copy2(source, target)

    def lock(self, descriptor: int) -> None:
        """Takes the file for this process alone, at once or not at all. Raises OSError."""
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


_FILES = Files()


def private_folder(
    path: Path, *, error: type[SbpamError] = JournalError, files: Files = _FILES
) -> Path:
    """`path` as a folder of mode 0700, created with its parents where it is missing.

    A wider one of the same owner is narrowed. Raises `error` where it belongs
    to somebody else or cannot be made.
    """
    try:
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        for folder in reversed(missing):
            files.make_folder(folder)
        if os.name == "posix":
            _own_folder(path, error)
    except OSError as failure:
        raise _cannot_use(path, failure, error) from failure
    return path


def _own_folder(path: Path, error: type[SbpamError]) -> None:
    status = path.stat()
    if not stat.S_ISDIR(status.st_mode):
        raise error(f"{path} is not a folder", hint="remove or rename it")
    # A link in a folder that others may write could lead anywhere.
    if {status.st_uid, path.lstat().st_uid} != {os.geteuid()}:
        raise error(
            f"the folder {path} belongs to another user",
            hint="set SBPAM_CONFIG_HOME and SBPAM_STATE_HOME to folders of your own",
        )
    if status.st_mode & stat.S_ISVTX or path == path.parent:
        raise error(
            f"the folder {path} is shared by all users", hint="name a folder of its own inside"
        )
    if stat.S_IMODE(status.st_mode) & 0o077:
        path.chmod(0o700)


def open_private(
    path: Path,
    *,
    create_new: bool = False,
    error: type[SbpamError] = JournalError,
    files: Files = _FILES,
) -> int:
    """A descriptor of the file, for reading and writing, created 0600 where it is missing.

    Never through a symbolic link in the last component. Raises `error`; with
    `create_new` FileExistsError where the file is there already.
    """
    _refuse_link(path, error)
    flags = os.O_RDWR | os.O_CREAT | _OPEN_FLAGS | (os.O_EXCL if create_new else 0)
    try:
        descriptor = files.open(path, flags)
    except FileExistsError:
        raise
    except OSError as failure:
        raise _cannot_use(path, failure, error) from failure
    try:
        _own_file(descriptor, path, error)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _own_file(descriptor: int, path: Path, error: type[SbpamError]) -> None:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise error(f"{path} is not a file", hint="remove or rename it")
    if os.name != "posix":
        return
    if status.st_uid != os.geteuid():
        raise error(f"the file {path} belongs to another user", hint="remove or rename it")
    if stat.S_IMODE(status.st_mode) & 0o077:
        os.fchmod(descriptor, 0o600)


def read_private(path: Path, *, error: type[SbpamError] = JournalError) -> bytes | None:
    """The file's content; None where it is missing. Raises `error`, as for a link."""
    _refuse_link(path, error)
    try:
        descriptor = os.open(path, os.O_RDONLY | _OPEN_FLAGS)
        with open(descriptor, "rb") as file:
            # Root's is fine: an administrator, or a container's image, put it there.
            if os.name == "posix" and os.fstat(descriptor).st_uid not in (0, os.geteuid()):
                raise error(f"the file {path} belongs to another user", hint="move it away")
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as failure:
        raise _cannot_use(path, failure, error) from failure


def write_private(path: Path, data: bytes, *, error: type[SbpamError] = JournalError) -> None:
    """Writes the whole file or leaves it as it was; its folder is made private too."""
    import tempfile

    folder = private_folder(path.parent, error=error)
    _refuse_link(path, error)
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=folder)
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        _sync_folder(folder)
    except OSError as failure:
        raise _cannot_use(path, failure, error) from failure


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse_link(path: Path, error: type[SbpamError]) -> None:
    if path.is_symlink():
        raise error(f"{path} is a symbolic link", hint="put the file itself there")


def _cannot_use(path: Path, failure: OSError, error: type[SbpamError]) -> SbpamError:
    return error(
        f"{path} cannot be used",
        reason=failure.strerror or str(failure),
        hint="check its rights and the space on its disk,"
        " or set SBPAM_CONFIG_HOME and SBPAM_STATE_HOME to other folders",
    )
