"""Where a secret is looked for, in which order, and what is refused."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.site import bare_services
from support.talk import Heard

from sbpam_cli.errors import InputError, SbpamError, SignInError
from sbpam_cli.settings.environment import SECRET_NAMES, SecretName, variable_of
from sbpam_cli.settings.keyring import Vault
from sbpam_cli.settings.profiles import Target
from sbpam_cli.settings.secrets import (
    LONGEST_SECRET,
    Found,
    Secrets,
    check_secret,
    decode_secret,
    read_secret_file,
)

ORIGIN = "https://nps:6500"


class Shelf:
    """A vault that has every secret of the profile `p` at the origin."""

    def get(self, profile: str, origin: str, name: SecretName) -> str | None:
        return f"kept {name}" if (profile, origin) == ("p", ORIGIN) else None


def secrets_of(
    environ: dict[str, str],
    given: dict[SecretName, Found] | None = None,
    talk: Heard | None = None,
    **target: Any,
) -> Secrets:
    settings: dict[str, Any] = {"profile": "p", "origin": ORIGIN, "method": "password"}
    chosen = Target(**(settings | {"stored": True} | target))
    vault = cast("Vault", Shelf())
    return Secrets(bare_services(environ), chosen, vault, talk or Heard(), given or {})


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_each_source_gives_way_to_the_one_before(tmp_path: Path, name: SecretName) -> None:
    variable = variable_of(name)
    file = written(tmp_path / "file", b"in file")
    written(tmp_path / f"sbpam-{name}", b"in credentials")
    environ = {
        variable: "in variable",
        f"{variable}_FILE": str(file),
        "CREDENTIALS_DIRECTORY": str(tmp_path),
    }
    option = Found("in option", "--x-file")
    assert secrets_of(environ, {name: option}).find(name) == option
    for gone, expected in [
        ("", Found("in variable", variable)),
        (variable, Found("in file", f"{variable}_FILE")),
        (f"{variable}_FILE", Found("in credentials", f"$CREDENTIALS_DIRECTORY/sbpam-{name}")),
        ("CREDENTIALS_DIRECTORY", Found(f"kept {name}", "keyring")),
    ]:
        environ[gone] = ""
        assert secrets_of(environ).find(name) == expected


@pytest.mark.parametrize("name", ["SBPAM_PASSWORD_FILE", "CREDENTIALS_DIRECTORY"])
def test_a_file_that_cannot_be_read_names_its_source(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "sbpam-password"
    folder.mkdir()
    named = folder if name.endswith("_FILE") else tmp_path
    with pytest.raises(SignInError) as caught:
        secrets_of({name: str(named)}).find("password")
    assert name in caught.value.message
    assert str(folder) in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n", b"\xef\xbb\xbf", b"\xff\xfe\n\0"])
def test_an_empty_file_holds_no_secret(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(SignInError, match="holds no secret"):
        read_secret_file(written(tmp_path / "f", content), "--password-file", SignInError)


@pytest.mark.parametrize(
    "content",
    [
        *(b"geheim\xff", b"geheim\nand more", b"geheim\rmore", b"geheim\0", b"geheim\x1b[D"),
        *(b"\xff\xfegeheim\xd8", b"geheim" * 11_000),
    ],
)
def test_what_no_secret_can_be_is_refused_without_being_shown(content: bytes) -> None:
    with pytest.raises(InputError) as caught:
        decode_secret(content, "--password-stdin", InputError)
    assert caught.value.message.startswith("--password-stdin ")
    assert "geheim" not in f"{caught.value.message}{caught.value.reason}{caught.value.hint}"
    assert caught.value.__cause__ is None
    assert len(content) <= LONGEST_SECRET or "too long" in caught.value.message


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_a_file_that_others_can_read_is_warned_of_once_and_used(tmp_path: Path) -> None:
    file = written(tmp_path / "f", b"pw")
    talk = Heard()
    environ = {"SBPAM_PASSWORD_FILE": str(file)}
    found = Found("pw", "SBPAM_PASSWORD_FILE")
    assert secrets_of(environ, talk=talk).find("password") == found
    assert talk.notes == []
    file.chmod(0o640)
    secrets = secrets_of(environ, talk=talk)
    assert [secrets.find("password"), secrets.find("password")] == [found, found]
    assert talk.notes == [f"other users can read {file}; narrow it with: chmod 600 {file}"]
    # Systemd's own mode is no reason to warn.
    written(tmp_path / "sbpam-password", b"pw").chmod(0o440)
    assert secrets_of({"CREDENTIALS_DIRECTORY": str(tmp_path)}, talk=talk).find("password")
    assert len(talk.notes) == 1


@pytest.mark.skipif(os.name != "posix", reason="the browser is a script")
def test_no_child_inherits_a_secret(tmp_path: Path) -> None:
    browser = written(tmp_path / "browser", b'#!/bin/sh\nenv > "$0.env"\n')
    browser.chmod(0o700)
    program = "from sbpam_cli.system.services import system_services as s; s().open_page('x')"
    environ = {variable_of(name): "geheim" for name in SECRET_NAMES}
    environ |= {"BROWSER": f"{browser} %s", "PATH": os.environ["PATH"]}
    subprocess.run([sys.executable, "-c", program], env=environ, check=True)
    inherited = Path(f"{browser}.env").read_text()
    assert "PATH=" in inherited
    assert "geheim" not in inherited


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1),
    st.sampled_from(["", "\n", "\r\n", "\r", "\n\n"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_the_newline_at_the_end_is_not_part_of_a_secret(text: str, end: str, code: str) -> None:
    if code == "utf-8" and text.startswith("\ufeff"):
        text = "x" + text
    assert decode_secret(f"{text}{end}".encode(code), "x", InputError) == text
    assert check_secret(f"{text}{end}", "x", SbpamError) == text
