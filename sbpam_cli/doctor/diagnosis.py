"""What a run needs, checked one thing after another: of this person, or of a job of cron's.

Nothing here asks a person, schedules, or is recorded.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sbpam_cli.doctor.checks import Finding, carry_out, failed
from sbpam_cli.doctor.local import check_settings, secret_checks, state_checks
from sbpam_cli.doctor.server import ServerChecks
from sbpam_cli.errors import OptionError, SbpamError, UsageError
from sbpam_cli.output.console import Console
from sbpam_cli.output.context import Context
from sbpam_cli.settings.profiles import ConnectionOptions, Target, resolve_target
from sbpam_cli.signin.session import open_secrets
from sbpam_cli.system.services import Services

_FINE = "Nothing that stops a run was found"


class _Unwarned(Console):
    """Without warnings: the rows tell the same."""

    def warn(self, text: str) -> None:
        """Dropped."""


def run_doctor(ctx: Context, *, unattended: bool) -> Sequence[Finding]:
    """The findings, those that are not ok first; the verdict is in `outcome`.

    unattended: for a job of cron's; otherwise what is stored of this person's session serves.
    Raises OptionError or UsageError for what the command line itself names wrongly.
    """
    findings = list(_examine(ctx, unattended))
    bad = [finding.check for finding in findings if finding.ok is False]
    unseen = [finding.check for finding in findings if finding.ok is None]
    verdict = f"A run fails, now or soon: {', '.join(bad)}" if bad else _FINE
    if unseen:
        verdict += f"; not looked at: {', '.join(unseen)}"
    ctx.outcome.verdict, ctx.outcome.partial = f"{verdict}.", bool(bad)
    return sorted(findings, key=lambda finding: finding.ok is not False)


def _examine(ctx: Context, unattended: bool) -> Iterator[Finding]:
    services = ctx.services
    target, settings = _resolve(services, ctx.connection)
    yield settings
    checks = state_checks(services)
    if target is None:
        yield from carry_out(services, checks)
        yield Finding("server", None, f"skipped: {settings.check} is not ok")
        return
    ctx.outcome.server, ctx.outcome.profile = target.origin, target.profile
    if services.stderr_is_terminal():
        ctx.console.note(f"asking {target.origin}")
    console = _Unwarned(services, quiet=ctx.console.quiet, verbose=ctx.console.verbose)
    ctx = replace(ctx, console=console)
    secrets = open_secrets(ctx, target)
    checks += secret_checks(ctx, target, secrets, unattended=unattended)
    yield from carry_out(services, checks)
    server = ServerChecks(ctx, target, secrets, unattended=unattended)
    yield from carry_out(services, server.all())


def _resolve(services: Services, options: ConnectionOptions) -> tuple[Target | None, Finding]:
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
