from typing import Any, get_args

import typer

from sbpam_cli.commands.app import Command, Group
from sbpam_cli.commands.options import argument, with_common
from sbpam_cli.commands.present import Rows
from sbpam_cli.output.columns import SETTINGS
from sbpam_cli.output.context import Context
from sbpam_cli.settings.profiles import Setting

config = typer.Typer(name="config", cls=Group, invoke_without_command=True, add_completion=False)
_KEY: Any = argument(..., f"{', '.join(get_args(Setting))}.", "KEY")


@config.callback()
@with_common(SETTINGS)
def show_settings(ctx: Context) -> Rows:
    """Shows and changes a profile's settings, without signing in again.

    Without a command, every setting in force is listed.

    Examples:
      sbpam config set credential svc-scan
      sbpam config get server --profile nightly
      sbpam config unset insecure
    """
    from sbpam_cli.signin.config import list_settings

    return list_settings(ctx)


@config.command("list", cls=Command)
@with_common(SETTINGS)
def list_all(ctx: Context) -> Rows:
    """Lists every setting in force, and where it comes from.

    Examples:
      sbpam config list
      sbpam config list --profile nightly -o json
    """
    from sbpam_cli.signin.config import list_settings

    return list_settings(ctx)


@config.command("get", cls=Command)
@with_common(SETTINGS)
def get(ctx: Context, key: Setting = _KEY) -> None:
    """Prints the value of one setting, alone.

    Examples:
      sbpam config get server
      sbpam config get credential --profile nightly
    """
    from sbpam_cli.signin.config import write_setting

    write_setting(ctx, key)


@config.command("set", cls=Command)
@with_common(SETTINGS)
def set_value(
    ctx: Context,
    key: Setting = _KEY,
    value: str = argument(..., "Its value; true or false for insecure.", "VALUE"),
) -> None:
    """Sets one setting; makes the profile where there is none.

    Examples:
      sbpam config set server nps.example.com --profile nightly
      sbpam config set output json
    """
    from sbpam_cli.signin.config import change_setting

    change_setting(ctx, key, value)


@config.command("unset", cls=Command)
@with_common(SETTINGS)
def unset(ctx: Context, key: Setting = _KEY) -> None:
    """Removes one setting from the profile.

    Examples:
      sbpam config unset insecure
      sbpam config unset credential --profile nightly
    """
    from sbpam_cli.signin.config import change_setting

    change_setting(ctx, key, None)
