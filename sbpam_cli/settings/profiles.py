"""Profiles (`config.toml`; no secret is in it), and the settings of a command.

Which server a command talks to, as whom, and where each setting came from.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from sbpam_cli.errors import InputError, OptionError, SbpamError, SignInError, UsageError
from sbpam_cli.models import METHODS, Method, Profile
from sbpam_cli.settings.addresses import parse_fingerprint, parse_server
from sbpam_cli.settings.secrets import given_by_environment
from sbpam_cli.system.files import read_private, write_private
from sbpam_cli.wording import did_you_mean

if TYPE_CHECKING:
    from sbpam_cli.system.services import Services

DEFAULT_PROFILE = "default"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_SETTINGS = tuple(name for name in Profile._fields if name != "name")
_VARIABLES = {
    "username": "SBPAM_USERNAME",
    "credential": "SBPAM_CREDENTIAL",
    "ca_bundle": "SBPAM_CA_BUNDLE",
    "fingerprint": "SBPAM_FINGERPRINT",
    "client_cert": "SBPAM_CLIENT_CERT",
    "client_key": "SBPAM_CLIENT_KEY",
}


class ConnectionOptions(NamedTuple):
    """What the command line says about server and user; None where it says nothing."""

    profile: str | None = None
    server: str | None = None
    username: str | None = None
    credential: str | None = None
    ca_bundle: str | None = None
    fingerprint: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    insecure: bool = False
    no_input: bool = False


class Target(NamedTuple):
    """The settings in force.

    profile: its name, also where none is stored.
    origin: `https://host[:port]`, None where no server is known.
    stored: the profile is for this origin and user, so its stored secrets apply.
    sources: where each setting came from: an option, a variable or `profile`.
    """

    profile: str
    origin: str | None
    method: Method
    stored: bool = False
    username: str | None = None
    credential: str | None = None
    ca_bundle: str | None = None
    fingerprint: str | None = None
    insecure: bool = False
    client_cert: str | None = None
    client_key: str | None = None
    sources: Mapping[str, str] = MappingProxyType({})

    @property
    def server(self) -> str:
        """The origin. Raises SignInError where no server is known."""
        if self.origin is None:
            raise SignInError(
                "no server is known",
                hint="run `sbpam login --server URL`, or set SBPAM_SERVER",
            )
        return self.origin


def resolve_target(
    services: "Services", options: ConnectionOptions, *, new_profile: bool = False
) -> Target:
    """Option, then `SBPAM_*`, then profile, setting by setting.

    Where the server is not the profile's own, none of the profile's settings
    apply: a TLS exception belongs to the server it was made for.
    new_profile: a name that no profile has is fine (`login`).
    Raises UsageError for an unknown profile, InputError for a broken file.
    """
    profiles = load_profiles(services)
    name, name_source = _first(options.profile, "--profile", services, "SBPAM_PROFILE")
    if name is not None:
        check_profile_name(name, name_source)
    saved = profiles.get(name or DEFAULT_PROFILE)
    text, source = _first(options.server, "--server", services, "SBPAM_SERVER")
    if name is not None and saved is None and text is None and not new_profile:
        raise unknown_profile(name, profiles)
    saved = saved or Profile(name=name or DEFAULT_PROFILE)
    origin = parse_server(text, source) if text is not None else saved.server
    own = saved if origin is not None and origin == saved.server else Profile(name=saved.name)
    settings, sources = _settings(services, options, own)
    if origin is not None:
        sources["server"] = source if text is not None else "profile"
    user, own_user = settings["username"], own.username
    return Target(
        profile=saved.name,
        origin=origin,
        method=_method(services, own, settings),
        stored=own.server is not None and own_user in (None, user),
        insecure=options.insecure or (own.insecure and not _judges_certificate(sources)),
        sources=sources,
        **settings,
    )


def _settings(
    services: "Services", options: ConnectionOptions, own: Profile
) -> tuple[dict[str, str | None], dict[str, str]]:
    settings: dict[str, str | None] = {}
    sources: dict[str, str] = {}
    parsers: dict[str, Callable[[str, str], str]] = {"fingerprint": parse_fingerprint}
    for key, variable in _VARIABLES.items():
        option = f"--{key.replace('_', '-')}"
        value, source = _first(getattr(options, key), option, services, variable)
        if value is not None and key in parsers:
            value = parsers[key](value, source)
        if value is None and (value := getattr(own, key)) is not None:
            source = "profile"
        settings[key] = value
        if value is not None:
            sources[key] = source
    return settings, sources


def _judges_certificate(sources: Mapping[str, str]) -> bool:
    """Whether option or environment say whom to trust: no old exception outlives that."""
    return any(sources.get(key, "profile") != "profile" for key in ("ca_bundle", "fingerprint"))


def _first(
    value: str | None, option: str, services: "Services", variable: str
) -> tuple[str | None, str]:
    return (value, option) if value else (services.env(variable), variable)


def _method(services: "Services", own: Profile, settings: dict[str, str | None]) -> Method:
    if given_by_environment(services, "token"):
        return "token"
    if own.method is not None:
        return own.method
    if settings["client_cert"] and given_by_environment(services, "api-key"):
        return "application"
    return "password"


def check_profile_name(name: str, source: str = "--profile") -> str:
    """The name itself. Raises OptionError: letters, digits, `. _ -`, 64 at most."""
    if not _NAME.fullmatch(name):
        raise OptionError(
            f"{source}: {name[:60]!r} cannot be the name of a profile",
            hint="use letters, digits, '.', '_' and '-', 64 at most",
        )
    return name


def load_profiles(services: "Services") -> dict[str, Profile]:
    """All profiles by name; none where there is no file. Raises InputError naming the file."""
    path = _path(services)
    return {name: _profile(path, name, table) for name, table in _tables(_read(path), path).items()}


def save_profile(services: "Services", profile: Profile) -> None:
    """Writes one profile, leaving the others, and keys that we don't know, as they are."""
    import tomli_w

    path = _path(services)
    document = _read(path)
    tables = _tables(document, path)
    table = tables.setdefault(profile.name, {})
    for key in _SETTINGS:
        value = getattr(profile, key)
        if value is None or value is False:
            table.pop(key, None)
        else:
            table[key] = value
    document["profiles"] = tables
    write_private(path, tomli_w.dumps(document).encode(), error=InputError)


