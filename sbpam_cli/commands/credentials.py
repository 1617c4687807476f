from itertools import chain

from sbpam_cli.commands.options import argument, with_common
from sbpam_cli.commands.present import Rows
from sbpam_cli.output.columns import CREDENTIALS
from sbpam_cli.output.context import Context


@with_common(CREDENTIALS)
def credentials(
    ctx: Context,
    text: str = argument("", "A part of the user name, in any case, or of DOMAIN\\name.", "[TEXT]"),
) -> Rows:
    """Finds service accounts and the id to schedule with.

    Examples:
      sbpam credentials scan
      sbpam credentials "CORP\\svc-scan" -o csv
    """
    from sbpam_cli.lookups.accounts import run_credentials

    return chain.from_iterable(run_credentials(ctx, text))
