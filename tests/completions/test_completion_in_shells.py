"""The scripts in the real shells: a terminal, keys, and what then stands on the screen."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.programs import BIN, find_program
from support.regenerate import COMPLETIONS
from support.site import Site
from support.tmux import Tmux

PROMPT = r"\A\s*%\s*\Z"
TYPED = [
    # What is typed before TAB, and the line then; RUN is the id of a run.
    ("sbpam sch", "sbpam schedule"),
    ("sbpam schedule --out", "sbpam schedule --output"),
    ("sbpam status --profile re", "sbpam status --profile rehearsal"),
    ("sbpam status RUN", "sbpam status RUN"),
    ("sbpam schedule ser", r"sbpam schedule servers\.csv"),
]


@pytest.fixture
def home() -> Iterator[Path]:
    # pytest's own folders are too deep for the path of a socket.
    folder = Path(tempfile.mkdtemp(prefix="sbpam-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["bash", "zsh", "fish"])
def shell(request: pytest.FixtureRequest) -> str:
    find_program(request.param)
    return str(request.param)


@pytest.fixture
def terminal(shell: str, home: Path, site: Site) -> Iterator[Tmux]:
    """The shell, set up as the script's user would, in a folder with one file."""
    start = _install(shell, home)
    (home / "lists").mkdir()
    (home / "lists" / "servers.csv").touch()
    environ = {name: value for name, value in site.environ.items() if name.endswith("_HOME")}
    environ |= {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(home), "LANG": "C.UTF-8"}
    environ["ZDOTDIR"] = str(home)
    terminal = Tmux(home, 100, 30, environ, f"sh -c 'cd {home}/lists; exec {start}'")
    try:
        terminal.wait_for(PROMPT)
        yield terminal
    finally:
        terminal.close()


def _install(shell: str, home: Path) -> str:
    """How the shell is started then."""
    script = COMPLETIONS[shell]
    if shell == "bash":
        (home / ".bashrc").write_text(f"PS1='% '; source {script}\n")
        return f"bash --rcfile {home}/.bashrc -i"
    if shell == "zsh":
        (home / "functions").mkdir()
        shutil.copy(script, home / "functions" / "_sbpam")
        (home / ".zshrc").write_text(
            f"PS1='%% '; fpath=({home}/functions $fpath); autoload -Uz compinit; compinit -u -D\n"
        )
        return "zsh -d -i"
    folder = home / ".config" / "fish"
    (folder / "completions").mkdir(parents=True)
    shutil.copy(script, folder / "completions" / "sbpam.fish")
    (folder / "config.fish").write_text(
        "set -g fish_greeting; function fish_prompt; echo '% '; end\n"
        "set -g fish_autosuggestion_enabled 0\n"
    )
    return "fish -i"


def clear(terminal: Tmux) -> None:
    terminal.do("send-keys", "C-u")
    terminal.do("send-keys", "C-l")
    terminal.wait_for(PROMPT, history=False)


def test_words_complete_in_the_shell(terminal: Tmux, shell: str, site: Site) -> None:
    run = site.run("schedule", "web01.corp.example", "-o", "json").json()["run"]
    site.write_config('[profiles.rehearsal]\nserver = "https://nps.example:6500"\n')

    for typed, wanted in TYPED:
        terminal.type(typed.replace("RUN", run[:4]), "Tab")
        terminal.wait_for(rf"^% {wanted.replace('RUN', run)}\b", history=False)
        clear(terminal)

    terminal.type("sbpam status -o ", "Tab", "Tab")
    screen = terminal.wait_for("ndjson", history=False)
    assert {"table", "tsv", "csv", "json", "ndjson"} <= set(re.findall(r"\w+", screen))
    if shell != "bash":
        # Leaves the menu. In bash there is none, and it may take the next line along.
        terminal.do("send-keys", "C-c")
    clear(terminal)

    terminal.type("sbpam schedule --", "Tab", "Tab")
    screen = terminal.wait_for("--skip-invalid", history=False)
    described = re.search(r"--dry-run.*Check", screen)
    assert bool(described) == (shell != "bash"), "zsh and fish show the help beside the word"
