"""The scripts in `completions/`, and what the program answers to them."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.programs import BIN
from support.regenerate import COMPLETIONS, completion_script
from support.site import CREDENTIAL, Site

from sbpam_cli.commands.app import COMMANDS
from sbpam_cli.models import FORMS

Offer = Callable[..., list[str]]


@pytest.fixture
def offer(tmp_path: Path) -> Offer:
    """What the real program offers for a line, as fish would ask: `word TAB help` lines."""

    def ask(line: str, shell: str = "fish", **environ: str) -> list[str]:
        done = subprocess.run(
            [BIN / "sbpam"],
            env={
                "PATH": os.environ["PATH"],
                "SBPAM_CONFIG_HOME": str(tmp_path / "config"),
                "SBPAM_STATE_HOME": str(tmp_path / "state"),
                "_SBPAM_COMPLETE": f"complete_{shell}",
                "_TYPER_COMPLETE_ARGS": line,
                "_TYPER_COMPLETE_FISH_ACTION": "get-args",
                **environ,
            },
            capture_output=True,
            encoding="utf-8",
            timeout=30,
        )
        assert done.stderr == ""
        return [text for text in done.stdout.splitlines() if text]

    return ask


def words(lines: list[str]) -> list[str]:
    return [line.split("\t")[0] for line in lines]


@pytest.mark.parametrize("shell", COMPLETIONS)
def test_the_scripts_are_what_the_program_makes(shell: str) -> None:
    made = completion_script(shell)

    assert COMPLETIONS[shell].read_text(encoding="utf-8") == made


@pytest.mark.parametrize("shell", COMPLETIONS)
def test_show_completion_prints_the_same_script(shell: str) -> None:
    done = subprocess.run(
        [BIN / "sbpam", "--show-completion", shell],
        env={"PATH": os.environ["PATH"], "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        capture_output=True,
        encoding="utf-8",
        timeout=30,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert completion_script(shell).startswith(done.stdout.rstrip())
    assert "_SBPAM_COMPLETE" in done.stdout


def test_install_completion_puts_the_script_where_the_shell_finds_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [BIN / "sbpam", "--install-completion", "fish"],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
        },
        capture_output=True,
        timeout=30,
    )

    assert done.returncode == 0
    installed = tmp_path / ".config/fish/completions/sbpam.fish"
    assert installed.read_text(encoding="utf-8") == completion_script("fish")


def test_commands_are_offered_with_their_help(offer: Offer) -> None:
    lines = offer("sbpam ")

    assert words(lines) == list(COMMANDS)
    assert all(line.partition("\t")[2] for line in lines)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("sbpam sch", ["schedule"]),
        ("sbpam schedule --out", ["--output"]),
        ("sbpam status -o ", list(FORMS)),
        ("sbpam status -o nd", ["ndjson"]),
        ("sbpam status --output=t", ["table", "tsv"]),
        ("sbpam login --method ", ["password", "application", "token"]),
        ("sbpam logout --profile ", []),
        ("sbpam status ", []),
        ("sbpam nonsense --o", []),
        ("sbpam status 'unfinished", []),
        ("sbpam --version s", ["schedule", "status", "sandbox"]),
    ],
)
def test_words_are_offered(line: str, expected: list[str], offer: Offer, tmp_path: Path) -> None:
    assert words(offer(line)) == expected
    assert list(tmp_path.iterdir()) == [], "typing a word must not create anything"


@pytest.mark.parametrize("shell", ["fish", "zsh", "bash"])
def test_a_narrow_terminal_does_not_break_help_into_words(shell: str, offer: Offer) -> None:
    line = {"COMP_WORDS": "sbpam schedule --o", "COMP_CWORD": "2"}

    lines = offer("sbpam schedule --o", shell, COLUMNS="20", **line)

    assert [text for text in lines if "--o" not in text] == []
    assert len(lines) == 2


def test_profiles_are_offered_with_their_servers(offer: Offer, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.toml").write_text(
        '[profiles.test]\nserver = "https://nps-test.example:6500"\n[profiles.prod]\n'
    )

    assert offer("sbpam status --profile ") == ["prod", "test\thttps://nps-test.example:6500"]
    assert words(offer("sbpam whoami --profile t")) == ["test"]


def test_runs_are_offered_newest_first(site: Site, offer: Offer, tmp_path: Path) -> None:
    runs = []
    for host in ("web01.corp.example", "web02.corp.example"):
        ended = site.program("schedule", host, "--credential", CREDENTIAL, "-o", "json")
        runs.append(ended.json()["run"])
        site.clock.move(60)

    lines = offer("sbpam status ")

    assert words(lines) == runs[::-1]
    assert lines[0].endswith(f"\t1 host on {site.server.url}")
    assert words(offer(f"sbpam status {runs[0]}")) == [runs[0]]


@pytest.mark.parametrize("line", ["sbpam status ", "sbpam status --profile "])
def test_what_cannot_be_read_offers_nothing(line: str, offer: Offer, tmp_path: Path) -> None:
    for folder, name in (("state", "journal.sqlite3"), ("config", "config.toml")):
        (tmp_path / folder).mkdir(mode=0o700)
        (tmp_path / folder / name).write_bytes(b"\x00not what it should be\xff")

    assert offer(line) == []


@pytest.mark.parametrize("line", ["sbpam sch", "sbpam schedule --o", "sbpam status --profile x"])
def test_a_tab_loads_little(line: str, tmp_path: Path) -> None:
    program = (
        "import sys\nfrom sbpam_cli.main import main\n"
        "main([])\nprint(*sys.modules, file=sys.stderr)"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        env={
            "PATH": os.environ["PATH"],
            "SBPAM_CONFIG_HOME": str(tmp_path),
            "_SBPAM_COMPLETE": "complete_zsh",
            "_TYPER_COMPLETE_ARGS": line,
        },
        capture_output=True,
        encoding="utf-8",
        timeout=30,
    )
    loaded = set(done.stderr.split())

    assert "typer" in loaded
    assert not loaded & {"rich", "httpx", "keyring", "sqlite3", "ssl", "sbpam_cli.sandbox"}
