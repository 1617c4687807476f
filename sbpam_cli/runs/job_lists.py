"""Reads of the server's list of jobs: what was listed before a POST is not its job."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sbpam_cli.errors import SbpamError
from sbpam_cli.models import ScanJob
from sbpam_cli.runs.state import RunState
from sbpam_cli.system.threads import Done, Workers

LIST = "list"
"""The key of its task."""
_ON_TERMINAL_S = 2.0
_ELSEWHERE_S = 10.0


def id_bytes(job_id: str) -> bytes:
    return bytes.fromhex(job_id.replace("-", ""))


@dataclass(eq=False, repr=False)
class Reading:
    """What a read has shown so far: all ids, and the jobs that `wanted` says may matter."""

    wanted: Callable[[ScanJob], bool] = lambda _: False
    ids: set[bytes] = field(default_factory=set)
    jobs: dict[str, ScanJob] = field(default_factory=dict)

    def gather(self, jobs: Iterable[ScanJob]) -> None:
        """Also called when a read is tried again: what was shown was shown."""
        for job in jobs:
            self.ids.add(id_bytes(job.job_id))
            if self.wanted(job):
                self.jobs[job.job_id] = job


class ListBefore:
    """The read that a run makes before its first POST, for which that waits only a while."""

    def __init__(self, state: RunState, workers: Workers) -> None:
        self._state = state
        self._workers = workers
        self._reading = Reading()
        self._until = 0.0
        self.is_reading = False

    def begin(self) -> None:
        """Reads the list, unless this run or another one has done so a short while ago."""
        state = self._state
        if state.list_before is None:
            state.list_before = state.journal.recent_list(state.run.server)
        if state.list_before is not None:
            return
        services, client = state.ctx.services, state.site.client
        wait_s = _ON_TERMINAL_S if services.stderr_is_terminal() else _ELSEWHERE_S
        self._until = services.clock.monotonic() + wait_s
        self.is_reading = True
        self._workers.submit(LIST, lambda: client.jobs(self._reading.gather))

    @property
    def holds_back(self) -> bool:
        return self.is_reading and self._state.ctx.services.clock.monotonic() < self._until

    def take(self, done: Done) -> None:
        """From now on a POST refers to it. Raises JournalError."""
        self.is_reading = False
        if done.error is not None and not isinstance(done.error, SbpamError):
            raise done.error
        if done.error is not None:
            self._state.ctx.console.trace(f"the list of jobs broke off: {done.error}")
        self._state.keep_list(self._reading.ids, whole=done.error is None)
