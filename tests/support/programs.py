"""What tests run as real programs: shells, tmux, systemd's tools, a copy of the project."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
"""Where `sbpam` is installed."""
SBPAM = str(BIN / "sbpam")


def skip(words: str) -> NoReturn:
    """Skips the test, or fails it where nothing may be missing."""
    if os.environ.get("SBPAM_TEST_REQUIRE_ALL"):
        pytest.fail(words)
    pytest.skip(words)


def find_program(name: str) -> str:
    """Its path, or `skip`."""
    return shutil.which(name) or skip(f"{name} is not installed")


def find_strace() -> str:
    """Its path, or `skip` where it is missing or may not trace."""
    path = find_program("strace")
    tried = subprocess.run([path, "-qq", "-o", os.devnull, "true"], capture_output=True, text=True)
    if tried.returncode != 0:
        skip(f"strace may not trace here: {tried.stderr}")
    return path


def run(
    command: Sequence[str | Path], environ: Mapping[str, str], **how: Any
) -> subprocess.CompletedProcess[str]:
    """To its end, 60 s at most, with this environment and nothing on stdin."""
    given: dict[str, Any] = {"stdin": subprocess.DEVNULL} if "input" not in how else {}
    given |= {"env": dict(environ), "capture_output": True, "encoding": "utf-8", "timeout": 60}
    done: subprocess.CompletedProcess[str] = subprocess.run(command, **(given | how))
    return done


def shell(
    script: str, *arguments: str, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """bash runs it; `$0` is sbpam. environ: beside PATH and a home that is not there."""
    home = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8"}
    return run(["bash", "-c", script, SBPAM, *arguments], home | dict(environ or {}))


def copy_checkout(folder: Path) -> Path:
    """The project's files in a folder of their own, without what lies around among them."""
    left_out = (".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "dist", "build")
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*left_out))
    return folder
