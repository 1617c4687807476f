"""Profiles (`config.toml`; no secret is in it), and the settings of a command."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from sbpam_cli.errors import InputError, JournalError, SignInError, UsageError, wrong_value
from sbpam_cli.models import FORMS, METHODS, Form, Method, Profile
from sbpam_cli.settings.addresses import parse_fingerprint, parse_server, short_name
from sbpam_cli.settings.environment import NO_TEXT, given_by_environment
from sbpam_cli.system.files import read_private, require_writable, write_private
from sbpam_cli.system.locks import take_turn
from sbpam_cli.system.services import Services
from sbpam_cli.wording import did_you_mean

DEFAULT_PROFILE = "default"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_STORED = tuple(name for name in Profile._fields if name != "name")
PATHS = ("ca_bundle", "client_cert", "client_key")
_WITH_VARIABLE = ("username", "credential", "fingerprint", "output", *PATHS)
_WORDS = {"method": METHODS, "output": FORMS, "insecure": ("true", "false")}
Setting = Literal[
    "server", "method", "username", "credential", "output",
    "ca_bundle", "fingerprint", "client_cert", "client_key", "insecure",
]  # fmt: skip
_LONGEST_LINE = 8192


class ConnectionOptions(NamedTuple):
    """What the command line says about server and user; None if it says nothing."""

    profile: str | None = None
    server: str | None = None
    username: str | None = None
    credential: str | None = None
    ca_bundle: str | None = None
    fingerprint: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    output: str | None = None
    insecure: bool = False
    no_input: bool = False


class Target(NamedTuple):
    """The settings in force.

    profile: its name, also if none is stored.
    origin: `https://host[:port]`, None if no server is known.
    stored: the profile is for this origin and user, so its stored secrets apply.
    sources: where each setting came from: an option, a variable, `profile` or `default`.
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
    output: str | None = None
    sources: Mapping[str, str] = MappingProxyType({})

    @property
    def server(self) -> str:
        """The origin. Raises SignInError if no server is known."""
        if self.origin is None:
            hint = "run `sbpam login --server URL`, or set SBPAM_SERVER"
            raise SignInError("no server is known", hint=hint)
        return self.origin

    @property
    def whom(self) -> str:
        """Who signs in where: `CORP\\ops at nps.example.com`."""
        where = short_name(self.server)
        return f"{self.username} at {where}" if self.username else where

    @property
    def login(self) -> str:
        """The command that signs in to it."""
        profile = f" --profile {self.profile}" if self.profile != DEFAULT_PROFILE else ""
        return f"sbpam login{profile}{'' if self.stored else f' --server {self.server}'}"


def resolve_target(
    services: Services, options: ConnectionOptions, *, new_profile: bool = False
) -> Target:
    """Option, then `SBPAM_*`, then profile, setting by setting.

    On another server than the profile's own none of its settings apply: a TLS exception
    belongs to the server it was made for. new_profile: a name that no profile has is fine.
    Raises UsageError for an unknown profile, InputError for a broken file.
    """
    profiles = load_profiles(services)
    name, _ = _given(services, options, None, "profile")
    saved = profiles.get(name or DEFAULT_PROFILE, Profile(name or DEFAULT_PROFILE))
    origin, source = _given(services, options, saved, "server")
    if name is not None and name not in profiles and origin is None and not new_profile:
        raise unknown_profile(name, profiles)
    own = saved if origin == saved.server else Profile(saved.name)
    sources = {} if origin is None else {"server": source}
    settings: dict[str, str | None] = {}
    for key in _WITH_VARIABLE:
        settings[key], source = _given(services, options, own, key)
        if settings[key] is not None:
            sources[key] = source
    # Option or environment say whom to trust: no old exception outlives that.
    judged = any(sources.get(key, "profile") != "profile" for key in ("ca_bundle", "fingerprint"))
    insecure = options.insecure or (own.insecure and not judged)
    if insecure:
        sources["insecure"] = "--insecure" if options.insecure else "profile"
    method, sources["method"] = _method(services, own, settings)
    return Target(
        profile=saved.name,
        origin=origin,
        method=method,
        stored=own.server is not None and own.username in (None, settings["username"]),
        insecure=insecure,
        sources=sources,
        **settings,
    )


def _given(
    services: Services, options: ConnectionOptions, saved: Profile | None, key: str
) -> tuple[str | None, str]:
    """The setting and where it comes from. Raises OptionError or UsageError."""
    option, variable = f"--{key.replace('_', '-')}", f"SBPAM_{key.upper()}"
    if value := (getattr(options, key) or "").rstrip("\r\n"):
        return parse_setting(key, value, option), option
    if text := services.env(variable):
        return parse_setting(key, text, variable), variable
    return getattr(saved, key, None), "profile"


def parse_setting(key: str, text: str, source: str) -> str:
    """A setting in the one form it is kept in. Raises OptionError or UsageError."""
    if key in _PARSERS:
        return _PARSERS[key](text, source)
    if text not in (known := _WORDS.get(key, (text,))):
        hint = did_you_mean(text, known, f"it is one of {', '.join(known)}")
        raise wrong_value(source, f"there is no {key} {text[:40]!r}", hint=hint)
    if key not in PATHS and NO_TEXT.search(text):
        raise wrong_value(
            source,
            f"{text[:200]!r} holds characters that cannot be part of it",
            hint="is it in this terminal's encoding, and copied without line breaks?",
        )
    return text


