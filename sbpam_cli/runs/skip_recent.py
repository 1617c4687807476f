"""`--skip-recent`: hosts that this journal shows accepted a short while ago."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from sbpam_cli.errors import LockedError
from sbpam_cli.journal.journal import Journal
from sbpam_cli.journal.records import IN_DOUBT, Aside
from sbpam_cli.models import ScanStatus
from sbpam_cli.runs.settle import Settling
from sbpam_cli.signin.session import Site
from sbpam_cli.system.locks import hold_lock
from sbpam_cli.system.signals import Interruption

if TYPE_CHECKING:
    from sbpam_cli.output.context import Context

Apart = Mapping[str, tuple[ScanStatus, str]]
"""Hosts that are not sent, with their status and the reason."""


def find_recent(
    ctx: "Context",
    journal: Journal,
    site: Site,
    interruption: Interruption,
    *,
    own_digest: str,
    age_s: float,
    quiet_s: float,
) -> Apart:
    """Hosts that were accepted within that time, and those of which it is not known.

    Doubt is settled first; what stays in doubt, or is being sent by another
    process right now, is not to be sent either. own_digest: the list whose
    lock the caller holds. Raises what settling raises.
    """
    services = ctx.services
    server = site.client.origin
    since = services.clock.now() - age_s
    for run, _ in journal.doubts(server, since):
        with ExitStack() as stack:
            try:
                if run.digest != own_digest:
                    stack.enter_context(hold_lock(services, server, run.digest))
            except LockedError:
                continue
            Settling(
                services,
                journal,
                site.client,
                run,
                journal.batches(run.run_id),
                quiet_s,
                ctx.console,
                services.workers(1, services.clock),
                interruption.event,
                interruption.error,
                lambda _: None,
            ).settle()
    apart = {
        host: (ScanStatus.SKIPPED, f"accepted in run {run_id}")
        for host, run_id in journal.accepted_since(server, since).items()
    }
    for run, batches in journal.doubts(server, since):
        for batch in batches:
            if batch.state in IN_DOUBT:
                why = (ScanStatus.OUTCOME_UNKNOWN, f"in doubt in run {run.run_id}")
                apart.update(dict.fromkeys(batch.names, why))
    return apart


def set_apart(
    names: Sequence[str], aside: Sequence[Aside], apart: Apart
) -> tuple[list[str], list[Aside]]:
    """The names to send, and everything else with its place among them."""
    sent: list[str] = []
    merged: list[Aside] = []
    waiting = list(aside)
    for index, name in enumerate(names):
        while waiting and waiting[0].position <= index:
            first = waiting.pop(0)
            merged.append(Aside(len(sent), first.host, first.status, first.detail))
        if name in apart:
            merged.append(Aside(len(sent), name, *apart[name]))
        else:
            sent.append(name)
    merged += [Aside(len(sent), a.host, a.status, a.detail) for a in waiting]
    return sent, merged
