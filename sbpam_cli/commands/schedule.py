"""`sbpam schedule`: the main job."""

from typing import TYPE_CHECKING, Annotated

import typer

from sbpam_cli.commands.app import Common, with_common
from sbpam_cli.commands.durations import parse_duration, positive_duration, read_limits
from sbpam_cli.errors import OptionError

if TYPE_CHECKING:
    from sbpam_cli.runs.schedule import ScheduleOptions
    from sbpam_cli.settings.profiles import ConnectionOptions
    from sbpam_cli.system.services import Services


@with_common
def schedule(
    ctx: typer.Context,
    *,
    hosts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[HOST|FILE|-]...",
            help="FQDNs, files of them, - for stdin.",
            show_default=False,
        ),
    ] = None,
    credential: Annotated[
        str | None,
        typer.Option(
            metavar="ID|NAME",
            help="The service account (SBPAM_CREDENTIAL): its id, its name, or DOMAIN\\name.",
            show_default=False,
        ),
    ] = None,
    file: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE", help="A file of hosts, whatever its name.", show_default=False
        ),
    ] = None,
    host: Annotated[
        list[str] | None,
        typer.Option(metavar="FQDN", help="A host, whatever its name.", show_default=False),
    ] = None,
    column: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|NUMBER",
            help="The column of a CSV that holds the FQDN.",
            show_default=False,
        ),
    ] = None,
    skip_invalid: Annotated[
        bool, typer.Option("--skip-invalid", help="Send the good names, report the others.")
    ] = False,
    allow_empty: Annotated[
        bool, typer.Option("--allow-empty", help="An empty list is a success.")
    ] = False,
    batch_size: Annotated[
        int, typer.Option(min=1, metavar="N", help="Hosts in a POST; each makes one job.")
    ] = 500,
    parallel: Annotated[
        int, typer.Option(min=1, max=64, metavar="N", help="POSTs in flight at a time.")
    ] = 4,
    max_hosts: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Refuse a list of more hosts.", show_default=False),
    ] = None,
    max_running: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="The next batch starts when fewer hosts are unfinished.",
            show_default=False,
        ),
    ] = None,
    skip_recent: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Skip hosts accepted within that time.", show_default=False
        ),
    ] = None,
    send_timeout: Annotated[
        str, typer.Option(metavar="TIME", help="Limit for one POST, answer included.")
    ] = "2m",
    settle_after: Annotated[
        str,
        typer.Option(metavar="TIME", help="How long until 'no such job' is believed."),
    ] = "3m",
    new_run: Annotated[
        bool, typer.Option("--new-run", help="Don't continue an unfinished run of this list.")
    ] = False,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Stop at the first batch that fails.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the list with the server, schedule nothing.")
    ] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="With --dry-run: check the list alone.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the scans to their end.")] = False,
    timeout: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="With --wait: follow at most so long.", show_default=False
        ),
    ] = None,
    interval: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="With --wait: time between looks; else 2s, growing to 30s.",
            show_default=False,
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Don't ask before more than 1,000 hosts.")
    ] = False,
    common: Common,
) -> int:
    """Schedules scans of hosts and prints one row for each.

    Hosts are FQDNs: arguments, files (text, CSV, JSON, NDJSON, LDIF) or stdin.
    """
    from sbpam_cli.hosts.lists import HostSource
    from sbpam_cli.runs.schedule import ScheduleOptions
    from sbpam_cli.runs.send import SendLimits

    sources = [HostSource("argument", name) for name in hosts or ()]
    sources += [HostSource("file", name) for name in file or ()]
    sources += [HostSource("host", name) for name in host or ()]
    if offline and not dry_run:
        raise OptionError("--offline goes with --dry-run")
    options = ScheduleOptions(
        connection=connection_options(common, credential=credential),
        sources=sources,
        column=column,
        batch_size=batch_size,
        limits=SendLimits(
            parallel, positive_duration(send_timeout, "--send-timeout"), fail_fast, max_running
        ),
        settle_after_s=parse_duration(settle_after, "--settle-after"),
        skip_recent_s=(
            positive_duration(skip_recent, "--skip-recent") if skip_recent is not None else None
        ),
        new_run=new_run,
        max_hosts=max_hosts,
        assume_yes=yes,
        skip_invalid=skip_invalid,
        allow_empty=allow_empty,
        dry_run=dry_run,
        offline=offline,
        wait=wait,
        follow=read_limits(timeout, interval, follows=wait, by="--wait"),
    )
    return show_schedule(ctx.obj, options, common, "schedule")


def connection_options(common: Common, *, credential: str | None = None) -> "ConnectionOptions":
    """What the shared options say about server and user."""
    from sbpam_cli.settings.profiles import ConnectionOptions

    return ConnectionOptions(
        profile=common.profile,
        server=common.server,
        ca_bundle=common.ca_bundle,
        fingerprint=common.fingerprint,
        credential=credential,
        no_input=common.no_input,
    )


def show_schedule(
    services: "Services",
    options: "ScheduleOptions",
    common: Common,
    command: str,
) -> int:
    """Runs the job and shows it; returns the exit code."""
    from sbpam_cli.commands.present import present
    from sbpam_cli.output.columns import HOSTS
    from sbpam_cli.runs.schedule import run_schedule

    return present(services, common, command, HOSTS, lambda ctx: run_schedule(ctx, options))
