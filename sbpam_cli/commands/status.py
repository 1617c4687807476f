from sbpam_cli.commands import options as known
from sbpam_cli.commands.completing import complete_runs
from sbpam_cli.commands.options import Follow, argument, flag, several, with_common
from sbpam_cli.errors import OptionError
from sbpam_cli.models import PROBLEMS, ScanStatus
from sbpam_cli.output.columns import HOSTS
from sbpam_cli.output.context import Context

_NAMES: dict[str, frozenset[ScanStatus]] = {name: frozenset([name]) for name in ScanStatus}
_NAMES["problems"] = PROBLEMS


@with_common(HOSTS)
def status(
    ctx: Context,
    names: list[str] | None = argument(
        None,
        "A run (or the beginning of its id), a job's UUID, a host's FQDN.",
        "[RUN|JOB_ID|HOST]...",
        autocompletion=complete_runs,
    ),
    every: bool = flag("Every job that the server holds.", "--all"),
    offline: bool = known.OFFLINE,
    only: frozenset[ScanStatus] | None = several(
        "--only", "status", "Print only these: failed,running; or problems.", _NAMES
    ),
    exit_status: bool = flag("Exit with 8 while going, 5 in doubt, 3 not all Complete."),
    follow: Follow = None,
) -> None:
    """Shows the status of every host: of the newest run, or of what is named.

    Examples:
      sbpam status --watch
      sbpam status 20261123 --only problems
      sbpam status web01.corp.example -o json
    """
    from sbpam_cli.jobs.status import StatusOptions, run_status

    if offline and follow is not None:
        raise OptionError("--watch asks the server, --offline does not")
    if every and (offline or names):
        raise OptionError("--all asks the server, and for everything", hint="leave the rest out")
    options = StatusOptions(
        names=names or (),
        every=every,
        offline=offline,
        exit_status=exit_status,
        only=only or frozenset(),
        follow=follow,
    )
    run_status(ctx, options)
