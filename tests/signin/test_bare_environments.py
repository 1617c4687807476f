"""Environments that hold next to nothing: containers, systemd, CI, no terminal."""

import os
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from select import select

import pytest
from support.keyrings import silent_bus
from support.process import RealSite, real_site
from support.programs import SBPAM, find_program

HOST = "web01.corp.example"
_READ_ONLY = """\
set -e
[ -z "$1" ] || mount --bind "$1" "$1"
mount -o remount,bind,ro /
shift
exec "$@"
"""


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[RealSite]:
    with real_site(tmp_path / "home") as machine:
        machine.server.context.verify_mode = ssl.CERT_REQUIRED
        machine.environ = machine.application_environ()
        yield machine


@pytest.fixture
def users(tmp_path: Path) -> Iterator[RealSite]:
    """Where people sign in, who have no client certificate."""
    with real_site(tmp_path / "home") as machine:
        yield machine


def read_only(but: Path | None) -> list[str]:
    """A command that runs another one where nothing but this folder can be written."""
    unshare = find_program("unshare")
    namespace = [unshare, "--mount", "--propagation", "private"]
    probe = subprocess.run([*namespace, "true"], capture_output=True, check=False)
    if os.geteuid() != 0 or probe.returncode != 0:
        words = "a read-only file system needs root, and namespaces"
        if os.environ.get("SBPAM_TEST_REQUIRE_ALL"):
            pytest.fail(words)
        pytest.skip(words)
    return [*namespace, "sh", "-c", _READ_ONLY, "sh", str(but or "")]


