from contextlib import ExitStack
from dataclasses import replace

from sbpam_cli.commands.options import HOSTS_TO_SCAN, duration, with_common
from sbpam_cli.output.columns import HOSTS
from sbpam_cli.output.context import Context

_LEFT_OUT = ("SBPAM_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "CREDENTIALS_DIRECTORY")


@with_common(HOSTS)
def demo(
    ctx: Context,
    hosts: list[str] | None = HOSTS_TO_SCAN,
    scan_duration: float = duration("6s", "How long the pretended scans take."),
) -> None:
    """Shows the whole job against a pretended server: nothing to set up, nothing left behind.

    Without hosts it takes a list of its own.

    Examples:
      sbpam demo
      sbpam demo web01.corp.example web02.corp.example -o json
    """
    import tempfile

    from sbpam_cli.hosts.lists import HostSource
    from sbpam_cli.jobs.follow import FollowLimits
    from sbpam_cli.runs.schedule import ScheduleOptions, run_schedule
    from sbpam_cli.sandbox.people import sample_hosts
    from sbpam_cli.sandbox.serve import SandboxServer
    from sbpam_cli.sandbox.world import World
    from sbpam_cli.settings.profiles import ConnectionOptions
    from sbpam_cli.system.signals import Interruption

    services = ctx.services
    world = World(now=services.clock.now, scan_duration_s=scan_duration)
    with ExitStack() as stack:
        # A signal that comes before or after the job itself leaves nothing behind either.
        stack.enter_context(Interruption(services))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="sbpam-demo-"))
        server = stack.enter_context(SandboxServer(world))
        environ = {
            name: value
            for name, value in services.environ.items()
            if name == "SBPAM_DEBUG" or not name.upper().startswith(_LEFT_OUT)
        }
        environ |= server.environment()
        environ |= dict.fromkeys(("SBPAM_CONFIG_HOME", "SBPAM_STATE_HOME"), folder)
        sources = [HostSource("argument", name) for name in hosts or ()]
        sources = sources or [HostSource("host", name) for name in sample_hosts()]
        options = ScheduleOptions(
            sources=sources, batch_size=10, follow=FollowLimits(interval_s=0.5)
        )
        own = replace(services, environ=environ)
        connection = ConnectionOptions(no_input=True)
        run_schedule(replace(ctx, services=own, connection=connection), options)
        # Some scans fail there, so that one sees what that is like.
        ctx.outcome.partial = False
