"""After a failure nothing is sent until a harmless read succeeds."""

from functools import partial

from sbpam_cli.errors import SbpamError
from sbpam_cli.nps.client import NpsClient
from sbpam_cli.nps.signing import backoff_s
from sbpam_cli.system.services import Services
from sbpam_cli.system.threads import Done, Workers

PROBE = "probe"
"""The key of its task."""
_PROBE_FOR_S = 60.0


class Pause:
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
            self._workers.submit(PROBE, partial(self._client.version, once=True))

    def take(self, done: Done) -> SbpamError | None:
        """Takes a read's end; returns the error to stop with after a minute of failures."""
        self.is_probing = False
        if done.error is None:
            self._began_at = None
            return None
        if not isinstance(done.error, SbpamError):
            raise done.error
        self._tries += 1
        now = self._services.clock.monotonic()
        self.due_at = now + backoff_s(self._services, self._tries)
        began_at = now if self._began_at is None else self._began_at
        return done.error if now - began_at >= _PROBE_FOR_S else None
