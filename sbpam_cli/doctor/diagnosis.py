"""Everything a run needs, checked one thing after another, for the moment when cron fails.

Nothing here asks a person, schedules, or is recorded.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from sbpam_cli.doctor.checks import Finding, carry_out, failed
from sbpam_cli.doctor.local import check_settings, secret_checks, state_checks
from sbpam_cli.doctor.server import ServerChecks
from sbpam_cli.errors import OptionError, SbpamError, UsageError
from sbpam_cli.output.console import Console
from sbpam_cli.settings.profiles import ConnectionOptions, Target, resolve_target
from sbpam_cli.signin.session import open_secrets

if TYPE_CHECKING:
    from sbpam_cli.output.context import Context
    from sbpam_cli.system.services import Services


class _Unwarned(Console):
    """Without warnings: the rows tell the same."""

    def warn(self, text: str) -> None:
        """Dropped."""


def run_doctor(ctx: "Context", options: ConnectionOptions) -> Iterator[Finding]:
    """The findings, each as soon as it is known.

    Raises OptionError or UsageError for what the command line itself names wrongly.
    """
    services = ctx.services
    target, settings = _resolve(services, options)
    yield settings
    yield from carry_out(services, state_checks(services))
    if target is None:
        yield Finding("server", None, f"skipped: {settings.check} is not ok")
        return
    ctx.outcome.server, ctx.outcome.profile = target.origin, target.profile
    if services.stderr_is_terminal():
        ctx.console.note(f"asking {target.origin}")
    console = _Unwarned(services, verbose=ctx.console.verbose)
    # Nobody is asked, by the keyring neither: cron would not see it.
    ctx = replace(ctx, console=console, no_input=True)
    secrets = open_secrets(ctx, target)
    for check in secret_checks(ctx, target, secrets):
        yield from carry_out(services, [check])
    yield from carry_out(services, ServerChecks(ctx, target, secrets).all())


def _resolve(services: "Services", options: ConnectionOptions) -> tuple[Target | None, Finding]:
    """The target, and what is found of it; None if no server can be asked."""
    try:
        target = resolve_target(services, options)
        return target, Finding("profile", *check_settings(services, target))
    except SbpamError as error:
        # What a cron job inherits is a finding; what was just typed is a usage error.
        if isinstance(error, OptionError) or (
            options.profile is not None and isinstance(error, UsageError)
        ):
            raise
        return None, Finding("profile", *failed(error))
