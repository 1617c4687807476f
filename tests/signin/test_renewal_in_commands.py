"""Commands that outlive their token by far, and jobs that renew one token at the same time."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.certificates import application_environ
from support.faults import Fault
from support.keyrings import load_by_name
from support.person import DEMO, NOMFA, NOMFA_PASSWORD, PUSH, RENEWAL
from support.process import RealSite, real_site
from support.site import Ended, Site
from support.tables import slow

from sbpam_cli.sandbox.http import Request, Response

HOSTS = [f"web{number:02}.corp.example" for number in range(1, 7)]


def application(site: Site, folder: Path) -> dict[str, str]:
    return application_environ(site.server, folder) | {"SBPAM_PASSWORD": ""}


def with_totp(_site: Site, _folder: Path) -> dict[str, str]:
    return {}


def without_mfa(_site: Site, _folder: Path) -> dict[str, str]:
    user = {"SBPAM_USERNAME": NOMFA, "SBPAM_PASSWORD": NOMFA_PASSWORD}
    return user | {"SBPAM_TOTP_SECRET": ""}


def ready_token(site: Site, _folder: Path) -> dict[str, str]:
    user = site.world.user(PUSH)
    assert user is not None
    return {"SBPAM_TOKEN": site.world.issue_token(user)[0]}


BY_THEMSELVES = [application, with_totp, *slow(without_mfa)]
Method = Callable[[Site, Path], dict[str, str]]


@pytest.fixture
def slow_site(site: Site) -> Site:
    """Scans take five minutes, tokens live 20 seconds."""
    site.world.scan_duration_s = 300.0
    site.world.even = True
    site.world.token_life_s = 20.0
    site.work_alone()
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
    slow_site: Site, tmp_path: Path, method: Method
) -> None:
    environ = method(slow_site, tmp_path)
    before = slow_site.clock.now()
    ended = slow_site.run("schedule", "--wait", "--interval", "2", *HOSTS, env=environ)
    assert_followed_to_the_end(slow_site, ended)
    assert slow_site.clock.now() - before >= 300
    assert len(slow_site.requests(RENEWAL)) >= 300 / 20 - 1
    sign_ins = len(slow_site.requests("signinBody")) + len(slow_site.requests("AppUserToken"))
    assert sign_ins == (0 if method is ready_token else 1)


@pytest.mark.parametrize("method", BY_THEMSELVES)
def test_five_minutes_by_signing_in_again(slow_site: Site, tmp_path: Path, method: Method) -> None:
    slow_site.world.missing.add(RENEWAL)
    environ = method(slow_site, tmp_path)
    ended = slow_site.run("schedule", "--wait", *HOSTS, env=environ)
    assert_followed_to_the_end(slow_site, ended)


def test_a_token_that_cannot_be_renewed_ends_it_with_nothing_in_doubt(
    slow_site: Site, tmp_path: Path
) -> None:
    """The next batch is due when the first is scanned: by then the token is long over."""
    slow_site.world.missing.add(RENEWAL)
    batches = ["--batch-size", "2", "--max-running", "2"]
    ended = slow_site.run("schedule", *batches, *HOSTS, env=ready_token(slow_site, tmp_path))
    assert [row[1] for row in ended.expect(4, "SBPAM_TOKEN").rows()][2:] == ["NotSent"] * 4
    posts = [at for at in slow_site.world.log if "OuMapping" in at.request.target]
    assert [at.status for at in posts] == [200]
    slow_site.run("resume", env=ready_token(slow_site, tmp_path) | {"SBPAM_TOKEN": ""}).expect(0)
    assert sorted(slow_site.scheduled()) == HOSTS


@pytest.fixture
def real(tmp_path: Path) -> Iterator[RealSite]:
    with real_site(tmp_path) as site:
        yield site


def let_the_second_code_pass(site: RealSite) -> None:
    """Holds the first code that arrives until the second one was answered."""
    handle, passed, arrivals = site.server.app.handle, threading.Event(), iter(range(99))

    def overtaken(request: Request) -> Response:
        if "signin2fa" not in request.target:
            return handle(request)
        number = next(arrivals)
        if number == 0:
            passed.wait(30)
        response = handle(request)
        if number == 1:
            passed.set()
        return response

    site.server.app.handle = overtaken  # type: ignore[method-assign]


@pytest.mark.parametrize("overtaking", [False, True])
def test_two_jobs_that_start_in_one_second_both_get_in(real: RealSite, overtaking: bool) -> None:
    """Both have the same code, which the server takes once; one waits for the next.

    overtaking: the code of the process that came second arrives first.
    """
    real.sign_in_as(DEMO)
    if overtaking:
        let_the_second_code_pass(real)
    two_s_before_the_next_step = int(time.time()) // 30 * 30 + 28.0
    since: list[float] = []

    def now() -> float:
        """Stands still until both codes have come, and then runs on."""
        if not since and len(real.requests("signin2fa")) >= 2:
            since.append(time.monotonic())
        return two_s_before_the_next_step + (time.monotonic() - since[0] if since else 0.0)

    real.world.now = now
    jobs = [real.start("schedule", host) for host in HOSTS[:2]]
    ended = [job.end() for job in jobs]
    assert [one.code for one in ended] == [0, 0], ended
    assert sorted(real.scheduled()) == HOSTS[:2]
    steps = [at for at in real.world.log if "signin2fa" in at.request.target]
    assert sorted(at.status for at in steps) == [200, 200, 401]
    assert len({at.request.body for at in steps}) == 2
    assert sum("used before" in one.err for one in ended) == 1


def test_two_jobs_renew_a_stored_token_once(real: RealSite) -> None:
    """The server is slow to renew: the other job waits, and reads what was stored meanwhile."""
    environ = {name: at for name, at in real.environ.items() if "TOKEN" not in name}
    environ |= load_by_name("FileKeyring")
    user = environ | real.password_environ(real.world.person("none"))
    assert real.run("login", environ=user).code == 0
    real.world.now = lambda: time.time() + 850
    real.faults.add(Fault(action="delay", seconds=0.5))
    jobs = [real.start("schedule", host, environ=environ) for host in HOSTS[:2]]
    ended = [job.end() for job in jobs]
    assert [one.code for one in ended] == [0, 0], ended
    assert len(real.requests(RENEWAL)) == 1
    assert len(real.requests("signinBody")) == 1
