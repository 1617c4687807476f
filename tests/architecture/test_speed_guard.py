"""What keeps the program quick, as structure: what a start loads, how often the disk is asked.

Times are measured in `tests/benchmarks`; here nothing depends on the machine.
"""

import os
import sqlite3
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from support.programs import run
from support.site import Site
from support.tables import slow

from sbpam_cli.system.services import Services

SHOWS_MODULES = """
import sys
from sbpam_cli.main import main
code = main(sys.argv[1:])
sys.stdout.flush()
print(code, *sys.modules, file=sys.stderr)
"""
NEVER = {"click", "pydantic", "asyncio", "rich", "pygments", "trustme", "cryptography"}


def loaded(*arguments: str, environ: Mapping[str, str] | None = None, code: str = "0") -> set[str]:
    """The modules of a process that ran the command with stdout and stderr as pipes."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "HOME") if name in os.environ}
    command = [sys.executable, "-c", SHOWS_MODULES, *arguments]
    done = run(command, {**kept, **(environ or {})}, check=True)
    ended, *modules = done.stderr.splitlines()[-1].split()
    assert ended == code, done.stderr
    return set(modules)


def test_a_schedule_in_a_pipe_loads_nothing_heavy(site: Site, tmp_path: Path) -> None:
    # What others may have installed beside us.
    for name in ("click", "pydantic", "trio", "h2"):
        (tmp_path / f"{name}.py").touch()

    environ = {**site.environ, "PYTHONPATH": str(tmp_path)}
    modules = loaded("schedule", "web01.corp.example", environ=environ)

    assert modules & NEVER == set()
    assert "httpx" in modules, "the list of names is of modules that could be there"


@pytest.mark.parametrize("form", ["json", *slow("tsv", "csv", "ndjson")])
def test_no_rows_in_a_pipe_and_no_error_load_rich(site: Site, form: str) -> None:
    done = loaded("demo", "web01.corp.example", "--scan-duration", "1s", "-o", form)
    told = loaded("status", "20200101", "-o", form, "--verbose", environ=site.environ, code="2")

    assert not {"rich", "pygments"} & (done | told)


def test_the_version_loads_next_to_nothing() -> None:
    modules = loaded("--version")

    assert modules & (NEVER | {"typer", "dataclasses", "httpx", "json", "ssl"}) == set()
    assert {name for name in modules if name.startswith("sbpam_cli")} == {
        "sbpam_cli",
        "sbpam_cli.main",
    }


def test_a_help_page_loads_no_network_and_no_secrets() -> None:
    modules = loaded("--help")

    assert modules & {"httpx", "httpcore", "keyring", "sqlite3", "ssl", "cryptography"} == set()


@pytest.mark.parametrize("line", ["sbpam sch", "sbpam schedule --o", "sbpam status --profile x"])
def test_a_tab_loads_little(line: str, tmp_path: Path) -> None:
    typed = {"_SBPAM_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": line}
    modules = loaded(environ=typed | {"SBPAM_CONFIG_HOME": str(tmp_path)})

    assert "typer" in modules
    assert not modules & {"rich", "httpx", "keyring", "sqlite3", "ssl", "sbpam_cli.sandbox"}


def commits_of(site: Site, batches: int) -> int:
    """How often the journal is committed while so many batches go out one after the other."""
    commits: list[str] = []

    def watch(services: Services) -> None:
        connect = services.database

        def connected(path: str) -> sqlite3.Connection:
            connection = connect(path)

            def see(statement: str) -> None:
                word = statement.split(maxsplit=1)[0].strip(";").upper()
                # Outside of a transaction each change is committed at once.
                alone = word in ("INSERT", "UPDATE", "DELETE") and not connection.in_transaction
                if alone or word in ("COMMIT", "END"):
                    commits.append(statement)

            connection.set_trace_callback(see)
            return connection

        services.database = connected

    site.prepare = watch
    hosts = [f"web{n:02}.run{batches}.example" for n in range(batches)]
    site.run("schedule", "--batch-size", "1", "--parallel", "1", *hosts).expect(0)
    return len(commits)


def test_the_journal_is_committed_once_a_batch(site: Site) -> None:
    commits_of(site, 1)

    few, many = commits_of(site, 2), commits_of(site, 12)

    assert many - few == 10, "what came of one and that the next is sent, in one commit"
    assert few <= 2 + 1 + 2, "a run's own begin and end aside"
