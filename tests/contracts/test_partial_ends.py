"""Exits 3, 5, 6, 75 and 141, and which of them wins."""

import re
import socket
from typing import Any

import httpcore
import pytest
from support.faults import POST, Fault
from support.site import ClosedAfter, Site

HOSTS = [f"web{n:02}.corp.example" for n in range(1, 5)]
ONE_BY_ONE = ["--batch-size", "1", "--parallel", "1"]


@pytest.mark.parametrize("status", [422, 302])
def test_refused_batch(site: Site, status: int) -> None:
    site.faults.add(Fault(action="status", status=status, nth=2, **POST))
    ended = site.run("schedule", *HOSTS, *ONE_BY_ONE, "-o", "json")
    envelope = ended.json()
    assert (ended.code, envelope["result"], envelope["exit_code"]) == (3, "partial", 3)
    found = [row["status"] for row in envelope["hosts"]]
    assert found == ["Queued", "Rejected", "Queued", "Queued"]
    [error] = envelope["errors"]
    assert (error["code"], error["trace_id"][:3]) == ("rejected", "00-")
    assert "refused 1 host" in error["message"]
    assert "sbpam resume" in error["hint"]
    assert site.scheduled() == [HOSTS[0], *HOSTS[2:]]


def test_credential_that_the_server_does_not_know(site: Site) -> None:
    unknown = "00000000-0000-4000-8000-000000000001"
    ended = site.run("schedule", *HOSTS, "--credential", unknown.upper(), "-o", "json").expect(3)
    envelope = ended.json()
    assert envelope["result"] == "failed"
    assert "The credential does not exist." in envelope["errors"][0]["message"]
    assert {row["status"] for row in envelope["hosts"]} == {"Rejected"}
    assert "The credential does not exist." in envelope["hosts"][0]["detail"]
    [(_, target)] = site.requests("OuMapping")
    assert target == f"/api/v1/HostScanJob/OuMapping/{unknown}"


def test_five_refusals_in_a_row_stop_the_run(site: Site) -> None:
    site.faults.add(Fault(action="status", status=400, **POST))
    names = [f"web{n:02}.corp.example" for n in range(8)]
    ended = site.run("schedule", *names, *ONE_BY_ONE).expect(3)
    assert [row[1] for row in ended.rows()] == ["Rejected"] * 5 + ["NotSent"] * 3
    assert len(site.requests("OuMapping")) == 5


def test_invalid_names_are_skipped_and_named(site: Site) -> None:
    listed = "\n".join([HOSTS[0], "SHORT", HOSTS[1].upper(), "-" + "X" * 300, "10.0.0.1", HOSTS[0]])
    path = site.folder / "list"
    path.write_text(listed + "\n")
    ended = site.run("schedule", str(path), "--skip-invalid").expect(3)
    assert ended.statuses() == [
        (HOSTS[0], "Queued"),
        ("short", "Invalid"),
        (HOSTS[1], "Queued"),
        (("-" + "x" * 300)[:252] + "…", "Invalid"),
        ("10.0.0.1", "Invalid"),
    ]
    places = [row[7].partition(": ")[0] for row in ended.rows()]
    assert places == ["", f"{path}:2", "", f"{path}:4", f"{path}:5"]
    assert "IPv4" in ended.rows()[4][7]
    assert sorted(site.scheduled()) == HOSTS[:2]


def test_server_is_down_from_the_start(site: Site) -> None:
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{nobody_listens.getsockname()[1]}"
        ended = site.run("schedule", *HOSTS, env={"SBPAM_SERVER": f"https://{address}"})
    assert len(ended.expect(6, address, out="").err.splitlines()) <= 4
    assert site.run("status", "--offline").out == ""


@pytest.mark.parametrize("form", ["tsv", "csv", "json", "ndjson", "table"])
def test_scheduling_goes_on_when_stdout_closes(site: Site, form: str) -> None:
    site.prepare = lambda services: setattr(services, "stdout", ClosedAfter(10))
    ended = site.run("schedule", *HOSTS, *ONE_BY_ONE, "-o", form).expect(141)
    assert site.scheduled() == HOSTS
    assert "Broken" not in ended.err


class Failing:
    """A stream that has no memory left for the reply to a request that begins like that."""

    def __init__(self, stream: Any, request: bytes) -> None:
        self._stream, self._request, self._fails = stream, request, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def read(self, *arguments: Any, **named: Any) -> bytes:
        if self._fails:
            raise MemoryError
        data: bytes = self._stream.read(*arguments, **named)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._fails |= re.match(self._request, buffer) is not None
        self._stream.write(buffer, timeout)

    def start_tls(self, *arguments: Any, **named: Any) -> "Failing":
        return Failing(self._stream.start_tls(*arguments, **named), self._request)


@pytest.mark.parametrize(
    ("request_line", "code", "unsure"),
    [
        (b"POST .*OuMapping", 5, "OutcomeUnknown"),
        (b"GET .*HostScanJob/[0-9a-f]", 5, "Accepted"),
        (b"GET .*HostScanJob ", 1, "NotSent"),
    ],
    ids=["POST", "second look", "list before"],
)
def test_what_is_unforeseen_still_prints_every_row(
    site: Site, request_line: bytes, code: int, unsure: str
) -> None:
    class Network(httpcore.SyncBackend):
        def connect_tcp(self, *arguments: Any, **named: Any) -> Any:
            return Failing(super().connect_tcp(*arguments, **named), request_line)

    site.prepare = lambda services: setattr(services, "network", Network)
    names = [HOSTS[0], "unknown1.corp.example"]
    ended = site.run("schedule", *names, "--settle-after", "0", "-o", "json")
    envelope = ended.json()
    assert (ended.code, envelope["exit_code"]) == (code, code)
    assert [(row["host"], row["status"]) for row in envelope["hosts"]][1] == (names[1], unsure)
    assert "MemoryError" in ended.err
    assert ("sends the rest" in ended.err) == (unsure == "NotSent")
