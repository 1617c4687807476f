"""The table for people, and what of it gives way on a narrow screen."""

from collections.abc import Sequence
from functools import partial

from sbpam_cli.output.columns import TIMES, Row, RowSet, text_of
from sbpam_cli.output.console import Console
from sbpam_cli.output.escape import escape_controls
from sbpam_cli.output.summary import mark_status
from sbpam_cli.wording import local_time

_LONGEST = 300
_GAP = 2
_STYLES = {"job_id": "dim", "failure_reason": "red", "version": "dim"}
_IDS = {"job_id": 8, "credential": 8}
"""Shown whole, or so many characters of them."""
_AT_LEAST = dict.fromkeys(("expected", "seen", "detail", "remedy", "server", "list"), 20)
_AT_LEAST |= dict.fromkeys(("os", "source", "display_name", "resource"), 16) | _IDS
_LEFT_OUT = (
    *("distinguished_name", "version", "os", "ip_address", "job_id", "service_account"),
    *("managed_type", "platform", "resource", "display_name", "domain", "account", "credential"),
    *("source", "method", "expires", "server", "accepted", "answered", "sent", "started"),
    *("last_scan", "detail", "failure_reason"),
)
"""What a narrow screen does without, the first of these first."""


def print_table(console: Console, row_set: RowSet, rows: Sequence[Row]) -> None:
    """Prints all rows (one at least) to stdout.

    The first column, `status` and `ok` are whole, however narrow the screen.
    """
    from rich.box import SIMPLE_HEAD
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    rich, local = console.rich_stdout, console.services.stdout_is_terminal()
    places = row_set.table or {name: place for place, name in enumerate(row_set.columns)}
    as_shown = partial(_cell, local=local, ascii_only=rich.options.ascii_only)
    cells = [[as_shown(name, row[place]) for name, place in places.items()] for row in rows]
    natural = {}
    for name, column in zip(places, zip(*cells, strict=True), strict=True):
        width = max(cell_len(text) for text, _ in column)
        natural[name] = max(width, len(name)) if width else 0
    widths = _fit(natural, rich.width)
    rich.width = max(rich.width, _total(widths))
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for name, width in widths.items():
        is_number = type(rows[0][places[name]]) is int
        table.add_column(
            name.replace("_", " ").upper(),
            width=width,
            justify="right" if is_number else "left",
            overflow="crop" if name in _IDS else "fold",
            no_wrap=name in _IDS,
        )
    for line in cells:
        named = zip(places, line, strict=True)
        table.add_row(*(Text(*cell) for name, cell in named if name in widths))
    rich.print(table, crop=False)


def _cell(name: str, value: object, *, local: bool, ascii_only: bool) -> tuple[str, str]:
    """Its text, and rich's style for it."""
    text = ("no", "yes")[value] if isinstance(value, bool) else text_of(value)
    if local and name in TIMES:
        text = local_time(text)
    text = escape_controls(text if name == "host" else text[:_LONGEST])
    if text and name in ("status", "ok"):
        return mark_status(text, text, ascii_only=ascii_only)
    return text, _STYLES.get(name, "")


def _fit(natural: dict[str, int], room: int) -> dict[str, int]:
    """The columns that are shown, with their widths; empty ones are not."""
    first = next(iter(natural))
    shown = {name: min(width, _AT_LEAST.get(name, width)) for name, width in natural.items()}
    shown = {name: width for name, width in shown.items() if width} | {first: natural[first]}
    for name in _LEFT_OUT:
        if _total(shown) > room and name != first:
            shown.pop(name, None)
    for name in reversed(shown):
        wider = min(natural[name], shown[name] + max(0, room - _total(shown)))
        if name not in _IDS or wider == natural[name]:
            shown[name] = wider
    return {name: shown[name] for name in natural if name in shown}


def _total(widths: dict[str, int]) -> int:
    return sum(widths.values()) + _GAP * len(widths)
