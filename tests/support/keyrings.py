"""Keyrings for tests that sign in."""

import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

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


@contextmanager
def silent_bus() -> Iterator[str]:
    """The address of a D-Bus that lets everybody in and never answers a call."""
    with tempfile.TemporaryDirectory(prefix="bus-") as folder, socket.socket(socket.AF_UNIX) as bus:
        bus.bind(f"{folder}/bus")
        bus.listen()
        threading.Thread(target=_let_in, args=(bus,), daemon=True).start()
        yield f"unix:path={folder}/bus"


def _let_in(bus: socket.socket) -> None:
    with suppress(OSError):
        while True:
            connection, _ = bus.accept()
            threading.Thread(target=_listen, args=(connection,), daemon=True).start()


def _listen(connection: socket.socket) -> None:
    with suppress(OSError), connection:
        while words := connection.recv(4096):
            if b"AUTH" in words:
                connection.sendall(b"OK 0123456789abcdef0123456789abcdef\r\n")
            elif b"NEGOTIATE_UNIX_FD" in words:
                connection.sendall(b"AGREE_UNIX_FD\r\n")


class HeardTalk:
    """A `Talk` that keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def note(self, text: str) -> None:
        self.heard.append(text)

    warn = trace = note
