"""Keyrings for tests that sign in."""

import threading

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
