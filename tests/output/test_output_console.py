import io
import os
import subprocess
import sys
from collections.abc import Callable
from typing import TextIO

import pytest

from sbpam_cli.errors import InputError, SbpamError, ServerError
from sbpam_cli.models import FORMS, Form, HostRow, ScanStatus, Talk
from sbpam_cli.output.console import Console
from sbpam_cli.output.forms import HOSTS, Envelope, make_printer
from sbpam_cli.output.look import look_at, use_colour
from sbpam_cli.system.services import Services


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def make_services(
    stdout: TextIO | None = None, stderr: TextIO | None = None, **environ: str
) -> Services:
    return Services(io.BytesIO(), stdout or io.StringIO(), stderr or io.StringIO(), environ)


def said(speak: Callable[[Console], object], *, quiet: bool = False, verbose: bool = False) -> str:
    stderr = io.StringIO()
    speak(Console(make_services(stderr=stderr), quiet=quiet, verbose=verbose))
    return stderr.getvalue()


def test_an_error_says_what_why_trace_id_and_what_to_do() -> None:
    error = ServerError("The server failed", reason="Oops.", hint="Try later", trace_id="00-ab-01")
    text = "sbpam: The server failed\n  Oops.\n  trace id: 00-ab-01\n  → Try later\n"
    assert said(lambda c: c.error(error)) == text
    assert said(lambda c: c.error(error), quiet=True) == text
    assert said(lambda c: c.error(SbpamError("It failed"))) == "sbpam: It failed\n"


def test_an_error_is_four_lines_and_harmless_whatever_the_server_says() -> None:
    error = ServerError("a\nb", reason="x\r\ny\x1b[2J", hint="\u202eh", trace_id="t\nu")
    assert said(lambda c: c.error(error)) == (
        "sbpam: a b\n  x y\\x1b[2J\n  trace id: t u\n  → \\u202eh\n"
    )


def test_refused_entries_have_a_line_each() -> None:
    error = InputError("2 entries were refused", reason="hosts.txt:1: short\nhosts.txt:9: \x1b[1m")
    assert said(lambda c: c.error(error)).splitlines()[1:] == [
        "  hosts.txt:1: short",
        r"  hosts.txt:9: \x1b[1m",
    ]


def test_quiet_leaves_errors_and_verbose_adds_requests() -> None:
    def speak(talk: Talk) -> None:
        talk.note("a\x1b[31m")
        talk.warn("b\nc")
        talk.trace("GET /\r")

    assert said(speak) == "a\\x1b[31m\nsbpam: warning: b\\nc\n"
    assert said(speak, verbose=True).endswith("c\nGET /\\r\n")
    assert said(speak, quiet=True, verbose=True) == ""
    assert said(lambda c: c.summary(["3 hosts", "1 job"])) == "3 hosts\n1 job\n"
    assert said(lambda c: c.summary(["3 hosts"]), quiet=True) == ""


def test_hints_are_for_people_who_want_them() -> None:
    def hinted(stderr: io.StringIO, variable: str = "CI", *, quiet: bool = False) -> str:
        services = Services(io.BytesIO(), io.StringIO(), stderr, {variable: "1"})
        Console(services, quiet=quiet).hint("Do that")
        return stderr.getvalue()

    assert hinted(Terminal(), "NO_COLOR") == "→ Do that\n"
    assert hinted(io.StringIO()) == ""
    assert hinted(Terminal(), "SBPAM_NO_HINTS") == ""
    assert hinted(Terminal(), quiet=True) == ""


