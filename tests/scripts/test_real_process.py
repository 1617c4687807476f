"""The installed program as a process of its own: pipes, signals, locks, encodings."""

import json
import os
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.faults import Fault
from support.site import Site

HOSTS = [f"web{n:02}.corp.example" for n in range(1, 5)]
ONE_BY_ONE = ["--batch-size", "1", "--parallel", "1"]
POST: dict[str, Any] = {"method": "POST", "path": "OuMapping"}
INSTALLED = [str(Path(sysconfig.get_path("scripts")) / "sbpam")]
MODULE = [sys.executable, "-m", "sbpam_cli"]
PATIENCE_S = 60
on_posix = pytest.mark.skipif(os.name != "posix", reason="POSIX signals and shells")


def process_environ(site: Site) -> dict[str, str]:
    """Nothing of this process but the path; signed in by password, without MFA."""
    own = {name: value for name, value in site.program.environ.items() if "SBPAM_" in name}
    own |= {"SBPAM_USERNAME": "CORP\\nomfa", "SBPAM_PASSWORD": "Sandbox-Nomfa-1"}
    del own["SBPAM_TOTP_SECRET"]
    home = site.program.folder / "home"
    home.mkdir(exist_ok=True)
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    return {**kept, "HOME": str(home), "LANG": "C.UTF-8", **own}


