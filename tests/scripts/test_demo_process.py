"""`sbpam demo` as a process: one command, exit 0, nothing left behind."""

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from support.programs import BIN

DEMO = [str(BIN / "sbpam"), "demo", "--scan-duration", "1s"]
HOSTS = ["web01.corp.example", "host.other.example"]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A home and a folder for temporary files, both empty and our own."""
    for name in ("home", "tmp"):
        (tmp_path / name).mkdir()
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    temporary = str(tmp_path / "tmp")
    own = {"HOME": str(tmp_path / "home"), "TMPDIR": temporary, "TEMP": temporary}
    return {**kept, **own, "LANG": "C.UTF-8"}


def demo(*arguments: str, environ: Mapping[str, str], code: int = 0) -> str:
    ended = subprocess.run(
        [*DEMO, *arguments], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == code, ended.stderr
    assert_nothing_left(environ)
    return ended.stdout


def assert_nothing_left(environ: Mapping[str, str]) -> None:
    for folder in (environ["HOME"], environ["TMPDIR"]):
        assert list(Path(folder).rglob("*")) == []


def test_bundled_list(environ: dict[str, str]) -> None:
    rows = [line.split("\t") for line in demo(environ=environ).splitlines()]
    assert len(rows) == 24
    assert {row[1] for row in rows} == {"Complete", "Failed"}
    assert len({row[2] for row in rows}) == 3


def test_hosts_given_and_json(environ: dict[str, str]) -> None:
    envelope = json.loads(demo(*HOSTS, "-o", "json", environ=environ))
    assert (envelope["command"], envelope["result"]) == ("demo", "success")
    assert [row["host"] for row in envelope["hosts"]] == HOSTS
    assert demo("short", "-o", "tsv", environ=environ, code=2) == ""


def test_users_own_set_up_is_not_used(environ: dict[str, str], tmp_path: Path) -> None:
    own = {
        "SBPAM_SERVER": "https://nps.example",
        "SBPAM_TOKEN": "the-user's-own",
        "SBPAM_CONFIG_HOME": str(tmp_path / "config"),
        "SBPAM_STATE_HOME": str(tmp_path / "state"),
        "SBPAM_FINGERPRINT": "0" * 64,
        "SBPAM_CREDENTIAL": "a name of their own",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "all_proxy": "http://127.0.0.1:9",
        "CI": "true",
    }
    assert len(demo(environ={**environ, **own}).splitlines()) == 24
    assert not (tmp_path / "config").exists()
    assert not (tmp_path / "state").exists()


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_stopped_in_the_middle(environ: dict[str, str], name: str) -> None:
    process = subprocess.Popen(
        [*DEMO[:-1], "1h", "-o", "tsv"],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        assert "24 hosts" in process.stderr.readline()
        process.send_signal(signal.Signals[name])
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 128 + signal.Signals[name]
    assert len(out.splitlines()) == 24
    assert "Traceback" not in err
    assert_nothing_left(environ)
