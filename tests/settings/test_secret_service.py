"""The real thing: gnome-keyring behind D-Bus, in a private home, by real processes."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.programs import find_program

# Long enough for D-Bus, short enough for a test: the keyring's own limit stays 3 seconds.
_CHILD_TIMEOUT_S = 30


_CHILD = """
import io, os, sys
from sbpam_cli.system.services import Services
from sbpam_cli.settings.keyring import Vault

class Talk:
    def note(self, text): print("heard:", text)
    warn = trace = note

vault = Vault(Services(io.BytesIO(), io.StringIO(), io.StringIO(), {}), Talk(), attended=False)
action, value = sys.argv[1], sys.argv[2]
if action == "set":
    print(vault.set("default", "https://nps:6500", "token", value * 700))
elif action == "get":
    print(vault.get("default", "https://nps:6500", "token") == value * 700)
else:
    print(vault.delete_all("default", ["https://nps:6500"]))
sys.stdout.flush()
os._exit(0)
"""
_LOOK = 'secret-tool search --all service sbpam 2>&1 | grep -c "^label" || true'


@dataclass
class Desktop:
    """A session bus in a private home; `run` runs a shell script within it."""

    environ: dict[str, str]

    def run(self, script: str, *, unlock: bool = True) -> list[str]:
        start = "printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null\n"
        bus = ["dbus-run-session", "--", "sh", "-ec", (start if unlock else "") + script]
        return self.run_alone(bus)

    def run_alone(self, command: list[str], **env: str) -> list[str]:
        ended = subprocess.run(
            command,
            env=self.environ | env,
            capture_output=True,
            text=True,
            timeout=_CHILD_TIMEOUT_S,
            check=True,
        )
        return ended.stdout.splitlines()


@pytest.fixture
def desktop(tmp_path: Path) -> Desktop:
    for name in ("dbus-run-session", "gnome-keyring-daemon", "secret-tool"):
        find_program(name)
    program = tmp_path / "child.py"
    program.write_text(_CHILD)
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    return Desktop(
        {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "XDG_RUNTIME_DIR": str(runtime),
            "XDG_DATA_HOME": str(tmp_path / "data"),
            "CHILD": f"{sys.executable} {program}",
        }
    )


def test_a_secret_is_stored_read_back_by_another_process_and_forgotten(desktop: Desktop) -> None:
    heard = desktop.run(
        f"$CHILD set abcd; $CHILD get abcd; {_LOOK}; $CHILD set xy; $CHILD get xy;"
        f" $CHILD forget -; {_LOOK}; $CHILD get xy"
    )
    assert heard == ["True", "True", "1", "True", "True", "True", "0", "False"]


def test_a_locked_keyring_that_nobody_unlocks_is_passed_over(desktop: Desktop) -> None:
    desktop.run("$CHILD set abcd")
    heard = desktop.run(
        "gnome-keyring-daemon --start --components=secrets >/dev/null; $CHILD get abcd",
        unlock=False,
    )
    assert heard[0].startswith("heard: continuing without the keyring: it is locked;")
    assert heard[1:] == ["False"]
