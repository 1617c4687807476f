"""The scripts in the real shells: a terminal, keys, and what then stands on the screen."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.programs import BIN, find_program
from support.regenerate import COMPLETIONS
from support.site import CREDENTIAL, Site

_SHELLS = ("bash", "zsh", "fish")


@dataclass
class Terminal:
    """A shell in tmux; `$HOME` is its own."""

    environ: dict[str, str]

    def tmux(self, *arguments: str) -> str:
        done = subprocess.run(
            ["tmux", "-f", "/dev/null", *arguments],
            env=self.environ,
            check=True,
            capture_output=True,
            encoding="utf-8",
            timeout=30,
        )
        return done.stdout

    def press(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def shows(self, wanted: str) -> str:
        """The screen, once the pattern is on it."""
        deadline = time.monotonic() + 20
        while not re.search(wanted, screen := self.tmux("capture-pane", "-p").rstrip(), re.M):
            assert time.monotonic() < deadline, f"no {wanted!r} on the screen:\n{screen}"
            time.sleep(0.05)
        return screen

    def clear(self) -> None:
        self.press("C-u")
        self.press("C-l")
        self.shows(r"\A% *\Z")


@pytest.fixture
def home() -> Iterator[Path]:
    # pytest's own folders are too deep for the path of a socket.
    folder = Path(tempfile.mkdtemp(prefix="sbpam-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=_SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    find_program("tmux")
    find_program(name)
    return name


@pytest.fixture
def terminal(shell: str, home: Path, tmp_path: Path) -> Iterator[Terminal]:
    """The shell, set up as the script's user would, in an empty folder."""
    _install(shell, home)
    (home / "empty").mkdir()
    terminal = Terminal(
        {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": str(home),
            "ZDOTDIR": str(home),
            "TMUX_TMPDIR": str(home),
            "LANG": "C.UTF-8",
            "SBPAM_CONFIG_HOME": str(tmp_path / "config"),
            "SBPAM_STATE_HOME": str(tmp_path / "state"),
        }
    )
    size = ["-x", "100", "-y", "30", "-c", str(home / "empty")]
    terminal.tmux("new-session", "-d", *size, f"{_start(shell, home)}")
    try:
        terminal.shows(r"\A% *\Z")
        yield terminal
    finally:
        terminal.tmux("kill-server")


def _start(shell: str, home: Path) -> str:
    if shell == "bash":
        return f"bash --rcfile {home}/.bashrc -i"
    return "zsh -d -i" if shell == "zsh" else "fish -i"


def _install(shell: str, home: Path) -> None:
    script = COMPLETIONS[shell]
    if shell == "bash":
        (home / ".bashrc").write_text(f"PS1='% '; source {script}\n")
    elif shell == "zsh":
        (home / "functions").mkdir()
        shutil.copy(script, home / "functions" / "_sbpam")
        (home / ".zshrc").write_text(
            f"PS1='%% '; fpath=({home}/functions $fpath); autoload -Uz compinit; compinit -u -D\n"
        )
    else:
        folder = home / ".config" / "fish"
        (folder / "completions").mkdir(parents=True)
        shutil.copy(script, folder / "completions" / "sbpam.fish")
        (folder / "config.fish").write_text(
            "set -g fish_greeting; function fish_prompt; echo '% '; end\n"
            "set -g fish_autosuggestion_enabled 0\n"
        )


def test_words_complete_in_the_shell(
    terminal: Terminal, shell: str, site: Site, tmp_path: Path
) -> None:
    ended = site.program("schedule", "web01.corp.example", "--credential", CREDENTIAL, "-o", "json")
    run = ended.json()["run"]
    (tmp_path / "config").mkdir(exist_ok=True)
    (tmp_path / "config" / "config.toml").write_text(
        '[profiles.rehearsal]\nserver = "https://nps.example:6500"\n'
    )

    terminal.press("sbpam sch", "Tab")
    terminal.shows(r"^% sbpam schedule\b")
    terminal.clear()

    terminal.press("sbpam schedule --out", "Tab")
    terminal.shows(r"^% sbpam schedule --output\b")
    terminal.clear()

    terminal.press("sbpam status --profile re", "Tab")
    terminal.shows(r"^% sbpam status --profile rehearsal\b")
    terminal.clear()

    terminal.press(f"sbpam status {run[:4]}", "Tab")
    terminal.shows(rf"^% sbpam status {run}\b")
    terminal.clear()

    terminal.press("sbpam status -o ", "Tab", "Tab")
    screen = terminal.shows("ndjson")
    assert {"table", "tsv", "csv", "json", "ndjson"} <= set(re.findall(r"\w+", screen))
    if shell != "bash":
        # Leaves the menu. In bash there is none, and it may take the next line along.
        terminal.press("C-c")
    terminal.clear()

    terminal.press("sbpam schedule --", "Tab", "Tab")
    screen = terminal.shows("--skip-invalid")
    described = re.search(r"--dry-run.*schedule nothing", screen)
    assert bool(described) == (shell != "bash"), "zsh and fish show the help beside the word"


def test_files_complete_where_files_are_meant(terminal: Terminal, home: Path) -> None:
    (home / "empty" / "servers.csv").write_text("")

    terminal.press("sbpam schedule ser", "Tab")

    terminal.shows(r"^% sbpam schedule servers\.csv\b")