@pytest.mark.parametrize(
    ("stream", "environ", "coloured"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"TERM": "dumb"}, False),
        (Terminal(), {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        (io.StringIO(), {}, False),
        (io.StringIO(), {"FORCE_COLOR": "1"}, True),
        (io.StringIO(), {"FORCE_COLOR": "0"}, False),
        (io.StringIO(), {"CLICOLOR_FORCE": "1", "TERM": "dumb"}, True),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="asks the console of a real terminal there")
def test_colour(stream: TextIO, environ: dict[str, str], coloured: bool) -> None:
    for services in (make_services(stdout=stream), make_services(stderr=stream)):
        services.environ = environ
        assert use_colour(stream, services) is coloured


def test_a_coloured_error_is_red_in_its_name_only() -> None:
    stderr = io.StringIO()
    Console(make_services(stderr=stderr, FORCE_COLOR="1")).error(SbpamError("It failed"))
    assert stderr.getvalue() == "\x1b[1;31msbpam:\x1b[0m It failed\n"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8", "cp437", "utf-16"])
@pytest.mark.parametrize("form", FORMS)
def test_no_encoding_is_too_small(encoding: str, form: Form) -> None:
    out, err = io.BytesIO(), io.BytesIO()
    stdout, stderr = (io.TextIOWrapper(raw, encoding, errors="strict") for raw in (out, err))
    console = Console(make_services(stdout, stderr))
    printer = make_printer(form, console, HOSTS)
    row = HostRow("é.example.com", ScanStatus.FAILED, detail="日\ud800", host_id="😀")
    printer.write([row])
    printer.close(Envelope("status", 0))
    console.error(SbpamError("日本", hint="\ud800é"))
    console.finish()
    shown = out.getvalue().decode(encoding)
    assert ".example.com" in shown
    assert "Failed" in shown
    assert "sbpam: " in err.getvalue().decode(encoding)
    glyphs = look_at(stdout, console.services).glyphs
    assert glyphs.good == ("✓" if encoding.startswith("utf") else "+")


def test_a_stream_that_cannot_be_reconfigured_is_written_all_the_same() -> None:
    class Narrow(io.StringIO):
        def write(self, text: str) -> int:
            return super().write(text.encode("ascii").decode("ascii"))

    stream = Narrow()
    console = Console(make_services(stdout=stream))
    console.write("é日\n")
    assert stream.getvalue() == "\\xe9\\u65e5\n"


@pytest.mark.parametrize("form", FORMS)
def test_a_reader_that_left_is_remembered_and_nothing_raises(form: Form) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", encoding="utf-8") as stdout:
        console = Console(make_services(stdout))
        assert not console.stdout_closed
        printer = make_printer(form, console, HOSTS)
        printer.write([HostRow("a.example.com", ScanStatus.ACCEPTED)] * 5000)
        printer.close(Envelope("status", 0))
        console.write("more\n")
        console.finish()
        assert console.stdout_closed


def test_a_reader_that_leaves_before_the_last_flush_is_noticed() -> None:
    reading, writing = os.pipe()
    with open(writing, "w", encoding="utf-8") as stdout:
        console = Console(make_services(stdout))
        console.write("small\n")
        os.close(reading)
        console.finish()
        assert console.stdout_closed


def test_a_closed_stream_object_is_a_reader_that_left() -> None:
    stdout, stderr = io.StringIO(), io.StringIO()
    console = Console(make_services(stdout, stderr))
    stdout.close()
    stderr.close()
    console.write("x")
    console.error(SbpamError("It failed"))
    console.finish()
    assert console.stdout_closed


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_disk_is_an_error_once_and_exit_is_quiet() -> None:
    with open("/dev/full", "w", encoding="utf-8") as stdout:
        console = Console(make_services(stdout))
        console.write("x\n")
        with pytest.raises(SbpamError, match="stdout could not be written") as caught:
            console.flush()
        assert caught.value.reason == "No space left on device"
        assert not console.stdout_closed
        console.write("y\n")
        console.finish()


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
@pytest.mark.parametrize("redirect", ["| true", ">&-", "2>&-", "2>/dev/full"])
def test_a_real_process_ends_without_complaint(redirect: str) -> None:
    program = """
from sbpam_cli.errors import SbpamError
from sbpam_cli.output.console import Console
from sbpam_cli.system.services import system_services
console = Console(system_services())
for n in range(100_000):
    console.write("host.example.com\\n")
console.error(SbpamError("said"))
console.finish()
raise SystemExit(141 if console.stdout_closed else 0)
"""
    command = f'"$0" -c "$1" {redirect}; exit'
    result = subprocess.run(
        ["/bin/sh", "-c", command, sys.executable, program], capture_output=True, text=True
    )
    assert result.stderr in ("", "sbpam: said\n")
    assert result.returncode == 0
