"""The exports that the guide shows are read by the lines that it gives for them."""

import shlex
from pathlib import Path

import pytest
from support.pages import blocks
from support.site import CREDENTIAL, Program

EXPORTS = [
    (name, text, line.partition("#")[0].strip())
    for (name, text), (_, line) in zip(blocks("export"), blocks("reads"), strict=True)
]


@pytest.mark.parametrize(("name", "text", "line"), EXPORTS)
def test_an_export_is_read_by_its_line(
    program: Program, tmp_path: Path, name: str, text: str, line: str
) -> None:
    (tmp_path / name).write_text(text)
    *pipe, command = line.split(" | ")
    arguments = [str(tmp_path / name) if a == name else a for a in shlex.split(command)[2:]]
    # jq picks the names; what it does is not ours.
    picked = b"web01.corp.example\nweb02.corp.example\n" if pipe else b""
    ended = program.run(
        *("schedule", "--dry-run", "--offline", "--server", "nps.example.com"),
        *("--credential", CREDENTIAL, *arguments),
        stdin=picked,
    ).expect(0)
    assert [row[0] for row in ended.rows()] == ["web01.corp.example", "web02.corp.example"]
