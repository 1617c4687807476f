from sbpam_cli.commands import options as known
from sbpam_cli.commands.completing import complete_runs, complete_words
from sbpam_cli.commands.options import Follow, argument, flag, option, read_names, with_common
from sbpam_cli.errors import OptionError
from sbpam_cli.models import PROBLEMS, ScanStatus
from sbpam_cli.output.columns import HOSTS
from sbpam_cli.output.context import Context


def read_statuses(text: str | frozenset[ScanStatus]) -> frozenset[ScanStatus]:
    """Names of statuses, separated by commas, in any case; `problems` stands for several."""
    meant: dict[str, frozenset[ScanStatus]] = {s: frozenset([s]) for s in ScanStatus}
    return read_names("--only", "status", text, {**meant, "problems": PROBLEMS})


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
    only: frozenset[ScanStatus] | None = option(
        None,
        "Print only these: failed,running; or problems.",
        "STATUS,...",
        parser=read_statuses,
        autocompletion=complete_words(["problems", *ScanStatus]),
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
    from sbpam_cli.jobs.watching import following

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
    with following(ctx, options.only) as watching:
        run_status(ctx, options, watching)
