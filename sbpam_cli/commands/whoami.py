"""`sbpam whoami`: who is signed in where, until when, and where each secret comes from."""

from sbpam_cli.commands.options import Common, flag, with_common


@with_common
def whoami(
    common: Common,
    check: bool = flag("Ask the server whether each token still works.", "--check"),
) -> int:
    """Shows who is signed in where, and where each secret comes from (never its value).

    Examples:
      sbpam whoami
      sbpam whoami --check
      sbpam whoami --profile nightly -o json
    """
    from sbpam_cli.commands.present import present
    from sbpam_cli.output.columns import WHOAMI
    from sbpam_cli.signin.whoami import run_whoami

    options = common.connection()
    return present(common, "whoami", WHOAMI, lambda ctx: [run_whoami(ctx, options, check=check)])
