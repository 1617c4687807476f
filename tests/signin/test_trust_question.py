"""`login` shows a certificate that nobody vouches for, and asks; and what the answer is worth."""

import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.certificates import API_KEY, APPLICATION, CertifiedServer, Issued, issue
from support.clock import MovedClock
from support.faults import Faults, StagedWorld
from support.person import NOMFA, NOMFA_PASSWORD, clear_environ
from support.site import CREDENTIAL, Ended, Program, Site

PASSWORD = NOMFA_PASSWORD


class _SelfSigned(ExitStack):
    """A server with a certificate of its own making, which may change; always at one port."""

    def __init__(self, world: StagedWorld, folder: Path) -> None:
        super().__init__()
        self.world = world
        self.folder = folder
        self.port = 0
        self.show(issue(name="nps.corp.example"))

    def show(self, issued: Issued) -> None:
        self.close()
        files = issued.files(self.folder)
        server = CertifiedServer(self.world, Faults(self.world), *files, port=self.port)
        self.enter_context(server)
        self.url, self.pin = server.url, server.fingerprint
        self.port = int(server.url.rpartition(":")[2])


@pytest.fixture
def server(clock: MovedClock, tmp_path: Path) -> Iterator[_SelfSigned]:
    with _SelfSigned(StagedWorld(now=clock.now), tmp_path) as server:
        yield server


def login(program: Program, url: str, *more: str, **how: Any) -> Ended:
    return program("login", "--server", url, "--username", NOMFA, *more, **how)


def test_a_yes_pins_exactly_that_certificate(server: _SelfSigned, program: Program) -> None:
    # There is no keyring.
    ended = login(program, server.url, terminal=True, answers=["y", PASSWORD, ""]).expect(3)
    assert "Trust exactly this certificate" in ended.asked[0]
    assert f"SHA-256 fingerprint {server.pin}" in " ".join(ended.err.split())
    assert "for nps.corp.example, good until 2049-01-01" in ended.err
    assert program.profiles()["default"]["fingerprint"] == server.pin
    environ = {"SBPAM_PASSWORD": PASSWORD}
    ended = program("schedule", "--credential", CREDENTIAL, "web01.corp.example", env=environ)
    assert (ended.code, ended.asked) == (0, [])


@pytest.mark.parametrize("answers", [["n"], ["Yes please"], []])
def test_anything_but_yes_sends_and_writes_nothing(
    server: _SelfSigned, program: Program, answers: list[str]
) -> None:
    ended = login(program, server.url, terminal=True, answers=answers).expect(6)
    assert len(ended.asked) == 1
    assert server.world.log == []
    assert program.profiles() == {}


@pytest.mark.parametrize(
    "how",
    [
        {"stdin": PASSWORD.encode()},
        {"terminal": True, "env": {"CI": "1"}},
        {"terminal": True, "more": ["--no-input"]},
    ],
)
def test_where_nobody_is_it_refuses_and_names_the_ways(
    server: _SelfSigned, program: Program, how: dict[str, Any]
) -> None:
    more = [*how.pop("more", []), "--password-stdin"]
    ended = login(program, server.url, *more, **how | {"stdin": PASSWORD.encode()})
    assert ended.expect(6, "--fingerprint", "--ca-bundle").asked == []
    assert server.world.log == []
    assert program.profiles() == {}


def test_a_changed_certificate_is_an_error_of_its_own(
    server: _SelfSigned, program: Program
) -> None:
    login(program, server.url, terminal=True, answers=["y", PASSWORD, ""])
    server.show(issue(name="nps.corp.example", serial=2))
    received = len(server.world.log)
    job = ["schedule", "--credential", CREDENTIAL, "web01.corp.example"]
    for ended in (
        program(*job, env={"SBPAM_PASSWORD": PASSWORD}),
        login(program, server.url, terminal=True, answers=["y", PASSWORD, ""]),
    ):
        ended.expect(6, "another certificate than the pinned one", server.pin)
    assert len(server.world.log) == received
    login(
        program, server.url, "--fingerprint", server.pin, terminal=True, answers=[PASSWORD, ""]
    ).expect(3)
    assert program.profiles()["default"]["fingerprint"] == server.pin


@pytest.mark.parametrize("option", ["--ca-bundle", "--fingerprint", "--insecure"])
def test_who_said_whom_to_trust_is_not_asked(
    server: _SelfSigned, program: Program, tmp_path: Path, option: str
) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    other = issue(name="other").files(folder)[0]
    value = {"--ca-bundle": [other], "--fingerprint": ["ab" * 32], "--insecure": []}[option]
    ended = login(program, server.url, option, *value, terminal=True, answers=[PASSWORD, ""])
    assert ended.code == (3 if option == "--insecure" else 6)
    assert not any("Trust" in text for text in ended.asked)


def test_an_application_is_asked_too(site: Site, tmp_path: Path) -> None:
    """The server may insist on a client certificate before it shows anything more."""
    clear_environ(site)
    cert, key = issue(site.server).files(tmp_path)
    site.server.context.verify_mode = ssl.CERT_REQUIRED
    who = ["--username", APPLICATION, "--client-cert", cert, "--client-key", key]
    where = ["--server", site.server.url]
    site.run("login", *where, *who, terminal=True, answers=["yes", API_KEY]).expect(3)
    assert site.profiles()["default"]["fingerprint"] == site.server.fingerprint
