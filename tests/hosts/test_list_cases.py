"""Lists as people export them, each with what must come of it (`cases/expected.tsv`)."""

import shlex
from pathlib import Path

import pytest
from support.site import CREDENTIAL, Program

CASES = Path(__file__).parent / "cases"
ROWS = [line.split("\t") for line in (CASES / "expected.tsv").read_text("utf-8").splitlines()[1:]]


@pytest.mark.parametrize(
    ("file", "options", "code", "hosts", "words"), ROWS, ids=[f"{row[0]} {row[1]}" for row in ROWS]
)
def test_a_list_from_the_field(
    program: Program, file: str, options: str, code: str, hosts: str, words: str
) -> None:
    ended = program.run(
        *("schedule", "--dry-run", "--offline", "--server", "nps.example.com"),
        *("--credential", CREDENTIAL, "--file", str(CASES / file), *shlex.split(options)),
    ).expect(int(code))
    assert [row[0] for row in ended.rows()] == hosts.split()
    for word in words.split("|"):
        assert word in ended.err
