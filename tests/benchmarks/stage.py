"""What the figures are taken on: installed programs, a keyring, servers, lists."""

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import FailedError
from benchmarks.perf.bodies import make_token, write_bodies, write_pages
from benchmarks.perf.lists import write_lists
from support.programs import copy_checkout

LATENCY_MS = 50
GROWN = (1, 1_000, 10_000, 100_000)
"""Sizes of lists whose growth is measured, the whole list aside."""

CREDENTIAL = "9c711ab3-8fc1-4d66-88d4-08f85117f32e"
PROGRAMS = ("curl", "jq", "mawk", "gnome-keyring-daemon", "dbus-daemon")
"""What is needed beside Python."""


@dataclass(frozen=True)
class Sizes:
    """How much there is of everything."""

    lines: int = 1_000_000
    batch: int = 1000
    listed: int = 100_000
    shown: int = 20_000
    entities: int = 1000
    entity_bytes: int = 80_000_000
    known: int = 30_000
    short_rounds: int = 9
    long_rounds: int = 3


FULL = Sizes()
SHORT = Sizes(10_000, 1000, 2000, 500, 50, 4_000_000, 500, 2, 1)


@dataclass(frozen=True)
class Stage:
    """folder: everything is in it. sbpam, python: of our environment; peers: `bin` of theirs.

    origin: a server with replies of every kind. quick_origin: one that only takes scheduling
    POSTs, each answered after LATENCY_MS. servers: their process ids.
    """

    folder: Path
    lists: Path
    sbpam: Path
    python: Path
    peers: Path
    sizes: Sizes
    environ: dict[str, str]
    origin: str
    quick_origin: str
    ca: Path
    token: str
    servers: Sequence[int]

    def run(self, *words: object, **given: str) -> str:
        """Runs something that is not measured; what it says on stdout."""
        return _run(*words, environ={**self.environ, **given}, folder=self.folder)


def _run(*words: object, environ: dict[str, str], folder: Path, text: str | None = None) -> str:
    done = subprocess.run(
        [str(word) for word in words],
        env=environ,
        cwd=folder,
        input=text,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode != 0:
        raise FailedError(f"{words[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def check_programs() -> None:
    """Raises FailedError where one is not there."""
    if missing := [name for name in PROGRAMS if shutil.which(name) is None]:
        raise FailedError(f"not installed: {' '.join(missing)}")


def _pip(python: str | Path, folder: Path, *words: object) -> None:
    command = [python, "-I", "-m", "pip", *words, "--quiet"]
    _run(*command, environ=dict(os.environ), folder=folder)


def _make_environment(folder: Path, *wanted: object) -> Path:
    """A virtual environment by the interpreter itself, not by a shim; its `bin`."""
    python = os.path.realpath(sys.executable)
    _run(python, "-I", "-m", "venv", folder, environ=dict(os.environ), folder=folder.parent)
    _pip(folder / "bin" / "python", folder, "install", *wanted)
    return folder / "bin"


def _install(folder: Path) -> tuple[Path, Path]:
    source = copy_checkout(folder / "checkout")
    _pip(sys.executable, folder, "wheel", "--no-deps", "--wheel-dir", folder / "wheel", source)
    [wheel] = (folder / "wheel").glob("*.whl")
    ours = _make_environment(folder / "ours", wheel)
    return ours, _make_environment(folder / "peers", "httpie", "orjson", "uvloop")


@contextmanager
def _served(*words: object) -> Iterator[tuple[str, int]]:
    """A server in a process of its own; its origin and process id."""
    with subprocess.Popen([str(w) for w in words], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"https://127.0.0.1:{int(server.stdout.readline())}", server.pid
        finally:
            server.kill()


def _certify(folder: Path) -> list[Path]:
    """The servers' certificate and key; the authority's is beside them."""
    import trustme

    authority = trustme.CA()
    own = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    own.cert_chain_pems[0].write_to_path(folder / "server.pem")
    own.private_key_pem.write_to_path(folder / "server.key")
    return [folder / "server.pem", folder / "server.key"]


@contextmanager
def _keyring(environ: dict[str, str]) -> Iterator[None]:
    """gnome-keyring, unlocked, on a session bus whose address is put into the environment."""
    with ExitStack() as stack:

        def start(*words: str, **how: object) -> subprocess.Popen[str]:
            process = stack.enter_context(
                subprocess.Popen(words, text=True, stdout=subprocess.PIPE, env=environ, **how)  # type: ignore[call-overload]
            )
            stack.callback(process.kill)
            return process  # type: ignore[no-any-return]

        bus = start("dbus-daemon", "--session", "--nofork", "--print-address=1")
        assert bus.stdout is not None
        environ["DBUS_SESSION_BUS_ADDRESS"] = bus.stdout.readline().strip()
        words = ("gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets")
        ring = start(*words, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert ring.stdin is not None
        ring.stdin.write("pw")
        ring.stdin.close()
        yield


@contextmanager
def set_up(folder: Path, sizes: Sizes) -> Iterator[Stage]:
    """Everything that the figures need; signed in, and nothing scheduled yet."""
    check_programs()
    ours, peers = _install(folder)
    home, runtime = fresh(folder / "home"), fresh(folder / "runtime")
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(runtime),
        "SBPAM_STATE_HOME": str(folder / "state"),
        "LANG": "C.UTF-8",
        "COLUMNS": "200",
    }
    token, bodies, lists = make_token(), fresh(folder / "bodies"), fresh(folder / "lists")
    first = _write_lists(lists, sizes)
    write_bodies(bodies, token, sizes.listed, sizes.entities, sizes.entity_bytes)
    write_pages(bodies, sizes.known)
    (bodies / CREDENTIAL).write_text(
        json.dumps({"id": str(uuid.uuid4()), "hostScanHostStatus": [{"dnsHostName": first}]})
    )
    python, perf, certificate = peers / "python", Path(__file__).parent / "perf", _certify(folder)
    with (
        _served(python, perf / "files.py", *certificate, bodies) as (origin, number),
        _served(python, perf / "server.py", *certificate, LATENCY_MS) as (quick_origin, quick),
        _keyring(environ),
    ):
        ca, servers = folder / "ca.pem", [number, quick]
        paths = (folder, lists, ours / "sbpam", ours / "python", peers)
        stage = Stage(*paths, sizes, environ, origin, quick_origin, ca, token, servers)
        login = [stage.sbpam, "login", "--server", origin, "--ca-bundle", stage.ca]
        login += ["--method", "token", "--token-stdin", "--credential", CREDENTIAL]
        _run(*login, environ=environ, folder=folder, text=token)
        yield stage


def _write_lists(folder: Path, sizes: Sizes) -> str:
    """The lists of `perf`, the beginnings of the clean one, a request's body; its one host."""
    write_lists(folder, sizes.lines)
    names = (folder / "clean.txt").read_text().splitlines(keepends=True)
    for size in {1, sizes.shown, sizes.listed, *GROWN}:
        if size <= len(names):
            (folder / f"first-{size}").write_text("".join(names[:size]))
    first = names[0].strip()
    (folder / "one.json").write_text(json.dumps([first]))
    return first


def fresh(folder: Path) -> Path:
    """The folder, empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    return folder
