"""What Windows alone does: consoles, devices, folders of an elevated start, a closing window."""

import io
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.process import until
from support.programs import SBPAM
from support.site import Program

from sbpam_cli.system import windows
from sbpam_cli.system.filesystems import Files, filesystem_type, is_network
from sbpam_cli.system.services import Services
from sbpam_cli.system.signals import Interruption
from sbpam_cli.system.terminal import is_terminal

ID = "c0ffee00-0000-4000-8000-000000000001"
LIST = ("schedule", "--dry-run", "--offline", "--credential", ID)
DEVICES = ["com1.corp.example", "NUL.corp.example", "lpt9.corp.example", "con.corp.example"]


def test_nul_is_no_terminal() -> None:
    with open(os.devnull) as nothing:
        assert nothing.isatty()
        assert not is_terminal(nothing)


def test_nobody_is_asked_where_everything_is_nul(program: Program) -> None:
    nothing = subprocess.DEVNULL
    command = [SBPAM, "login", "--server", "https://127.0.0.1:9", "--username", "x"]
    done = subprocess.run(command, stdin=nothing, stdout=nothing, stderr=nothing, timeout=60)
    assert done.returncode in (2, 4, 6)


@pytest.mark.parametrize("name", DEVICES)
def test_a_host_may_be_called_as_a_device(program: Program, name: str) -> None:
    ended = program(*LIST, name)
    assert (ended.code, [row[0] for row in ended.rows()]) == (0, [name.lower()])
    program(*LIST, "--file", name).expect(2, "is a device of Windows")


def test_a_folder_given_as_a_file_is_named_as_one(program: Program, tmp_path: Path) -> None:
    program(*LIST, "--file", str(tmp_path)).expect(2, "is a directory, not a list of hosts")


def test_a_list_may_end_as_dos_ends_a_file(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "hosts.txt"
    path.write_bytes(b"web01.corp.example\r\nweb02.corp.example\r\n\x1a")
    assert len(program(*LIST, str(path)).rows()) == 2


def test_a_folder_outside_the_profile_is_the_users_own(tmp_path: Path) -> None:
    outside = Path(f"C:\\sbpam-test-{os.getpid()}")
    try:
        for _ in range(2):
            Files().make_folder(outside)
        (outside / "x").write_text("x")
        assert (outside / "x").read_text() == "x"
    finally:
        (outside / "x").unlink(missing_ok=True)
        outside.rmdir()


@pytest.mark.parametrize(("folder", "far"), [("C:\\x", False), ("\\\\srv\\share\\x", True)])
def test_a_share_is_known_as_one(folder: str, far: bool) -> None:
    assert is_network(filesystem_type(Path(folder))) == far


def test_the_users_sid_is_found() -> None:
    assert windows._own_sid().startswith("S-1-5-21-")


def test_ctrl_break_stops_as_ctrl_c_does() -> None:
    signals: Any = signal
    with Interruption(Services(io.BytesIO(), io.StringIO(), io.StringIO(), {})) as interruption:
        interruption._deferred = True
        signal.raise_signal(signals.SIGBREAK)
        until(interruption.event.is_set)
        assert interruption.number == signal.SIGINT
