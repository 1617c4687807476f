"""Commands that outlive their token by far, and jobs that renew one token at the same time."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from support.certificates import API_KEY, APPLICATION, issue
from support.faults import Fault, Faults, StagedWorld
from support.site import CREDENTIAL, Ended, Site

from sbpam_cli.sandbox.serve import SandboxServer

HOSTS = [f"web{number:02}.corp.example" for number in range(1, 7)]
RENEWAL = "/api/v1/UserToken"


def application(site: Site, folder: Path) -> dict[str, str]:
    cert, key = issue(site.server).files(folder)
    return {
        "SBPAM_USERNAME": APPLICATION,
        "SBPAM_API_KEY": API_KEY,
        "SBPAM_CLIENT_CERT": cert,
        "SBPAM_CLIENT_KEY": key,
        "SBPAM_PASSWORD": "",
    }


def with_totp(site: Site, folder: Path) -> dict[str, str]:
    return {}


def without_mfa(site: Site, folder: Path) -> dict[str, str]:
    return {
        "SBPAM_USERNAME": "CORP\\nomfa",
        "SBPAM_PASSWORD": "Sandbox-Nomfa-1",
        "SBPAM_TOTP_SECRET": "",
    }


def ready_token(site: Site, folder: Path) -> dict[str, str]:
    user = site.world.user("CORP\\push")
    assert user is not None
    return {"SBPAM_TOKEN": site.world.issue_token(user)[0]}


BY_THEMSELVES = [application, with_totp, without_mfa]


@pytest.fixture
def slow_site(site: Site) -> Site:
    """Scans take five minutes, tokens live 20 seconds."""
    site.world.scan_duration_s = 300.0
    site.world.even = True
    site.world.token_life_s = 20.0
    return site


def assert_followed_to_the_end(site: Site, ended: Ended) -> None:
    assert ended.code == 0, ended.err
    assert [row[:2] for row in ended.rows()] == [[host, "Complete"] for host in HOSTS]
    assert site.scheduled() == HOSTS
    # In good time: the server had to refuse none.
    refused = [
        at for at in site.world.log if at.status == 401 and "signin" not in at.request.target
    ]
    assert refused == []


@pytest.mark.parametrize("method", [*BY_THEMSELVES, ready_token])
def test_five_minutes_with_the_servers_own_renewal(
    slow_site: Site, tmp_path: Path, method: object
) -> None:
    environ = method(slow_site, tmp_path)  # type: ignore[operator]
    before = slow_site.clock.now()
    ended = slow_site.program("schedule", "--wait", "--interval", "2", *HOSTS, env=environ)
    assert_followed_to_the_end(slow_site, ended)
    assert slow_site.clock.now() - before >= 300
    assert len(slow_site.requests(RENEWAL)) >= 300 / 20 - 1
    sign_ins = len(slow_site.requests("signinBody")) + len(slow_site.requests("AppUserToken"))
    assert sign_ins == (0 if method is ready_token else 1)


@pytest.mark.parametrize("method", BY_THEMSELVES)
def test_five_minutes_by_signing_in_again(slow_site: Site, tmp_path: Path, method: object) -> None:
    slow_site.world.missing.add(RENEWAL)
    environ = method(slow_site, tmp_path)  # type: ignore[operator]
    ended = slow_site.program("schedule", "--wait", *HOSTS, env=environ)
    assert_followed_to_the_end(slow_site, ended)
    assert "ready" not in ended.err


@pytest.mark.parametrize("method", BY_THEMSELVES)
def test_a_watch_of_five_minutes(slow_site: Site, tmp_path: Path, method: object) -> None:
    environ = method(slow_site, tmp_path)  # type: ignore[operator]
    assert slow_site.program("schedule", *HOSTS, env=environ).code == 0
    ended = slow_site.program("status", "--watch", "--exit-status", env=environ)
    assert_followed_to_the_end(slow_site, ended)


def test_a_token_that_cannot_be_renewed_ends_it_with_nothing_in_doubt(
    slow_site: Site, tmp_path: Path
) -> None:
    """The next batch is due when the first is scanned: by then the token is long over."""
    slow_site.world.missing.add(RENEWAL)
    batches = ["--batch-size", "2", "--max-running", "2"]
    ended = slow_site.program("schedule", *batches, *HOSTS, env=ready_token(slow_site, tmp_path))
    assert ended.code == 4, ended.err
    assert "SBPAM_TOKEN" in ended.err
    assert [row[1] for row in ended.rows()][2:] == ["NotSent"] * 4
    posts = [at for at in slow_site.world.log if "OuMapping" in at.request.target]
    assert [at.status for at in posts] == [200]
    again = slow_site.program("resume", env=ready_token(slow_site, tmp_path) | {"SBPAM_TOKEN": ""})
    assert again.code == 0, again.err
    assert sorted(slow_site.scheduled()) == HOSTS


def test_a_watch_that_cannot_be_renewed_ends_with_its_reason(
    slow_site: Site, tmp_path: Path
) -> None:
    slow_site.world.missing.add(RENEWAL)
    environ = ready_token(slow_site, tmp_path)
    ended = slow_site.program("schedule", "--wait", *HOSTS, env=environ)
    assert ended.code == 4
    assert len(ended.rows()) == len(HOSTS)
    assert not {row[1] for row in ended.rows()} & {"OutcomeUnknown", "NotSent"}
    assert "SBPAM_TOKEN" in ended.err


# Real processes at the same time


class _Together:
    """Time that stands still until two requests of a kind have come, and then runs on."""

    def __init__(self, start: float, path: str) -> None:
        self.start = start
        self.path = path
        self.since: float | None = None
        self.world: StagedWorld | None = None

    def __call__(self) -> float:
        if self.since is None and self.world is not None:
            log = list(self.world.log)
            if sum(self.path in at.request.target for at in log) >= 2:
                self.since = time.monotonic()
        return self.start + (time.monotonic() - self.since if self.since is not None else 0.0)


def _start(environ: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "sbpam_cli", *arguments],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    kept = ("PATH", "SYSTEMROOT", "HOME", "TMPDIR", "LANG")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "SBPAM_CONFIG_HOME": str(tmp_path / "config"),
        "SBPAM_STATE_HOME": str(tmp_path / "state"),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }


def test_two_jobs_that_start_in_the_same_second_both_get_in(environ: dict[str, str]) -> None:
    """Both have the same code, which the server takes once; one waits for the next."""
    two_s_before_the_next_step = int(time.time()) // 30 * 30 + 28.0
    together = _Together(two_s_before_the_next_step, "signin2fa")
    world = StagedWorld(now=together, failing_share=0.0)
    together.world = world
    with SandboxServer(world, Faults(world)) as server:
        environ |= server.environment()
        jobs = [_start(environ, "schedule", host) for host in HOSTS[:2]]
        ended = [(*job.communicate(timeout=60), job.returncode) for job in jobs]
    assert [code for _, _, code in ended] == [0, 0], ended
    assert sorted(name for names in world.scheduled.values() for name in names) == HOSTS[:2]
    steps = [at for at in world.log if "signin2fa" in at.request.target]
    assert sorted(at.status for at in steps) == [200, 200, 401]
    assert len({at.request.body for at in steps}) == 2
    assert sum("used before" in err for _, err, _ in ended) == 1


_KEYRING = '''
import json, os, pathlib
from keyring.backend import KeyringBackend

class Keyring(KeyringBackend):
    """One file an entry; for tests of processes alone."""
    priority = 1
    def _path(self, username):
        return pathlib.Path(os.environ["TEST_KEYRING"], username.encode().hex())
    def get_password(self, service, username):
        path = self._path(username)
        return path.read_text() if path.exists() else None
    def set_password(self, service, username, password):
        new = self._path(username).with_suffix(f".{os.getpid()}")
        new.write_text(password)
        new.replace(self._path(username))
    def delete_password(self, service, username):
        self._path(username).unlink()
'''


@pytest.fixture
def shared_keyring(environ: dict[str, str], tmp_path: Path) -> Path:
    folder = tmp_path / "keyring"
    folder.mkdir()
    (tmp_path / "file_keyring.py").write_text(_KEYRING)
    environ |= {
        "PYTHONPATH": str(tmp_path),
        "PYTHON_KEYRING_BACKEND": "file_keyring.Keyring",
        "TEST_KEYRING": str(folder),
    }
    return folder


def test_two_jobs_renew_a_stored_token_once(
    environ: dict[str, str], shared_keyring: Path, tmp_path: Path
) -> None:
    """The server is slow to renew: the other job waits, and reads what was stored meanwhile."""
    passed = threading.Event()
    start = time.time()
    world = StagedWorld(now=lambda: time.time() + (850 if passed.is_set() else 0))
    user = world.user("CORP\\nomfa")
    assert user is not None
    secret = tmp_path / "password"
    secret.write_text(user.password)
    secret.chmod(0o600)
    faults = Faults(world)
    with SandboxServer(world, faults) as server:
        login = ["--server", server.url, "--ca-bundle", server.ca_file, "--username", user.login]
        job = _start(environ, "login", *login, "--password-file", str(secret))
        assert job.communicate(timeout=60)[1].count("signed in") == 1
        passed.set()
        faults.add(Fault(action="delay", seconds=0.5))
        jobs = [_start(environ, "schedule", "--credential", CREDENTIAL, host) for host in HOSTS[:2]]
        ended = [(*job.communicate(timeout=60), job.returncode) for job in jobs]
    assert [code for _, _, code in ended] == [0, 0], ended
    assert len([at for at in world.log if RENEWAL in at.request.target]) == 1
    assert len([at for at in world.log if "signinBody" in at.request.target]) == 1
    assert time.time() - start < 60
