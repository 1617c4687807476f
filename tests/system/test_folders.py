"""Where profiles and journal are: `~` is expanded, and what is not absolute is refused."""

import os
import shutil
from pathlib import Path

import pytest
from support.programs import SBPAM, run
from support.site import Program

STATE, CONFIG = "SBPAM_STATE_HOME", "SBPAM_CONFIG_HOME"


@pytest.mark.parametrize("given", ["state", "./state", "../state", "~nobody-at-all/state"])
def test_what_is_not_absolute_is_refused(program: Program, given: str) -> None:
    for command, variable in (("runs", STATE), ("whoami", CONFIG), ("logout", CONFIG)):
        words = f"{variable} names {given}, which is not an absolute path"
        program(command, env={variable: given}).expect(2, words)


def test_a_crontabs_tilde_is_the_home_folder(tmp_path: Path) -> None:
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "SBPAM_STATE_HOME": "~/a/../state\r",
    }
    (tmp_path / "home").mkdir()
    (tmp_path / "cwd").mkdir()
    run([SBPAM, "runs"], environ, cwd=tmp_path / "cwd", check=True)
    assert (tmp_path / "home" / "state" / "journal.sqlite3").exists()
    assert list((tmp_path / "cwd").iterdir()) == []


@pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0 or shutil.which("setpriv") is None,
    reason="only root can be a user without a passwd entry",
)
def test_nobody_without_a_home_is_told_what_to_set() -> None:
    user = ["setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups"]
    for command, variable in [("runs", "SBPAM_STATE_HOME"), ("whoami", "SBPAM_CONFIG_HOME")]:
        done = run([*user, SBPAM, command], {"PATH": os.environ["PATH"]})
        assert done.returncode == 2, done.stderr
        assert f"set HOME or {variable}" in done.stderr
