"""What the figures are taken on: installed programs, a keyring, the model server, lists."""

import json
import os
import random
import shutil
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.model_server import make_token
from support.programs import copy_checkout

CREDENTIAL = "9c711ab3-8fc1-4d66-88d4-08f85117f32e"
DEBIAN = {
    "curl": "curl",
    "jq": "jq",
    "mawk": "mawk",
    "sqlite3": "sqlite3",
    "gnome-keyring-daemon": "gnome-keyring",
    "dbus-daemon": "dbus-daemon",
    "sort": "coreutils",
    "xargs": "findutils",
}
"""Each program that is needed beside Python, and the package that has it."""

_DISTORTING = ("PYTHON", "SSL_CERT", "SBPAM_", "XDG_", "DBUS_", "PIP_", "VIRTUAL_ENV")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@dataclass(frozen=True)
class Sizes:
    """How much there is of everything."""

    hosts: int = 1_000_000
    batch: int = 1000
    listed: int = 100_000
    entities: int = 1000
    entity_bytes: int = 80_000_000
    short_rounds: int = 9
    long_rounds: int = 3


FULL = Sizes()
SHORT = Sizes(10_000, 1000, 2000, 50, 4_000_000, 2, 1)


class MissingError(Exception):
    """A peer that is not there and cannot be installed."""


@dataclass(frozen=True)
class Stage:
    """folder: everything is in it. ours and peers: `bin` of the two environments."""

    folder: Path
    ours: Path
    peers: Path
    sizes: Sizes
    environ: dict[str, str]
    origin: str
    ca: Path
    token: str

    @property
    def sbpam(self) -> Path:
        return self.ours / "sbpam"

    @property
    def python(self) -> Path:
        return self.ours / "python"

    @property
    def lists(self) -> Path:
        return self.folder / "lists"

    @property
    def state(self) -> Path:
        """The journal's folder, where no figure wants one of its own."""
        return self.folder / "state"

    @property
    def post_url(self) -> str:
        return f"{self.origin}/api/v1/HostScanJob/OuMapping/{CREDENTIAL}"

    def ask(self, path: str, body: bytes | None = None) -> object:
        """The model server's answer."""
        context = ssl.create_default_context(cafile=str(self.ca))
        request = urllib.request.Request(self.origin + path, data=body)
        with urllib.request.urlopen(request, context=context) as answer:
            return json.load(answer)

    def body_mib(self, path: str) -> float:
        """The size of a reply."""
        context = ssl.create_default_context(cafile=str(self.ca))
        with urllib.request.urlopen(self.origin + path, context=context) as answer:
            return int(answer.headers["Content-Length"]) / 2**20

    def set_latency(self, milliseconds: int) -> None:
        """How long every scheduling POST waits from now on."""
        self.ask("/model/latency", str(milliseconds).encode())

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
        raise MissingError(f"{words[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def install_programs() -> None:
    """The peers from Debian. Raises MissingError where they are not there and cannot be had."""
    missing = sorted({DEBIAN[name] for name in DEBIAN if shutil.which(name) is None})
    if not missing:
        return
    if os.name != "posix" or os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise MissingError(f"not installed: {' '.join(missing)} (Debian's names)")
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], env=environ, check=True)
    install = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *missing]
    subprocess.run(install, env=environ, check=True, stdout=subprocess.DEVNULL)


def _make_environment(folder: Path, *wanted: object) -> Path:
    """A virtual environment by the interpreter itself, not by a shim; its `bin`."""
    python = os.path.realpath(sys.executable)
    environ = _plain_environ("PIP_", "SSL_CERT")
    _run(python, "-m", "venv", folder, environ=environ, folder=folder.parent)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet"]
    _run(*pip, *wanted, environ=environ, folder=folder.parent)
    return folder / "bin"


def _plain_environ(*kept: str) -> dict[str, str]:
    """This process's variables without those that distort a start."""
    dropped = tuple(start for start in _DISTORTING if start not in kept)
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(dropped) and name.lower() not in _PROXIES
    }


def _install(folder: Path) -> tuple[Path, Path]:
    source = copy_checkout(folder / "checkout")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    environ = _plain_environ("PIP_", "SSL_CERT")
    _run(*pip, "--wheel-dir", folder / "wheel", source, environ=environ, folder=folder)
    [wheel] = (folder / "wheel").glob("*.whl")
    ours = _make_environment(folder / "ours", wheel)
    return ours, _make_environment(folder / "peers", "httpie")


