from sbpam_cli.commands import options as known
from sbpam_cli.commands.options import SENDING, Follow, flag, option, with_common
from sbpam_cli.errors import OptionError
from sbpam_cli.output.columns import HOSTS
from sbpam_cli.output.context import Context

_LIST = "The list of hosts"


@with_common(HOSTS)
def schedule(
    ctx: Context,
    hosts: list[str] | None = known.HOSTS_TO_SCAN,
    credential: str | None = known.CREDENTIAL,
    yes: bool = known.YES,
    dry_run: bool = known.DRY_RUN,
    offline: bool = known.OFFLINE,
    file: list[str] = option([], "A file of hosts, whatever its name.", "FILE", panel=_LIST),
    host: list[str] = option([], "A host, whatever its name.", "FQDN", panel=_LIST),
    column: str | None = option(
        None, "The column of a table with the FQDN.", "NAME|NUMBER", panel=_LIST
    ),
    allow_partial: bool = flag("Take LDIF that its directory cut short.", panel=_LIST),
    skip_invalid: bool = flag("Send the good names, report the others.", panel=_LIST),
    skip_recent: float | None = known.duration(
        None, "Skip hosts accepted within that time.", panel=_LIST
    ),
    allow_empty: bool = flag("An empty list is a success.", panel=_LIST),
    max_hosts: int | None = option(None, "Refuse a list of more hosts.", "N", min=0, panel=_LIST),
    batch_size: int = known.BATCH_SIZE,
    parallel: int = known.PARALLEL,
    max_running: int | None = option(
        None, "The next batch starts when fewer hosts are unfinished.", "N", min=1, panel=SENDING
    ),
    send_timeout: float = known.SEND_TIMEOUT,
    settle_after: float = known.SETTLE_AFTER,
    fail_fast: bool = flag("Stop at the first batch that fails.", panel=SENDING),
    new_run: bool = flag("Don't continue an unfinished run of this list.", panel=SENDING),
    follow: Follow = None,
) -> None:
    """Schedules scans of hosts and prints one row for each.

    Hosts are FQDNs: arguments, files (text, CSV, JSON, NDJSON, LDIF) or stdin.

    Examples:
      sbpam schedule --dry-run hosts.csv
      sbpam schedule --credential svc-scan hosts.csv --wait --timeout 2h
      sbpam status --only failed | sbpam schedule --credential svc-scan -
    """
    from sbpam_cli.hosts.lists import HostSource, ReadingRules
    from sbpam_cli.runs.schedule import ScheduleOptions, run_schedule
    from sbpam_cli.runs.state import SendLimits

    if offline and not dry_run:
        raise OptionError("--offline goes with --dry-run")
    sources = [HostSource("argument", name) for name in hosts or ()]
    sources += [HostSource("file", name) for name in file]
    sources += [HostSource("host", name) for name in host]
    options = ScheduleOptions(
        sources=sources,
        reading=ReadingRules(column, allow_partial, max_hosts),
        batch_size=batch_size,
        limits=SendLimits(parallel, send_timeout, fail_fast, max_running, settle_after),
        skip_recent_s=skip_recent,
        new_run=new_run,
        assume_yes=yes,
        skip_invalid=skip_invalid,
        allow_empty=allow_empty,
        dry_run=dry_run,
        offline=offline,
        follow=follow,
    )
    ctx.connection = ctx.connection._replace(credential=credential)
    run_schedule(ctx, options)
