"""After a command: the one step that is likely next, for a person at a terminal."""

from typing import TYPE_CHECKING

from sbpam_cli.errors import ExitCode
from sbpam_cli.models import FINISHED, SCHEDULED, ScanStatus
from sbpam_cli.settings.profiles import DEFAULT_PROFILE

if TYPE_CHECKING:
    from sbpam_cli.outcome import Outcome
    from sbpam_cli.system.services import Services

_AFTER = {
    "login": "`sbpam doctor{profile}` checks everything that a run needs",
    "logout": "`sbpam login{profile}` signs in again",
    "whoami": "`sbpam doctor{profile}` checks everything that a run needs",
    "doctor": "`sbpam schedule{profile} --credential ID hosts.txt` schedules scans",
    "hosts": "`sbpam hosts{profile} ... | sbpam schedule{profile} --credential ID -`"
    " schedules scans of them",
    "demo": "`sbpam login --server HOST` signs in to a server of yours",
}
"""Where the command did what it was to do. Those on hosts have `_of_hosts`."""

_LEFT = {ScanStatus.OUTCOME_UNKNOWN, ScanStatus.NOT_SENT}


def next_step(services: "Services", command: str, outcome: "Outcome") -> str | None:
    """The hint; None where an error says what to do, or nothing suggests itself."""
    if any(error.hint for error in outcome.errors):
        return None
    if command in ("schedule", "resume", "status"):
        return _of_hosts(command, outcome)
    piped = command == "hosts" and not services.stdout_is_terminal()
    if outcome.exit_code != ExitCode.DONE or piped:
        return None
    own = outcome.profile
    # What is typed next takes the environment's, else the default one.
    known = own in (None, services.env("SBPAM_PROFILE") or DEFAULT_PROFILE)
    step = _AFTER.get(command) or outcome.next_step
    return step.replace("{profile}", "" if known else f" --profile {own}") if step else None


def _of_hosts(command: str, outcome: "Outcome") -> str | None:
    run, found = outcome.run, set(outcome.counts)
    if found and found <= {ScanStatus.VALID, ScanStatus.SKIPPED}:
        return "without --dry-run they are scheduled" if ScanStatus.VALID in found else None
    if run is not None and found & _LEFT:
        return f"`sbpam resume {run}` goes on with it"
    if found & (SCHEDULED - FINISHED):
        if command == "status":
            again = f"`sbpam status {run} --watch`" if run is not None else "the same with --watch"
            return f"{again} follows the scans to their end"
        return f"`sbpam status {run}` shows how far the scans are"
    if run is not None and found & FINISHED:
        return f"`sbpam report {run} > report.html` makes a page of it"
    return None
