"""keyring's choice of a back end is remembered at `login`, and loaded by name from then on."""

import subprocess
import sys
from pathlib import Path

import pytest

BACK_END = """
from keyring.backend import KeyringBackend

class Kept(KeyringBackend):
    priority = 100

    def get_password(self, service, username):
        return "kept"

    def set_password(self, service, username, password): ...
    def delete_password(self, service, username): ...
"""
CHILD = """
import io, os, sys
from sbpam_cli.system.services import Services
from sbpam_cli.settings.keyring import Vault


class Talk:
    def note(self, text): print("said:", text)
    warn = trace = note

choose, state = sys.argv[1] == "choose", sys.argv[2]
environ = {"SBPAM_STATE_HOME": state}
services = Services(io.BytesIO(), io.StringIO(), io.StringIO(), environ)
vault = Vault(services, Talk(), attended=True, choose=choose)
print(vault.get("default", "https://nps:6500", "token"))
print("searched" if "keyring.backends.chainer" in sys.modules else "straight", flush=True)
os._exit(0)
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "ourown.py").write_text(BACK_END)
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    return folder


def ask(state: Path, mode: str, **env: str) -> list[str]:
    """What the vault answers in a process of its own; `ourown` can be imported there."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, mode, state],
        env={"PYTHONPATH": str(state.parent), "HOME": str(state.parent), **env},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    )
    return done.stdout.splitlines()


def remember(state: Path, name: str) -> None:
    (state / "keyring-backend").write_text(name)


def test_a_remembered_back_end_is_loaded_without_a_search(state: Path) -> None:
    remember(state, "ourown.Kept\n")

    assert ask(state, "load") == ["kept", "straight"]


@pytest.mark.parametrize(
    "name", ["", "nowhere.Kept", "ourown.Missing", "ourown", "keyring.backends.Windows.WinVault"]
)
def test_where_it_cannot_be_loaded_keyring_searches(state: Path, name: str) -> None:
    remember(state, name)

    assert ask(state, "load")[-1] == "searched"
    assert (state / "keyring-backend").read_text() == name


def test_keyrings_own_variable_comes_first(state: Path) -> None:
    remember(state, "keyring.backends.null.Keyring")

    assert ask(state, "load", PYTHON_KEYRING_BACKEND="ourown.Kept") == ["kept", "straight"]


def test_login_chooses_and_remembers(state: Path) -> None:
    remember(state, "keyring.backends.null.Keyring")

    assert ask(state, "choose", PYTHON_KEYRING_BACKEND="ourown.Kept")[0] == "kept"
    assert (state / "keyring-backend").read_text() == "ourown.Kept\n"
    assert ask(state, "load") == ["kept", "straight"]


def test_a_back_end_that_keeps_nothing_is_not_remembered(state: Path) -> None:
    said = ask(state, "choose", PYTHON_KEYRING_BACKEND="keyring.backends.null.Keyring")

    assert said[0].startswith("said: going on without the keyring")
    assert not (state / "keyring-backend").exists()
