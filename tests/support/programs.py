"""What tests run as real programs: shells, tmux, systemd's tools, a copy of the project."""

import os
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
"""Where `sbpam` is installed."""
SBPAM = str(BIN / "sbpam")


def find_program(name: str) -> str:
    """Its path. Skips the test without it, or fails it where nothing may be missing."""
    path = shutil.which(name)
    if path is None:
        if os.environ.get("SBPAM_TEST_REQUIRE_ALL"):
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")
    return path


def copy_checkout(folder: Path) -> Path:
    """The project's files in a folder of their own, without what lies around among them."""
    left_out = (".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "dist", "build")
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*left_out))
    return folder
