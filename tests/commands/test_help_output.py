"""What Typer prints by itself (help, version) into streams that cannot take it."""

import os
import subprocess
from pathlib import Path

import pytest
from support.programs import BIN

SBPAM = str(BIN / "sbpam")
pytestmark = pytest.mark.skipif(os.name != "posix", reason="shells and /dev/full")


def shell(script: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", script, SBPAM],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8", **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("asked", ["--help", "schedule --help", "--version"])
def test_reader_that_left(asked: str) -> None:
    ended = shell(f'exec 3> >(exec true); wait $!; "$0" {asked} >&3; echo "$?"')
    assert (ended.stdout, ended.stderr) == ("141\n", "")


@pytest.mark.parametrize("asked", ["--help", "--version", "runs -o json"])
def test_full_disk(asked: str, tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    ended = shell(f'"$0" {asked} > /dev/full', SBPAM_STATE_HOME=str(tmp_path / "state"))
    assert ended.returncode == 1
    assert ended.stderr == (
        "sbpam: stdout could not be written\n  No space left on device\n"
        "  → make room where it goes\n"
    )


@pytest.mark.parametrize("asked", ["--help", "--version"])
def test_closed_stdout(asked: str) -> None:
    ended = shell(f'"$0" {asked} >&-')
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("command", ["", "schedule", "status", "login", "demo", "sandbox"])
def test_old_locale(command: str) -> None:
    old = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "COLUMNS": "40"}
    ended = shell(f'"$0" {command} --help', **old)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "Usage: sbpam" in ended.stdout
    assert ended.stdout.isascii()


def test_no_command() -> None:
    ended = shell('"$0"')
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "sbpam --help" in ended.stderr
