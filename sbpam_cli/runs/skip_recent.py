"""`--skip-recent`: hosts that this journal shows accepted a short while ago."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress

from sbpam_cli.errors import LockedError
from sbpam_cli.journal.journal import Journal
from sbpam_cli.journal.records import Aside, Batch, Run
from sbpam_cli.models import ScanStatus
from sbpam_cli.runs.settle import Settling
from sbpam_cli.runs.state import RunState
from sbpam_cli.system.locks import hold_lock

Apart = Mapping[str, tuple[ScanStatus, str]]
"""Hosts that are not sent, with their status and the reason."""


def find_recent(
    state_of: Callable[[Run, list[Batch]], RunState],
    journal: Journal,
    server: str,
    own_digest: str,
    since: float,
) -> Apart:
    """Hosts that were accepted since then, and those of which it is not known.

    Doubt is settled first; what stays in doubt, or is being sent by another process right
    now, is not to be sent either. own_digest: the list whose lock the caller holds.
    """
    for run, _ in journal.doubts(server, since):
        state = state_of(run, journal.batches(run.run_id))
        lock = hold_lock(state.ctx.services, server, run.digest)
        with suppress(LockedError), nullcontext() if run.digest == own_digest else lock:
            Settling(state).settle()
    apart = {
        host: (ScanStatus.SKIPPED, f"accepted in run {run_id}")
        for host, run_id in journal.accepted_since(server, since).items()
    }
    for run, batches in journal.doubts(server, since):
        why = (ScanStatus.OUTCOME_UNKNOWN, f"in doubt in run {run.run_id}")
        for batch in batches:
            apart.update(dict.fromkeys(batch.names, why))
    return apart


def set_apart(
    names: Sequence[str], aside: Sequence[Aside], apart: Apart
) -> tuple[list[str], list[Aside]]:
    """The names to send, and everything else with its place among them."""
    sent: list[str] = []
    apart_or_aside: list[Aside] = []
    left = deque(aside)
    for place, name in enumerate(names):
        while left and left[0].position <= place:
            apart_or_aside.append(left.popleft()._replace(position=len(sent)))
        if name in apart:
            apart_or_aside.append(Aside(len(sent), name, *apart[name]))
        else:
            sent.append(name)
    return sent, apart_or_aside + [item._replace(position=len(sent)) for item in left]
