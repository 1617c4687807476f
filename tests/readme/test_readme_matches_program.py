"""What the README says of the program is what the program has."""

import re
import tomllib
import xml.etree.ElementTree
from pathlib import Path

import pytest
from support.programs import ROOT
from support.regenerate import PICTURES, README, readme_as_made

from sbpam_cli.errors import ExitCode
from sbpam_cli.models import ScanStatus
from sbpam_cli.sandbox.people import sample_hosts
from sbpam_cli.settings.environment import SECRET_NAMES, variable_of


@pytest.fixture(scope="module")
def readme() -> str:
    return README.read_text(encoding="utf-8")


def test_the_options_are_those_of_the_program(readme: str) -> None:
    assert readme == readme_as_made(readme), "run: python tests/support/regenerate.py readme"


def test_the_exit_codes_are_those_of_the_program(readme: str) -> None:
    section = readme.split("## Exit codes", 1)[1].split("\n## ", 1)[0]
    cells = re.findall(r"^\| ([\d, ]+) \|", section, re.M)

    assert {int(code) for cell in cells for code in cell.split(",")} == set(ExitCode)


def test_the_variables_are_those_of_the_program(readme: str) -> None:
    source = "\n".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "sbpam_cli").rglob("*.py")
    )
    secrets = {variable_of(name) for name in SECRET_NAMES}
    pattern = r"\bSBPAM_[A-Z]+(?:_[A-Z]+)*\b"
    used = set(re.findall(pattern, source)) | secrets | {f"{name}_FILE" for name in secrets}
    named = set(re.findall(pattern, readme)) - {"SBPAM_TEST_REQUIRE_ALL"}

    assert named == used


def test_every_status_is_named(readme: str) -> None:
    section = readme.split("## Output", 1)[1].split("\n## ", 1)[0]

    assert [status for status in ScanStatus if f"`{status}`" not in section] == []


def test_every_dependency_is_listed_with_its_reason(readme: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    section = readme.split("## Dependencies", 1)[1].split("\n## ", 1)[0]
    listed = dict(re.findall(r"^\| `([\w-]+)`[^|]*\| (.+) \|$", section, re.M))

    assert set(listed) == {re.split(r"[<>=]", name)[0] for name in project["dependencies"]}
    assert all(listed.values())


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
