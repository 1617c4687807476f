"""The keyring: bounded, split, read back; nothing in it that was not meant to be."""

import io
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import keyring.backends.fail
import keyring.backends.null
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError
from support.keyrings import HangingKeyring

from sbpam_cli.settings.entries import Entries
from sbpam_cli.settings.keyring import Vault
from sbpam_cli.settings.secrets import SECRET_NAMES
from sbpam_cli.system.clock import SystemClock
from sbpam_cli.system.services import Services

A, B = "https://a:6500", "https://b:6500"
LONG = "ey" + "J0.x" * 900


class _Memory(KeyringBackend):
    """Holds values of at most `limit` UTF-16 units, as Windows does."""

    priority = 1

    def __init__(self, limit: int = 1280) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.limit = limit
        self.before_set: Callable[[str, str], None] = lambda name, value: None

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.before_set(username, password)
        if len(password.encode("utf-16-le", "surrogatepass")) // 2 > self.limit:
            raise OSError(f"(1783, 'CredWrite', {password!r})")
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError


class _ImpatientClock(SystemClock):
    """Records how long it was to wait, and cuts it short; time passes in full."""

    def __init__(self) -> None:
        self.waited: list[float] = []
        self.passed = 0.0

    def monotonic(self) -> float:
        return self.passed

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        self.waited.append(timeout_s)
        if event.wait(0.02):
            return True
        self.passed += timeout_s
        return False


class _Talk:
    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)

    warn = trace = note


@pytest.fixture
def talk() -> _Talk:
    return _Talk()


@pytest.fixture
def hanging() -> Iterator[HangingKeyring]:
    backend = HangingKeyring()
    yield backend
    backend.release.set()


def _vault(
    backend: KeyringBackend | Callable[[], KeyringBackend],
    talk: _Talk,
    *,
    attended: bool = False,
    clock: SystemClock | None = None,
) -> Vault:
    factory = backend if not isinstance(backend, KeyringBackend) else lambda: backend
    services = Services(
        io.BytesIO(),
        io.StringIO(),
        io.StringIO(),
        {},
        clock=clock or SystemClock(),
        random=random.Random(1),
        keyring=factory,
    )
    return Vault(services, talk, attended=attended)


def test_a_secret_belongs_to_profile_origin_and_name(talk: _Talk) -> None:
    backend = _Memory()
    vault = _vault(backend, talk)
    assert vault.set("p", A, "password", "pw")
    assert vault.get("p", A, "password") == "pw"
    others = [("q", A, "password"), ("p", B, "password"), ("p", A, "token")]
    assert [vault.get(p, o, n) for p, o, n in others] == [None] * 3  # type: ignore[arg-type]
    assert {service for service, _ in backend.kept} == {"sbpam"}
    assert talk.said == []
    assert not vault.stuck


@given(
    st.text(st.characters(codec="utf-8"), max_size=30),
    st.integers(min_value=1, max_value=400),
    st.integers(min_value=1, max_value=400),
)
def test_any_value_comes_back_and_leaves_nothing_behind(text: str, times: int, then: int) -> None:
    backend = _Memory()
    entries = Entries(backend)
    assert entries.write("e", text * times, "1") == entries.write("e", text * times, "2") is True
    assert entries.write("e", text * then, "3")
    assert entries.read("e") == text * then
    assert entries.remove("e")
    assert backend.kept == {}


def test_a_long_value_stays_whole_where_the_back_end_can_hold_it() -> None:
    backend = _Memory(limit=100_000)
    assert Entries(backend).write("e", LONG, "1")
    assert backend.kept == {("sbpam", "e"): LONG}


def test_windows_is_never_given_what_it_cannot_hold() -> None:
    """Its refusal is an exception of pywin32 with the value in its words."""
    asked: list[int] = []

    class WinVaultKeyring(_Memory):
        def set_password(self, service: str, username: str, password: str) -> None:
            asked.append(len(password.encode("utf-16-le")))
            super().set_password(service, username, password)

    WinVaultKeyring.__module__ = "keyring.backends.Windows"
    entries = Entries(WinVaultKeyring())
    assert entries.write("e", LONG, "1")
    assert entries.read("e") == LONG
    assert max(asked) <= 2560


def test_a_value_that_looks_like_a_head_is_still_a_value() -> None:
    backend = _Memory()
    assert Entries(backend).write("e", "sbpam-split 1 1 x", "1")
    assert Entries(backend).read("e") == "sbpam-split 1 1 x"


def test_a_write_cut_off_anywhere_reads_as_one_value_or_none() -> None:
    """Every prefix of the writes of a second value over a first one."""
    for cut in range(1, 12):
        backend = _Memory()
        Entries(backend).write("e", LONG, "old")
        writes = iter(range(1, 100))

        def stop(name: str, value: str, cut: int = cut, writes: Iterator[int] = writes) -> None:
            if next(writes) == cut:
                raise KeyboardInterrupt

        backend.before_set = stop
        second = LONG[::-1]
        try:
            Entries(backend).write("e", second, "new")
            assert Entries(backend).read("e") == second
        except KeyboardInterrupt:
            assert Entries(backend).read("e") in (LONG, second, None)
        backend.before_set = lambda name, value: None
        assert Entries(backend).remove("e")
        assert backend.kept == {}


