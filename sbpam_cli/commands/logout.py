"""`sbpam logout`: forgets the secrets of a profile, or of all."""

from sbpam_cli.commands.options import Common, flag, with_common


@with_common
def logout(
    common: Common,
    every_profile: bool = flag("Forget the secrets of every profile.", "--all"),
) -> int:
    """Forgets the secrets of a profile; its settings stay.

    Examples:
      sbpam logout
      sbpam logout --all
    """
    from sbpam_cli.commands.present import present
    from sbpam_cli.output.columns import LOGOUT
    from sbpam_cli.signin.logout import run_logout

    options = common.connection()
    return present(
        common,
        "logout",
        LOGOUT,
        lambda ctx: run_logout(ctx, options, every_profile=every_profile),
    )
