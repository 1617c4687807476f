"""Lists given to `schedule`: from the field, from the guide, and where their tally is seen."""

import shlex
from pathlib import Path

import pytest
from support.pages import blocks
from support.site import Program

DRY = ("schedule", "--dry-run", "--offline")
NUMBERS = ("records", "hosts", "duplicates", "without_name", "blanks", "comments", "invalid")
CASES = Path(__file__).parent / "cases"
ROWS = [line.split("\t") for line in (CASES / "expected.tsv").read_text("utf-8").splitlines()[1:]]
EXPORTS = [
    (name, text, line.partition("#")[0].strip())
    for (name, text), (_, line) in zip(blocks("export"), blocks("reads"), strict=True)
]


@pytest.mark.parametrize(
    ("file", "options", "code", "hosts", "words"), ROWS, ids=[f"{row[0]} {row[1]}" for row in ROWS]
)
def test_a_list_from_the_field(
    program: Program, file: str, options: str, code: str, hosts: str, words: str
) -> None:
    ended = program.run(*DRY, "--file", str(CASES / file), *shlex.split(options))
    ended.expect(int(code), *words.split("|"))
    assert [row[0] for row in ended.rows()] == hosts.split()


@pytest.mark.parametrize(("name", "text", "line"), EXPORTS)
def test_an_export_is_read_by_its_line(
    program: Program, tmp_path: Path, name: str, text: str, line: str
) -> None:
    (tmp_path / name).write_text(text)
    *pipe, command = line.split(" | ")
    arguments = [str(tmp_path / name) if a == name else a for a in shlex.split(command)[2:]]
    # jq picks the names; what it does is not ours.
    picked = b"web01.corp.example\nweb02.corp.example\n" if pipe else b""
    ended = program.run(*DRY, *arguments, stdin=picked).expect(0)
    assert [row[0] for row in ended.rows()] == ["web01.corp.example", "web02.corp.example"]


@pytest.fixture
def sheet(tmp_path: Path) -> str:
    path = tmp_path / "sheet.csv"
    path.write_text("# c\nName;FQDN\nx;web01.corp.example\ny;web02.corp.example\nz;\n;\nw;web03\n")
    return str(path)


def test_the_envelope_ends_with_the_lists(program: Program, sheet: str) -> None:
    how = ("-o", "json", "--skip-invalid", "web01.corp.example", sheet, "-")
    ended = program.run(*DRY, *how, stdin=b"web02.corp.example\nweb04.corp.example\n")
    envelope = ended.json()
    assert list(envelope)[-1] == "lists"
    first, second = envelope["lists"]
    assert list(first) == ["source", "form", "column", "header_line", *NUMBERS]
    assert list(first.values()) == [sheet, "csv", "FQDN", 2, 6, 1, 1, 1, 1, 1, 1]
    assert list(second.values()) == ["stdin", "text", None, None, 2, 1, 1, 0, 0, 0, 0]
    assert f"{sheet}: 1 host from column FQDN (header in line 2); 1 duplicate" in ended.err
    assert "stdin: 1 host; 1 duplicate\n" in ended.err


def test_a_refused_list_is_accounted_for_too(program: Program, sheet: str) -> None:
    ended = program.run(*DRY, "-o", "json", sheet)
    ended.expect(2, f'{sheet}:7: "web03" is a short name')
    assert ended.json()["lists"][0]["invalid"] == 1


def test_quiet_leaves_the_warning_alone(program: Program, sheet: str) -> None:
    quiet = program.run(*DRY, "--quiet", "--skip-invalid", sheet)
    assert "warning:" in quiet.err
    assert "1 row without a name (line 5)" in quiet.err
    fine = program.run(*DRY, "--quiet", "-", stdin=b"web01.corp.example\n")
    assert fine.err == ""


@pytest.mark.parametrize(
    ("title", "is_said"),
    [
        *(("Credential", True), ("Service Account", True), ("credential_id", True)),
        *(("saName", True), ("Accounting", False)),
    ],
)
def test_a_column_of_accounts_is_told_as_unused(
    program: Program, title: str, is_said: bool
) -> None:
    table = f"{title};DNSHostName\nsvc-x;web01.corp.example\n".encode()
    ended = program.run(*DRY, "-", stdin=table)
    said = f"; column {title} is not used: --credential names the account\n"
    assert (ended.code, said in ended.err) == (0, is_said)
