"""A wheel and an sdist, built as a packager would, and the wheel in an environment of its own."""

import subprocess
import sys
import tarfile
import venv
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from support.programs import ROOT, copy_checkout
from support.regenerate import COMPLETIONS

import sbpam_cli

pytestmark = pytest.mark.slow

NAME = f"sbpam_cli-{sbpam_cli.__version__}"
SHARED = {
    "bash": "share/bash-completion/completions/sbpam",
    "zsh": "share/zsh/site-functions/_sbpam",
    "fish": "share/fish/vendor_completions.d/sbpam.fish",
    "powershell": "share/sbpam/sbpam.ps1",
}


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, encoding="utf-8", timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with both; the wheel is built from the sdist."""
    folder = tmp_path_factory.mktemp("built")
    source = copy_checkout(folder / "source")
    run(sys.executable, "-m", "build", "--outdir", folder / "dist", cwd=source)
    return folder / "dist"


def test_the_wheel_holds_the_package_and_the_completions(built: Path) -> None:
    with zipfile.ZipFile(built / f"{NAME}-py3-none-any.whl") as wheel:
        names = set(wheel.namelist())
        metadata = message_from_bytes(wheel.read(f"{NAME}.dist-info/METADATA"))
        shared = {
            shell: wheel.read(f"{NAME}.data/data/{path}").decode() for shell, path in SHARED.items()
        }

    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "sbpam_cli").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert package | {f"{NAME}.dist-info/licenses/LICENSE"} <= names
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"sbpam_cli", f"{NAME}.dist-info", f"{NAME}.data"}
    assert shared == {shell: path.read_text("utf-8") for shell, path in COMPLETIONS.items()}
    assert metadata["Name"] == "sbpam-cli"
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"


def test_the_sdist_holds_everything(built: Path) -> None:
    with tarfile.open(built / f"{NAME}.tar.gz") as sdist:
        names = {name.removeprefix(f"{NAME}/") for name in sdist.getnames()}

    expected = {"README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml", ".ci/run", "PKG-INFO"}
    expected |= {"tests/conftest.py", "tests/pictures/demo.svg", "sbpam_cli/py.typed"}
    expected |= {path.relative_to(ROOT).as_posix() for path in COMPLETIONS.values()}
    assert expected <= names
    assert [name for name in names if "__pycache__" in name or name.endswith(".pyc")] == []


def test_the_wheel_installs_and_runs(built: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    scripts = tmp_path / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
    [wheel] = built.glob("*.whl")

    run(scripts / "python", "-m", "pip", "install", wheel, cwd=tmp_path)

    assert run(scripts / "sbpam", "--version", cwd=tmp_path) == f"sbpam {NAME.split('-')[1]}\n"
    assert run(scripts / "sbpam", "demo", "--scan-duration", "0.1s", cwd=tmp_path)
    assert (tmp_path / "venv" / SHARED["bash"]).is_file()
