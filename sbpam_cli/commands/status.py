"""`sbpam status`: what became of hosts."""

from typing import TYPE_CHECKING, Annotated

import typer

from sbpam_cli.commands.app import Common, with_common
from sbpam_cli.commands.completing import complete_runs
from sbpam_cli.commands.durations import read_limits
from sbpam_cli.errors import OptionError
from sbpam_cli.models import ScanStatus
from sbpam_cli.wording import did_you_mean

if TYPE_CHECKING:
    from sbpam_cli.output.context import Context


@with_common
def status(
    ctx: typer.Context,
    *,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN|JOB_ID|HOST]...",
            help="A run (or the beginning of its id), a job's UUID, a host's FQDN.",
            show_default=False,
            autocompletion=complete_runs,
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every job that the server holds.")] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="From the journal; the server is not asked.")
    ] = False,
    only: Annotated[
        str | None,
        typer.Option(
            metavar="STATUS,...", help="Print only these, e.g. failed,running.", show_default=False
        ),
    ] = None,
    exit_status: Annotated[
        bool,
        typer.Option(
            "--exit-status", help="Exit with 8 while going, 5 in doubt, 3 not all Complete."
        ),
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Follow the scans to their end.")] = False,
    timeout: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="With --watch: follow at most so long.", show_default=False
        ),
    ] = None,
    interval: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="With --watch: time between looks; else 2s, growing to 30s.",
            show_default=False,
        ),
    ] = None,
    common: Common,
) -> int:
    """Shows the status of every host: of the newest run, or of what is named."""
    from sbpam_cli.commands.present import present
    from sbpam_cli.commands.schedule import connection_options
    from sbpam_cli.jobs.display import following
    from sbpam_cli.jobs.status import StatusOptions, run_status
    from sbpam_cli.output.columns import HOSTS

    if offline and watch:
        raise OptionError("--watch asks the server, --offline does not")
    if every and (offline or names):
        raise OptionError("--all asks the server, and for everything", hint="leave the rest out")
    options = StatusOptions(
        connection=connection_options(common),
        names=names or (),
        every=every,
        offline=offline,
        watch=watch,
        exit_status=exit_status,
        only=read_statuses(only),
        follow=read_limits(timeout, interval, follows=watch, by="--watch"),
    )

    def body(context: "Context") -> None:
        with following(context, options.only) as watching:
            run_status(context, options, watching.write, watching)

    return present(ctx.obj, common, "status", HOSTS, body)


def read_statuses(text: str | None) -> frozenset[ScanStatus]:
    """Names of statuses, separated by commas, in any case. Raises OptionError."""
    known = {status.lower(): status for status in ScanStatus}
    found = set()
    for name in (text or "").split(","):
        if not (wanted := name.strip().lower()):
            continue
        if wanted not in known:
            raise OptionError(
                f"--only: there is no status {name.strip()[:40]}",
                hint=did_you_mean(wanted, known.values(), ", ".join(known.values())),
            )
        found.add(known[wanted])
    if text is not None and not found:
        raise OptionError("--only names no status", hint=", ".join(known.values()))
    return frozenset(found)
