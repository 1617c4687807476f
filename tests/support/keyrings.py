"""Keyrings for tests that sign in, and those that a process of its own loads by name."""

import getpass
import os
import threading
from pathlib import Path

from keyring.backend import KeyringBackend


class MemoryKeyring(KeyringBackend):
    """Keeps what it is given, by user name; `works` False: takes nothing."""

    priority = 1

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.works = True

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get(username)

    def set_password(self, service: str, username: str, password: str) -> None:
        if not self.works:
            raise OSError(password)
        self.kept[username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[username]


class HangingKeyring(MemoryKeyring):
    """Answers no question before it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.release = threading.Event()

    def get_password(self, service: str, username: str) -> str | None:
        self.release.wait()
        return None


def load_by_name(kind: str) -> dict[str, str]:
    """Variables with which another process has one of the keyrings below."""
    tests = Path(__file__).parents[1]
    return {"PYTHONPATH": str(tests), "PYTHON_KEYRING_BACKEND": f"{__name__}.{kind}"}


class FullKeyring(MemoryKeyring):
    def get_password(self, service: str, username: str) -> str | None:
        return "kept"


class PlaintextKeyring(MemoryKeyring):
    """The name under which keyrings.alt keeps secrets in clear text."""


class AskingKeyring(MemoryKeyring):
    """Asks for a passphrase: by `getpass`, by `input` or at the terminal, as `HOW` says."""

    def get_password(self, service: str, username: str) -> str | None:
        question, how = "Passphrase of the keyring: ", os.environ["HOW"]
        if how == "getpass":
            return getpass.getpass(question)
        if how == "input":
            return input(question)
        terminal = os.open("/dev/tty", os.O_RDWR)
        os.write(terminal, question.encode())
        return os.read(terminal, 100).decode()


class FileKeyring(MemoryKeyring):
    """A file of the home folder for each entry."""

    def get_password(self, service: str, username: str) -> str | None:
        path = self._path(username)
        return path.read_text() if path.exists() else None

    def set_password(self, service: str, username: str, password: str) -> None:
        new = self._path(username).with_suffix(f".{os.getpid()}")
        new.write_text(password)
        new.replace(self._path(username))

    def delete_password(self, service: str, username: str) -> None:
        self._path(username).unlink()

    def _path(self, username: str) -> Path:
        return Path(os.environ["HOME"], username.encode().hex())
