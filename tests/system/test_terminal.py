"""Echo: off while a secret is typed, on again however the program ends or stops."""

import os
import pty
import signal
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.keyrings import MemoryKeyring, load_by_name
from support.programs import SBPAM
from support.pty_program import PtyProgram
from support.site import bare_services
from support.tables import crossed
from support.talk import Heard

from sbpam_cli.errors import SignInError
from sbpam_cli.settings.keyring import Vault
from sbpam_cli.system.clock import Clock
from sbpam_cli.system.terminal import Terminal

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals are POSIX's")

SIGN_IN = ("login", "--server", "nps.invalid", "--username", "joe", "--insecure")
Start = Callable[..., PtyProgram]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a command line; the keyring's back end asks for a passphrase."""
    environ = load_by_name("AskingKeyring") | {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "HOW": "getpass",
        "SBPAM_CONFIG_HOME": str(tmp_path / "config"),
        "SBPAM_STATE_HOME": str(tmp_path / "state"),
    }
    started: list[PtyProgram] = []

    def begin(*command: str, **env: str) -> PtyProgram:
        program = PtyProgram(command, environ | env)
        started.append(program)
        return program

    yield begin
    for program in started:
        program.close()


QUESTIONS = {"Password for": SIGN_IN, "Passphrase of": ("logout", "--server", "nps")}


@pytest.mark.parametrize(
    ("how", "question"), crossed(["SIGTERM", "SIGHUP", "SIGINT", "^C", "^\\"], QUESTIONS)
)
def test_every_way_out_of_a_secret_prompt_puts_echo_back(
    start: Start, how: str, question: str
) -> None:
    program = start(SBPAM, *QUESTIONS[question])
    program.wait_for(question, echo=False)

    if how.startswith("SIG"):
        os.kill(program.process.pid, getattr(signal, how))
    else:
        program.type(bytes([ord(how[1]) & 0x1F]))

    code = program.end()
    names = {"^C": "SIGINT", "^\\": "SIGQUIT"}
    number = getattr(signal, names.get(how, how))
    assert code in (-number, 128 + number)
    assert program.echoes()


@pytest.mark.parametrize(("question", "arguments"), list(QUESTIONS.items()))
def test_echo_is_on_while_it_is_stopped_and_off_after_that(
    start: Start, question: str, arguments: tuple[str, ...]
) -> None:
    shell = start("bash", "--norc", "--noediting", "-i", PS1="ready$ ", HISTFILE="/dev/null")
    shell.wait_for(r"ready\$ $")
    shell.type(f"{SBPAM} {' '.join(arguments)}\n")
    shell.wait_for(question, echo=False)

    shell.type(b"\x1a")
    shell.wait_for(r"Stopped(.|\n)*ready\$ $")
    shell.type("stty -a | grep -o ' echo '; echo looked\n")
    shell.wait_for(r" echo \r?\nlooked\r?\n.*ready\$ $")
    shell.type("stty echo; fg\n")
    shell.wait_for(r"fg\r?\n", echo=False)
    shell.type("geheim\x03")

    shell.wait_for(r"fg\r?\n(.|\n)*ready")
    assert "geheim" not in shell.screen


@pytest.mark.parametrize(("question", "arguments"), list(QUESTIONS.items()))
def test_without_a_shell_that_goes_on_with_it_nothing_stops(
    start: Start, question: str, arguments: tuple[str, ...]
) -> None:
    program = start(SBPAM, *arguments)
    program.wait_for(question, echo=False)
    # The terminal hands over one key after the other.
    program.type(b"\x1a\x03")
    assert program.end() == 130
    assert program.echoes()


@pytest.mark.parametrize("how", ["getpass", "/dev/tty"])
@pytest.mark.parametrize("leads", [False, True], ids=["job", "leader"])
def test_no_back_end_asks_where_nobody_is_to_be_asked(start: Start, how: str, leads: bool) -> None:
    if leads and how == "/dev/tty":
        pytest.skip("a session's leader keeps its terminal")
    command = [SBPAM, "logout", "--no-input", "--server", "nps"]
    before = [] if leads else ["sh", "-c", '"$@"; exit $?', "sh"]

    program = start(*before, *command, HOW=how)

    assert program.end() == 3
    assert "Passphrase" not in program.screen
    assert "may still be in the keyring" in program.screen
    assert program.echoes()


def test_a_terminal_that_is_given_up_still_interrupts(start: Start) -> None:
    """Its job has no controlling terminal any more, and Ctrl-C reaches it all the same."""
    child = (
        "from sbpam_cli.system.terminal import Terminal\n"
        "import time\n"
        "try:\n"
        "    Terminal(0).refuse_questions()\n    print('given up', flush=True)\n"
        "    time.sleep(60)\n"
        "except KeyboardInterrupt: print('interrupted')"
    )
    program = start("sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-c", child)
    program.wait_for("given up")
    program.type(b"\x03")
    program.wait_for("interrupted")


@pytest.mark.parametrize(
    ("typed", "words", "code"),
    [
        (b"caf\xe9\n", "is not text in this terminal's encoding", 2),
        (b"\n", "nothing was typed", 4),
        (b"\x04", "the terminal was closed while asking", 4),
        (b"\x1b[D\n", "holds characters that no secret has", 2),
    ],
)
def test_what_can_be_no_secret_is_refused_at_the_prompt(
    start: Start, typed: bytes, words: str, code: int
) -> None:
    program = start(SBPAM, *SIGN_IN, LANG="C.UTF-8")
    program.wait_for("Password for", echo=False)
    program.type(typed)
    assert program.end() == code
    assert words in program.screen
    assert program.echoes()


class SilencingKeyring(MemoryKeyring):
    """Turns echo off and waits for an answer that never comes."""

    def __init__(self, terminal: int) -> None:
        super().__init__()
        self.terminal = terminal
        self.silent = threading.Event()
        self.release = threading.Event()

    def get_password(self, service: str, username: str) -> str | None:
        mode = termios.tcgetattr(self.terminal)
        mode[3] &= ~termios.ECHO
        termios.tcsetattr(self.terminal, termios.TCSANOW, mode)
        self.silent.set()
        self.release.wait()
        return None


class PassingClock(Clock):
    """A minute passes as soon as the keyring is silent."""

    def __init__(self, silent: threading.Event) -> None:
        self.silent = silent

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        assert self.silent.wait(30)
        return event.is_set()


def test_after_a_minute_the_keyring_is_no_second_reader() -> None:
    master, slave = pty.openpty()
    backend = SilencingKeyring(slave)
    clock, terminal = PassingClock(backend.silent), Terminal(slave)
    services = bare_services(clock=clock, terminal=terminal, keyring=lambda: backend)

    before = {number: signal.getsignal(number) for number in (1, 3, 15, 18, 20)}
    try:
        with pytest.raises(SignInError, match="still waits for an answer on this terminal"):
            Vault(services, Heard(), attended=True).get("p", "https://nps", "token")
        assert termios.tcgetattr(slave)[3] & termios.ECHO
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        backend.release.set()
        os.close(master)
        os.close(slave)
