"""The real thing: gnome-keyring behind D-Bus, in a private home, by real processes."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.process import RealSite, real_site
from support.programs import BIN, find_program

UNLOCK = "printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null; "
START = "gnome-keyring-daemon --start --components=secrets >/dev/null; "
LOOK = 'secret-tool search --all service sbpam 2>&1 | grep -c "^label" || true; '


@pytest.fixture
def desktop(tmp_path: Path) -> Iterator[RealSite]:
    for name in ("dbus-run-session", "gnome-keyring-daemon", "secret-tool"):
        find_program(name)
    (runtime := tmp_path / "run").mkdir(mode=0o700)
    with real_site(tmp_path / "home") as site:
        del site.environ["PYTHON_KEYRING_BACKEND"]
        token = site.secret_file("token", site.environ.pop("SBPAM_TOKEN"))
        site.environ |= {"PATH": f"{BIN}:{site.environ['PATH']}", "TOKEN": token}
        site.environ |= {"XDG_RUNTIME_DIR": str(runtime), "XDG_DATA_HOME": str(tmp_path / "data")}
        yield site


def run(desktop: RealSite, script: str) -> list[str]:
    """What a shell prints on a session bus of its own."""
    bus = ["dbus-run-session", "--", "sh", "-ec", script]
    done = subprocess.run(
        bus, env=desktop.environ, stdout=subprocess.PIPE, text=True, timeout=60, check=True
    )
    return done.stdout.splitlines()


def test_a_secret_is_stored_read_back_by_another_process_and_forgotten(desktop: RealSite) -> None:
    login, who = 'sbpam login --token-file "$TOKEN"; ', "sbpam whoami | cut -f6; "
    script = UNLOCK + login + who + LOOK + login + who + "sbpam logout; " + LOOK
    assert run(desktop, script) == ["token: keyring", "1", "token: keyring", "0"]


def test_a_locked_keyring_that_nobody_unlocks_is_passed_over(desktop: RealSite) -> None:
    run(desktop, UNLOCK + 'sbpam login --token-file "$TOKEN"')
    said = " ".join(run(desktop, START + "sbpam whoami 2>&1 || echo ended=$?"))
    assert "continuing without the keyring: it is locked;" in said
    assert said.endswith("ended=4")