@contextmanager
def _served(folder: Path, sizes: Sizes) -> Iterator[str]:
    """The model server in a process of its own; its origin."""
    import trustme

    authority = trustme.CA()
    own = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    own.cert_chain_pems[0].write_to_path(folder / "server.pem")
    own.private_key_pem.write_to_path(folder / "server.key")
    script = Path(__file__).with_name("model_server.py")
    words: list[object] = [sys.executable, script, folder / "server.pem", folder / "server.key"]
    words += ["--list-hosts", str(sizes.listed), "--entity-hosts", str(sizes.entities)]
    words += ["--entity-bytes", str(sizes.entity_bytes)]
    with subprocess.Popen([str(w) for w in words], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"https://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.kill()


@contextmanager
def _keyring(folder: Path, environ: dict[str, str]) -> Iterator[str]:
    """gnome-keyring, unlocked, on a session bus of its own; the bus's address."""
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
        yield environ["DBUS_SESSION_BUS_ADDRESS"]


@contextmanager
def set_up(folder: Path, sizes: Sizes) -> Iterator[Stage]:
    """Everything that the figures need; signed in, and nothing scheduled yet."""
    install_programs()
    ours, peers = _install(folder)
    home, runtime = folder / "home", folder / "runtime"
    home.mkdir()
    runtime.mkdir(mode=0o700)
    environ = {
        **_plain_environ(),
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(runtime),
        "SBPAM_STATE_HOME": str(folder / "state"),
        "LANG": "C.UTF-8",
        "COLUMNS": "200",
    }
    with _served(folder, sizes) as origin, _keyring(folder, environ) as address:
        environ["DBUS_SESSION_BUS_ADDRESS"] = address
        token = make_token()
        stage = Stage(folder, ours, peers, sizes, environ, origin, folder / "ca.pem", token)
        login = [stage.sbpam, "login", "--server", origin, "--ca-bundle", stage.ca]
        login += ["--method", "token", "--token-stdin", "--credential", CREDENTIAL]
        _run(*login, environ=environ, folder=folder, text=token)
        _write_lists(stage)
        yield stage


def host_names(count: int) -> Iterator[str]:
    """FQDNs in no order, a tenth of them twice."""
    dice = random.Random(1)
    numbers = list(range(count))
    dice.shuffle(numbers)
    for place in range(10, count, 10):
        numbers[place] = numbers[dice.randrange(place)]
    for number in numbers:
        yield f"srv{number * 7919 % 10_000_019:08}.ou{number % 193:03}.corp.example"


def _write_lists(stage: Stage) -> None:
    """`mixed` has doubles, `all` none; `one` is a single host and its request's body."""
    stage.lists.mkdir()
    sizes = {10**n for n in (0, 3, 4, 5, 6) if 10**n <= stage.sizes.hosts} | {stage.sizes.hosts}
    with (stage.lists / "mixed").open("w") as lines:
        lines.writelines(f"{name}\n" for name in host_names(stage.sizes.hosts))
    for size in sorted(sizes):
        with (stage.lists / f"all-{size}").open("w") as lines:
            lines.writelines(
                f"srv{n * 7919 % 10_000_019:08}.ou{n % 193:03}.corp.example\n" for n in range(size)
            )
    [name] = (stage.lists / "all-1").read_text().split()
    (stage.lists / "one.json").write_text(json.dumps([name]))


def fresh(folder: Path) -> Path:
    """The folder, empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    return folder


def write_bodies(stage: Stage) -> Path:
    """A request body for every batch, and the file that tells curl to send them all."""
    folder = fresh(stage.folder / "bodies")
    size, batch = stage.sizes.hosts, stage.sizes.batch
    blocks = []
    with (stage.lists / f"all-{size}").open() as lines:
        for number in range(0, size, batch):
            names = [next(lines).rstrip("\n") for _ in range(batch)]
            body = folder / f"{number:07}.json"
            body.write_text(json.dumps(names, separators=(",", ":")))
            blocks.append(
                f'url = "{stage.post_url}"\ncacert = "{stage.ca}"\nsilent\nshow-error\n'
                f'header = "Authorization: Bearer {stage.token}"\n'
                f'header = "Content-Type: application/json"\n'
                f'data-binary = "@{body}"\noutput = "{body}.out"\n'
            )
    settings = folder / "settings"
    settings.write_text("next\n".join(blocks))
    return settings
