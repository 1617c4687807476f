"""Which argument is a host, which a file, and what is said of either."""

import io
import os
from pathlib import Path

import pytest

from sbpam_cli.errors import InputError, OptionError
from sbpam_cli.hosts.lists import HostList, HostSource, Kind, read_hosts


class HeardTalk:
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warn(self, text: str) -> None:
        raise AssertionError(text)

    trace = warn


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(
    *sources: tuple[Kind, str],
    stdin: bytes = b"",
    terminal: bool = False,
    talk: HeardTalk | None = None,
) -> HostList:
    return read_hosts(
        [HostSource(*source) for source in sources],
        stdin=io.BytesIO(stdin),
        stdin_is_terminal=terminal,
        column=None,
        talk=talk or HeardTalk(),
    )


def test_hosts_files_and_stdin_in_the_order_given(folder: Path) -> None:
    (folder / "list").write_bytes(b"B.x.y\na.x.y\n")
    hosts = read(
        ("argument", "A.x.y."), ("file", "list"), ("argument", "-"), ("host", "d.x.y"),
        stdin=b"c.x.y\nb.x.y\n",
    )  # fmt: skip
    assert hosts.names == ["a.x.y", "b.x.y", "c.x.y", "d.x.y"]
    assert hosts.duplicates == 2


def test_stdin_is_read_where_nothing_is_given() -> None:
    assert read(stdin=b"a.b\n").names == ["a.b"]
    assert read(stdin=b"").names == []


def test_nothing_given_at_a_terminal() -> None:
    with pytest.raises(OptionError, match="no hosts given"):
        read(terminal=True)


def test_stdin_can_be_given_once() -> None:
    with pytest.raises(OptionError, match="twice"):
        read(("argument", "-"), ("file", "-"))


def test_a_file_that_could_be_a_host_is_said(folder: Path) -> None:
    (folder / "hosts.txt").write_bytes(b"a.b\n")
    (folder / "hosts").write_bytes(b"c.d\n")
    talk = HeardTalk()
    assert read(("argument", "hosts.txt"), ("argument", "hosts"), talk=talk).names == ["a.b", "c.d"]
    assert talk.notes == ["hosts.txt is read as a file; --host hosts.txt would mean the host"]


def test_the_option_says_what_is_meant(folder: Path) -> None:
    (folder / "web.a.b").write_bytes(b"c.d\n")
    assert read(("host", "web.a.b"), ("file", "web.a.b")).names == ["web.a.b", "c.d"]


@pytest.mark.parametrize(
    "path",
    ["hosts.txt", "a.CSV", "x/web.a.b", "a.tsv", "a.json", "a.ndjson", "a.jsonl", "a.ldif",
     "a.lst", "a.list", "./a.b"],
)  # fmt: skip
def test_a_missing_path_is_never_a_host(path: str) -> None:
    with pytest.raises(InputError) as caught:
        read(("argument", "a.b"), ("argument", path))
    assert caught.value.message == f'no such file: "{path}"'


def test_a_missing_file_by_option() -> None:
    for path in ("web.a.b", ""):
        with pytest.raises(InputError, match="no such file"):
            read(("file", path))


def test_a_folder_is_no_list_but_its_name_may_be_a_hosts(folder: Path) -> None:
    (folder / "web.a.b").mkdir()
    assert read(("argument", "web.a.b")).names == ["web.a.b"]
    for kind, path in (("argument", str(folder)), ("file", "web.a.b")):
        with pytest.raises(InputError):
            read((kind, path))  # type: ignore[arg-type]


def test_a_path_that_cannot_be_opened(folder: Path) -> None:
    (folder / "list").write_bytes(b"a.b\n")
    for path in ("list/x", "x\0y"):
        with pytest.raises(InputError) as caught:
            read(("file", path))
        assert "list" in caught.value.message or "could not be opened" in caught.value.message


def test_a_stream_that_breaks_is_no_short_list() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if got := super().read(2000):
                return got
            raise OSError(5, "Input/output error")

    with pytest.raises(InputError, match="stdin could not be read") as caught:
        read_hosts(
            [], stdin=Broken(b"a.b\n" * 999), stdin_is_terminal=False, column=None, talk=HeardTalk()
        )
    assert caught.value.reason == "Input/output error"


def test_arguments_that_are_no_names_are_counted_by_kind(folder: Path) -> None:
    (folder / "list").write_bytes(b"a.b\nweb\n")
    hosts = read(
        ("argument", "list"), ("argument", "web01"), ("host", "web02"), ("argument", ""),
        ("argument", "https://web.a.b/"), ("argument", "a\udcff.b"), ("host", "-"),
    )  # fmt: skip
    assert [(r.position, r.where, r.text) for r in hosts.refusals] == [
        (1, "list:2", "web"),
        (1, "argument 2", "web01"),
        (1, "--host 1", "web02"),
        (1, "argument 3", ""),
        (1, "argument 4", "https://web.a.b/"),
        (1, "argument 5", "a\\udcff.b"),
        (1, "--host 2", "-"),
    ]


@pytest.mark.skipif(os.name == "nt", reason="process substitution is the shell's on POSIX")
def test_a_pipe_by_path_is_read_once() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"fqdn;x\na.b;1\n")
    os.close(writer)
    assert read(("argument", f"/dev/fd/{reader}")).names == ["a.b"]
    os.close(reader)
