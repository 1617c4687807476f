"""What tests run as real programs: shells, tmux, systemd's tools, a copy of the project."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

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


def shell(
    script: str, *arguments: str, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """bash runs it; `$0` is sbpam. environ: beside PATH and a home that is not there."""
    home = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8"}
    return subprocess.run(
        ["bash", "-c", script, SBPAM, *arguments],
        env=home | dict(environ or {}),
        capture_output=True,
        text=True,
        timeout=60,
    )


def copy_checkout(folder: Path) -> Path:
    """The project's files in a folder of their own, without what lies around among them."""
    left_out = (".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "dist", "build")
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*left_out))
    return folder
