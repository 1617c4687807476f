"""`rescan`: a new run of the hosts of an old one whose scans did not succeed."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from itertools import takewhile

from sbpam_cli.errors import UsageError
from sbpam_cli.hosts.lists import Hosts
from sbpam_cli.jobs.follow import Follower, FollowLimits
from sbpam_cli.jobs.job import followed_jobs, record_looks
from sbpam_cli.jobs.rows import run_rows
from sbpam_cli.jobs.status import find_run
from sbpam_cli.jobs.watching import following
from sbpam_cli.journal.journal import Journal
from sbpam_cli.journal.records import Batch, Run
from sbpam_cli.models import FINISHED, RESCANNED, SCHEDULED, HostRow, ScanStatus
from sbpam_cli.output.context import Context
from sbpam_cli.runs.schedule import ScheduleOptions, schedule_hosts
from sbpam_cli.settings.profiles import Target
from sbpam_cli.signin.session import Site, find_target
from sbpam_cli.wording import counted

_TAKEN = "accepted in a later run"
_OPEN = "that a later run may still send"
_RESUMED = (ScanStatus.NOT_SENT, ScanStatus.REJECTED, ScanStatus.OUTCOME_UNKNOWN)


def run_rescan(
    ctx: Context, how: ScheduleOptions, name: str | None, reasons: frozenset[str]
) -> None:
    """Brings the run up to date, chooses, asks, and schedules as `schedule` does.

    reasons: failure reasons, or statuses if there is none; empty for all.
    """
    with closing(Journal(ctx.services)) as journal:
        run = find_run(ctx, journal, name)
        target = find_target(ctx, run)._replace(credential=run.credential_id)
        batches = journal.batches(run.run_id)
        site = _bring_up_to_date(ctx, journal, target, run, batches)
        taken = _taken_later(journal, run)
    names, left_out = _choose(run_rows(batches, run.aside), reasons, taken)
    ctx.console.note(
        f"run {run.run_id}: {counted(len(names), 'host')} to scan again"
        + ("; left out: " * bool(left_out))
        + ", ".join(f"{many:,} {what}" for what, many in left_out.items())
    )
    if any(status in left_out for status in _RESUMED):
        ctx.console.note(f"`sbpam resume {run.run_id}` sees to what may still be sent")
    if not names:
        return
    if not (how.dry_run or how.assume_yes) and ctx.can_ask:
        ctx.agree(f"Schedule scans of {counted(len(names), 'host')} on {target.origin} again?")

    def check(journal: Journal, names: Sequence[str]) -> None:
        if not _taken_later(journal, run).keys().isdisjoint(names):
            raise UsageError(
                "another run has scheduled some of these hosts meanwhile",
                hint=f"`sbpam rescan {run.run_id}` leaves those out",
            )

    how = how._replace(list_name=f"rescan of {run.run_id}", account=run.account, site=site)
    how = how._replace(assume_yes=True, new_run=True, last_check=check)
    schedule_hosts(ctx, how, target, Hosts(names, [], []))


def _bring_up_to_date(
    ctx: Context, journal: Journal, target: Target, run: Run, batches: Sequence[Batch]
) -> Site | None:
    """Looks at the jobs whose hosts may have changed; None if there is none."""
    jobs = followed_jobs(batches)
    going = [job for job in jobs if any(row.status not in FINISHED for row in job.rows)]
    if not going:
        return None
    with following(ctx, prints=False) as watching:
        site = Site(ctx, target)
        again = f"sbpam rescan {run.run_id}"
        Follower(ctx, site, again, FollowLimits(), watching).look_once(going)
    journal.record_rows(record_looks(going, ctx.services.clock.now()))
    return site


def _taken_later(journal: Journal, run: Run) -> dict[str, str]:
    """Hosts that later runs have in a job, or may still send: why they are left out."""
    taken: dict[str, str] = {}
    for later in takewhile(lambda other: other.run_id != run.run_id, journal.runs()):
        for batch in journal.each_batch(later.run_id) if later.server == run.server else ():
            if batch.state != "accepted":
                taken.update(dict.fromkeys(batch.names, _OPEN))
            taken.update((r.host, _TAKEN) for r in batch.rows or () if r.status in SCHEDULED)
    return taken


def _choose(
    rows: Iterable[HostRow], reasons: frozenset[str], taken: Mapping[str, str]
) -> tuple[list[str], Counter[str]]:
    """The names to scan again, and how many are left out for what; Complete ones are not told."""
    names: list[str] = []
    left_out: Counter[str] = Counter()
    for row in rows:
        if row.status not in RESCANNED:
            left_out[row.status] += row.status is not ScanStatus.COMPLETE
        elif row.host in taken:
            left_out[taken[row.host]] += 1
        elif reasons and (row.failure_reason or row.status) not in reasons:
            left_out["of other reasons"] += 1
        else:
            names.append(row.host)
    return names, +left_out
