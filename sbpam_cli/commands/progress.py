"""Between following scans and the live display that shows them."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sbpam_cli.models import FINISHED, ScanStatus
from sbpam_cli.output.live import LiveProgress

if TYPE_CHECKING:
    from sbpam_cli.output.console import Console
    from sbpam_cli.work.following import Followed


@contextmanager
def following(console: "Console") -> "Iterator[Callable[[Sequence[Followed]], None]]":
    """A display on stderr for as long as scans are followed; appears with the first look."""
    with LiveProgress(console) as live:

        def show(followed: "Sequence[Followed]") -> None:
            rows = [row for item in followed for row in item.rows]
            counts = Counter(row.status for row in rows)
            failed = [
                row
                for row in rows
                if row.status in FINISHED and row.status is not ScanStatus.COMPLETE
            ]
            live.update(counts, len(rows), [item.summary() for item in followed], failed)

        yield show
