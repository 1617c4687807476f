"""`sbpam demo` and `sbpam sandbox` as processes: all one needs, and nothing left behind."""

import os
import shlex
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.process import RealSite, Running, until
from support.site import Ended
from support.tables import slow

DEMO = ("demo", "--scan-duration", "1s")
HOSTS = ["web01.corp.example", "host.other.example"]
OWN_SET_UP = {
    "SBPAM_SERVER": "https://nps.example",
    "SBPAM_TOKEN": "the-user's-own",
    "SBPAM_CONFIG_HOME": "/nowhere/config",
    "SBPAM_STATE_HOME": "/nowhere/state",
    "SBPAM_FINGERPRINT": "0" * 64,
    "SBPAM_CREDENTIAL": "a name of their own",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "all_proxy": "http://127.0.0.1:9",
    "CI": "true",
}
SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, *slow(signal.SIGTERM)])

Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the program with a home and a folder for temporary files of its own."""
    site, home, temp = RealSite(tmp_path), tmp_path / "home", tmp_path / "tmp"
    home.mkdir()
    temp.mkdir()
    own = {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(temp), "LANG": "C.UTF-8"}
    yield lambda *arguments, **env: site.start(*arguments, environ=own | env)
    site.stop_all()
    assert [*home.iterdir(), *temp.iterdir()] == []


def end(running: Running, code: int = 0) -> Ended:
    ended = running.end(60).expect(code)
    assert "Traceback" not in ended.err
    return ended


def test_demo_schedules_a_bundled_list(start: Start) -> None:
    rows = end(start(*DEMO, **OWN_SET_UP)).rows()
    assert len(rows) == 24
    assert {row[1] for row in rows} == {"Complete", "Failed"}
    assert len({row[2] for row in rows}) == 3


def test_demo_takes_hosts_and_forms(start: Start) -> None:
    envelope = end(start(*DEMO, *HOSTS, "-o", "json")).json()
    assert (envelope["command"], envelope["result"]) == ("demo", "success")
    assert [row["host"] for row in envelope["hosts"]] == HOSTS
    assert end(start(*DEMO, "short", "-o", "tsv"), code=2).out == ""


@SIGNALS
def test_demo_is_stopped_in_the_middle(start: Start, number: signal.Signals) -> None:
    running = start("demo", "--scan-duration", "1h", "-o", "tsv")
    until(lambda: "24 hosts" in running.said())
    running.signal(number)
    assert len(end(running, code=128 + number).rows()) == 24


@SIGNALS
def test_what_the_sandbox_prints_is_enough_to_rehearse(
    start: Start, number: signal.Signals, tmp_path: Path
) -> None:
    sandbox = start("sandbox", "--port", "0")
    until(lambda: "until Ctrl-C" in sandbox.said())
    printed = (tmp_path / "process-0" / "stdout").read_text()
    exports = [shlex.split(line)[1] for line in printed.splitlines() if line[:6] == "export"]
    [then] = [line for line in printed.splitlines() if line.startswith("# then: sbpam ")]

    homes = {name: str(tmp_path / "kept") for name in ("SBPAM_STATE_HOME", "SBPAM_CONFIG_HOME")}
    given = dict(export.split("=", 1) for export in exports) | homes
    rehearsed = end(start(*shlex.split(then)[3:-1], **given))
    sandbox.signal(number)

    assert len(rehearsed.rows()) == 2
    end(sandbox, code=0 if number == signal.SIGINT else 128 + number)
