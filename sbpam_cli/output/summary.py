"""What became of the hosts, in two lines."""

from collections.abc import Mapping, Sequence

from sbpam_cli.models import JobSummary, ScanStatus
from sbpam_cli.wording import counted

JOBS_IN_FULL = 3


def host_summary(counts: Mapping[ScanStatus, int], jobs: Sequence[JobSummary]) -> list[str]:
    """Counts by status, then the jobs' ids: the first three and how many more.

    Lines of plain text for `Console.summary`; `counts` holds every host.
    """
    total = sum(counts.values())
    parts = [f"{counts[status]:,} {status}" for status in ScanStatus if counts.get(status)]
    lines = [f"{counted(total, 'host')}{': ' if parts else ''}{', '.join(parts)}"]
    if jobs:
        ids = ", ".join(job.job_id for job in jobs[:JOBS_IN_FULL])
        more = len(jobs) - JOBS_IN_FULL
        lines.append(f"{counted(len(jobs), 'job')}: {ids}{f' and {more:,} more' * (more > 0)}")
    return lines
