"""The real thing: gnome-keyring behind D-Bus, in a private home, by real processes."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

_NEEDED = ("dbus-run-session", "gnome-keyring-daemon", "secret-tool")

# Long enough for D-Bus, short enough for a test: the keyring's own limit stays 3 seconds.
_CHILD_TIMEOUT_S = 30


@dataclass
class _Desktop:
    """A session bus in a private home; `run` runs a shell script within it."""

    environ: dict[str, str]

    def run(self, script: str, *, unlock: bool = True) -> list[str]:
        start = "printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null\n"
        ended = subprocess.run(
            ["dbus-run-session", "--", "sh", "-ec", (start if unlock else "") + script],
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=_CHILD_TIMEOUT_S,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.splitlines()

    def run_at(self, address: str) -> list[str]:
        """Reads a secret with the session bus at `address`; what the child said."""
        ended = subprocess.run(
            [*self.environ["CHILD"].split(), "get", "abcd"],
            env=self.environ | {"DBUS_SESSION_BUS_ADDRESS": address},
            capture_output=True,
            text=True,
            timeout=_CHILD_TIMEOUT_S,
            check=False,
        )
        assert ended.stderr == ""
        return ended.stdout.splitlines()


@pytest.fixture
def desktop(tmp_path: Path) -> _Desktop:
    missing = [name for name in _NEEDED if shutil.which(name) is None]
    if missing:
        words = f"not installed: {', '.join(missing)}"
        if os.environ.get("SBPAM_TEST_REQUIRE_ALL"):
            pytest.fail(words)
        pytest.skip(words)
    program = tmp_path / "child.py"
    program.write_text(_CHILD)
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    return _Desktop(
        {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "XDG_RUNTIME_DIR": str(runtime),
            "XDG_DATA_HOME": str(tmp_path / "data"),
            "CHILD": f"{sys.executable} {program}",
        }
    )


_CHILD = """
import io, sys, time
from sbpam_cli.system.services import Services
from sbpam_cli.settings.keyring import Vault

class Talk:
    def note(self, text): print("said:", text)
    warn = trace = note

services = Services(io.BytesIO(), io.StringIO(), io.StringIO(), {})
vault = Vault(services, Talk(), attended=False)
action, value = sys.argv[1], sys.argv[2]
started = time.monotonic()
if action == "set":
    print(vault.set("default", "https://nps:6500", "token", value * 700))
elif action == "get":
    print(vault.get("default", "https://nps:6500", "token") == value * 700)
else:
    print(vault.delete_all("default", ["https://nps:6500"]))
print("quick" if time.monotonic() - started < 3.5 else "slow", "stuck" if vault.stuck else "free")
sys.stdout.flush()
import os
os._exit(0)
"""
_LOOK = 'secret-tool search --all service sbpam 2>&1 | grep -c "^label" || true'


def test_a_secret_is_stored_read_back_by_another_process_and_forgotten(desktop: _Desktop) -> None:
    said = desktop.run(
        f"$CHILD set abcd; $CHILD get abcd; {_LOOK}; $CHILD set xy; $CHILD get xy;"
        f" $CHILD forget -; {_LOOK}; $CHILD get xy"
    )
    quick = "quick free"
    expected = ["True", quick, "True", quick, "1", "True", quick, "True", quick]
    assert said == [*expected, "True", quick, "0", "False", quick]


def test_a_locked_keyring_that_nobody_unlocks_is_passed_over(desktop: _Desktop) -> None:
    desktop.run("$CHILD set abcd")
    said = desktop.run(
        "gnome-keyring-daemon --start --components=secrets >/dev/null; $CHILD get abcd",
        unlock=False,
    )
    assert said[0].startswith("said: going on without the keyring: it is locked;")
    assert said[1:] == ["False", "quick free"]


@pytest.mark.parametrize("address", ["unix:path=/nonexistent", "disabled:"])
def test_without_d_bus_the_keyring_is_absent(desktop: _Desktop, address: str) -> None:
    said = desktop.run_at(address)
    assert said[0].startswith("said: going on without the keyring: ")
    assert said[1:] == ["False", "quick free"]


def test_a_keyring_that_never_starts_is_given_three_seconds(
    desktop: _Desktop, tmp_path: Path
) -> None:
    """D-Bus starts the service on demand, and it never says that it is there."""
    service = tmp_path / "data" / "dbus-1" / "services" / "org.freedesktop.secrets.service"
    service.parent.mkdir(parents=True)
    command = 'sh -c "exec sleep 8 >/dev/null 2>&1"'
    service.write_text(f"[D-BUS Service]\nName=org.freedesktop.secrets\nExec=/bin/{command}\n")
    said = desktop.run("$CHILD get abcd", unlock=False)
    assert "it did not answer within 3 seconds" in said[0]
    assert said[1:] == ["False", "quick stuck"]
