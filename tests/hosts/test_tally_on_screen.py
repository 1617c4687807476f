"""Where the tally of a list is seen: stderr, and the end of the JSON envelope of `schedule`."""

from pathlib import Path

import pytest
from support.site import CREDENTIAL, Program

DRY = ("schedule", "--dry-run", "--offline", "--server", "nps.example.com", "--credential")
NUMBERS = ("records", "hosts", "duplicates", "without_name", "blanks", "comments", "invalid")


@pytest.fixture
def sheet(tmp_path: Path) -> str:
    path = tmp_path / "sheet.csv"
    path.write_text("# c\nName;FQDN\nx;web01.corp.example\ny;web02.corp.example\nz;\n;\nw;web03\n")
    return str(path)


def test_the_envelope_ends_with_the_lists(program: Program, sheet: str) -> None:
    ended = program.run(
        *(*DRY, CREDENTIAL, "-o", "json", "--skip-invalid", "web01.corp.example", sheet, "-"),
        stdin=b"web02.corp.example\nweb04.corp.example\n",
    )
    envelope = ended.json()
    assert list(envelope)[-1] == "lists"
    first, second = envelope["lists"]
    assert list(first) == ["source", "form", "column", "header_line", *NUMBERS]
    assert list(first.values()) == [sheet, "csv", "FQDN", 2, 6, 1, 1, 1, 1, 1, 1]
    assert list(second.values()) == ["stdin", "text", None, None, 2, 1, 1, 0, 0, 0, 0]
    assert f"{sheet}: 1 host from column FQDN (header in line 2); 1 duplicate" in ended.err
    assert "stdin: 1 host; 1 duplicate\n" in ended.err


def test_a_refused_list_is_accounted_for_too(program: Program, sheet: str) -> None:
    ended = program.run(*DRY, CREDENTIAL, "-o", "json", sheet)
    assert (ended.code, ended.json()["lists"][0]["invalid"]) == (2, 1)
    assert f'{sheet}:7: "web03" is a short name' in ended.err


def test_quiet_leaves_the_warning_alone(program: Program, sheet: str) -> None:
    quiet = program.run(*DRY, CREDENTIAL, "--quiet", "--skip-invalid", sheet)
    assert "warning:" in quiet.err
    assert "1 row without a name (line 5)" in quiet.err
    fine = program.run(*DRY, CREDENTIAL, "--quiet", "-", stdin=b"web01.corp.example\n")
    assert fine.err == ""


@pytest.mark.parametrize(
    ("title", "is_said"),
    [
        *(("Credential", True), ("Service Account", True), ("credential_id", True)),
        *(("saName", True), ("Accounting", False)),
    ],
)
def test_a_column_of_accounts_is_said_to_be_unused(
    program: Program, title: str, is_said: bool
) -> None:
    table = f"{title};DNSHostName\nsvc-x;web01.corp.example\n".encode()
    ended = program.run(*DRY, CREDENTIAL, "-", stdin=table)
    said = f"; column {title} is not used: --credential names the account\n"
    assert (ended.code, said in ended.err) == (0, is_said)
