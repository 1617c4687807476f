"""`sbpam demo`: the whole job against the embedded sandbox, leaving nothing behind."""

from contextlib import ExitStack
from dataclasses import replace
from typing import Annotated

import typer

from sbpam_cli.commands.app import Common, with_common
from sbpam_cli.commands.durations import parse_duration


@with_common
def demo(
    ctx: typer.Context,
    *,
    hosts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[HOST|FILE|-]...",
            help="FQDNs or files of them; without any, a bundled list.",
            show_default=False,
        ),
    ] = None,
    scan_duration: Annotated[
        str, typer.Option(metavar="TIME", help="How long the pretended scans take.")
    ] = "6s",
    common: Common,
) -> int:
    """Shows the whole job against a pretended server: nothing to set up, nothing left behind."""
    import tempfile

    from sbpam_cli.commands.schedule import show_schedule
    from sbpam_cli.hosts.lists import HostSource
    from sbpam_cli.jobs.follow import FollowLimits
    from sbpam_cli.runs.schedule import ScheduleOptions
    from sbpam_cli.sandbox.people import sample_hosts
    from sbpam_cli.sandbox.serve import SandboxServer
    from sbpam_cli.sandbox.world import World
    from sbpam_cli.settings.profiles import ConnectionOptions
    from sbpam_cli.system.signals import Interruption, leave_now

    services = ctx.obj
    scans_take_s = parse_duration(scan_duration, "--scan-duration")
    world = World(now=services.clock.now, scan_duration_s=scans_take_s)
    with ExitStack() as stack:
        # A signal that comes before or after the job itself leaves nothing behind either.
        stack.enter_context(Interruption(lambda code: leave_now(services, code)))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="sbpam-demo-"))
        server = stack.enter_context(SandboxServer(world))
        private = {
            name: value
            for name, value in services.environ.items()
            if not name.startswith("SBPAM_") and name.upper() not in _PROXIES
        }
        environ = private | server.environment()
        environ |= {"SBPAM_CONFIG_HOME": folder, "SBPAM_STATE_HOME": folder}
        for name in ("SBPAM_OUTPUT", "SBPAM_NO_HINTS", "SBPAM_DEBUG"):
            if value := services.env(name):
                environ[name] = value
        own = replace(services, environ=environ)
        sources = [HostSource("argument", name) for name in hosts or ()]
        sources = sources or [HostSource("host", name) for name in sample_hosts()]
        options = ScheduleOptions(
            connection=ConnectionOptions(no_input=True),
            sources=sources,
            batch_size=10,
            wait=True,
            judge_scans=False,
            follow=FollowLimits(interval_s=0.5),
        )
        return show_schedule(own, options, common, "demo")


_PROXIES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "CREDENTIALS_DIRECTORY"})
