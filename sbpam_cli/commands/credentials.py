"""`sbpam credentials`: finds service accounts, and the id to schedule with."""

from itertools import chain

from sbpam_cli.commands.options import Common, argument, with_common


@with_common
def credentials(
    common: Common,
    text: str = argument("", "A part of the user name, in any case, or of DOMAIN\\name.", "[TEXT]"),
) -> int:
    """Finds service accounts and the id to schedule with.

    Examples:
      sbpam credentials scan
      sbpam credentials "CORP\\svc-scan" -o csv
    """
    from sbpam_cli.commands.present import present
    from sbpam_cli.lookups.accounts import run_credentials
    from sbpam_cli.output.columns import CREDENTIALS

    options = common.connection()
    return present(
        common,
        "credentials",
        CREDENTIALS,
        lambda ctx: chain.from_iterable(run_credentials(ctx, options, text)),
    )
