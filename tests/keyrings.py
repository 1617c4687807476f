"""Keyrings and clocks for tests that sign in."""

import threading

from keyring.backend import KeyringBackend
from staging import MovedClock


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


class RealWaits(MovedClock):
    """Another clock's time; what other threads do is waited for in real time, `longest_s` at most.

    Where it does not come, the time has passed.
    """

    def __init__(self, clock: MovedClock, longest_s: float = 0.5) -> None:
        super().__init__()
        self.now = clock.now  # type: ignore[method-assign]
        self.monotonic = clock.monotonic  # type: ignore[method-assign]
        self.sleep = clock.sleep  # type: ignore[method-assign]
        self.move = clock.move  # type: ignore[method-assign]
        self._longest_s = longest_s

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        if event.wait(min(timeout_s, self._longest_s)):
            return True
        self.move(timeout_s)
        return event.is_set()
