from sbpam_cli.commands import options as known
from sbpam_cli.commands.options import Follow, run_argument, several, with_common
from sbpam_cli.models import RESCANNED, FailureReason, ScanStatus
from sbpam_cli.output.columns import HOSTS
from sbpam_cli.output.context import Context

_REASONS: list[str] = [reason for reason in FailureReason if reason != "NoError"]
# Hosts without a reason have one of these.
_REASONS += [status for status in ScanStatus if status in RESCANNED]


@with_common(HOSTS)
def rescan(
    ctx: Context,
    run: str | None = run_argument("the newest one"),
    reason: frozenset[str] | None = several(
        "--reason",
        "reason",
        "Only these: FailedToConnect,AccessDenied.",
        {name: [name] for name in _REASONS},
    ),
    yes: bool = known.YES,
    dry_run: bool = known.DRY_RUN,
    batch_size: int = known.BATCH_SIZE,
    parallel: int = known.PARALLEL,
    follow: Follow = None,
) -> None:
    """Schedules again the hosts of a run whose scans did not succeed, as a new run.

    Server and service account are the run's own. Asks on a terminal.

    Examples:
      sbpam rescan --wait
      sbpam rescan 20261123-031502-7f3a --reason FailedToConnect
    """
    from sbpam_cli.runs.rescan import run_rescan
    from sbpam_cli.runs.schedule import ScheduleOptions
    from sbpam_cli.runs.state import SendLimits

    schedule = ScheduleOptions(
        batch_size=batch_size,
        limits=SendLimits(parallel),
        assume_yes=yes,
        dry_run=dry_run,
        follow=follow,
    )
    run_rescan(ctx, schedule, run, reason or frozenset())
