"""The system's calls for files and folders, and what kind of file system a folder lies on."""

import os
from pathlib import Path

_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre"}
)
_PASSING = frozenset({"tmpfs", "ramfs", "overlay", "aufs"})


class Files:
    """The calls by which files and folders come about; `Services.files` is one of these."""

    def make_folder(self, path: Path) -> None:
        """One folder for this user alone; one that is there already is fine."""
        if os.name != "nt":
            path.mkdir(mode=0o700, exist_ok=True)
        elif Path(os.path.expanduser("~")) in path.parents:
            # It has the rights of the profile.
            path.mkdir(exist_ok=True)
        else:
            from sbpam_cli.system.windows import make_private_folder

            make_private_folder(path)

    def open(self, path: Path, flags: int) -> int:
        """A descriptor; a new file has mode 0600."""
        return os.open(path, flags, 0o600)

    def lock(self, descriptor: int) -> None:
        """Takes the file for this process alone, at once or not at all. Raises OSError."""
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def filesystem_type(folder: Path) -> str | None:
    """The type as `/proc/self/mounts` names it; None where the system does not tell."""
    if os.name == "nt":
        from sbpam_cli.system.windows import is_network_drive

        return "smbfs" if is_network_drive(folder) else None
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    lines = (line.split(" ") for line in mounts.splitlines())
    points = [(Path(at.replace("\\040", " ")), kind) for _, at, kind, *_ in lines]
    inside = [(len(point.parts), kind) for point, kind in points if folder.is_relative_to(point)]
    # Of two on one point the later one is seen.
    return sorted(inside, key=lambda found: found[0])[-1][1] if inside else None


def is_network(kind: str | None) -> bool:
    """Whether locks and write-ahead logs cannot be trusted there."""
    return kind in _NETWORK or (kind or "").startswith("fuse.")


def is_passing(kind: str | None) -> bool:
    """Whether what lies there ends with the container or the next start."""
    return kind in _PASSING
