"""`--max-running`: a batch starts only while few enough hosts are unfinished."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from sbpam_cli.errors import SbpamError, SignInError
from sbpam_cli.models import FINISHED, SCHEDULED, ScanStatus, Talk
from sbpam_cli.nps.client import NpsClient
from sbpam_cli.storage.records import Batch
from sbpam_cli.work.matching import match_job
from sbpam_cli.work.workers import Done, Workers

if TYPE_CHECKING:
    from sbpam_cli.services import Services

_BETWEEN_LOOKS_S = 2.0


class Crowd:
    """Counts unfinished hosts, and looks at one job every other second while they are too many."""

    def __init__(
        self,
        services: "Services",
        client: NpsClient,
        workers: Workers,
        talk: Talk,
        limit: int | None,
    ) -> None:
        self._clock = services.clock
        self._client = client
        self._workers = workers
        self._talk = talk
        self._limit = limit
        self._looked_at: dict[int, float] = {}
        self._looking: Batch | None = None
        self.due_at = 0.0

    @property
    def is_looking(self) -> bool:
        return self._looking is not None

    def room(self, batches: Sequence[Batch]) -> bool:
        """Whether one more batch may start."""
        if self._limit is None:
            return True
        return sum(map(_unfinished, batches)) < self._limit

    def look(self, batches: Sequence[Batch]) -> None:
        """Asks about the job that was not asked about for the longest time."""
        now = self._clock.monotonic()
        going = [batch for batch in batches if batch.state == "accepted" and _unfinished(batch)]
        if not going or self._looking is not None or now < self.due_at:
            return
        batch = min(going, key=lambda batch: self._looked_at.get(batch.number, 0.0))
        assert batch.job_id is not None
        self._looking, self._looked_at[batch.number] = batch, now
        self.due_at = now + _BETWEEN_LOOKS_S
        self._workers.submit(self, partial(self._client.job, batch.job_id))

    def take(self, done: Done) -> SignInError | None:
        """Takes what a look showed; answers the error to stop with."""
        batch, self._looking = self._looking, None
        if isinstance(done.error, SignInError):
            return done.error
        if isinstance(done.error, SbpamError):
            self._talk.warn(f"a look failed and is repeated: {done.error.message}")
        elif done.error is not None:
            raise done.error
        elif batch is not None and done.result.hosts is not None:
            batch.rows = match_job(batch.names, done.result, unsaid=ScanStatus.UNKNOWN).rows
        return None


def _unfinished(batch: Batch) -> int:
    """How many hosts of a batch are in a job, or about to be, and have not ended."""
    if batch.state == "sending":
        return len(batch.names)
    if batch.state != "accepted":
        return 0
    going = SCHEDULED - FINISHED
    return sum(row.status in going for row in batch.rows or ())
