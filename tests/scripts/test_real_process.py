"""The installed program as a process of its own: how it is called, streams, encodings."""

import os
import sys

import pytest
from support.process import RealSite
from support.programs import shell
from support.tables import slow

HOSTS = [f"web{n:02}.corp.example" for n in range(1, 5)]
pytestmark = pytest.mark.skipif(os.name != "posix", reason="POSIX shells and modes")


@pytest.mark.parametrize("call", ['"$0"', f"{sys.executable} -m sbpam_cli"])
def test_both_ways_to_call_it_and_what_they_leave(stage: RealSite, call: str) -> None:
    ended = shell(f'{call} schedule "$@"', *HOSTS, environ=stage.environ)
    assert (ended.returncode, ended.stderr.count("\n")) == (0, 1), ended.stderr
    assert [line.split("\t")[0] for line in ended.stdout.splitlines()] == HOSTS
    assert stage.scheduled() == HOSTS
    assert [path.name for path in stage.folder.iterdir()] == ["state"]
    assert stage.state.stat().st_mode & 0o777 == 0o700
    for path in stage.state.rglob("*"):
        assert path.is_dir() or path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("script", "code", "words", "scheduled"),
    [
        ('"$0" schedule "$@" <&-', 0, "", 4),
        ('"$0" schedule "$@" 2>&-', 0, "", 4),
        ('"$0" schedule "$@" >&- 2>&-', 5, "", 4),
        ('"$0" schedule <&-', 2, "", 0),
        # A path that is no text; nothing but a journal can be open.
        ("f=$TMP/$'caf\\xe9.txt'; echo $1 > $f; $0 schedule $f", 0, "caf\\udce9.txt: 1 host", 1),
        ("ulimit -n 7; $0 schedule $1", 6, "too many files are open", 0),
    ],
)
def test_closed_streams_odd_paths_and_limits(
    stage: RealSite, script: str, code: int, words: str, scheduled: int
) -> None:
    ended = shell(script, *HOSTS, environ=stage.environ | {"TMP": str(stage.folder)})
    assert ended.returncode == code, ended.stderr
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr + ended.stdout
    assert stage.scheduled() == HOSTS[:scheduled]


@pytest.mark.parametrize("form", ["tsv", "table"])
def test_narrow_pipe_in_an_old_locale(stage: RealSite, form: str) -> None:
    long = ".".join(["a" * 60] * 4)
    stage.world.overrides[long] = {"os": "Fenêtres 日本 \u202e", "version": "é"}
    old = {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    environ = stage.environ | {**old, "COLUMNS": "40"}
    ended = shell('"$0" schedule "$@" | cat', *HOSTS, long, "-o", form, environ=environ)
    assert ended.returncode == 0, ended.stderr
    assert [host for host in (*HOSTS, long) if host not in ended.stdout] == []
    assert "\x1b" not in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("form", ["tsv", *slow("json")])
def test_reader_that_leaves(stage: RealSite, form: str) -> None:
    listed = stage.write_list([f"web{n}.corp.example" for n in range(4000)])
    script = '"$0" schedule "$@" | head -1; echo "${PIPESTATUS[0]}"'
    ended = shell(script, listed, "--quiet", "-o", form, environ=stage.environ)
    assert ended.stderr == ""
    assert ended.stdout.splitlines()[1] == "141"
    assert len(stage.scheduled()) == 4000
