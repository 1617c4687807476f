"""Foreign programs that tests run: shells, tmux, systemd's tools."""

import os
import shutil
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
"""Where `sbpam` is installed."""


def find_program(name: str) -> str:
    """Its path. Skips the test without it, or fails it where nothing may be missing."""
    path = shutil.which(name)
    if path is None:
        if os.environ.get("SBPAM_TEST_REQUIRE_ALL"):
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")
    return path