def test_a_container_with_a_volume(machine: RealSite, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir(mode=0o755)
    environ = machine.environ | {"SBPAM_STATE_HOME": str(volume)}
    hosts = machine.write_list([HOST])

    ended = machine.run("schedule", "-q", hosts, environ=environ, before=read_only(volume))

    assert (ended.code, ended.err) == (0, "")
    assert [row[0] for row in ended.rows()] == machine.scheduled() == [HOST]
    assert (volume / "journal.sqlite3").is_file()
    assert volume.stat().st_mode & 0o777 == 0o755
    again = machine.run("runs", environ={"SBPAM_STATE_HOME": str(volume)})
    assert [row[1:5:2] for row in again.rows()] == [["finished", "1"]]


@pytest.mark.parametrize("home", ["unset", "read-only"])
def test_a_container_without_a_folder_for_the_journal(machine: RealSite, home: str) -> None:
    environ = machine.environ | ({"HOME": str(machine.folder)} if home != "unset" else {})
    hosts = machine.write_list([HOST])

    ended = machine.run("schedule", hosts, environ=environ, before=read_only(None))

    assert ended.code == 6
    what, why, next_step = ended.err.splitlines()
    assert "/.local/state/sbpam" in what
    assert what.endswith(" cannot be used")
    assert why == "  Read-only file system"
    assert "SBPAM_STATE_HOME" in next_step
    assert ended.out == ""
    assert machine.scheduled() == []


@pytest.mark.parametrize("variables", [{}, {"HOME": "/nonexistent"}, {"LC_ALL": "C"}])
def test_nothing_but_our_own_variables_is_needed(
    machine: RealSite, tmp_path: Path, variables: dict[str, str]
) -> None:
    environ = machine.environ | {"SBPAM_STATE_HOME": str(tmp_path / "state")} | variables
    ended = machine.run("schedule", "-q", machine.write_list([HOST]), environ=environ)
    assert (ended.code, ended.err) == (0, "")
    assert machine.scheduled() == [HOST]


def test_the_credentials_of_systemd_without_their_newline(
    machine: RealSite, tmp_path: Path
) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir(mode=0o700)
    key = Path(machine.environ["SBPAM_CLIENT_KEY"])
    encrypted = folder / "sbpam-app.key"
    encrypt = ["openssl", "pkcs8", "-topk8", "-passout", "pass:pass phrase"]
    subprocess.run([*encrypt, "-in", key, "-out", encrypted], check=True, capture_output=True)
    for name, secret in (("api-key", "Sandbox-Api-Key-1"), ("client-key-password", "pass phrase")):
        (folder / f"sbpam-{name}").write_text(f"{secret}\n")
    for path in folder.iterdir():
        path.chmod(0o400)
    environ = machine.environ | {
        "CREDENTIALS_DIRECTORY": str(folder),
        "SBPAM_STATE_HOME": str(tmp_path / "state"),
        "SBPAM_CLIENT_KEY": str(encrypted),
    }
    del environ["SBPAM_API_KEY_FILE"]

    ended = machine.run("schedule", "-q", machine.write_list([HOST]), environ=environ)

    assert (ended.code, ended.err) == (0, "")
    [body] = machine.bodies("AppUserToken")
    assert b'"password": "Sandbox-Api-Key-1"' in body


# Nobody to ask


MISSING = {
    "the password": ("there is no password for", "SBPAM_PASSWORD_FILE"),
    "the code": ("no code was given", "SBPAM_TOTP_SECRET_FILE"),
    "the user": ("no user name is known", "SBPAM_USERNAME"),
}


def lacking(users: RealSite, missing: str) -> dict[str, str]:
    environ = users.password_environ(users.world.person("totp")) | {"HOME": str(users.folder)}
    del environ["SBPAM_TOTP_SECRET_FILE"]
    if missing == "the password":
        del environ["SBPAM_PASSWORD_FILE"]
    if missing == "the user":
        del environ["SBPAM_USERNAME"]
    return environ


@pytest.mark.parametrize("missing", MISSING)
def test_without_a_terminal_what_is_missing_is_named(users: RealSite, missing: str) -> None:
    hosts = users.write_list([HOST])

    ended = users.run("schedule", hosts, environ=lacking(users, missing), timeout_s=15)

    assert ended.code == 4
    words, remedy = MISSING[missing]
    assert words in ended.err
    assert remedy in ended.err.splitlines()[-1]
    assert len(ended.err.splitlines()) <= 4
    assert ended.out == ""
    assert users.scheduled() == []


@pytest.mark.parametrize("missing", MISSING)
@pytest.mark.parametrize("said", ["CI", "--no-input"])
def test_a_terminal_of_ci_is_nobody(users: RealSite, missing: str, said: str) -> None:
    """Pipelines often have a terminal: the program leads it, and could ask there."""
    environ = lacking(users, missing) | ({"CI": "true"} if said == "CI" else {})
    option = [said] if said == "--no-input" else []

    code, screen = on_terminal(["schedule", users.write_list([HOST]), *option], environ)

    assert code == 4
    words, remedy = MISSING[missing]
    assert words in screen
    assert remedy in screen
    assert users.scheduled() == []


def test_a_terminal_of_a_person_is_asked(users: RealSite) -> None:
    environ = lacking(users, "the password")
    code, screen = on_terminal(
        ["schedule", users.write_list([HOST])], environ, question="Password for CORP"
    )
    assert code == 4
    assert "nothing was typed" in screen


def on_terminal(
    arguments: list[str], environ: dict[str, str], question: str = ""
) -> tuple[int, str]:
    """The exit code and what a terminal showed, without its line ends.

    question: answered with Enter; else nobody types, and the test fails after 15 seconds.
    """
    ours, theirs = os.openpty()
    leader = [find_program("setsid"), "--ctty", SBPAM, *arguments]
    process = subprocess.Popen(leader, env=environ, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown, deadline = b"", time.monotonic() + 15
    with open(ours, "r+b", buffering=0) as terminal:
        # Linux ends with an error a terminal that nobody holds any more.
        with suppress(OSError):
            while select([terminal], [], [], max(0, deadline - time.monotonic()))[0]:
                if not (piece := terminal.read(4096)):
                    break
                shown += piece
                if question and question.encode() in shown:
                    question = ""
                    terminal.write(b"\n")
        if time.monotonic() >= deadline:
            process.kill()
        code = process.wait()
    return code, shown.decode().replace("\r\n", " ")


def test_a_hanging_keyring_does_not_hold_a_failing_run(users: RealSite, tmp_path: Path) -> None:
    """All that there was is in the keyring, and that never answers."""
    home = {"HOME": str(users.folder)}
    user = users.password_environ(users.world.person("none")) | home
    assert users.run("login", "--no-store", environ=user).code == 0
    hosts = users.write_list([HOST])

    with silent_bus() as address:
        environ = home | {"DBUS_SESSION_BUS_ADDRESS": address}
        ended = users.run(
            "schedule", "--credential", user["SBPAM_CREDENTIAL"], hosts, environ=environ
        )

    assert ended.code == 4
    assert "it did not answer within 3 seconds" in ended.err
    assert "there is no password for" in ended.err
    assert 3 <= ended.seconds < 8
