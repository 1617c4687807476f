"""What a run reads beside its POSTs: the list of jobs before them, and the server's health.

Who reads is the key of the task, and takes its end; an error that it returns stops the run.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from sbpam_cli.errors import JournalError, SbpamError
from sbpam_cli.models import ScanJob
from sbpam_cli.nps.client import NpsClient
from sbpam_cli.nps.signing import backoff_s
from sbpam_cli.runs.state import RunState
from sbpam_cli.system.services import Services
from sbpam_cli.system.threads import Done, Workers

_ON_TERMINAL_S = 2.0
_ELSEWHERE_S = 10.0
_PROBE_FOR_S = 60.0


def id_bytes(job_id: str) -> bytes:
    return bytes.fromhex(job_id.replace("-", ""))


@dataclass(eq=False, repr=False)
class Reading:
    """What a read of the list has shown so far: all ids, and the jobs that are `wanted`."""

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
    """The read before a run's first POST, which waits for it only a while.

    What was listed before a POST is not its job.
    """

    def __init__(self, state: RunState, workers: Workers) -> None:
        self._state = state
        self._workers = workers
        self._reading = Reading()
        self._wait_until = 0.0

    def begin(self) -> None:
        """Reads the list, unless this run or another one has done so a short while ago."""
        state = self._state
        if state.list_before is None:
            state.list_before = state.journal.recent_list(state.run.server)
        if state.list_before is not None:
            return
        services, client = state.ctx.services, state.site.client
        wait_s = _ON_TERMINAL_S if services.stderr_is_terminal() else _ELSEWHERE_S
        self._wait_until = services.clock.monotonic() + wait_s
        self._workers.submit(self, lambda: client.jobs(self._reading.gather))

    @property
    def holds_back(self) -> bool:
        return self._state.ctx.services.clock.monotonic() < self._wait_until

    def take(self, done: Done) -> JournalError | None:
        """From now on a POST refers to it."""
        self._wait_until = 0.0
        if done.error is not None:
            self._state.ctx.console.trace(f"the list of jobs broke off: {done.error}")
        try:
            self._state.keep_list(self._reading.ids, whole=done.error is None)
        except JournalError as error:
            return error
        return None


class Pause:
    """After a failure nothing is sent until a harmless read succeeds."""

    def __init__(self, services: Services, client: NpsClient, workers: Workers) -> None:
        self._services = services
        self._client = client
        self._workers = workers
        self._began_at: float | None = None
        self._tries = 0
        self.due_at = 0.0
        self.is_probing = False

    @property
    def is_on(self) -> bool:
        return self._began_at is not None

    def begin(self, wait_s: float) -> None:
        """wait_s: what the server asked for."""
        ready_at = self._services.clock.monotonic() + wait_s
        if self._began_at is None:
            self._tries, self.due_at = 0, 0.0
        # The minute of failed probes begins when the server should be well again.
        self._began_at = max(self._began_at or 0.0, ready_at)
        self.due_at = max(self.due_at, ready_at)

    def probe(self) -> None:
        if not self.is_probing and self._services.clock.monotonic() >= self.due_at:
            self.is_probing = True
            self._workers.submit(self, partial(self._client.version, once=True))

    def take(self, done: Done) -> SbpamError | None:
        """The error comes after a minute of failures."""
        self.is_probing = False
        if done.error is None:
            self._began_at = None
            return None
        assert isinstance(done.error, SbpamError)
        self._tries += 1
        now = self._services.clock.monotonic()
        self.due_at = now + backoff_s(self._services, self._tries)
        began_at = now if self._began_at is None else self._began_at
        return done.error if now - began_at >= _PROBE_FOR_S else None
