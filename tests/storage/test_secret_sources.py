"""Where a secret is looked for, in which order, and what is said about it."""

import io
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbpam_cli.errors import InputError, SignInError
from sbpam_cli.settings.keyring import Vault
from sbpam_cli.settings.profiles import Target
from sbpam_cli.settings.secrets import (
    SECRET_NAMES,
    Found,
    SecretName,
    Secrets,
    read_secret,
    read_secret_file,
    strip_newline,
    variable_of,
)
from sbpam_cli.system.services import Services

ORIGIN = "https://nps:6500"


class _Talk:
    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)

    warn = trace = note


class _Shelf(Vault):
    """A vault that answers at once, for every profile and origin it was given."""

    def __init__(self, values: dict[tuple[str, str, str], str]) -> None:
        self._values = values

    def get(self, profile: str, origin: str, name: SecretName) -> str | None:
        return self._values.get((profile, origin, name))


def _secrets(
    environ: dict[str, str],
    given: dict[SecretName, Found] | None = None,
    talk: _Talk | None = None,
    **target: Any,
) -> Secrets:
    services = Services(io.BytesIO(), io.StringIO(), io.StringIO(), environ)
    settings: dict[str, Any] = {"profile": "p", "origin": ORIGIN, "method": "password"}
    settings |= {"stored": True, **target}
    shelf = _Shelf({("p", ORIGIN, name): f"kept {name}" for name in SECRET_NAMES})
    return Secrets(services, Target(**settings), shelf, talk or _Talk(), given)


def _file(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_each_source_gives_way_to_the_one_before(tmp_path: Path, name: SecretName) -> None:
    variable = variable_of(name)
    file = _file(tmp_path / "file", b"in file")
    _file(tmp_path / f"sbpam-{name}", b"in credentials")
    environ = {
        variable: "in variable",
        f"{variable}_FILE": str(file),
        "CREDENTIALS_DIRECTORY": str(tmp_path),
    }
    option = Found("in option", "--x-file")
    expected = [
        (option.value, option.source),
        ("in variable", variable),
        ("in file", f"{variable}_FILE"),
        ("in credentials", f"$CREDENTIALS_DIRECTORY/sbpam-{name}"),
        (f"kept {name}", "keyring"),
    ]
    seen = []
    given = {name: option}
    for gone in ("", variable, f"{variable}_FILE", "CREDENTIALS_DIRECTORY"):
        if gone:
            environ[gone] = ""
        found = [_secrets(environ, given).find(name)] if not gone else []
        found.append(_secrets(environ).find(name))
        seen += [(at.value, at.source) for at in found if at is not None]
    assert seen == expected


@pytest.mark.parametrize("target", [{"stored": False}, {"origin": "https://other:6500"}])
def test_the_keyring_is_for_the_profiles_own_server_and_user(target: dict[str, Any]) -> None:
    assert _secrets({}, **target).find("password") is None


def test_values_are_in_no_repr() -> None:
    found = _secrets({"SBPAM_PASSWORD": "geheim"}).find("password")
    assert found is not None
    assert found.value == "geheim"
    assert "geheim" not in repr(found)


@pytest.mark.parametrize("name", ["SBPAM_PASSWORD_FILE", "CREDENTIALS_DIRECTORY"])
def test_a_file_that_cannot_be_read_names_its_source(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "sbpam-password"
    folder.mkdir()
    named = folder if name.endswith("_FILE") else tmp_path
    with pytest.raises(SignInError) as caught:
        _secrets({name: str(named)}).find("password")
    assert name in caught.value.message
    assert str(folder) in caught.value.message
    assert caught.value.hint


def test_a_missing_file_is_not_passed_over(tmp_path: Path) -> None:
    with pytest.raises(SignInError, match=r"SBPAM_TOKEN_FILE: .*nothing cannot be read"):
        _secrets({"SBPAM_TOKEN_FILE": str(tmp_path / "nothing")}).find("token")


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n", b"\xef\xbb\xbf", b"\xff\xfe\n\0"])
def test_an_empty_file_holds_no_secret(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError, match="holds no secret"):
        read_secret_file(_file(tmp_path / "f", content), "--password-file", InputError)


def test_bytes_that_are_no_text_are_refused_without_being_shown() -> None:
    with pytest.raises(InputError) as caught:
        read_secret(b"geheim\xff", "--password-stdin", InputError)
    assert "geheim" not in f"{caught.value.message}{caught.value.reason}{caught.value.hint}"
    assert caught.value.__cause__ is None


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_a_file_that_others_can_read_is_said_once_and_used(tmp_path: Path) -> None:
    file = _file(tmp_path / "f", b"pw")
    talk = _Talk()
    secrets = _secrets({"SBPAM_PASSWORD_FILE": str(file)}, talk=talk)
    secrets.find("password")
    assert talk.said == []
    file.chmod(0o640)
    assert [secrets.find("password"), secrets.find("password")] == [
        Found("pw", "SBPAM_PASSWORD_FILE")
    ] * 2
    assert talk.said == [f"other users can read {file}; narrow it with: chmod 600 {file}"]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_systemds_own_mode_is_no_reason_to_warn(tmp_path: Path) -> None:
    file = _file(tmp_path / "sbpam-password", b"pw")
    file.chmod(0o440)
    talk = _Talk()
    assert _secrets({"CREDENTIALS_DIRECTORY": str(tmp_path)}, talk=talk).find("password")
    assert talk.said == []


@given(
    st.text(st.characters(codec="utf-8"), min_size=1),
    st.sampled_from(["", "\n", "\r\n"]),
    st.sampled_from(["utf-8-sig", "utf-16"]),
)
def test_one_newline_at_the_end_is_not_part_of_a_secret(text: str, end: str, coding: str) -> None:
    text = text.strip("\r\n") or "x"
    assert read_secret(f"{text}{end}".encode(coding), "x", InputError) == text


def test_only_one_newline_goes() -> None:
    assert [strip_newline(t) for t in ("a\n\n", "a\r\n", "a\n", "a\r", "a ")] == [
        "a\n",
        "a",
        "a",
        "a\r",
        "a ",
    ]
