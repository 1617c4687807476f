"""Exit 2: it says where, sends nothing, prints no row, records nothing."""

from dataclasses import replace
from pathlib import Path

import pytest
from support.site import Ended, Site
from support.tables import crossed

HOST = "web01.corp.example"


def assert_nothing_happened(site: Site, ended: Ended) -> None:
    ended.expect(2, out="")
    assert site.requests() == []
    assert not (site.folder / "state").exists()
    assert "Traceback" not in ended.err


OPTIONS: dict[str, tuple[list[str], dict[str, str], list[str]]] = {
    "no id": ([], {"SBPAM_CREDENTIAL": ""}, ["--credential", "SBPAM_CREDENTIAL"]),
    "batch size 0": (["--batch-size", "0"], {}, ["--batch-size"]),
    "parallel below 0": (["--parallel", "-1"], {}, ["--parallel"]),
    "negative guard": (["--max-hosts", "-1"], {}, ["--max-hosts"]),
    "unknown option": (["--batchsize", "5"], {}, ["--batchsize", "--batch-size"]),
    "option without its value": (["--credential"], {}, ["--credential"]),
    "http": (["--server", "http://nps.example"], {}, ["--server", "https"]),
    "send-timeout of nothing": (["--send-timeout", "0"], {}, ["--send-timeout"]),
    "negative timeout": (["--wait", "--timeout=-5"], {}, ["--timeout", "-5"]),
    "timeout without a number": (["--wait", "--timeout", "m"], {}, ["--timeout"]),
    "unknown unit": (["--wait", "--interval", "5 w"], {}, ["--interval", "5 w"]),
    "interval of nothing": (["--wait", "--interval", "0s"], {}, ["--interval"]),
    "infinite duration": (["--wait", "--timeout", "inf"], {}, ["--timeout", "inf"]),
    "full-width duration": (["--wait", "--timeout", f"{chr(0xFF15)}s"], {}, ["--timeout"]),
    "offline alone": (["--offline"], {}, ["--offline", "--dry-run"]),
    "no such profile": (["--profile", "../x"], {}, ["--profile"]),
}


@pytest.mark.parametrize(("case", "form"), crossed(OPTIONS, ["tsv", "json"]))
def test_options(site: Site, case: str, form: str) -> None:
    options, env, words = OPTIONS[case]
    ended = site.run("schedule", HOST, *options, env={"SBPAM_OUTPUT": form, **env})
    assert_nothing_happened(site, ended.expect(2, *words))


LIMITS = [
    *(("schedule", HOST, "--skip-recent"), ("schedule", HOST, "--send-timeout")),
    *(("schedule", HOST, "--settle-after"), ("schedule", HOST, "--wait", "--timeout")),
    *(("schedule", HOST, "--wait", "--interval"), ("status", "--watch", "--timeout")),
    *(("status", "--watch", "--interval"), ("cancel", "x", "--wait", "--timeout")),
]


@pytest.mark.parametrize("command", LIMITS)
def test_no_duration_sends_nothing(site: Site, command: tuple[str, ...]) -> None:
    """`--skip-recent "$SKIP"` with a variable that is not set would double hosts."""
    for value in ("", " ", "1h soon"):
        ended = site.run(*command, value)
        assert_nothing_happened(site, ended.expect(2, f"'{command[-1]}': not a duration"))
    alone = [word for word in command if word not in ("--wait", "--watch")]
    if len(alone) < len(command):
        ended = site.run(*alone, "5m")
        assert_nothing_happened(site, ended.expect(2, f"{command[-1]} goes with --wait"))


def test_no_hosts_on_a_terminal_and_stdin_twice(site: Site) -> None:
    ended = site.run("schedule", terminal=True)
    assert_nothing_happened(site, ended.expect(2, "no hosts"))
    ended = site.run("schedule", "-", "--file", "-", stdin=b"web01.corp.example\n")
    assert_nothing_happened(site, ended.expect(2, "stdin"))


LISTS: dict[str, tuple[bytes, list[str]]] = {
    "bad line": (b"web01.corp.example\nweb02\n", [':2: "web02" is a short', "--skip-invalid"]),
    "two million characters": (b"web01.corp.example\n" + b"a" * 2_000_000, [":2:", "2,000,000"]),
    "escape sequences": (b"web01.corp.example\n\x1b]0;x\x07.corp.example\n", [":2:", "\\x1b"]),
    "empty": (b"", ["no hosts", "--allow-empty"]),
    "not text": (b"\x00\x01\x02\xff\xfe" * 50, ["hosts.txt"]),
    "broken json": (b'["web01.corp.example", ', ["hosts.txt"]),
}


@pytest.mark.parametrize(("case", "form"), crossed(LISTS, ["tsv", "json"]))
def test_lists(site: Site, tmp_path: Path, case: str, form: str) -> None:
    content, words = LISTS[case]
    path = tmp_path / "hosts.txt"
    path.write_bytes(content)
    ended = site.run("schedule", str(path), "-o", form).expect(2, *words)
    assert "\x1b" not in ended.err
    assert len(ended.err) < 2000
    if form == "json":
        envelope = ended.json()
        assert (envelope["result"], envelope["exit_code"]) == ("failed", 2)
        assert (envelope["hosts"], envelope["run"]) == ([], None)
        [error] = envelope["errors"]
        assert (error["code"], bool(error["message"])) == ("input", True)
        ended = replace(ended, out="")
    assert_nothing_happened(site, ended)


def test_credential_is_checked_before_a_long_list_is_read(site: Site) -> None:
    # To read it would be a bug's exit 1.
    site.prepare = lambda services: setattr(services, "stdin", None)
    ended = site.run("schedule", "-", "--credential", "../b")
    assert_nothing_happened(site, ended)
