"""Folders and files of ours: whose they are, who can read them, how they are written."""

import os
import stat
from pathlib import Path

import pytest

from sbpam_cli.errors import InputError, JournalError
from sbpam_cli.system.files import open_private, private_folder, read_private, write_private

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes and owners are POSIX's")


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_folder_and_its_parents_are_created_for_one_user(tmp_path: Path) -> None:
    folder = private_folder(tmp_path / "a" / "b")
    assert _mode(folder) == _mode(folder.parent) == 0o700


def test_a_wider_folder_is_narrowed(tmp_path: Path) -> None:
    folder = tmp_path / "wide"
    folder.mkdir()
    folder.chmod(0o755)
    private_folder(folder)
    assert _mode(folder) == 0o700


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
def test_what_belongs_to_another_user_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, -1)
    with pytest.raises(JournalError, match=r"theirs belongs to another user"):
        private_folder(folder)
    with pytest.raises(InputError, match=r"theirs belongs to another user"):
        write_private(folder / "config.toml", b"", error=InputError)
    file = tmp_path / "file"
    file.write_bytes(b"")
    os.chown(file, 12345, -1)
    with pytest.raises(JournalError, match="belongs to another user"):
        open_private(file)
    with pytest.raises(JournalError, match="belongs to another user"):
        read_private(file)


def test_a_shared_folder_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    with pytest.raises(JournalError, match="shared by all users"):
        private_folder(shared)
    assert _mode(shared) == 0o1777


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(JournalError, match="is not a folder"):
        private_folder(tmp_path / "file")


def test_files_are_created_0600_and_narrowed_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        os.close(open_private(tmp_path / "new"))
        write_private(tmp_path / "folder" / "written", b"x")
    finally:
        os.umask(before)
    (tmp_path / "wide").write_text("x")
    (tmp_path / "wide").chmod(0o644)
    os.close(open_private(tmp_path / "wide"))
    modes = {_mode(tmp_path / name) for name in ("new", "wide", "folder/written")}
    assert modes == {0o600}


def test_no_symbolic_link_is_followed(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.write_text("precious")
    link = tmp_path / "folder" / "link"
    link.parent.mkdir()
    link.symlink_to(real)
    for use in (open_private, read_private, lambda path: write_private(path, b"x")):
        with pytest.raises(JournalError, match="link is a symbolic link"):
            use(link)
    link.unlink()
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(JournalError, match="symbolic link"):
        open_private(link)
    assert real.read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()


def test_a_write_that_fails_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    write_private(path, b"old")
    with pytest.raises(TypeError):
        write_private(path, "not bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert os.listdir(path.parent) == ["file"]


def test_descriptors_do_not_reach_child_processes(tmp_path: Path) -> None:
    descriptor = open_private(tmp_path / "file")
    try:
        assert not os.get_inheritable(descriptor)
    finally:
        os.close(descriptor)


def test_only_one_creates_a_new_file(tmp_path: Path) -> None:
    os.close(open_private(tmp_path / "claim", create_new=True))
    with pytest.raises(FileExistsError):
        open_private(tmp_path / "claim", create_new=True)


def test_a_missing_file_reads_as_none(tmp_path: Path) -> None:
    assert read_private(tmp_path / "nothing") is None
