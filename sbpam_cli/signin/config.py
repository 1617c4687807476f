"""The settings of a profile, shown and changed without signing in."""

from typing import Any, get_args

from sbpam_cli.errors import OptionError, UsageError
from sbpam_cli.models import Profile
from sbpam_cli.output.context import Context
from sbpam_cli.settings.profiles import (
    DEFAULT_PROFILE,
    PATHS,
    ConnectionOptions,
    Setting,
    change_profile,
    check_profile_name,
    load_profiles,
    parse_setting,
    path_to_keep,
    unknown_profile,
)
from sbpam_cli.signin.logout import run_logout
from sbpam_cli.signin.session import find_target

Row = tuple[str, str | None, str | None]


def list_settings(ctx: Context) -> list[Row]:
    """Every setting in force; None: there is none."""
    target = find_target(ctx)
    values = target._asdict() | {"server": target.origin}
    values["insecure"] = "true" if target.insecure else "false"
    sources = {"insecure": "default"} | dict(target.sources)
    return [(key, values[key], sources.get(key)) for key in get_args(Setting)]


def write_setting(ctx: Context, key: Setting) -> None:
    """Raises UsageError if there is none."""
    [row] = [row for row in list_settings(ctx) if row[0] == key]
    if row[1] is None:
        hint = f"`sbpam config set {key} VALUE` sets it"
        saved = load_profiles(ctx.services).get(ctx.outcome.profile or "")
        if getattr(saved, key, None):
            hint = f"the profile has one, but is not of this server: {ctx.outcome.server}"
        raise UsageError(f"{key} is not set", hint=hint)
    ctx.printer.write_alone(row, row[1])


def change_setting(ctx: Context, key: Setting, text: str | None) -> None:
    """text: None to unset. Makes the profile to set it in."""
    services, options, value = ctx.services, ctx.connection, None
    if options != ConnectionOptions(profile=options.profile, no_input=options.no_input):
        raise OptionError("config changes what KEY names, and takes no other setting")
    name = check_profile_name(options.profile or services.env("SBPAM_PROFILE") or DEFAULT_PROFILE)
    ctx.outcome.profile = name
    profiles = load_profiles(services)
    if text is not None:
        value = parse_setting(key, text.rstrip("\r\n"), key)
        value = path_to_keep(value) if key in PATHS else value
    elif name not in profiles:
        raise unknown_profile(name, profiles)

    def changed(old: Profile) -> Profile:
        change: dict[str, Any] = {key: value == "true" if key == "insecure" else value}
        new = old._replace(**change)
        if old.server not in (None, new.server) and (old.fingerprint or old.insecure):
            ctx.console.note(f"what was trusted of {old.server} no longer is")
            new = new._replace(fingerprint=None, insecure=False)
        if value is not None and key in ("fingerprint", "ca_bundle"):
            new = new._replace(insecure=False)
        return new

    old = profiles.get(name)
    change_profile(services, name, changed)
    if old is not None and key in ("username", "method") and getattr(old, key) not in (None, value):
        # They are another user's.
        run_logout(ctx)
