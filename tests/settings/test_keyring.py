"""The keyring: bounded, split, read back; nothing in it that was not meant to be."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import keyring.backends.fail
import keyring.backends.null
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked
from support.keyrings import HangingKeyring, MemoryKeyring, PlaintextKeyring, load_by_name
from support.programs import ROOT, run
from support.site import bare_services
from support.tables import crossed
from support.talk import Heard

from sbpam_cli.settings.keyring import Entries, Vault
from sbpam_cli.system.clock import Clock

A, B = "https://a:6500", "https://b:6500"
LONG = "ey" + "J0.x" * 900


class ShortKeyring(MemoryKeyring):
    """Holds values of at most `limit` UTF-16 units, as Windows does."""

    def __init__(self, limit: int = 1280) -> None:
        super().__init__()
        self.limit = limit
        self.before_set: Callable[[str, str], None] = lambda name, value: None

    def set_password(self, service: str, username: str, password: str) -> None:
        self.before_set(username, password)
        if len(password.encode("utf-16-le", "surrogatepass")) // 2 > self.limit:
            raise OSError(f"(1783, 'CredWrite', {password!r})")
        super().set_password(service, username, password)


class ImpatientClock(Clock):
    """Records how long it was to wait, and cuts it short; time passes in full."""

    def __init__(self) -> None:
        self.waited: list[float] = []
        self.passed = 0.0

    def monotonic(self) -> float:
        return self.passed

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        self.waited.append(timeout_s)
        if event.wait(0.05):
            return True
        self.passed += timeout_s
        return False


@pytest.fixture
def talk() -> Heard:
    return Heard()


@pytest.fixture
def hanging() -> Iterator[HangingKeyring]:
    backend = HangingKeyring()
    yield backend
    backend.release.set()


def vault_of(
    make: Callable[[], KeyringBackend],
    talk: Heard,
    *,
    attended: bool = False,
    clock: Clock | None = None,
) -> Vault:
    services = bare_services(clock=clock or Clock(), keyring=make)
    return Vault(services, talk, attended=attended)


@given(
    st.text(st.characters(codec="utf-8"), max_size=30),
    st.integers(min_value=1, max_value=400),
    st.integers(min_value=1, max_value=400),
)
def test_any_value_comes_back_and_leaves_nothing_behind(text: str, times: int, then: int) -> None:
    backend = ShortKeyring()
    entries = Entries(backend)
    assert entries.write("e", text * times)
    assert entries.write("e", text * then)
    assert entries.read("e") == text * then
    assert entries.remove("e")
    assert backend.kept == {}


@pytest.mark.parametrize(
    ("module", "limit"), [("elsewhere", 100_000), ("keyring.backends.Windows", 1280)]
)
def test_a_value_is_split_only_if_it_must_be(module: str, limit: int) -> None:
    """Windows is never given more: its refusal is an exception with the value in its words."""
    kind = type("Named", (ShortKeyring,), {"__module__": module, "priority": 1})
    backend = kind(limit)
    backend.before_set = lambda name, value: sizes.append(len(value))
    sizes: list[int] = []
    assert Entries(backend).write("e", LONG)
    assert Entries(backend).read("e") == LONG
    assert sizes == [len(LONG)] if module == "elsewhere" else max(sizes) <= 1280


def test_a_write_cut_off_anywhere_reads_as_one_value_or_none() -> None:
    """Every prefix of the writes of a second value over a first one."""
    second = LONG[::-1]
    for cut in range(1, 12):
        backend = ShortKeyring()
        Entries(backend).write("e", LONG)
        writes = iter(range(1, 100))

        def stop(name: str, value: str, cut: int = cut, writes: Iterator[int] = writes) -> None:
            if next(writes) == cut:
                raise KeyboardInterrupt

        backend.before_set = stop
        try:
            Entries(backend).write("e", second)
            assert Entries(backend).read("e") == second
        except KeyboardInterrupt:
            assert Entries(backend).read("e") in (LONG, second, None)
        backend.before_set = lambda name, value: None
        assert Entries(backend).remove("e")
        assert backend.kept == {}


class ForgetfulKeyring(ShortKeyring):
    """Takes everything, keeps half of it."""

    def get_password(self, service: str, username: str) -> str | None:
        kept = super().get_password(service, username)
        return kept and kept[: len(kept) // 2]


def test_what_was_not_kept_leaves_no_older_value(talk: Heard) -> None:
    assert not vault_of(ForgetfulKeyring, talk).set("p", A, "password", "secret")
    backend = ShortKeyring(limit=10)
    vault = vault_of(lambda: backend, talk)
    assert vault.set("p", A, "password", "old")
    assert not vault.set("p", A, "password", "much too long")
    assert vault.get("p", A, "password") is None
    assert "much too long" not in "".join(talk.notes)


def test_a_keyring_that_hangs_is_waited_for_once(talk: Heard, hanging: HangingKeyring) -> None:
    clock = ImpatientClock()
    vault = vault_of(lambda: hanging, talk, clock=clock)
    assert vault.get("p", A, "token") is None
    assert vault.get("p", A, "password") is None
    assert not vault.set("p", A, "token", "x")
    assert not vault.delete_all("p", [A])
    assert clock.waited == [3.0]
    assert len(talk.notes) == 1
    assert "did not answer within 3 seconds" in talk.notes[0]


def test_a_person_is_told_and_gets_a_minute(talk: Heard, hanging: HangingKeyring) -> None:
    clock = ImpatientClock()
    vault = vault_of(lambda: hanging, talk, attended=True, clock=clock)
    assert vault.get("p", A, "token") is None
    assert clock.waited == [1.0, 59.0]
    assert talk.notes[0] == "waiting for the keyring; it may be asking to be unlocked"
    assert "60 seconds" in talk.notes[1]


def test_the_bound_is_for_all_accesses_together(talk: Heard) -> None:
    clock = ImpatientClock()

    def slow() -> KeyringBackend:
        clock.passed += 2.0
        return ShortKeyring()

    vault = vault_of(slow, talk, clock=clock)
    vault.get("p", A, "token")
    vault.get("p", A, "token")
    assert clock.waited == [3.0, 1.0]


def test_the_notice_takes_no_time_that_is_not_left(talk: Heard) -> None:
    clock, release = ImpatientClock(), threading.Event()

    class Late(ShortKeyring):
        def get_password(self, service: str, username: str) -> None:
            if clock.passed > 59.0:
                release.wait()
            clock.passed += 59.75

    vault = vault_of(Late, talk, attended=True, clock=clock)
    vault.get("p", A, "token")
    assert clock.waited == [1.0]
    vault.get("p", A, "token")
    release.set()
    assert sum(clock.waited) == 1.25
    assert "60 seconds" in talk.notes[-1]


def failing(error: BaseException) -> type[KeyringBackend]:
    """A keyring that fails so, whatever is asked of it."""

    class FailingKeyring(ShortKeyring):
        def get_password(self, service: str, username: str) -> str | None:
            raise error

        set_password = get_password  # type: ignore[assignment]

    return FailingKeyring


# As Windows' is in a task whose password is not stored.
NO_SESSION = type("error", (Exception,), {})(1312, "CredRead", "geheim")


class NotesKeyring(PlaintextKeyring):
    """Its base class tells."""


def holding(**parts: object) -> Callable[[], KeyringBackend]:
    """One that has others behind it."""

    def make() -> KeyringBackend:
        backend = ShortKeyring()
        vars(backend).update(parts)
        return backend

    return make


def broken_keyring() -> KeyringBackend:
    raise ImportError("no module geheim")


# As keyrings.alt's multipart wrapper has it, keyring's chainer, and one with lists of its own.
WRAPPING = holding(_keyring=NotesKeyring())
CHAINED = holding(backends=[ShortKeyring(), WRAPPING()])
HIDING = holding(places=[ShortKeyring(), (NotesKeyring(),)])


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (keyring.backends.null.Keyring, "there is none on this machine"),
        (keyring.backends.fail.Keyring, "there is none on this machine"),
        (
            failing(KeyringLocked("Failed to unlock the collection! geheim")),
            "it is locked; unlock it and run this again",
        ),
        (failing(NO_SESSION), "have the task store its user's password"),
        (broken_keyring, "it failed with ImportError"),
        *((make, "clear text") for make in (PlaintextKeyring, NotesKeyring)),
        *((make, "clear text") for make in (WRAPPING, CHAINED, HIDING)),
        (failing(SystemExit("geheim")), "it failed with SystemExit"),
    ],
)
def test_a_keyring_that_cannot_be_used_counts_as_absent(
    talk: Heard, make: Callable[[], KeyringBackend], why: str
) -> None:
    vault = vault_of(make, talk)
    assert vault.get("p", A, "password") is None
    assert not vault.set("p", A, "password", "geheim")
    assert not vault.delete_all("p", [A])
    assert len(talk.notes) == 1
    assert why in talk.notes[0]
    assert "geheim" not in talk.notes[0]


# In a process of its own: which back end is chosen, and what is loaded for it.

CHILD = """
import io, os, sys
from sbpam_cli.system.services import system_services
from sbpam_cli.settings.keyring import Vault

