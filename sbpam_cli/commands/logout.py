from sbpam_cli.commands.options import flag, with_common
from sbpam_cli.output.columns import LOGOUT
from sbpam_cli.output.context import Context


@with_common(LOGOUT)
def logout(
    ctx: Context,
    every_profile: bool = flag("Forget the secrets of every profile.", "--all"),
) -> None:
    """Forgets the secrets of a profile; its settings stay.

    Examples:
      sbpam logout
      sbpam logout --all
    """
    from sbpam_cli.signin.logout import run_logout

    run_logout(ctx, every_profile=every_profile)
