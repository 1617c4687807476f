"""What stands here for PowerShell is a script that it can read."""

import re
from collections.abc import Iterator

import pytest
import tree_sitter_powershell
from support.pages import PAGES
from support.programs import ROOT
from tree_sitter import Language, Node, Parser

SCRIPTS = {
    "completion": (ROOT / "completions" / "sbpam.ps1").read_text("utf-8"),
    **{
        f"{page.name}-{number}": script
        for page in PAGES
        for number, script in enumerate(
            re.findall(r"```powershell\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
        )
    },
}


def mistakes(script: str) -> Iterator[str]:
    def visit(node: Node) -> Iterator[str]:
        if node.is_error or node.is_missing:
            yield f"line {node.start_point.row + 1}: {(node.text or b'').decode()[:60]}"
        for child in node.children:
            yield from visit(child)

    parser = Parser(Language(tree_sitter_powershell.language()))
    return visit(parser.parse(script.encode()).root_node)


@pytest.mark.parametrize("name", SCRIPTS)
def test_powershell_can_read_it(name: str) -> None:
    assert list(mistakes(SCRIPTS[name])) == []


def test_what_the_older_powershell_refuses_is_found() -> None:
    assert list(mistakes("cd x && sbpam 'status"))
    assert len(SCRIPTS) >= 6