def unknown_profile(name: str, known: "dict[str, Profile]") -> UsageError:
    """The error for a name that no profile has, with the nearest one that is."""
    otherwise = f"make it with: sbpam login --profile {name} --server URL"
    if known:
        otherwise = f"there are: {', '.join(sorted(known)[:10])}"
    return UsageError(f"there is no profile {name!r}", hint=did_you_mean(name, known, otherwise))


def _path(services: "Services") -> Path:
    return services.config_folder() / "config.toml"


def _read(path: Path) -> dict[str, Any]:
    import tomllib

    content = read_private(path, error=InputError)
    if content is None:
        return {}
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _broken(path, f"line {line}: not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        place = re.search(r" \(at line (\d+), column \d+\)", message)
        line = int(place[1]) if place else content.count(b"\n") + 1
        raise _broken(path, f"line {line}: {message[: place.start()] if place else message}") from (
            None
        )


def _tables(document: dict[str, Any], path: Path) -> dict[str, dict[str, Any]]:
    tables = document.get("profiles", {})
    if not isinstance(tables, dict) or not all(isinstance(t, dict) for t in tables.values()):
        raise _broken(path, "`profiles` must hold a table for each profile: [profiles.NAME]")
    return tables


def _profile(path: Path, name: str, table: dict[str, Any]) -> Profile:
    values = {key: table[key] for key in _SETTINGS if key in table}
    for key, value in values.items():
        if not isinstance(value, bool if key == "insecure" else str):
            wanted = "true or false" if key == "insecure" else "a text in quotes"
            raise _broken(path, f"profile {name!r}: `{key}` must be {wanted}")
    if values.get("method", "password") not in METHODS:
        raise _broken(path, f"profile {name!r}: `method` must be one of {', '.join(METHODS)}")
    try:
        check_profile_name(name, "profile")
        if "server" in values:
            values["server"] = parse_server(values["server"], "server")
        if "fingerprint" in values:
            values["fingerprint"] = parse_fingerprint(values["fingerprint"], "fingerprint")
    except SbpamError as error:
        raise _broken(path, f"profile {name!r}: {error.message}", error.hint) from None
    return Profile(name=name, **values)


def _broken(path: Path, why: str, hint: str | None = None) -> InputError:
    return InputError(
        f"{path} cannot be read as it is",
        reason=why,
        hint=hint or "correct it, or move it away and run `sbpam login` again",
    )
