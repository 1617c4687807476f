"""A run in the journal that has everything a report can tell of, and what its page says."""

import random
from collections.abc import Sequence
from html.parser import HTMLParser
from uuid import UUID

from support.site import CREDENTIAL, PrivateProgram

from sbpam_cli.journal.journal import open_journal
from sbpam_cli.journal.records import Aside, Batch, Run, digest_names
from sbpam_cli.models import FailureReason, HostRow, ScanStatus
from sbpam_cli.system.services import Services

RUN_ID = "20261123-030002-7f3a"
LASTED_S = 900.0
_KINDS = ("web", "db", "app", "file", "print")
_PLACES = ("corp.example", "emea.corp.example", "apac.corp.example")
_SYSTEMS = (
    ("Windows Server 2025 Datacenter", "10.0.26100"),
    ("Windows Server 2022 Standard", "10.0.20348"),
    ("Windows Server 2019 Standard", "10.0.17763"),
)
_ENDS: tuple[tuple[float, ScanStatus, FailureReason | None, str | None], ...] = (
    (
        0.05,
        ScanStatus.FAILED,
        FailureReason.FAILED_TO_CONNECT,
        "WinRM did not answer within 30 seconds.",
    ),
    (0.08, ScanStatus.FAILED, FailureReason.ACCESS_DENIED, "Access is denied."),
    (0.09, ScanStatus.COMPLETED_WITH_ERRORS, None, None),
    (0.12, ScanStatus.RUNNING, None, None),
    (1.00, ScanStatus.COMPLETE, None, None),
)
HOSTILE = [
    "<script>alert(1)</script>",
    "</title></style></script><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "' autofocus onfocus='alert(1)",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "a|b||c\\|d\\",
    "`x` ``y` [z](http://x.example) ![i](//x.example)",
    "**a** _b_ ~~c~~ # d <b>e</b> &lt; &amp;",
    "@all $x^2$ someone@x.example",
    "line\nbreak\r\nand\ttab | x",
    "\x1b[2J\x9b2J\x07\u202egnp.exe\u2028",
    "]]> <!-- --> <![CDATA[",
    "   - 1. + indented",
    "日本語 é \U0001f600 \ud800",
]
"""What others may say, if they mean ill."""


def services_of(program: PrivateProgram) -> Services:
    """What the program's commands are given."""
    seen: list[Services] = []
    before, program.prepare = program.prepare, seen.append
    program("runs")
    program.prepare = before
    return seen[0]


def record_example(
    program: PrivateProgram,
    count: int,
    *,
    size: int = 500,
    rows: Sequence[HostRow] = (),
    username: str | None = "CORP\\operator",
    timed: bool = True,
) -> None:
    """A run of `count` hosts begun 15 minutes ago, in batches of `size`; the last is in doubt.

    rows: what stands instead of the first hosts.
    """
    services, drawn = services_of(program), random.Random(count)
    begun = services.clock.now() - LASTED_S
    names = [f"{drawn.choice(_KINDS)}{n:05}.{drawn.choice(_PLACES)}" for n in range(count)]
    names[: len(rows)] = [row.host for row in rows]
    batches, told = [], []
    for number, first in enumerate(range(0, count, size), 1):
        batch = Batch(number, first, names[first : first + size])
        batch.job_id = str(UUID(int=drawn.getrandbits(128)))
        batch.sent_at = begun + 2 + number
        batch.deadline, batch.clock_offset = batch.sent_at + 120, 0.25
        batches.append(batch)
        told.append([_draw_row(drawn, batch, name, timed) for name in batch.names])
    for place, row in enumerate(rows):
        told[place // size][place % size] = row._replace(job_id=batches[place // size].job_id)
    aside = [Aside(1, "not a host", ScanStatus.INVALID, "hosts.txt:7: a blank in a name")]
    run = Run(
        *(RUN_ID, begun, "https://nps.example.com:6500", "default", username),
        *(CREDENTIAL, digest_names(names), count + 1, aside),
    )
    journal = open_journal(services)
    journal.record_run(run, batches)
    journal.record_outcomes(run.run_id, (), sending=batches)
    for batch, row_list in zip(batches, told, strict=True):
        assert batch.sent_at is not None
        batch.state, batch.rows, batch.seen_at = "accepted", row_list, batch.sent_at + 1.5
    if len(batches) > 1:
        lost = batches[-1]
        lost.state, lost.job_id, lost.rows, lost.seen_at = "unknown", None, None, None
        lost.reason = "no answer within 2m"
    journal.record_outcomes(run.run_id, batches)
    known = [batch for batch in batches if batch.rows is not None]
    for batch in known:
        batch.seen_at = begun + 600
    journal.end_run(run.run_id, 5 if len(batches) > 1 else 0)
    journal.record_rows(run.run_id, known)
    journal.close()


def _draw_row(drawn: random.Random, batch: Batch, name: str, timed: bool) -> HostRow:
    assert batch.sent_at is not None
    share = drawn.random()
    status, reason, detail = next(end[1:] for end in _ENDS if share < end[0])
    system, version = drawn.choice(_SYSTEMS)
    started = batch.sent_at + drawn.uniform(1, 400)
    finished = None if status is ScanStatus.RUNNING else started + drawn.lognormvariate(3.4, 0.6)
    unreached = reason is FailureReason.FAILED_TO_CONNECT
    return HostRow(
        *(name, status, batch.job_id, reason),
        *((None, None, None) if unreached else (system, _draw_address(drawn), version)),
        *(detail, None, *((started, finished) if timed else (None, None))),
    )


def _draw_address(drawn: random.Random) -> str:
    return f"10.{drawn.randrange(256)}.{drawn.randrange(256)}.{drawn.randrange(1, 255)}"


class Page(HTMLParser):
    """The page's text without script and style, and the cells of its tables by caption."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self._caption = ""
        self._within = ""
        self.feed(source)
        self.text = " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._within = tag if tag in ("script", "style", "caption") else self._within
        if tag == "tr":
            self.tables[self._caption].append([])
        if tag in ("td", "th"):
            self.tables[self._caption][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._within = "" if tag == self._within else self._within
        self._caption = "" if tag == "table" else self._caption

    def handle_data(self, data: str) -> None:
        if self._within in ("script", "style"):
            return
        self.texts.append(data)
        if self._within == "caption":
            self._caption = data
            self.tables[data] = []
        elif self._caption and self.tables[self._caption] and data.strip():
            self.tables[self._caption][-1][-1] += data.strip()

    def hosts(self) -> list[list[str]]:
        return self.tables["Every host that was asked for"][1:]
