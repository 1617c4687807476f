"""`sbpam schedule`: the main job."""

from typing import Annotated

from sbpam_cli.commands.options import (
    SENDING,
    Common,
    Credential,
    Full,
    HostArguments,
    Interval,
    Offline,
    SendTimeout,
    SettleAfter,
    Timeout,
    Wait,
    Yes,
    duration,
    flag,
    follow_limits,
    option,
    with_common,
)
from sbpam_cli.errors import OptionError

_LIST = {"rich_help_panel": "The list of hosts"}


@with_common
def schedule(
    common: Common,
    hosts: HostArguments = None,
    credential: Credential = None,
    yes: Yes = False,
    full: Full = False,
    dry_run: Annotated[
        bool, flag("Check the list with the server, schedule nothing.", "--dry-run")
    ] = False,
    offline: Offline = False,
    file: Annotated[
        list[str] | None,
        option("A file of hosts, whatever its name.", "FILE", **_LIST),
    ] = None,
    host: Annotated[list[str] | None, option("A host, whatever its name.", "FQDN", **_LIST)] = None,
    column: Annotated[
        str | None,
        option("The column of a table with the FQDN.", "NAME|NUMBER", **_LIST),
    ] = None,
    skip_invalid: Annotated[
        bool, flag("Send the good names, report the others.", "--skip-invalid", **_LIST)
    ] = False,
    skip_recent: Annotated[
        float | None, duration("Skip hosts accepted within that time.", **_LIST)
    ] = None,
    allow_empty: Annotated[
        bool, flag("An empty list is a success.", "--allow-empty", **_LIST)
    ] = False,
    max_hosts: Annotated[
        int | None, option("Refuse a list of more hosts.", "N", min=0, **_LIST)
    ] = None,
    batch_size: Annotated[
        int,
        option(
            "Hosts in a POST; each makes one job.",
            "N",
            min=1,
            show_default=True,
            **SENDING,
        ),
    ] = 500,
    parallel: Annotated[
        int,
        option(
            "POSTs in flight at a time, 64 at most.",
            "N",
            min=1,
            max=64,
            show_default=True,
            **SENDING,
        ),
    ] = 4,
    max_running: Annotated[
        int | None,
        option(
            "The next batch starts when fewer hosts are unfinished.",
            "N",
            min=1,
            **SENDING,
        ),
    ] = None,
    send_timeout: SendTimeout = 120.0,
    settle_after: SettleAfter = 180.0,
    fail_fast: Annotated[
        bool, flag("Stop at the first batch that fails.", "--fail-fast", **SENDING)
    ] = False,
    new_run: Annotated[
        bool, flag("Don't continue an unfinished run of this list.", "--new-run", **SENDING)
    ] = False,
    wait: Wait = False,
    timeout: Timeout = None,
    interval: Interval = None,
) -> int:
    """Schedules scans of hosts and prints one row for each.

    Hosts are FQDNs: arguments, files (text, CSV, JSON, NDJSON, LDIF) or stdin.

    Examples:
      sbpam schedule --dry-run hosts.csv
      sbpam schedule --credential svc-scan hosts.csv --wait --timeout 2h
      sbpam status --only failed | sbpam schedule --credential svc-scan -
    """
    from sbpam_cli.commands.present import present
    from sbpam_cli.hosts.lists import HostSource
    from sbpam_cli.output.columns import HOSTS
    from sbpam_cli.runs.schedule import ScheduleOptions, run_schedule
    from sbpam_cli.runs.send import SendLimits

    if offline and not dry_run:
        raise OptionError("--offline goes with --dry-run")
    sources = [HostSource("argument", name) for name in hosts or ()]
    sources += [HostSource("file", name) for name in file or ()]
    sources += [HostSource("host", name) for name in host or ()]
    options = ScheduleOptions(
        connection=common.connection(credential=credential),
        sources=sources,
        column=column,
        batch_size=batch_size,
        limits=SendLimits(parallel, send_timeout, fail_fast, max_running),
        settle_after_s=settle_after,
        skip_recent_s=skip_recent,
        new_run=new_run,
        max_hosts=max_hosts,
        assume_yes=yes,
        skip_invalid=skip_invalid,
        allow_empty=allow_empty,
        dry_run=dry_run,
        offline=offline,
        wait=wait,
        follow=follow_limits(timeout, interval, wait=wait),
    )
    return present(common, "schedule", HOSTS, lambda ctx: run_schedule(ctx, options), full=full)