class Started:
    """The program, running."""

    def __init__(self, site: Site, *arguments: str, stdin: bytes = b"", **env: str) -> None:
        self.process = subprocess.Popen(
            [*INSTALLED, *arguments],
            env={**process_environ(site), **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._stdin = stdin

    def wait_for_words(self, words: bytes) -> None:
        """Until a line on stderr has them; it must come before the process ends."""
        assert self.process.stderr is not None
        line = b""
        while words not in line:
            line = self.process.stderr.readline()
            assert line, f"it ended without {words!r}"

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(self._stdin, timeout=PATIENCE_S)
        return self.process.returncode, out.decode(), err.decode()


@pytest.fixture
def started(site: Site) -> Iterator[list[Started]]:
    """Processes that are ended whatever happens."""
    running: list[Started] = []
    yield running
    for one in running:
        with one.process as process:
            process.kill()


def run(site: Site, *arguments: str, stdin: bytes = b"", **env: str) -> tuple[int, str, str]:
    return Started(site, *arguments, stdin=stdin, **env).end()


def shell(site: Site, script: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", script, INSTALLED[0], *arguments],
        env={**process_environ(site), **env},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def hang_from(site: Site, nth: int) -> threading.Event:
    """Every POST from number `nth` on is acted on and not answered; set when the first is."""
    hanging = threading.Event()

    def tell(reply: object) -> object:
        hanging.set()
        return reply

    numbers = range(nth, 1000)
    site.faults.add(
        Fault(action="edit", edit=tell, when="after", nth=numbers, **POST),
        Fault(action="hang", when="after", nth=numbers, **POST),
    )
    return hanging


@pytest.mark.parametrize("command", [INSTALLED, MODULE], ids=["sbpam", "python -m sbpam_cli"])
def test_both_ways_to_call_it(site: Site, command: list[str]) -> None:
    ended = subprocess.run(
        [*command, "schedule", *HOSTS],
        env=process_environ(site),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert [line.split("\t")[:2] for line in ended.stdout.splitlines()] == [
        [host, "Queued"] for host in HOSTS
    ]
    assert site.scheduled() == HOSTS


def test_everything_stays_in_our_two_folders(site: Site) -> None:
    code, _, err = run(site, "schedule", *HOSTS)
    assert code == 0, err
    assert list((site.program.folder / "home").iterdir()) == []
    assert not (site.program.folder / "config").exists()
    if os.name == "posix":
        state = site.program.folder / "state"
        assert state.stat().st_mode & 0o777 == 0o700
        for path in state.rglob("*"):
            assert path.is_dir() or path.stat().st_mode & 0o777 == 0o600


def test_export_of_windows_powershell(site: Site) -> None:
    lines = ["#TYPE Microsoft.ActiveDirectory.Management.ADComputer", '"Name","DNSHostName"']
    lines += [f'"WEB{n:02}","WEB{n:02}.corp.example"' for n in range(1, 5)]
    path = site.program.folder / "export.csv"
    path.write_bytes(b"\xff\xfe" + "".join(f"{line}\r\n" for line in lines).encode("utf-16-le"))
    code, out, err = run(site, "schedule", str(path), LANG="C")
    assert code == 0, err
    assert [line.split("\t")[0] for line in out.splitlines()] == HOSTS


def test_list_from_a_pipe(site: Site) -> None:
    listed = "".join(f"{host}\n" for host in HOSTS)
    ended = shell(site, f"printf '{listed}' | \"$0\" schedule --output json -", SBPAM_OUTPUT="csv")
    assert ended.returncode == 0, ended.stderr
    assert [row["host"] for row in json.loads(ended.stdout)["hosts"]] == HOSTS


def test_no_stdin_at_all(site: Site) -> None:
    if os.name != "posix":
        pytest.skip("closes descriptor 0 in a shell")
    ended = shell(site, '"$0" schedule <&-')
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    ended = shell(site, '"$0" schedule web01.corp.example <&-')
    assert ended.returncode == 0, ended.stderr


@on_posix
@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams(site: Site, redirection: str) -> None:
    ended = shell(site, f'"$0" schedule "$@" {redirection}', *HOSTS)
    assert ended.returncode == (1 if redirection.startswith(">") else 0)
    assert "Traceback" not in ended.stderr + ended.stdout
    assert site.scheduled() == HOSTS


@on_posix
def test_narrow_pipe_in_an_old_locale(site: Site) -> None:
    long = ".".join(["a" * 60] * 4)
    site.world.overrides[long] = {"os": "Fenêtres 日本 \u202e", "version": "é"}
    for form in ("tsv", "csv", "json", "ndjson", "table"):
        ended = shell(
            site, '"$0" schedule "$@" --new-run | cat', *HOSTS, long, "-o", form,
            LANG="C", LC_ALL="C", COLUMNS="40", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0",
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        for host in (*HOSTS, long):
            assert host in ended.stdout
        assert "\x1b" not in ended.stdout + ended.stderr
        assert "Traceback" not in ended.stderr


@on_posix
@pytest.mark.parametrize("form", ["tsv", "json", "table"])
def test_reader_that_leaves(site: Site, form: str) -> None:
    path = site.program.folder / "hosts.txt"
    path.write_text("".join(f"web{n}.corp.example\n" for n in range(4000)))
    script = '"$0" schedule "$@" | head -1; echo "${PIPESTATUS[0]}"'
    ended = shell(site, script, str(path), "--quiet", "-o", form)
    assert ended.stderr == ""
    assert ended.stdout.splitlines()[1] == "141"
    assert len(site.scheduled()) == 4000


@on_posix
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signal_while_a_post_is_under_way(site: Site, started: list[Started], name: str) -> None:
    hanging = hang_from(site, 2)
    one = Started(site, "schedule", *HOSTS, *ONE_BY_ONE)
    started.append(one)
    assert hanging.wait(PATIENCE_S)
    one.process.send_signal(signal.Signals[name])
    one.wait_for_words(b"under way")
    site.faults.release()
    code, out, err = one.end()
    assert code == 128 + signal.Signals[name]
    rows = [line.split("\t") for line in out.splitlines()]
    assert [row[0] for row in rows] == HOSTS
    assert [row[1] for row in rows] == ["Queued", "Queued", "NotSent", "NotSent"]
    assert site.scheduled() == HOSTS[:2]
    assert "resume" in err
    offline = site.program("status", "--offline")
    assert [row[:3] for row in offline.rows()] == [row[:3] for row in rows]


@on_posix
def test_second_signal_ends_at_once(site: Site, started: list[Started]) -> None:
    hanging = hang_from(site, 2)
    one = Started(site, "schedule", *HOSTS, *ONE_BY_ONE)
    started.append(one)
    assert hanging.wait(PATIENCE_S)
    one.process.send_signal(signal.SIGINT)
    one.wait_for_words(b"under way")
    begun = time.monotonic()
    one.process.send_signal(signal.SIGINT)
    assert one.process.wait(PATIENCE_S) == 130
    assert time.monotonic() - begun < 1
    offline = site.program("status", "--offline")
    assert [row[0] for row in offline.rows()] == HOSTS
    assert [row[1] for row in offline.rows()] == ["Queued", "OutcomeUnknown", "NotSent", "NotSent"]


@on_posix
@pytest.mark.slow
def test_answer_never_comes_after_a_signal(site: Site, started: list[Started]) -> None:
    hanging = hang_from(site, 2)
    one = Started(site, "schedule", *HOSTS, *ONE_BY_ONE)
    started.append(one)
    assert hanging.wait(PATIENCE_S)
    begun = time.monotonic()
    one.process.terminate()
    code, out, _ = one.end()
    assert code == 143
    # `docker stop` kills after 10 s.
    assert time.monotonic() - begun < 9.8
    rows = [line.split("\t")[:2] for line in out.splitlines()]
    assert rows == [
        [HOSTS[0], "Queued"],
        [HOSTS[1], "OutcomeUnknown"],
        [HOSTS[2], "NotSent"],
        [HOSTS[3], "NotSent"],
    ]


@on_posix
def test_signal_during_sign_in(site: Site, started: list[Started]) -> None:
    asked = threading.Event()

    def tell(reply: object) -> object:
        asked.set()
        return reply

    site.faults.add(
        Fault(action="edit", edit=tell, method="POST", path="signinBody", when="after"),
        Fault(action="hang", method="POST", path="signinBody", when="after"),
    )
    one = Started(site, "schedule", *HOSTS)
    started.append(one)
    assert asked.wait(PATIENCE_S)
    begun = time.monotonic()
    one.process.send_signal(signal.SIGINT)
    code, out, err = one.end()
    assert time.monotonic() - begun < 2
    assert code == 130
    assert [line.split("\t")[:2] for line in out.splitlines()] == [
        [host, "NotSent"] for host in HOSTS
    ]
    assert "Traceback" not in err
    assert site.scheduled() == []


@on_posix
def test_signal_that_was_ignored_at_start(site: Site, started: list[Started]) -> None:
    hanging = hang_from(site, 1)
    one = Started.__new__(Started)
    one._stdin = b""
    one.process = subprocess.Popen(
        ["bash", "-c", 'trap "" HUP; exec "$@"', "nohup", *INSTALLED, "schedule", *HOSTS],
        env=process_environ(site),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    started.append(one)
    assert hanging.wait(PATIENCE_S)
    one.process.send_signal(signal.SIGHUP)
    site.faults.release()
    code, _, err = one.end()
    assert code == 0, err


def test_lock_of_another_process(site: Site, started: list[Started]) -> None:
    hanging = hang_from(site, 1)
    one = Started(site, "schedule", *HOSTS)
    started.append(one)
    assert hanging.wait(PATIENCE_S)
    code, out, err = run(site, "schedule", *reversed(HOSTS), "-o", "json")
    envelope = json.loads(out)
    assert (code, envelope["exit_code"], envelope["result"]) == (75, 75, "failed")
    assert [row["status"] for row in envelope["hosts"]] == ["NotSent"] * 4
    assert [error["code"] for error in envelope["errors"]] == ["locked"]
    assert "another" in err
    assert len(site.requests("OuMapping")) == 1
    site.faults.release()
    assert one.end()[0] == 0


def test_killed_process_leaves_no_lock_and_no_double(site: Site, started: list[Started]) -> None:
    hanging = hang_from(site, 2)
    one = Started(site, "schedule", *HOSTS, *ONE_BY_ONE)
    started.append(one)
    assert hanging.wait(PATIENCE_S)
    one.process.kill()
    one.end()
    offline = site.program("status", "--offline")
    assert [row[1] for row in offline.rows()] == ["Queued", "OutcomeUnknown", "NotSent", "NotSent"]
    site.faults.clear()
    code, out, err = run(site, "schedule", *HOSTS, *ONE_BY_ONE)
    assert code == 0, err
    assert [line.split("\t")[0] for line in out.splitlines()] == HOSTS
    assert sorted(site.scheduled()) == HOSTS


@on_posix
def test_interrupt_at_a_prompt(site: Site) -> None:
    import pty

    environ = process_environ(site)
    del environ["SBPAM_PASSWORD"]
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*INSTALLED, "schedule", *HOSTS],
        env=environ,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=lambda: __import__("fcntl").ioctl(0, __import__("termios").TIOCSCTTY, 0),
    )
    os.close(slave)
    said = b""
    while b"Password" not in said:
        said += os.read(master, 1000)
    os.write(master, b"\x03")
    try:
        assert process.wait(PATIENCE_S) == 130
        while True:
            said += os.read(master, 1000)
    except OSError:
        pass
    finally:
        os.close(master)
    assert b"Traceback" not in said
