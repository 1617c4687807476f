"""What the README says of the program is what the program has."""

import re
import xml.etree.ElementTree
from pathlib import Path

import pytest
from support.command_tree import calls_in, parse_call
from support.pages import GUIDES, PAGES, README
from support.programs import ROOT
from support.regenerate import PICTURES

from sbpam_cli.errors import ExitCode
from sbpam_cli.models import ScanStatus
from sbpam_cli.sandbox.people import sample_hosts
from sbpam_cli.settings.environment import SECRET_NAMES, variable_of


@pytest.fixture(scope="module")
def readme() -> str:
    return README.read_text(encoding="utf-8")


def guide(topic: str) -> str:
    return (GUIDES / f"{topic}.md").read_text(encoding="utf-8")


def test_the_readme_is_short(readme: str) -> None:
    assert len(readme.encode()) <= 10_000


def test_the_exit_codes_are_those_of_the_program() -> None:
    cells = re.findall(r"^\| ([\d, ]+) \|", guide("exit-codes"), re.M)

    assert {int(code) for cell in cells for code in cell.split(",")} == set(ExitCode)


def test_the_variables_are_those_of_the_program() -> None:
    source = "\n".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "sbpam_cli").rglob("*.py")
    )
    secrets = {variable_of(name) for name in SECRET_NAMES}
    pattern = r"\bSBPAM_[A-Z]+(?:_[A-Z]+)*\b"
    used = set(re.findall(pattern, source)) | secrets | {f"{name}_FILE" for name in secrets}
    named = set(re.findall(pattern, guide("environment")))

    assert named == used


def test_every_status_is_named() -> None:
    text = guide("output")

    assert [status for status in ScanStatus if f"`{status}`" not in text] == []


def test_links_lead_to_files(readme: str) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", readme)

    assert [name for name in targets if "://" not in name and not Path(ROOT, name).is_file()] == []


def test_the_pictures_show_the_demo_that_there_is_and_fetch_nothing(readme: str) -> None:
    def words(name: str) -> str:
        text = (PICTURES / f"{name}.svg").read_text(encoding="utf-8")
        assert f"(tests/pictures/{name}.svg)" in readme
        assert not re.search(r"""url\("?http|<script""", text)
        root = xml.etree.ElementTree.fromstring(text)
        return " ".join(" ".join(root.itertext()).replace("\xa0", " ").split())

    table, display = words("demo"), words("following")

    assert [host for host in sample_hosts() if host not in table] == []
    assert "HOST STATUS JOB ID" in table
    assert re.search(r"24 hosts: \d+ Complete", table)
    assert re.search(r"\d+ of 24 hosts", display)


def test_the_picture_of_the_report_is_there_and_small(readme: str) -> None:
    picture = PICTURES / "report.png"

    assert "(tests/pictures/report.png)" in readme
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size < 200_000


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_line_of_a_page_is_one_that_the_program_takes(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    code = re.findall(r"```(?:sh|powershell)\n(.*?)```", text, re.DOTALL)
    code += [line for line in re.findall(r"`(sbpam [^`]+)`", text) if "..." not in line]
    for part in code:
        for words in calls_in(part.replace("`\n", "").replace("\\", "\\\\")):
            if words[:1] not in ([], ["help"], ["COMMAND"], ["--install-completion"]):
                assert parse_call(words), words
