"""`--max-running`: a batch starts only while few enough hosts are unfinished."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from sbpam_cli.errors import SbpamError, SignInError
from sbpam_cli.jobs.follow import FAILURES_SAID_EVERY_S, SILENCE_S, no_good_answer
from sbpam_cli.jobs.job import Followed
from sbpam_cli.journal.records import Batch
from sbpam_cli.models import FINISHED, SCHEDULED, Talk
from sbpam_cli.nps.client import NotFoundError, NpsClient
from sbpam_cli.system.threads import Done, Workers

if TYPE_CHECKING:
    from sbpam_cli.system.services import Services

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
        self._followed: dict[int, Followed] = {}
        self._looked_at: dict[int, float] = {}
        self._looking: Batch | None = None
        self._failing_since: float | None = None
        self._said_at: float | None = None
        self.due_at = 0.0

    @property
    def is_looking(self) -> bool:
        return self._looking is not None

    def room(self, batches: Sequence[Batch]) -> bool:
        """Whether one more batch may start."""
        if self._limit is None:
            return True
        return sum(map(self._unfinished, batches)) < self._limit

    def look(self, batches: Sequence[Batch]) -> None:
        """Asks about the job that was not asked about for the longest time."""
        now = self._clock.monotonic()
        if self._looking is not None or now < self.due_at:
            return
        going = [b for b in batches if b.state == "accepted" and self._unfinished(b)]
        if not going:
            return
        batch = min(going, key=lambda batch: self._looked_at.get(batch.number, 0.0))
        assert batch.job_id is not None
        self._looking, self._looked_at[batch.number] = batch, now
        self.due_at = now + _BETWEEN_LOOKS_S
        self._workers.submit(self, partial(self._client.job, batch.job_id))

    def take(self, done: Done) -> SbpamError | None:
        """Takes what a look showed; answers the error to stop with."""
        batch, self._looking = self._looking, None
        assert batch is not None
        assert batch.job_id is not None
        now = self._clock.monotonic()
        if isinstance(done.error, SbpamError) and not isinstance(done.error, NotFoundError):
            return self._fail(done.error, now)
        self._failing_since = None
        item = self._followed.setdefault(batch.number, Followed(batch.job_id, batch.names))
        item.rows = batch.rows or ()
        if isinstance(done.error, NotFoundError):
            item.miss(now)
        elif done.error is not None:
            raise done.error
        else:
            item.see(done.result)
        batch.rows = item.rows
        return None

    def _fail(self, error: SbpamError, now: float) -> SbpamError | None:
        """Said once a minute at most; for 10 minutes it is repeated."""
        if isinstance(error, SignInError):
            return error
        self._failing_since = now if self._failing_since is None else self._failing_since
        if now - self._failing_since >= SILENCE_S:
            hint = "`sbpam resume` sends the rest when it is back"
            return no_good_answer(self._client.origin, error, hint)
        if self._said_at is None or now - self._said_at >= FAILURES_SAID_EVERY_S:
            self._said_at = now
            self._talk.warn(f"a look failed and is repeated: {error.message}")
        return None

    def _unfinished(self, batch: Batch) -> int:
        """How many hosts of a batch are in a job, or about to be, and have not ended."""
        if batch.state == "sending":
            return len(batch.names)
        item = self._followed.get(batch.number)
        if batch.state != "accepted" or (item is not None and item.is_over):
            return 0
        going = SCHEDULED - FINISHED
        return sum(row.status in going for row in batch.rows or ())