def path_to_keep(text: str) -> str:
    """A file's path as a profile keeps it. Raises InputError."""
    path = str(Path(text).absolute())
    if re.search(r"[\ud800-\udfff]", path):
        why = "cannot be written into a profile: its name is not UTF-8"
        raise InputError(f"{text} {why}", hint="rename the file")
    return path


def _method(
    services: Services, own: Profile, settings: Mapping[str, str | None]
) -> tuple[Method, str]:
    if given := given_by_environment(services, "token"):
        return "token", given[0]
    if own.method is not None:
        return own.method, "profile"
    if settings["client_cert"] and (given := given_by_environment(services, "api-key")):
        return "application", given[0]
    return "password", "default"


def check_profile_name(name: str, source: str = "--profile") -> str:
    """The name itself. Raises OptionError or UsageError: letters, digits, `. _ -`, 64 at most."""
    if not _NAME.fullmatch(name):
        raise wrong_value(
            source,
            f"{name[:60]!r} cannot be the name of a profile",
            hint="use letters, digits, '.', '_' and '-', 64 at most",
        )
    return name


_PARSERS = {"server": parse_server, "fingerprint": parse_fingerprint, "profile": check_profile_name}


def unknown_profile(name: str, known: Mapping[str, Profile]) -> UsageError:
    """The error for a name that no profile has, with the nearest one that is."""
    otherwise = f"make it with: sbpam login --profile {name} --server URL"
    if known:
        otherwise = f"there are: {', '.join(sorted(known)[:10])}"
    return UsageError(f"there is no profile {name!r}", hint=did_you_mean(name, known, otherwise))


def load_profiles(services: Services) -> dict[str, Profile]:
    """All profiles by name; none if there is no file. Raises InputError naming the file."""
    path = _path(services)
    return {
        name: _profile(path, name, table) for name, table in _tables(_read(services), path).items()
    }


def form_of_profile(services: Services, name: str | None) -> Form | None:
    """The form of output that a profile sets. A broken file is for others to report."""
    with suppress(InputError, UsageError):
        name = name or services.env("SBPAM_PROFILE") or DEFAULT_PROFILE
        return load_profiles(services).get(name, Profile(name)).output
    return None


def change_profile(services: Services, name: str, change: Callable[[Profile], Profile]) -> None:
    """Changes or makes one profile; the others, and keys that we don't know, stay."""
    import tomli_w

    path = _path(services)
    # Of two at once, the second must read what the first one wrote.
    with take_turn(services, f"profiles {path}", services.clock.sleep):
        document = _read(services)
        tables = _tables(document, path)
        table = tables.get(name, {})
        profile = change(_profile(path, name, table))
        unknown = {k: v for k, v in table.items() if k not in _STORED}
        known = {key: value for key in _STORED if (value := getattr(profile, key))}
        document["profiles"] = tables | {name: unknown | known}
        try:
            text = tomli_w.dumps(document)
        except RecursionError:
            raise _broken(path, "its tables are nested too deep") from None
        with _of_input():
            write_private(services, path, text.encode())


def require_writable_profiles(services: Services) -> None:
    """Raises InputError if `change_profile` could not write."""
    with _of_input():
        require_writable(services, _path(services))


def _path(services: Services) -> Path:
    return services.config_folder() / "config.toml"


@contextmanager
def _of_input() -> Iterator[None]:
    """The file is the user's: what is wrong with it is no error of the journal."""
    try:
        yield
    except JournalError as error:
        raise InputError(error.message, reason=error.reason, hint=error.hint) from None


def _read(services: Services) -> dict[str, Any]:
    import tomllib

    path = _path(services)
    with _of_input():
        content = read_private(services, path) or b""
    if max(map(len, content.split(b"\n"))) > _LONGEST_LINE:
        # A key of many parts takes minutes to read.
        raise _broken(path, f"a line of it is longer than {_LONGEST_LINE:,} bytes")
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        why = f"line {line}: not UTF-8"
    except RecursionError:
        why = "its tables are nested too deep"
    except ValueError as error:
        message, _, place = str(error).partition(" (at line ")
        line = int(place.partition(",")[0]) if place else content.count(b"\n") + 1
        why = f"line {line}: {message}"
    raise _broken(path, why)


def _tables(document: dict[str, Any], path: Path) -> dict[str, dict[str, Any]]:
    tables = document.get("profiles", {})
    if not isinstance(tables, dict) or not all(isinstance(t, dict) for t in tables.values()):
        raise _broken(path, "`profiles` must hold a table for each profile: [profiles.NAME]")
    return tables


def _profile(path: Path, name: str, table: dict[str, Any]) -> Profile:
    values: dict[str, Any] = {key: table[key] for key in _STORED if key in table}
    try:
        check_profile_name(name, "profile")
        for key, value in values.items():
            if not isinstance(value, bool if key == "insecure" else str):
                wanted = "true or false" if key == "insecure" else "a text in quotes"
                raise UsageError(f"`{key}` must be {wanted}")
            if key != "insecure":
                values[key] = parse_setting(key, str(value), key)
    except UsageError as error:
        raise _broken(path, f"profile {name!r}: {error.message}", error.hint) from None
    return Profile(name=name, **values)


def _broken(path: Path, why: str, hint: str | None = None) -> InputError:
    hint = hint or "correct it, or move it away and run `sbpam login` again"
    return InputError(f"{path} cannot be read as it is", reason=why, hint=hint)
