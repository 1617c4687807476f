"""What reaches stdout and stderr, whatever their encoding, and how talk is laid out."""

import io
from typing import TextIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.screen import colourless
from support.site import TerminalStream

from sbpam_cli.errors import InputError, SbpamError, ServerError
from sbpam_cli.models import FORMS, Form, HostRow, ScanStatus
from sbpam_cli.outcome import Outcome
from sbpam_cli.output.columns import HOSTS
from sbpam_cli.output.console import Console
from sbpam_cli.output.forms import Printer
from sbpam_cli.system.services import Services


def console_on(
    stderr: TextIO, *, stdout: TextIO | None = None, verbose: bool = False, **environ: str
) -> Console:
    services = Services(io.BytesIO(), stdout or io.StringIO(), stderr, environ)
    return Console(services, verbose=verbose)


def said(error: SbpamError) -> str:
    stderr = io.StringIO()
    console_on(stderr).error(error)
    return stderr.getvalue()


def test_an_error_is_four_lines_and_harmless_whatever_the_server_says() -> None:
    error = ServerError("a\nb", reason="x\r\ny\x1b[2J", hint="\u202eh", trace_id="t\nu")
    assert said(error) == "sbpam: a b\n  x y\\x1b[2J\n  trace id: t u\n  → \\u202eh\n"


def test_refused_entries_have_a_line_each() -> None:
    error = InputError("2 entries were refused", reason="hosts.txt:1: short\nhosts.txt:9: \x1b[1m")
    assert said(error).splitlines()[1:] == ["  hosts.txt:1: short", r"  hosts.txt:9: \x1b[1m"]


def test_talk_in_a_pipe_is_a_line_each() -> None:
    stderr = io.StringIO()
    console = console_on(stderr, verbose=True, COLUMNS="10")
    console.note("a\x1b[31m and more than fits")
    console.warn("b\nc")
    console.trace("GET /\r")
    said = "a\\x1b[31m and more than fits", "sbpam: warning: b\\nc", "GET /\\r"
    assert stderr.getvalue().splitlines() == [*said]


@pytest.mark.parametrize("columns", ["20", "40", "79", "0", "-5", "x", "²", "9" * 30])
@settings(max_examples=15)
@given(st.lists(st.text("abc-/.[]:`", min_size=1, max_size=30), min_size=1, max_size=30))
def test_no_word_is_broken_on_a_terminal(columns: str, words: list[str]) -> None:
    stderr = TerminalStream()
    console = console_on(stderr, stdout=TerminalStream(), COLUMNS=columns, NO_COLOR="1")
    console.error(SbpamError(" ".join(words), reason=" ".join(words), hint=" ".join(words)))
    console.hint(" ".join(words))

    shown = stderr.getvalue()
    assert [word for word in shown.split() if word not in ("sbpam:", "→")] == words * 4
    width = int(columns) if columns in ("20", "40", "79") else 80
    for line in shown.splitlines():
        assert len(line) <= width or len(line.split()) <= 2


def test_a_word_of_the_program_is_coloured_and_nothing_else() -> None:
    stderr = TerminalStream()
    console = console_on(stderr, TERM="xterm")
    console.error(SbpamError("sbpam: [bold]x[/bold] :warning: 42"))
    assert colourless(stderr.getvalue()) == "sbpam: sbpam: [bold]x[/bold] :warning: 42\n"
    assert stderr.getvalue().startswith("\x1b[1;31msbpam:\x1b[0m ")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8", "cp437", "utf-16"])
@pytest.mark.parametrize("form", FORMS)
def test_no_encoding_is_too_small(encoding: str, form: Form) -> None:
    out, err = io.BytesIO(), io.BytesIO()
    stdout, stderr = (io.TextIOWrapper(raw, encoding, errors="strict") for raw in (out, err))
    console = console_on(stderr, stdout=stdout, FORCE_COLOR="1")
    printer = Printer(form, console, HOSTS)
    printer.write([HostRow("é.example.com", ScanStatus.FAILED, detail="日\ud800", host_id="😀")])
    printer.close("status", Outcome())
    console.error(SbpamError("日本", hint="\ud800é"))
    console.flush()
    shown = out.getvalue().decode("utf-8")
    assert ".example.com" in shown
    assert "Failed" in shown
    assert "sbpam:" in err.getvalue().decode(encoding)
