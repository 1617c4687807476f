"""Folders and files of ours: whose they are, who can read them, how they are written."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from support.site import bare_services

from sbpam_cli.errors import JournalError, SbpamError
from sbpam_cli.system.files import (
    open_private,
    private_folder,
    read_limited,
    read_private,
    write_private,
)
from sbpam_cli.system.services import Services

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes and owners are POSIX's")


@pytest.fixture
def services(tmp_path: Path) -> Services:
    """The user names the folder `named` for the state."""
    return bare_services({"SBPAM_STATE_HOME": str(tmp_path / "named")})


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_folder_and_its_parents_are_made_for_one_user(services: Services, tmp_path: Path) -> None:
    folder = private_folder(services, tmp_path / "a" / "b")
    named = private_folder(services, tmp_path / "named")
    assert {mode_of(folder), mode_of(folder.parent), mode_of(named)} == {0o700}


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("ours", 0o755, 0o700),
        ("ours", 0o777, 0o700),
        ("named", 0o755, 0o755),
        ("named", 0o700, 0o700),
        ("named", 0o775, None),
        ("named", 0o777, None),
        ("named", 0o1777, None),
    ],
)
def test_a_wide_folder_is_narrowed_only_if_it_is_ours(
    services: Services, tmp_path: Path, name: str, before: int, after: int | None
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    folder.chmod(before)
    (folder / "config.toml").touch(0o600)
    if after is None:
        for use in (private_folder, lambda *_: read_private(services, folder / "config.toml")):
            with pytest.raises(JournalError, match="other users can write"):
                use(services, folder)
    else:
        private_folder(services, folder)
    assert mode_of(folder) == (before if after is None else after)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
def test_what_belongs_to_another_user_is_refused(services: Services, tmp_path: Path) -> None:
    folder, file = tmp_path / "theirs", tmp_path / "file"
    folder.mkdir(mode=0o700)
    file.write_bytes(b"")
    for path in (folder, file):
        os.chown(path, 12345, -1)
    uses: list[Callable[[], object]] = [
        lambda: private_folder(services, folder),
        lambda: write_private(services, folder / "config.toml", b""),
        lambda: open_private(services, file),
        lambda: read_private(services, file),
    ]
    for use in uses:
        with pytest.raises(JournalError, match="belongs to another user"):
            use()


def test_a_file_in_the_folders_place_is_refused(services: Services, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path, why in (("file", "is not a folder"), ("file/below", "cannot be used")):
        with pytest.raises(JournalError, match=why):
            private_folder(services, tmp_path / path)


def test_files_are_0600_or_narrowed_whatever_the_umask(services: Services, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        os.close(open_private(services, tmp_path / "new"))
        write_private(services, tmp_path / "folder" / "written", b"x")
    finally:
        os.umask(before)
    (tmp_path / "wide").write_text("x")
    (tmp_path / "wide").chmod(0o644)
    os.close(open_private(services, tmp_path / "wide"))
    modes = {mode_of(tmp_path / name) for name in ("new", "wide", "folder/written")}
    assert modes == {0o600}


def test_no_symbolic_link_is_followed(services: Services, tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.write_text("precious")
    link = tmp_path / "folder" / "link"
    link.parent.mkdir()
    for target in (real, tmp_path / "nowhere"):
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        uses: list[Callable[[], object]] = [
            lambda: open_private(services, link),
            lambda: read_private(services, link),
            lambda: write_private(services, link, b"x"),
        ]
        for use in uses:
            with pytest.raises(JournalError, match="link is a symbolic link"):
                use()
    assert real.read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()


def test_a_write_that_fails_leaves_the_old_content_and_nothing_else(
    services: Services, tmp_path: Path
) -> None:
    path = tmp_path / "folder" / "file"
    write_private(services, path, b"old")
    with pytest.raises(TypeError):
        write_private(services, path, "not bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert os.listdir(path.parent) == ["file"]


def test_only_one_creates_a_file_and_no_child_has_it(services: Services, tmp_path: Path) -> None:
    descriptor = open_private(services, tmp_path / "claim", create_new=True)
    try:
        assert not os.get_inheritable(descriptor)
    finally:
        os.close(descriptor)
    with pytest.raises(FileExistsError):
        open_private(services, tmp_path / "claim", create_new=True)


def test_what_can_be_no_private_file_is_refused_at_once(services: Services, tmp_path: Path) -> None:
    assert read_private(services, tmp_path / "nothing") is None
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(1 << 40)
    for name, why in [("pipe", "cannot be used"), ("folder", "cannot"), ("sparse", "too large")]:
        with pytest.raises(SbpamError, match=why):
            read_private(services, tmp_path / name)
    with pytest.raises(JournalError, match="cannot be used"):
        read_private(services, tmp_path / ("x" * 300))


def test_a_pipe_is_read_to_its_end_or_the_limit(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    try:
        os.write(writing, b"x" * 5000)
        os.close(writing)
        assert read_limited(Path(f"/dev/fd/{reading}"), 100) == b"x" * 101
        assert read_limited(Path(f"/dev/fd/{reading}"), 9000) == b"x" * 4899
    finally:
        os.close(reading)
