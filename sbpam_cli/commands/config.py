"""`sbpam config`: a profile's settings, without signing in again."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, get_args

import typer

from sbpam_cli.commands.app import Command, Group
from sbpam_cli.commands.options import Common, argument, with_common
from sbpam_cli.settings.profiles import Setting

if TYPE_CHECKING:
    from sbpam_cli.output.context import Context

config = typer.Typer(name="config", cls=Group, invoke_without_command=True, add_completion=False)
_KEY: Any = argument(..., f"{', '.join(get_args(Setting))}.", "KEY")


@config.callback()
@with_common
def show_settings(common: Common) -> int:
    """Shows and changes a profile's settings, without signing in again.

    Without a command, every setting in force is listed.

    Examples:
      sbpam config set credential svc-scan
      sbpam config get server --profile nightly
      sbpam config unset insecure
    """
    return _list(common)


@config.command("list", cls=Command)
@with_common
def list_all(common: Common) -> int:
    """Lists every setting in force, and where it comes from.

    Examples:
      sbpam config list
      sbpam config list --profile nightly -o json
    """
    return _list(common)


@config.command("get", cls=Command)
@with_common
def get(common: Common, key: Setting = _KEY) -> int:
    """Prints the value of one setting, alone.

    Examples:
      sbpam config get server
      sbpam config get credential --profile nightly
    """
    from sbpam_cli.signin.config import write_setting

    return _present(common, lambda ctx: write_setting(ctx, common.connection(), key))


@config.command("set", cls=Command)
@with_common
def set_value(
    common: Common,
    key: Setting = _KEY,
    value: str = argument(..., "Its value; true or false for insecure.", "VALUE"),
) -> int:
    """Sets one setting; makes the profile where there is none.

    Examples:
      sbpam config set server nps.example.com --profile nightly
      sbpam config set output json
    """
    from sbpam_cli.signin.config import change_setting

    return _present(common, lambda ctx: change_setting(ctx, common.connection(), key, value))


@config.command("unset", cls=Command)
@with_common
def unset(common: Common, key: Setting = _KEY) -> int:
    """Removes one setting from the profile.

    Examples:
      sbpam config unset insecure
      sbpam config unset credential --profile nightly
    """
    from sbpam_cli.signin.config import change_setting

    return _present(common, lambda ctx: change_setting(ctx, common.connection(), key, None))


def _list(common: Common) -> int:
    from sbpam_cli.signin.config import list_settings

    return _present(common, lambda ctx: list_settings(ctx, common.connection()))


def _present(common: Common, body: "Callable[[Context], Any]") -> int:
    from sbpam_cli.commands.present import present
    from sbpam_cli.output.columns import SETTINGS

    return present(common, "config", SETTINGS, body)
