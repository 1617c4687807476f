"""`sbpam sandbox`: the embedded server, for rehearsals."""

from signal import SIGINT
from typing import TYPE_CHECKING, Annotated

import typer

from sbpam_cli.commands.app import Common, with_common
from sbpam_cli.commands.durations import parse_duration
from sbpam_cli.errors import Interrupted

if TYPE_CHECKING:
    from sbpam_cli.sandbox.rehearsal import Rehearsal


@with_common
def sandbox(
    ctx: typer.Context,
    *,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="N", help="Its port; 0 for a free one.")
    ] = 6500,
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed makes the same world.")] = 0,
    scan_duration: Annotated[
        str, typer.Option(metavar="TIME", help="How long the scans of a job take.")
    ] = "30s",
    failing: Annotated[
        float, typer.Option(min=0, max=1, metavar="SHARE", help="Share of hosts that fail.")
    ] = 0.1,
    latency: Annotated[str, typer.Option(metavar="TIME", help="Delay of each reply.")] = "0",
    sign_in_life: Annotated[
        str, typer.Option("--token-life", metavar="TIME", help="How long a token lasts.")
    ] = "15m",
    common: Common,
) -> int:
    """Serves a pretended NPS server over HTTPS until Ctrl-C."""
    from sbpam_cli.output.console import Console
    from sbpam_cli.sandbox.rehearsal import serve_forever
    from sbpam_cli.sandbox.serve import SandboxServer
    from sbpam_cli.sandbox.world import World
    from sbpam_cli.system.signals import Interruption, leave_now

    services = ctx.obj
    console = Console(services, quiet=common.quiet, verbose=common.verbose)
    world = World(
        seed=seed,
        now=services.clock.now,
        scan_duration_s=parse_duration(scan_duration, "--scan-duration"),
        failing_share=failing,
        token_life_s=parse_duration(sign_in_life, "--token-life"),
    )
    server = SandboxServer(
        world,
        host=host,
        port=port,
        latency_s=parse_duration(latency, "--latency"),
    )

    def announce(rehearsal: "Rehearsal") -> None:
        for line in describe(rehearsal):
            console.write(line + "\n")
        console.flush()
        console.note("serving until Ctrl-C")

    try:
        with Interruption(lambda code: leave_now(services, code)) as interruption:
            serve_forever(server, announce, interruption.event)
    except Interrupted as stop:
        if stop.signal_number != SIGINT:
            raise
        console.note("")
    return 0


def describe(rehearsal: "Rehearsal") -> list[str]:
    """Lines for a shell: what to export, and who may sign in."""
    lines = [f"# sandbox at {rehearsal.url}; paste this into another shell:"]
    lines += [f"export {name}='{value}'" for name, value in rehearsal.environment.items()]
    lines += ["# then: sbpam schedule web01.corp.example web02.corp.example --wait"]
    lines += [f"# fingerprint {rehearsal.fingerprint}"]
    for user in rehearsal.users:
        lines.append(f"# user {user.login}  password {user.password}  MFA {user.mfa}")
    for name, credential_id in rehearsal.credentials:
        lines.append(f"# credential {credential_id}  {name}")
    return lines
