"""Which argument is a host, which a file, and what is said of either."""

import io
import os
from pathlib import Path

import pytest
from support.host_lists import read_sources as read
from support.talk import Heard

from sbpam_cli.errors import InputError
from sbpam_cli.hosts.lists import PATH_ENDINGS, Kind


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_hosts_files_and_stdin_in_the_order_given(folder: Path) -> None:
    (folder / "list").write_bytes(b"B.x.yz\na.x.yz\nweb.corp.zip\n")
    hosts = read(
        ("argument", "A.x.yz."), ("file", "list"), ("argument", "-"), ("host", "d.x.yz"),
        stdin=b"c.x.yz\nb.x.yz\n",
    )  # fmt: skip
    # Endings of files are names within a list.
    assert hosts.names == ["a.x.yz", "b.x.yz", "web.corp.zip", "c.x.yz", "d.x.yz"]
    assert [tally.duplicates for tally in hosts.tallies] == [1, 1]


def test_a_file_that_could_be_a_host_is_said(folder: Path) -> None:
    (folder / "hosts.txt").write_bytes(b"a.bc\n")
    (folder / "hosts").write_bytes(b"c.de\n")
    talk = Heard()
    (folder / "web.a.bc").write_bytes(b"e.fg\n")
    sources: list[tuple[Kind, str]] = [("argument", n) for n in ("hosts.txt", "hosts", "web.a.bc")]
    assert read(*sources, talk=talk).names == ["a.bc", "c.de", "e.fg"]
    said = [note for note in talk.notes if "read as a file" in note]
    assert said == ["web.a.bc is read as a file; --host web.a.bc would mean the host"]
    assert read(("host", "web.a.bc"), ("file", "web.a.bc")).names == ["web.a.bc", "e.fg"]


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        *(("argument", f"web.corp{ending}") for ending in PATH_ENDINGS),
        *(("argument", path) for path in ("x/web.a.bc", "./a.bc", "a.CSV")),
        *(("file", path) for path in ("web.a.bc", "")),
    ],
)
def test_a_missing_path_is_never_a_host(kind: Kind, path: str) -> None:
    with pytest.raises(InputError) as caught:
        read(("argument", "a.bc"), (kind, path))
    assert caught.value.message == f'no such file: "{path}"'


def test_a_folder_is_no_list_but_its_name_may_be_a_hosts(folder: Path) -> None:
    (folder / "web.a.bc").mkdir()
    assert read(("argument", "web.a.bc")).names == ["web.a.bc"]
    for kind, path in (("argument", str(folder)), ("file", "web.a.bc")):
        with pytest.raises(InputError, match="directory"):
            read((kind, path))  # type: ignore[arg-type]


def test_a_path_that_cannot_be_opened(folder: Path) -> None:
    (folder / "list").write_bytes(b"a.bc\n")
    for path in ("list/x", "x\0y"):
        with pytest.raises(InputError, match=r"list|could not be opened"):
            read(("file", path))


def test_a_stream_that_breaks_is_no_short_list() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if got := super().read(2000):
                return got
            raise OSError(5, "Input/output error")

    with pytest.raises(InputError, match="stdin could not be read") as caught:
        read(stdin=Broken(b"a.bc\n" * 999))
    assert caught.value.reason == "Input/output error"


def test_arguments_that_are_no_names_are_counted_by_kind(folder: Path) -> None:
    (folder / "list").write_bytes(b"a.bc\nweb\n")
    hosts = read(
        ("argument", "list"), ("argument", "web01"), ("host", "web02"), ("argument", ""),
        ("argument", "https://web.a.bc/"), ("argument", "a\udcff.b"), ("host", "-"),
    )  # fmt: skip
    assert [(r.position, r.where, r.text) for r in hosts.refused] == [
        (1, "list:2", "web"),
        (1, "argument 2", "web01"),
        (1, "--host 1", "web02"),
        (1, "argument 3", ""),
        (1, "argument 4", "https://web.a.bc/"),
        (1, "argument 5", "a\\udcff.b"),
        (1, "--host 2", "-"),
    ]


@pytest.mark.skipif(os.name == "nt", reason="process substitution is the shell's on POSIX")
def test_a_pipe_by_path_is_read_once() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"fqdn;x\na.bc;1\n")
    os.close(writer)
    assert read(("argument", f"/dev/fd/{reader}")).names == ["a.bc"]
    os.close(reader)


def test_max_hosts_is_enforced_while_reading() -> None:
    class Endless(io.BytesIO):
        count = 0

        def read(self, size: int | None = -1, /) -> bytes:
            self.count += 1
            return b"".join(b"web%d-%d.corp.example.com\n" % (self.count, n) for n in range(4_000))

    with pytest.raises(InputError, match="more hosts than --max-hosts allows"):
        read(("stdin", "-"), stdin=Endless(), most=50_000)


@pytest.mark.skipif(os.name == "nt", reason="devices have paths on POSIX")
def test_a_device_that_never_ends_is_refused() -> None:
    with pytest.raises(InputError, match="binary data"):
        read(("file", "/dev/zero"))
    assert read(("file", "/dev/null")).names == []
