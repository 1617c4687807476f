from sbpam_cli.commands.completing import complete_runs
from sbpam_cli.commands.options import YES, Follow, argument, with_common
from sbpam_cli.commands.present import Rows
from sbpam_cli.output.columns import CANCEL
from sbpam_cli.output.context import Context


@with_common(CANCEL)
def cancel(
    ctx: Context,
    names: list[str] = argument(
        ...,
        "A job's UUID, or a run (or the beginning of its id) for all its jobs.",
        "JOB_ID|RUN...",
        autocompletion=complete_runs,
    ),
    yes: bool = YES,
    follow: Follow = None,
) -> Rows:
    """Asks the server to stop jobs; scans that have ended stay as they are.

    Examples:
      sbpam cancel 20261123-031502-7f3a
      sbpam cancel 3f2504e0-4f89-41d3-9a0c-0305e82c3301 --yes --wait
    """
    from sbpam_cli.jobs.cancel import run_cancel

    return run_cancel(ctx, names, sure=yes, follow=follow)
