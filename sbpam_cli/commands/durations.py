"""Durations as options take them: `90`, `2m`, `1h30m`, `500ms`."""

import re
from typing import TYPE_CHECKING

from sbpam_cli.errors import OptionError

if TYPE_CHECKING:
    from sbpam_cli.jobs.follow import FollowLimits

_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BARE = re.compile(r"[0-9]+(?:\.[0-9]+)?", re.ASCII)


def parse_duration(text: str, option: str) -> float:
    """Seconds. A bare number is seconds. Raises OptionError naming the option."""
    squeezed = text.strip().lower()
    if _BARE.fullmatch(squeezed):
        return float(squeezed)
    parts = _PART.findall(squeezed)
    if not parts or "".join(number + unit for number, unit in parts) != squeezed:
        raise OptionError(
            f"{option}: not a duration: {text[:40]}", hint="write it like 90, 2m, 1h30m or 500ms"
        )
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def read_limits(
    timeout: str | None, interval: str | None, *, follows: bool, by: str
) -> "FollowLimits":
    """`--timeout` and `--interval`. Raises OptionError without `by`, the option that follows."""
    from sbpam_cli.jobs.follow import FollowLimits

    for option, given in (("--timeout", timeout), ("--interval", interval)):
        if given is not None and not follows:
            raise OptionError(f"{option} goes with {by}")
    return FollowLimits(
        parse_duration(timeout, "--timeout") if timeout is not None else None,
        positive_duration(interval, "--interval") if interval is not None else None,
    )


def positive_duration(text: str, option: str) -> float:
    """As `parse_duration`; more than nothing."""
    seconds = parse_duration(text, option)
    if seconds <= 0:
        raise OptionError(f"{option}: must be more than nothing", hint="write it like 90 or 2m")
    return seconds
