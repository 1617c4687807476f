from sbpam_cli.commands.options import flag, with_common
from sbpam_cli.commands.present import Rows
from sbpam_cli.output.columns import WHOAMI
from sbpam_cli.output.context import Context


@with_common(WHOAMI)
def whoami(
    ctx: Context,
    check: bool = flag("Ask the server whether each token still works."),
) -> Rows:
    """Shows who is signed in where, and where each secret comes from (never its value).

    Examples:
      sbpam whoami
      sbpam whoami --check
      sbpam whoami --profile nightly -o json
    """
    from sbpam_cli.signin.whoami import run_whoami

    return [run_whoami(ctx, check=check)]
