"""What a check of `sbpam doctor` is, and how checks are carried out.

Nothing hangs: every check runs in a daemon thread and is given up after its time.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from sbpam_cli.errors import SbpamError
from sbpam_cli.system.services import Services
from sbpam_cli.system.threads import Workers, call
from sbpam_cli.wording import duration_words, utc

_SOON_S = 14 * 86400.0
_LIMIT_S = 75.0
"""A read is tried for a minute, and a TOTP code that was used before costs half of one."""

Result = tuple[bool | None, str, str | None]
"""ok, detail and remedy, as in a `Finding`."""


class Finding(NamedTuple):
    """One row. ok: False only for what breaks a run, now or within 14 days; None: not looked at.

    remedy: what to do, or, if it is ok, what would be better.
    """

    check: str
    ok: bool | None
    detail: str
    remedy: str | None = None


class Check(NamedTuple):
    """A check to be made; `work` may raise. needs: the check without which it is skipped."""

    name: str
    work: Callable[[], Result]
    needs: str | None = None


def carry_out(services: Services, checks: Iterable[Check]) -> Iterator[Finding]:
    """The findings of checks that build on one another, each as soon as it is known."""
    broken: dict[str | None, str] = {}
    for check in checks:
        if culprit := broken.get(check.needs):
            finding = Finding(check.name, None, f"skipped: {culprit} is not ok")
        else:
            finding = Finding(check.name, *_carry_out_one(services, check))
        if not finding.ok:
            broken[check.name] = culprit or check.name
        yield finding


def failed(error: SbpamError) -> Result:
    """An error as what a check found."""
    parts = (error.message, error.reason, error.trace_id and f"trace id {error.trace_id}")
    return False, ": ".join(filter(None, parts)), error.hint


def judge_end(expires_at: float, now: float) -> tuple[bool, str]:
    """Whether what ends then (epoch seconds) still serves a while, and when that is in words."""
    left_s = expires_at - now
    return left_s > _SOON_S, f"expires {utc(expires_at)}, in {duration_words(left_s)}"


def _carry_out_one(services: Services, check: Check) -> Result:
    clock = services.clock
    until = clock.monotonic() + _LIMIT_S

    def check_time() -> None:
        if clock.monotonic() >= until:
            hint = "a run would hang here too: check the network, the disk, or the program behind"
            raise SbpamError(f"no answer within {_LIMIT_S:.0f} seconds", hint=hint)

    try:
        # Workers of its own: one that was given up may still be busy.
        return call(Workers(1, clock), check.work, check_time)
    except SbpamError as error:
        return failed(error)
    except OSError as error:
        return False, error.strerror or str(error), "check its rights"
