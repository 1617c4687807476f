"""A run in the journal that has everything a report can tell of, and what its page says."""

import random
from collections.abc import Mapping, Sequence
from contextlib import closing
from html.parser import HTMLParser
from uuid import UUID

from support.site import CREDENTIAL, Program

from sbpam_cli.journal.journal import Journal
from sbpam_cli.journal.records import Aside, Batch, Run, digest_names
from sbpam_cli.models import FailureReason, HostRow, Rows, ScanStatus
from sbpam_cli.system.services import Services

RUN_ID = "20261123-030002-7f3a"
_KINDS = ("web", "db", "app", "file", "print")
_PLACES = ("corp.example", "emea.corp.example", "apac.corp.example")
_SYSTEMS = (
    ("Windows Server 2025 Datacenter", "10.0.26100"),
    ("Windows Server 2022 Standard", "10.0.20348"),
    ("Windows Server 2019 Standard", "10.0.17763"),
)
_UNREACHED = (
    ScanStatus.FAILED,
    FailureReason.FAILED_TO_CONNECT,
    "WinRM did not answer within 30 seconds.",
)
_ENDS: Mapping[tuple[ScanStatus, FailureReason | None, str | None], int] = {
    (ScanStatus.COMPLETE, None, None): 88,
    _UNREACHED: 5,
    (ScanStatus.FAILED, FailureReason.ACCESS_DENIED, "Access is denied."): 3,
    (ScanStatus.RUNNING, None, None): 3,
    (ScanStatus.COMPLETED_WITH_ERRORS, None, None): 1,
}
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
    "see https://x.example or WWW.x.example",
    "@all $x^2$ someone@x.example",
    "line\nbreak\r\nand\ttab | x",
    "\x1b[2J\x9b2J\x07\u202egnp.exe\u2028",
    "]]> <!-- --> <![CDATA[",
    "   - 1. + indented",
    "日本語 é \U0001f600 \ud800",
]
"""What others may say, if they mean ill."""


def services_of(program: Program) -> Services:
    """What the program's commands are given."""
    seen: list[Services] = []
    before, program.prepare = program.prepare, seen.append
    program("runs")
    program.prepare = before
    return seen[0]


def record_example(
    program: Program,
    count: int,
    *,
    size: int = 500,
    rows: Sequence[HostRow] = (),
    username: str | None = "CORP\\operator",
    invalid: Sequence[str] = ("not a host",),
) -> None:
    """A run of `count` hosts begun 15 minutes ago, in batches of `size`; the last is in doubt.

    rows: what stands instead of the first hosts. invalid: entries that are no names.
    """
    services, drawn = services_of(program), random.Random(count)
    begun = services.clock.now() - 900
    names = [f"{drawn.choice(_KINDS)}{n:05}.{drawn.choice(_PLACES)}" for n in range(count)]
    names[: len(rows)] = [row.host for row in rows]
    batches = []
    for number, first in enumerate(range(0, count, size), 1):
        batch = Batch(number, first, names[first : first + size])
        batch.sent_at = begun + 2 + number
        batch.deadline, batch.clock_offset = batch.sent_at + 120, 0.25
        batches.append(batch)
    why = "hosts.txt:7: a blank in a name"
    aside = [Aside(1, name, ScanStatus.INVALID, why) for name in invalid]
    run = Run(
        *(RUN_ID, begun, "https://nps.example.com:6500", "default", username),
        *(CREDENTIAL, digest_names(names), count + len(aside), aside),
    )
    with closing(Journal(services)) as journal:
        journal.record_run(run, batches)
        accepted, in_doubt = (batches[:-1], batches[-1:]) if len(batches) > 1 else (batches, [])
        for batch in accepted:
            batch.state, batch.job_id = "accepted", str(UUID(int=drawn.getrandbits(128)))
            own = rows[batch.first : batch.first + len(batch.names)]
            fresh = [_draw_row(drawn, begun, name) for name in batch.names[len(own) :]]
            batch.rows = Rows.of(HostRow, [*own, *fresh]).replace(job_id=[batch.job_id])
            batch.accepted_at = batch.seen_at = begun + 600
        for lost in in_doubt:
            lost.state, lost.reason = "unknown", "no answer within 2m"
        journal.record_batches(batches)
        journal.end_run(RUN_ID, 5 if in_doubt else 0)


def _draw_row(drawn: random.Random, begun: float, name: str) -> HostRow:
    [end] = drawn.choices([*_ENDS], [*_ENDS.values()])
    status, reason, detail = end
    system, version = drawn.choice(_SYSTEMS) if end is not _UNREACHED else (None, None)
    address = f"10.{drawn.randrange(256)}.{drawn.randrange(256)}.{drawn.randrange(1, 255)}"
    started = begun + drawn.uniform(5, 400)
    finished = None if status is ScanStatus.RUNNING else started + drawn.lognormvariate(3.4, 0.6)
    return HostRow(
        *(name, status, None, reason, system, address, version, detail, None, started, finished)
    )


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
        return self.tables["Every host that was asked for, problems first"][1:]
