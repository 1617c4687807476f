"""The scripts in `completions/`, and what the program answers to them."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from support.programs import SBPAM, run
from support.regenerate import COMPLETIONS, completion_script
from support.site import CREDENTIAL, Site
from support.tables import crossed

from sbpam_cli.commands.app import COMMANDS
from sbpam_cli.models import FORMS

INSTALLED = {
    "bash": ".bash_completions/sbpam.sh",
    "zsh": ".zfunc/_sbpam",
    "fish": ".config/fish/completions/sbpam.fish",
}
ACT = ["ActionServiceUnavailable", "ActionTimeout", "AccessDenied"]
Offer = Callable[..., list[str]]


@pytest.fixture
def offer(tmp_path: Path) -> Offer:
    """What the real program offers for a line, as fish would ask: `word TAB help` lines."""

    def ask(line: str, shell: str = "fish", **environ: str) -> list[str]:
        home = {f"SBPAM_{name.upper()}_HOME": str(tmp_path / name) for name in ("config", "state")}
        typed = {"_SBPAM_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": line}
        fish = {"_TYPER_COMPLETE_FISH_ACTION": "get-args"}
        done = run([SBPAM], {"PATH": os.environ["PATH"]} | home | typed | fish | environ)
        assert done.stderr == ""
        return [text for text in done.stdout.splitlines() if text]

    return ask


def words(lines: list[str]) -> list[str]:
    return [line.split("\t")[0] for line in lines]


@pytest.mark.parametrize("shell", COMPLETIONS)
def test_the_scripts_are_what_the_program_makes(shell: str, tmp_path: Path) -> None:
    made = completion_script(shell)
    home = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    environ = home | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}

    shown = run([SBPAM, "--show-completion", shell], environ)

    assert COMPLETIONS[shell].read_text(encoding="utf-8") == made
    assert (shown.returncode, shown.stderr) == (0, "")
    assert made.startswith(shown.stdout.rstrip())
    assert "_SBPAM_COMPLETE" in shown.stdout
    if shell in INSTALLED:
        # Detection would find another shell, or none.
        assert run([SBPAM, "--install-completion", shell], home).returncode == 0
        installed = tmp_path / INSTALLED[shell]
        assert installed.read_text(encoding="utf-8").rstrip() == shown.stdout.rstrip()


@pytest.mark.parametrize(
    ("arguments", "home", "words"),
    [
        (["--install-completion", "tcsh"], None, ["tcsh", "bash, zsh, fish"]),
        (["--show-completion", "tcsh"], None, ["tcsh", "bash, zsh, fish"]),
        (["--install-completion", "bash"], None, ["was not installed", "--show-completion bash"]),
        # As where there is no HOME, and nobody of the user's number.
        (["--install-completion", "zsh"], "~", ["was not installed", "--show-completion zsh"]),
    ],
)
def test_what_cannot_be_set_up(
    arguments: list[str], home: str | None, words: list[str], tmp_path: Path
) -> None:
    (tmp_path / ".bashrc").write_bytes("# é\n".encode("latin-1"))
    environ = {"HOME": home or str(tmp_path), "LANG": "C.UTF-8", "PATH": os.environ["PATH"]}
    ended = run([SBPAM, *arguments], environ)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert [word for word in words if word not in ended.stderr] == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("sbpam ", list(COMMANDS)),
        ("sbpam sch", ["schedule"]),
        ("sbpam schedule --out", ["--output"]),
        ("sbpam status -o ", list(FORMS)),
        ("sbpam status --output=t", ["table", "tsv"]),
        ("sbpam login --method ", ["password", "application", "token"]),
        ("sbpam rescan --reason Cancelled,Fa", ["Cancelled,Failed", "Cancelled,FailedToConnect"]),
        ("sbpam status --only failed,pro", ["failed,problems"]),
        ("sbpam rescan --reason AccessDenied,Ac", [f"AccessDenied,{name}" for name in ACT]),
        (r"sbpam rescan --reason '\$(touch x)',Ac", []),
        ("sbpam schedule --credential ", []),
        ("sbpam help re", ["report", "rescan", "resume", "recovery"]),
        ("sbpam status ", []),
        ("sbpam nonsense --o", []),
        ("sbpam status 'unfinished", []),
        ("sbpam --version s", ["schedule", "status", "sandbox"]),
    ],
)
def test_words_are_offered(line: str, expected: list[str], offer: Offer, tmp_path: Path) -> None:
    offered = offer(line)

    assert sorted(words(offered)) == sorted(expected)
    assert line != "sbpam " or all(text.partition("\t")[2] for text in offered), "with their help"
    assert list(tmp_path.iterdir()) == [], "typing a word must not create anything"


@pytest.mark.parametrize("shell", ["fish", "zsh", "bash"])
def test_a_narrow_terminal_does_not_break_help_into_words(shell: str, offer: Offer) -> None:
    line = {"COMP_WORDS": "sbpam schedule --o", "COMP_CWORD": "2"}

    lines = offer("sbpam schedule --o", shell, COLUMNS="20", **line)

    assert [text for text in lines if "--o" not in text] == []
    assert len(lines) == 2


def test_profiles_and_runs_are_offered_the_newest_run_first(site: Site, offer: Offer) -> None:
    test = '[profiles.test]\nserver = "https://nps-test.example:6500"\n'
    site.write_config(f"{test}[profiles.prod]\n")
    runs = []
    for host in ("web01.corp.example", "web02.corp.example"):
        runs.append(site.run("schedule", host, "-o", "json").json()["run"])
        site.clock.move(60)

    lines = offer("sbpam status ")

    assert words(lines) == runs[::-1]
    assert lines[0].endswith(f"\t1 host on {site.server.url}")
    assert words(offer(f"sbpam status {runs[0]}")) == [runs[0]]
    assert offer("sbpam status --profile ") == ["prod", "test\thttps://nps-test.example:6500"]
    assert words(offer("sbpam whoami --profile t")) == ["test"]


def test_accounts_of_the_last_look_up_are_offered(site: Site, offer: Offer) -> None:
    site.run("credentials", "svc-scan")
    # Two have that name.
    assert offer("sbpam schedule --credential svc-s") == []
    site.world.credentials[0]["userName"] = "svc-$(touch x)"
    rows = {row[1]: row[0] for row in site.run("credentials").rows() if row[0]}
    offered = offer("sbpam schedule --credential svc-s")
    assert offered == [f"svc-scan\t{rows['svc-scan']}"]
    assert words(offer(f"sbpam login --credential {CREDENTIAL[:8]}")) == [CREDENTIAL]
    assert not set("".join(offer("sbpam schedule --credential "))) & set("$(`")


@pytest.mark.parametrize(
    ("shell", "hostile"),
    crossed(COMPLETIONS, ["20261123-$(touch x)", "20261123-031502-7f3a`x`", "a b\nc"]),
)
def test_only_well_formed_words_are_offered(
    site: Site, offer: Offer, tmp_path: Path, hostile: str, shell: str
) -> None:
    other = site.run("schedule", "a.example", "-o", "json").json()["run"]
    with closing(sqlite3.connect(tmp_path / "state" / "journal.sqlite3")) as journal:
        hostile_row = (hostile, f"https://{hostile}", other)
        journal.execute("UPDATE runs SET run_id = ?, server = ? WHERE run_id = ?", hostile_row)
        journal.commit()
    quoted = hostile.replace("\n", "\\n")
    for profile in (f'"{quoted}"]', f'ok]\nserver = "https://{quoted}"'):
        site.write_config(f"[profiles.{profile}\n")
        for typed, place in (("sbpam status ", "2"), ("sbpam status --profile ", "3")):
            offered = offer(typed, shell, COMP_WORDS=typed, COMP_CWORD=place)
            assert [*filter(None, offered)] in ([], ["_files"]), "all of it is refused"


@pytest.mark.parametrize("line", ["sbpam status ", "sbpam status --profile "])
def test_what_cannot_be_read_offers_nothing(line: str, offer: Offer, tmp_path: Path) -> None:
    for folder, name in (("state", "journal.sqlite3"), ("config", "config.toml")):
        (tmp_path / folder).mkdir(mode=0o700)
        (tmp_path / folder / name).write_bytes(b"\x00not what it should be\xff")

    assert offer(line) == []
