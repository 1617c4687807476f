"""The operating system's keyring, which may be missing, locked, or never answer.

One daemon thread does everything with it, its import included, so that
nothing of ours ever waits longer than the time it is given. Nothing is
written in clear text anywhere, and no error of a back end is repeated: it
might hold what it failed to store.
"""

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sbpam_cli.errors import SbpamError
from sbpam_cli.settings.entries import Entries, UnusableKeyringError
from sbpam_cli.settings.secrets import SECRET_NAMES, SecretName
from sbpam_cli.system.files import read_private, write_private

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

    from sbpam_cli.models import Talk
    from sbpam_cli.system.services import Services

Answer = TypeVar("Answer")

_ALONE_S = 3.0
_ATTENDED_S = 60.0
_NOTICE_AFTER_S = 1.0
_BACKEND_FILE = "keyring-backend"
_REASONS = {
    "NoKeyringError": "there is none on this machine",
    "KeyringLocked": "it is locked",
    "InitError": "it could not be opened",
}


class _Job(Generic[Answer]):
    def __init__(self, work: Callable[[], Answer]) -> None:
        self.work = work
        self.done = threading.Event()
        self.answer: Answer | None = None
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self.answer = self.work()
        except Exception as error:
            self.error = error
        finally:
            self.done.set()


class Vault:
    """Secrets in the keyring, by profile, origin and name.

    All its time together is bounded: 3 seconds where nobody is there, 60 with
    a notice where somebody is (`attended`: an unlock dialog may be waiting).
    After that, or where there is no back end, it counts as absent for the rest
    of the command, which is said once.

    choose: lets keyring look for the best back end (`login`) and remembers it;
    else the remembered one is loaded, and keyring looks only where that fails.
    """

    def __init__(
        self, services: "Services", talk: "Talk", *, attended: bool, choose: bool = False
    ) -> None:
        self._services = services
        self._choose = choose
        self._talk = talk
        self._attended = attended
        self._left_s = _ATTENDED_S if attended else _ALONE_S
        self._jobs: SimpleQueue[_Job[Any]] | None = None
        self._running: _Job[Any] | None = None
        self._entries: Entries | None = None
        self._lock = threading.Lock()
        self._noticed = False
        self.absent_because: str | None = None

    @property
    def backend(self) -> str | None:
        """The class of the keyring in use; None where there is none (yet)."""
        return self._entries.backend if self._entries is not None else None

    @property
    def stuck(self) -> bool:
        """The keyring still has the thread: the process must leave by `os._exit`."""
        return self._running is not None and not self._running.done.is_set()

    def get(self, profile: str, origin: str, name: SecretName) -> str | None:
        """The stored secret; None where there is none, or no keyring that answers."""
        return self._ask(lambda entries: entries.read(_entry(profile, origin, name)))

    def set(self, profile: str, origin: str, name: SecretName, value: str) -> bool:
        """Stores the secret and reads it back; False where it was not kept."""
        entry = _entry(profile, origin, name)
        generation = f"{self._services.random.getrandbits(32):08x}"
        return bool(self._ask(lambda entries: entries.write(entry, value, generation)))

    def delete(self, profile: str, origin: str, name: SecretName) -> bool:
        """Removes the secret; True where the keyring surely has none now."""
        return bool(self._ask(lambda entries: entries.remove(_entry(profile, origin, name))))

    def delete_all(self, profile: str, origins: Iterable[str]) -> bool:
        """Removes every secret of a profile at these origins; True where surely none is left."""
        gone = [self.delete(profile, origin, name) for origin in origins for name in SECRET_NAMES]
        return all(gone)

    def _ask(self, work: Callable[[Entries], Answer]) -> Answer | None:
        with self._lock:
            if self.absent_because is not None:
                return None
            job = _Job(lambda: work(self._open()))
            self._submit(job)
            if not self._wait(job):
                self._give_up(f"it did not answer within {self._limit_s:.0f} seconds")
            elif job.error is not None:
                self._give_up(_why(job.error))
            else:
                return job.answer
            return None

    @property
    def _limit_s(self) -> float:
        return _ATTENDED_S if self._attended else _ALONE_S

    def _submit(self, job: _Job[Any]) -> None:
        if self._jobs is None:
            self._jobs = SimpleQueue()
            threading.Thread(target=_work, args=(self._jobs,), name="keyring", daemon=True).start()
        self._running = job
        self._jobs.put(job)

    def _wait(self, job: _Job[Any]) -> bool:
        clock = self._services.clock
        started = clock.monotonic()
        first = min(_NOTICE_AFTER_S, self._left_s) if self._attended else self._left_s
        done = clock.wait(job.done, first)
        if not done and self._attended:
            if not self._noticed:
                self._talk.note("waiting for the keyring; it may be asking to be unlocked")
            self._noticed = True
            done = clock.wait(job.done, max(0.0, self._left_s - first))
        self._left_s = max(0.0, self._left_s - (clock.monotonic() - started))
        return done

    def _give_up(self, why: str) -> None:
        self.absent_because = why
        self._talk.warn(
            f"going on without the keyring: {why};"
            " secrets can also come from SBPAM_PASSWORD_FILE and the like"
        )

    def _open(self) -> Entries:
        if self._entries is None:
            services = self._services
            if services.keyring is not None:
                self._entries = Entries(services.keyring())
            else:
                backend = None if self._choose else _remembered(services)
                if backend is None:
                    import keyring

                    backend = keyring.get_keyring()
                self._entries = Entries(backend)
                if self._choose:
                    _remember(services, backend)
        return self._entries


def _remembered(services: "Services") -> "KeyringBackend | None":
    """The back end that `login` found: keyring's search tries them all and starts compilers.

    What keyring's own variable or file names comes first, as in that search.
    """
    try:
        name = read_private(services.state_folder() / _BACKEND_FILE)
        if name is None:
            return None
        from keyring import core

        return core.load_env() or core.load_config() or core.load_keyring(name.decode().strip())
    except Exception:
        return None


def _remember(services: "Services", backend: "KeyringBackend") -> None:
    kind = type(backend)
    name = f"{kind.__module__}.{kind.__qualname__}\n"
    with suppress(SbpamError):
        write_private(services.state_folder() / _BACKEND_FILE, name.encode())


def _why(error: Exception) -> str:
    if isinstance(error, UnusableKeyringError):
        return str(error)
    kind = type(error).__name__
    return _REASONS.get(kind, f"it failed with {kind}")


def _work(jobs: "SimpleQueue[_Job[Any]]") -> None:
    while True:
        jobs.get().run()


def _entry(profile: str, origin: str, name: SecretName) -> str:
    return f"{profile} {origin} {name}"
