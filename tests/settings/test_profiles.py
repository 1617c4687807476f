"""`config.toml`, and which setting wins."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from support.site import bare_services

from sbpam_cli.errors import InputError, OptionError
from sbpam_cli.models import Profile
from sbpam_cli.settings.profiles import (
    ConnectionOptions,
    Target,
    change_profile,
    load_profiles,
    resolve_target,
)
from sbpam_cli.system.services import Services

A, B = "https://a.corp.example:6500", "https://b.corp.example:6500"
PIN = "ab" * 32
APPLICATION = {"SBPAM_API_KEY": "k", "SBPAM_CLIENT_CERT": "c", "SBPAM_SERVER": "c"}


def _services(folder: Path, **environ: str) -> Services:
    return bare_services({"SBPAM_CONFIG_HOME": str(folder / "config"), **environ})


def _write(folder: Path, text: str | bytes) -> Path:
    path = folder / "config" / "config.toml"
    path.parent.mkdir(mode=0o700)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def _resolve(folder: Path, environ: dict[str, str] | None = None, **options: Any) -> Target:
    return resolve_target(_services(folder, **(environ or {})), ConnectionOptions(**options))


def _change(services: Services) -> None:
    change_profile(services, "y", lambda profile: profile)
    load_profiles(services)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A folder with two profiles: everything set for A, token for B."""
    services = _services(tmp_path)
    everything = Profile(
        "default", A, "password", "CORP\\joe", "svc", "/ca.pem", PIN, True, "/c.pem", "/k.pem"
    )
    change_profile(services, "default", lambda _: everything)
    change_profile(services, "berlin", lambda _: Profile("berlin", B, "token"))
    return tmp_path


def test_saving_keeps_what_it_does_not_know_and_drops_what_is_unset(tmp_path: Path) -> None:
    path = _write(
        tmp_path,
        '\ufefftheme = "dark"\n[profiles.x]\nserver = "a"\nfuture = [1, 2]\ninsecure = true\n'
        "[profiles.y.deep]\nz = 1\n",
    )
    change_profile(_services(tmp_path), "x", lambda _: Profile("x", B))
    assert tomllib.loads(path.read_text()) == {
        "theme": "dark",
        "profiles": {"x": {"server": B, "future": [1, 2]}, "y": {"deep": {"z": 1}}},
    }


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ('a = 1\n\n[profiles.x\nserver = "b"', "line 3: "),
        ('a = 1\n[profiles.x]\nserver = "b', "line 3: "),
        (b'a = 1\nb = "\xff"', "line 2: not UTF-8"),
        ("profiles = 3", "`profiles` must hold a table"),
        ("[profiles]\nx = 3", "`profiles` must hold a table"),
        ("[profiles.x]\nserver = 3", "profile 'x': `server` must be a text"),
        ("[profiles.x]\ninsecure = 'yes'", "profile 'x': `insecure` must be true or false"),
        ("[profiles.x]\nmethod = 'magic'", "profile 'x': method: there is no method 'magic'"),
        ("[profiles.x]\nserver = 'http://a'", "profile 'x': server: "),
        ('[profiles.x]\nusername = "a\\u0007b"', "characters that cannot be part of it"),
        ("[profiles.x]\nfingerprint = 'ab'", "profile 'x': fingerprint: "),
        ("[profiles.'x y']\nserver = 'a'", "cannot be the name of a profile"),
        ("x = " + "[" * 5000, "nested too deep"),
        ("x = " + "1" * 5000, "line 1: "),
        ("x." * 500_000 + "x = 1", "longer than 8,192 bytes"),
        ("x." * 4000 + "x = 1", "nested too deep"),
    ],
)
def test_a_broken_file_is_said_with_its_place(
    tmp_path: Path, content: str | bytes, why: str
) -> None:
    path = _write(tmp_path, content)
    with pytest.raises(InputError) as caught:
        _change(_services(tmp_path))
    assert str(path) in caught.value.message
    assert why in (caught.value.reason or "")
    assert caught.value.hint


def test_option_then_environment_then_profile(saved: Path) -> None:
    environ = {"SBPAM_USERNAME": "env", "SBPAM_CREDENTIAL": "env", "SBPAM_CLIENT_KEY": ""}
    target = _resolve(saved, environ, username="option")
    assert (target.username, target.credential, target.client_key) == ("option", "env", "/k.pem")
    assert target.sources["username"] == "--username"
    assert target.sources["credential"] == "SBPAM_CREDENTIAL"
    assert target.sources["client_key"] == target.sources["server"] == "profile"


# Another host, or only another port.
@pytest.mark.parametrize("other", [B, f"{A}1"])
def test_no_part_of_a_profile_goes_to_another_server(saved: Path, other: str) -> None:
    for target in (_resolve(saved, server=other), _resolve(saved, {"SBPAM_SERVER": other})):
        sources = dict(target.sources)
        assert target == Target("default", origin=other, method="password", sources=sources)
        assert not target.stored


def test_a_certificate_judged_by_option_or_environment_ends_an_old_exception(saved: Path) -> None:
    assert not _resolve(saved, fingerprint="cd" * 32).insecure
    assert not _resolve(saved, {"SBPAM_CA_BUNDLE": "/other.pem"}).insecure
    assert _resolve(saved, insecure=True, fingerprint="cd" * 32).insecure


@pytest.mark.parametrize(
    ("environ", "profile", "method"),
    [
        ({}, "default", "password"),
        ({}, "berlin", "token"),
        ({"SBPAM_TOKEN": "t"}, "default", "token"),
        ({"SBPAM_TOKEN": ""}, "default", "password"),
        ({"SBPAM_TOKEN_FILE": "/missing"}, "default", "token"),
        ({"SBPAM_API_KEY": "k", "SBPAM_CLIENT_CERT": "c"}, "berlin", "token"),
        (APPLICATION, None, "application"),
        (APPLICATION | {"SBPAM_API_KEY": "", "SBPAM_API_KEY_FILE": "f"}, None, "application"),
        (APPLICATION | {"SBPAM_CLIENT_CERT": ""}, None, "password"),
    ],
)
def test_the_method_follows_from_what_there_is(
    saved: Path, environ: dict[str, str], profile: str | None, method: str
) -> None:
    assert _resolve(saved, environ, profile=profile).method == method


def test_a_profiles_name_is_a_plain_word(tmp_path: Path) -> None:
    assert _resolve(tmp_path, profile="").profile == "default"
    for name in ("a b", "../x", "é", "x" * 65, "-x", "a/b", "a\nb"):
        with pytest.raises(OptionError, match="cannot be"):
            _resolve(tmp_path, profile=name)