def test_two_writers_mixed_read_as_absent() -> None:
    backend = _Memory()
    Entries(backend).write("e", LONG, "1")
    other = _Memory()
    Entries(other).write("e", LONG[::-1], "2")
    backend.kept["sbpam", "e part 2"] = other.kept["sbpam", "e part 2"]
    assert Entries(backend).read("e") is None
    backend.kept["sbpam", "e part 2"] = "1 " + LONG[:1200]
    assert Entries(backend).read("e") is None
    del backend.kept["sbpam", "e part 2"]
    assert Entries(backend).read("e") is None


class _Forgetful(_Memory):
    """Takes everything, keeps half of it."""

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password[: len(password) // 2]


def test_a_write_that_reads_back_otherwise_was_not_kept(talk: _Talk) -> None:
    backend = _Forgetful()
    assert not _vault(backend, talk).set("p", A, "password", "secret")
    assert backend.kept == {}


def test_a_refused_value_leaves_no_older_one(talk: _Talk) -> None:
    backend = _Memory(limit=10)
    vault = _vault(backend, talk)
    assert vault.set("p", A, "password", "old")
    assert not vault.set("p", A, "password", "much too long")
    assert vault.get("p", A, "password") is None
    assert "much too long" not in "".join(talk.said)


def test_logging_out_leaves_nothing_of_these_origins(talk: _Talk) -> None:
    backend = _Memory()
    vault = _vault(backend, talk)
    for origin in (A, B):
        for name in SECRET_NAMES:
            assert vault.set("p", origin, name, LONG)
    assert vault.set("q", A, "token", "stays")
    assert vault.delete_all("p", [A, B])
    assert vault.delete_all("p", [A, B])
    assert list(backend.kept.values()) == ["stays"]


def test_a_keyring_that_hangs_is_waited_for_once(talk: _Talk, hanging: HangingKeyring) -> None:
    clock = _ImpatientClock()
    vault = _vault(hanging, talk, clock=clock)
    assert vault.get("p", A, "token") is None
    assert vault.get("p", A, "password") is None
    assert not vault.set("p", A, "token", "x")
    assert not vault.delete_all("p", [A])
    assert clock.waited == [3.0]
    assert len(talk.said) == 1
    assert "did not answer within 3 seconds" in talk.said[0]
    assert vault.stuck


def test_a_person_is_told_and_gets_a_minute(talk: _Talk, hanging: HangingKeyring) -> None:
    clock = _ImpatientClock()
    vault = _vault(hanging, talk, attended=True, clock=clock)
    assert vault.get("p", A, "token") is None
    assert clock.waited == [1.0, 59.0]
    assert talk.said[0] == "waiting for the keyring; it may be asking to be unlocked"
    assert "60 seconds" in talk.said[1]


def test_the_bound_is_for_all_accesses_together(talk: _Talk) -> None:
    clock = _ImpatientClock()
    backend = _Memory()

    def slow() -> KeyringBackend:
        clock.passed += 2.0
        return backend

    vault = _vault(slow, talk, clock=clock)
    vault.get("p", A, "token")
    vault.get("p", A, "token")
    assert clock.waited == [3.0, 1.0]


class _Locked(_Memory):
    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringLocked("Failed to unlock the collection! geheim")


def _broken() -> KeyringBackend:
    raise ImportError("no module geheim")


class PlaintextKeyring(_Memory):
    """The name under which keyrings.alt keeps secrets in clear text."""


@pytest.mark.parametrize(
    ("backend", "why"),
    [
        (keyring.backends.null.Keyring, "there is none on this machine"),
        (keyring.backends.fail.Keyring, "there is none on this machine"),
        (_Locked, "it is locked"),
        (_broken, "it failed with ImportError"),
        (PlaintextKeyring, "clear text"),
    ],
)
def test_a_keyring_that_cannot_be_used_counts_as_absent(
    talk: _Talk, backend: Callable[[], KeyringBackend], why: str
) -> None:
    vault = _vault(backend, talk)
    assert vault.get("p", A, "password") is None
    assert not vault.set("p", A, "password", "geheim")
    assert not vault.delete_all("p", [A])
    assert len(talk.said) == 1
    assert why in talk.said[0]
    assert "geheim" not in talk.said[0]
    assert not vault.stuck


def test_a_process_leaves_while_the_keyrings_import_hangs() -> None:
    program = """
import io, os, sys, threading, time
from importlib.abc import MetaPathFinder
class Hang(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "keyring":
            threading.Event().wait()
sys.meta_path.insert(0, Hang())
from sbpam_cli.system.services import Services
from sbpam_cli.settings.keyring import Vault
class Talk:
    def note(self, text): pass
    warn = trace = note
class Clock:
    passed = 0.0
    def monotonic(self): return self.passed
    def wait(self, event, timeout_s):
        self.passed += timeout_s
        return event.wait(0.05)
services = Services(io.BytesIO(), io.StringIO(), io.StringIO(), {}, clock=Clock())
vault = Vault(services, Talk(), attended=False)
print(vault.get("p", "https://a", "token"), vault.stuck, flush=True)
os._exit(7)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (7, "None True\n", "")
