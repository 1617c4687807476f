"""Everything a run needs, checked one thing after another, for the moment when cron fails.

Nothing here asks a person, schedules, or is recorded, and nothing hangs: every
check runs in a daemon thread and is given up after its time.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from sbpam_cli.errors import OptionError, SbpamError, UsageError
from sbpam_cli.models import Talk
from sbpam_cli.settings.profiles import ConnectionOptions, Target, resolve_target

if TYPE_CHECKING:
    from sbpam_cli.output.context import Context
    from sbpam_cli.system.services import Services

SOON_S = 14 * 86400.0
"""What breaks a run within this time is not ok today."""
_LONGEST_WAIT_S = 0.5


class Finding(NamedTuple):
    """One row. ok: False only for what breaks a run, now or within 14 days; None: not looked at.

    remedy: what to do, or, where it is ok, what would be better.
    """

    check: str
    ok: bool | None
    detail: str
    remedy: str | None = None


class Check(NamedTuple):
    """A check to be made. blocks: why the ones after it are skipped where it is not ok."""

    name: str
    work: Callable[[], Finding]
    limit_s: float = 10.0
    blocks: str | None = None


class Unwarned:
    """A `Talk` without warnings: the rows say the same."""

    def __init__(self, talk: Talk) -> None:
        self.note, self.trace = talk.note, talk.trace

    def warn(self, text: str) -> None:
        """Dropped."""


def run_doctor(ctx: "Context", options: ConnectionOptions) -> Iterator[Finding]:
    """The findings, each as soon as it is known.

    Raises OptionError or UsageError for what the command line itself names wrongly.
    """
    from sbpam_cli.doctor.local import folder_checks, secret_checks
    from sbpam_cli.doctor.server import ServerChecks

    services, outcome = ctx.services, ctx.outcome
    yield _environment(services)
    config, state = folder_checks(services)
    yield from carry_out(services, config)
    target, finding = _target(services, options)
    yield finding
    yield from carry_out(services, state)
    if target is None:
        yield from skip(("keyring", "secrets", *ServerChecks.NAMES), "the settings cannot be read")
        return
    outcome.server, outcome.profile = target.origin, target.profile
    yield from carry_out(services, secret_checks(ctx, target, Unwarned(ctx.console)))
    if target.origin is None:
        yield from skip(ServerChecks.NAMES, "no server")
        return
    if services.stderr_is_terminal():
        ctx.console.note(f"asking {target.origin}")
    yield from carry_out(services, ServerChecks(ctx, target).all())


def carry_out(services: "Services", checks: "Iterator[Check] | list[Check]") -> Iterator[Finding]:
    """The findings of checks in order; what an earlier one makes impossible is skipped."""
    blocked: str | None = None
    for check in checks:
        if blocked is not None:
            yield from skip((check.name,), blocked)
            continue
        finding = _carry_out_one(services, check)
        yield finding
        if finding.ok is False:
            blocked = check.blocks


def skip(names: tuple[str, ...], why: str) -> Iterator[Finding]:
    """Checks that were not made."""
    for name in names:
        yield Finding(name, None, f"skipped: {why}")


def failed(check: str, error: SbpamError) -> Finding:
    """An error as a finding."""
    parts = (error.message, error.reason, error.trace_id and f"trace id {error.trace_id}")
    return Finding(check, False, ": ".join(part for part in parts if part), error.hint)


def say_expiry(expires_at: float, left_s: float) -> str:
    """When something ends (epoch seconds), and how long that is from now."""
    from datetime import UTC, datetime

    moment = f"{datetime.fromtimestamp(expires_at, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return f"expires {moment}, in {say_span(left_s)}" if left_s > 0 else f"expired {moment}"


def say_span(seconds: float) -> str:
    """`3 days`, `90 minutes`."""
    for unit, size_s in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size_s:
            return f"{seconds / size_s:.0f} {unit}"
    return f"{seconds:.0f} seconds"


def _carry_out_one(services: "Services", check: Check) -> Finding:
    done = threading.Event()
    ended: list[Finding | Exception] = []

    def work() -> None:
        try:
            ended.append(check.work())
        except Exception as error:
            ended.append(error)
        finally:
            done.set()

    threading.Thread(target=work, name=f"doctor {check.name}", daemon=True).start()
    clock = services.clock
    until = clock.monotonic() + check.limit_s
    # In short pieces, because on Windows Ctrl-C cannot end a wait.
    while not clock.wait(done, _LONGEST_WAIT_S) and clock.monotonic() < until:
        pass
    if not done.is_set():
        return Finding(
            check.name,
            False,
            f"no answer within {check.limit_s:.0f} seconds",
            "a run would hang here too: look at the network, the disk or the program behind it",
        )
    match ended[0]:
        case Finding() as finding:
            return finding
        case SbpamError() as error:
            return failed(check.name, error)
        case OSError() as error:
            return Finding(check.name, False, error.strerror or str(error), "check its rights")
        case error:
            raise error


def _environment(services: "Services") -> Finding:
    """What cron, systemd and containers set otherwise than a terminal."""
    bus = "DBUS_SESSION_BUS_ADDRESS"
    locale = next((n for n in ("LC_ALL", "LC_CTYPE", "LANG") if services.env(n)), None)
    parts = [
        f"user {_user()}",
        f"Python {sys.version.split()[0]} on {sys.platform}",
        "on a terminal" if services.stdin_is_terminal() else "no terminal",
        *(f"{name} {services.env(name) or 'unset'}" for name in ("HOME", "PATH")),
        f"{locale} {services.env(locale)}" if locale is not None else "locale unset",
    ]
    if sys.platform == "linux":
        parts.append(f"{bus} {'set' if services.env(bus) else 'unset'}")
    remedy = None
    if os.name == "posix" and services.env("HOME") is None:
        remedy = "set HOME, or SBPAM_CONFIG_HOME and SBPAM_STATE_HOME, to what the terminal has"
    return Finding("environment", True, "; ".join(parts), remedy)


def _user() -> str:
    if os.name != "posix":
        return os.getlogin()
    import pwd

    number = os.geteuid()
    try:
        return f"{pwd.getpwuid(number).pw_name} ({number})"
    except KeyError:
        return str(number)


def _target(services: "Services", options: ConnectionOptions) -> tuple[Target | None, Finding]:
    try:
        target = resolve_target(services, options)
    except SbpamError as error:
        own_option = isinstance(error, OptionError) and error.message.startswith("--")
        if own_option or (options.profile is not None and isinstance(error, UsageError)):
            raise
        return None, failed("profile", error)
    if target.origin is None:
        hint = "run `sbpam login --server URL`, or set SBPAM_SERVER"
        return target, Finding("profile", False, f"{target.profile}: no server is known", hint)
    values = {
        "server": target.origin,
        **{name: getattr(target, name) for name in target.sources if name != "server"},
    }
    settings = [f"{name} {value} ({target.sources[name]})" for name, value in values.items()]
    stored = "" if target.stored else " (nothing stored applies to this server and user)"
    detail = "; ".join([f"{target.profile}{stored}", *settings, f"method {target.method}"])
    return target, Finding("profile", True, detail)
