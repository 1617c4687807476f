import os
from collections.abc import Iterator
from signal import SIGINT
from typing import TYPE_CHECKING

from sbpam_cli.commands.options import duration, option, with_common
from sbpam_cli.errors import Interrupted
from sbpam_cli.output.context import Context

if TYPE_CHECKING:
    from sbpam_cli.sandbox.serve import SandboxServer


@with_common(None)
def sandbox(
    ctx: Context,
    port: int = option(6500, "Its port; 0 for a free one.", "N", min=0, max=65535),
    seed: int = option(0, "The same seed makes the same world.", "N"),
    scan_duration: float = duration("30s", "How long the scans of a job take."),
    failing: float = option(0.1, "Share of hosts that fail.", "SHARE", min=0, max=1),
    sign_in_life: float = duration("15m", "How long a token lasts.", "--token-life"),
) -> None:
    """Serves a pretended NPS server over HTTPS until Ctrl-C.

    Examples:
      sbpam sandbox
      sbpam sandbox --port 0 --scan-duration 5m --failing 0.5
    """
    from sbpam_cli.sandbox.serve import SandboxServer
    from sbpam_cli.sandbox.world import World
    from sbpam_cli.system.signals import Interruption

    services, console = ctx.services, ctx.console
    world = World(
        seed=seed,
        now=services.clock.now,
        scan_duration_s=scan_duration,
        failing_share=failing,
        token_life_s=sign_in_life,
    )
    try:
        with Interruption(services) as interruption, SandboxServer(world, port=port) as server:
            for line in describe(server):
                console.write(line + "\n")
            console.flush()
            console.note("serving until Ctrl-C")
            while not interruption.event.wait(0.5):
                pass
    except Interrupted as stop:
        if stop.signal_number != SIGINT:
            raise
        console.note("")


def describe(server: "SandboxServer") -> Iterator[str]:
    """Lines for a shell: what to export, and who may sign in."""
    yield f"# sandbox at {server.url}; paste this into another shell:"
    for name, value in server.environment().items():
        yield f"$env:{name} = '{value}'" if os.name == "nt" else f"export {name}='{value}'"
    yield "# then: sbpam schedule web01.corp.example web02.corp.example --wait"
    yield f"# fingerprint {server.fingerprint}"
    for user in server.world.users:
        yield f"# user {user.login}  password {user.password}  MFA {user.mfa}"
    for row in server.world.credentials:
        if row["credentialId"] is not None and row["credentialType"] == "Configuration":
            yield f"# credential {row['credentialId']}  {row['domain']}\\{row['userName']}"
