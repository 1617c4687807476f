"""Exit 2: it says where, sends nothing, prints no row, records nothing."""

from dataclasses import replace
from pathlib import Path

import pytest
from support.site import CREDENTIAL, Ended, Site

HOST = "web01.corp.example"


def assert_nothing_happened(site: Site, ended: Ended) -> None:
    assert ended.code == 2, ended
    assert ended.out == ""
    assert site.requests() == []
    assert not (site.program.folder / "state").exists()
    assert "Traceback" not in ended.err


OPTIONS: dict[str, tuple[list[str], dict[str, str], list[str]]] = {
    "id with braces": (["--credential", f"{{{CREDENTIAL}}}"], {}, ["credential", CREDENTIAL]),
    "id as urn": (["--credential", f"urn:uuid:{CREDENTIAL}"], {}, ["credential", "urn:uuid"]),
    "id of 36 characters": (["--credential", "x" * 36], {}, ["credential", "x" * 36]),
    "id without dashes in its places": (
        ["--credential", "9c711ab38-fc1-4d66-88d4-08f85117f32e"],
        {},
        ["credential", "9c711ab38-fc1"],
    ),
    "id with full-width digits": (
        ["--credential", CREDENTIAL.replace("9", chr(0xFF19))],
        {},
        ["credential"],
    ),
    "id that is a path": (["--credential", "../TruncateAllTables"], {}, ["credential", "../Trunc"]),
    "id with a query": (["--credential", "../b?c"], {}, ["credential", "../b?c"]),
    "id from the environment": (
        [],
        {"SBPAM_CREDENTIAL": "../b"},
        ["SBPAM_CREDENTIAL", "service account", "../b"],
    ),
    "no id": ([], {"SBPAM_CREDENTIAL": ""}, ["--credential", "SBPAM_CREDENTIAL"]),
    "batch size 0": (["--batch-size", "0"], {}, ["--batch-size"]),
    "batch size below 0": (["--batch-size", "-1"], {}, ["--batch-size"]),
    "batch size in words": (["--batch-size", "ten"], {}, ["--batch-size", "ten"]),
    "parallel 0": (["--parallel", "0"], {}, ["--parallel"]),
    "negative guard": (["--max-hosts", "-1"], {}, ["--max-hosts"]),
    "unknown option": (["--batchsize", "5"], {}, ["--batchsize", "--batch-size"]),
    "option without its value": (["--credential"], {}, ["--credential"]),
    "unknown form": (["-o", "yaml"], {}, ["--output", "yaml", "ndjson"]),
    "unknown form from the environment": (
        [],
        {"SBPAM_OUTPUT": "yaml"},
        ["SBPAM_OUTPUT", "yaml", "ndjson"],
    ),
    "http": (["--server", "http://nps.example"], {}, ["--server", "https"]),
    "http from the environment": (
        [],
        {"SBPAM_SERVER": "http://nps.example"},
        ["SBPAM_SERVER", "https"],
    ),
    "path in the URL": (["--server", "https://nps.example/app"], {}, ["--server", "path"]),
    "query in the URL": (["--server", "https://nps.example?x=1"], {}, ["--server"]),
    "other scheme": (["--server", "ftp://nps.example"], {}, ["--server", "https"]),
    "no port number": (["--server", "https://nps.example:port"], {}, ["--server"]),
    "no server name": (["--server", "https://"], {}, ["--server"]),
    "send-timeout in words": (["--send-timeout", "soon"], {}, ["--send-timeout", "soon"]),
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


@pytest.mark.parametrize("form", ["tsv", "json"])
@pytest.mark.parametrize("case", OPTIONS)
def test_options(site: Site, case: str, form: str) -> None:
    options, env, words = OPTIONS[case]
    if "SBPAM_OUTPUT" not in env:
        env = {"SBPAM_OUTPUT": form, **env}
    ended = site.run("schedule", HOST, *options, env=env)
    if form == "json" and any(env.get(name) for name in ("SBPAM_SERVER", "SBPAM_CREDENTIAL")):
        # A variable is no part of the command line.
        assert_envelope(ended, "usage")
        ended = replace(ended, out="")
    assert_nothing_happened(site, ended)
    for word in words:
        assert word in ended.err


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
        assert_nothing_happened(site, ended)
        assert f"'{command[-1]}': not a duration" in ended.err
    alone = [word for word in command if word not in ("--wait", "--watch")]
    if len(alone) < len(command):
        ended = site.run(*alone, "5m")
        assert_nothing_happened(site, ended)
        assert f"{command[-1]} goes with --wait" in ended.err


def test_password_in_url_is_refused_and_not_repeated(site: Site) -> None:
    for environ in ({}, {"SBPAM_SERVER": "https://demo:h0rse-battery@nps.example"}):
        options = [] if environ else ["--server", "https://demo:h0rse-battery@nps.example"]
        ended = site.run("schedule", HOST, *options, env=environ)
        assert_nothing_happened(site, ended)
        assert "h0rse-battery" not in ended.err
        assert "user" in ended.err


def test_no_hosts_on_a_terminal(site: Site) -> None:
    ended = site.run("schedule", terminal=True)
    assert_nothing_happened(site, ended)
    assert "no hosts" in ended.err


def test_stdin_twice(site: Site) -> None:
    ended = site.run("schedule", "-", "--file", "-", stdin=b"web01.corp.example\n")
    assert_nothing_happened(site, ended)
    assert "stdin" in ended.err


LISTS: dict[str, tuple[bytes, list[str]]] = {
    "bad line": (b"web01.corp.example\nweb02\nweb03.corp.example\n", [":2:", "web02", "short"]),
    "name with a slash": (b"web01.corp.example\nweb02.corp.example/x\n", [":2:", "/"]),
    "two million characters": (b"web01.corp.example\n" + b"a" * 2_000_000, [":2:", "2,000,000"]),
    "ip address": (b"10.1.2.3\n", [":1:", "IPv4"]),
    "wildcard": (b"*.corp.example\n", [":1:", "wildcard"]),
    "group header": (b"[web]\nweb01.corp.example\n", [":1:", "group"]),
    "umlaut": ("bücher.corp.example\n".encode(), [":1:", "xn--bcher-kva.corp.example"]),
    "separators without a header": (b"web01.corp.example,10.0.0.1\n", [":1:", "column"]),
    "escape sequences": (b"web01.corp.example\n\x1b]0;x\x07.corp.example\n", [":2:", "\\x1b"]),
    "empty": (b"", ["no hosts", "--allow-empty"]),
    "blank lines and comments": (b"\n# nothing\n\n", ["no hosts", "--allow-empty"]),
    "not text": (b"\x00\x01\x02\xff\xfe" * 50, ["hosts.txt"]),
    "broken json": (b'["web01.corp.example", ', ["hosts.txt"]),
}


@pytest.mark.parametrize("form", ["tsv", "json"])
@pytest.mark.parametrize("case", LISTS)
def test_lists(site: Site, tmp_path: Path, case: str, form: str) -> None:
    content, words = LISTS[case]
    path = tmp_path / "hosts.txt"
    path.write_bytes(content)
    ended = site.run("schedule", str(path), "-o", form)
    for word in words:
        assert word in ended.err
    assert "\x1b" not in ended.err
    assert len(ended.err) < 2000
    if form == "json":
        assert_envelope(ended, "input")
        ended = replace(ended, out="")
    assert_nothing_happened(site, ended)


def assert_envelope(ended: Ended, code: str) -> None:
    envelope = ended.json()
    assert envelope["result"] == "failed"
    assert envelope["exit_code"] == 2
    assert envelope["hosts"] == []
    assert envelope["run"] is None
    assert [error["code"] for error in envelope["errors"]] == [code]
    assert envelope["errors"][0]["message"]


@pytest.mark.parametrize("name", ["hosts.txt", "missing.csv", "lists/web", "inventory.json"])
def test_missing_files_are_never_hosts(site: Site, name: str) -> None:
    ended = site.run("schedule", name)
    assert_nothing_happened(site, ended)
    assert name in ended.err
    ended = site.run("schedule", name, "-o", "json")
    assert_envelope(ended, "input")
    assert site.requests() == []


def test_all_refusals_are_named_in_one_go(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "hosts.txt"
    path.write_text("".join(f"short{n}\n" for n in range(30)))
    ended = site.run("schedule", str(path), "nodots")
    assert_nothing_happened(site, ended)
    assert [f"hosts.txt:{n}:" in ended.err for n in (1, 20, 21)] == [True, True, False]
    assert "31" in ended.err
    assert "11 more" in ended.err


def test_credential_is_checked_before_a_long_list_is_read(site: Site) -> None:
    class Unread:
        def read(self, *_: int) -> bytes:
            raise AssertionError("stdin was read")

        readline = readinto = read

        def isatty(self) -> bool:
            return False

    site.program.prepare = lambda services: setattr(services, "stdin", Unread())
    ended = site.run("schedule", "-", "--credential", "../b")
    assert_nothing_happened(site, ended)


def test_directory_is_no_list(site: Site, tmp_path: Path) -> None:
    ended = site.run("schedule", str(tmp_path))
    assert_nothing_happened(site, ended)
    assert "directory" in ended.err