class Talk:
    def note(self, text): print("heard:", text)
    warn = trace = note

print(Vault(system_services(), Talk(), attended=False).get("p", "https://nps:6500", "token"))
searched = {"keyring.backends.chainer", "importlib.metadata"} & set(sys.modules)
print("searched" if "keyring.backends.chainer" in searched else "straight")
print("left:", sys.stdin.read(), flush=True)
os._exit(0)
"""


def ask_in_a_process(folder: Path, **env: str) -> list[str]:
    path = f"{folder}{os.pathsep}{ROOT / 'tests'}"
    environ = {"PYTHONPATH": path, "HOME": str(folder), "SBPAM_PASSWORD": "geheim"} | env
    done = run([sys.executable, "-c", CHILD], environ, input="the list of a loop\n", check=True)
    return done.stdout.splitlines()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there always is one")
def test_without_a_desktop_there_is_none_and_no_search(tmp_path: Path) -> None:
    heard, value, how, _ = ask_in_a_process(tmp_path)
    assert heard.startswith("heard: continuing without the keyring: there is none on this machine;")
    assert (value, how) == ("None", "straight")


OURS = "support.keyrings"
LOADED = {
    f"{OURS}.FullKeyring": "kept",
    f"{OURS}.PlaintextKeyring": "keeps its values in clear text",
    **dict.fromkeys((f"{OURS}.Missing", "nowhere.Kept", "Kept"), "names one that cannot be loaded"),
}


@pytest.mark.parametrize(("name", "place"), crossed(LOADED, ["variable", "file"]))
def test_the_one_that_the_user_names_comes_first(tmp_path: Path, name: str, place: str) -> None:
    answer = LOADED[name]
    env, source = {"PYTHON_KEYRING_BACKEND": name}, f"PYTHON_KEYRING_BACKEND ({name})"
    if place == "file":
        env, source = {}, "keyring's configuration file"
        (tmp_path / ".config" / "python_keyring").mkdir(parents=True)
        file = tmp_path / ".config" / "python_keyring" / "keyringrc.cfg"
        file.write_text(f"[backend]\ndefault-keyring={name}\n")
    *lines, how, _ = ask_in_a_process(tmp_path, **env)
    assert how == "straight"
    assert answer in lines[0]
    if "loaded" in answer:
        assert source in lines[0]


@pytest.mark.parametrize("how", ["getpass", "input"])
def test_a_back_end_that_asks_reads_no_stdin_where_nobody_is(tmp_path: Path, how: str) -> None:
    """In `while read host; do sbpam schedule ...; done` stdin is the loop's list."""
    asking = load_by_name("AskingKeyring")
    heard, value, _, left = ask_in_a_process(tmp_path, **asking, HOW=how)
    assert "it failed with EOFError" in heard
    assert (value, left) == ("None", "left: ")


def test_a_process_ends_while_the_keyrings_import_hangs(tmp_path: Path) -> None:
    (tmp_path / "keyring.py").write_text("import threading\nthreading.Event().wait()\n")
    heard, value, *_ = ask_in_a_process(tmp_path)
    assert "it did not answer within 3 seconds" in heard
    assert value == "None"
