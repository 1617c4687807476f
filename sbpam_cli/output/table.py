"""The table for people: two passes over plain strings, whatever the number of rows.

A library's table costs fifty times as much a row. The first pass finds the
columns' widths, the second writes.
"""

import sys
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple, cast

from sbpam_cli.output.escape import escape_controls
from sbpam_cli.output.forms import Row, RowSet, batches, text_of
from sbpam_cli.output.look import BOLD, DIM, RED, Look

GAP = "  "
WRAPPED_LINES = 6
FIRST_AT_MOST = 64
_GLYPHED = ("status", "ok")
_WRAPPED = ("detail", "remedy")
_SHORTENED = ("job_id", "credential")
_COLOURS = {"job_id": DIM, "failure_reason": RED, "version": DIM, "started": DIM}

_GIVES_WAY: dict[str, tuple[tuple[str, int], ...]] = {
    "host": (
        ("job_id", 8),
        ("detail", 40),
        ("os", 20),
        ("version", 0),
        ("detail", 28),
        ("os", 0),
        ("ip_address", 0),
        ("job_id", 0),
        ("detail", 16),
        ("detail", 0),
        ("failure_reason", 0),
    ),
    "run": (
        ("credential", 10),
        ("server", 24),
        ("credential", 0),
        ("server", 0),
        ("started", 0),
        ("accepted", 0),
    ),
    "credential_id": (
        ("display_name", 20),
        ("resource", 20),
        ("managed_type", 0),
        ("platform", 0),
        ("resource", 0),
        ("display_name", 0),
        ("domain", 0),
    ),
    "check": (("remedy", 40), ("detail", 40), ("remedy", 20), ("detail", 20)),
    "profile": (("source", 24), ("source", 0), ("method", 0), ("expires", 0)),
}
"""By a row set's first column: who narrows to how many cells, in turn; 0: is left out."""


class _Column(NamedTuple):
    place: int
    name: str
    width: int
    right: bool


class _Cells(NamedTuple):
    texts: list[str]
    ascii: bool


class _Shown(NamedTuple):
    texts: list[str]
    below: dict[int, list[str]]


def table_text(row_set: RowSet, rows: Sequence[Row], look: Look) -> Iterator[str]:
    """The table, some hundred lines at a time; nothing for no rows.

    The first column and `status` are shown in full, however narrow the screen.
    """
    if not rows:
        return
    columns = _lay_out(row_set, rows, look.width)
    titles = [_pad(_title(c.name)[: c.width], c.width, right=c.right) for c in columns]
    yield look.paint(GAP.join(titles).rstrip(), BOLD) + "\n"
    rule = min(look.width, sum(c.width for c in columns) + len(GAP) * (len(columns) - 1))
    yield look.paint(look.glyphs.rule * rule, DIM) + "\n"
    for batch in batches(rows):
        yield "\n".join(_lines(columns, batch, look)) + "\n"


def _lay_out(row_set: RowSet, rows: Sequence[Row], room: int) -> list[_Column]:
    names = row_set.columns
    widths = [0] * len(names)
    # One monstrous name sticks out of its own line, and leaves the others as they are.
    limits = [max(FIRST_AT_MOST, room - 24)] + [sys.maxsize] * (len(names) - 1)
    for batch in batches(rows):
        for index, values in zip(range(len(names)), _transposed(batch), strict=False):
            widths[index] = max(widths[index], _widest(_cells(values), limits[index]))
    for index, name in enumerate(names):
        if name in _GLYPHED and widths[index]:
            widths[index] += 2
        if widths[index] or not index:
            widths[index] = max(widths[index], len(_title(name)))
    shown = _give_way(dict(zip(names, widths, strict=True)), room)
    return [
        _Column(index, name, shown[name], _is_number(rows[0][index]))
        for index, name in enumerate(names)
        if name in shown
    ]


def _give_way(natural: dict[str, int], room: int) -> dict[str, int]:
    first = next(iter(natural))
    shown = {name: width for name, width in natural.items() if width or name == first}
    left_out: list[tuple[str, int]] = []

    def spare() -> int:
        return room - sum(shown.values()) - len(GAP) * (len(shown) - 1)

    for name, floor in _GIVES_WAY.get(first, ()):
        if spare() >= 0:
            break
        width = shown.get(name, 0)
        if width and not floor:
            left_out.append((name, shown.pop(name)))
        elif width > floor:
            shown[name] = floor if name in _SHORTENED else max(floor, width + spare())
    for name, width in reversed(left_out):
        if spare() >= width + len(GAP):
            shown[name] = width
    for name in reversed(natural):
        if name in shown and name not in _SHORTENED:
            shown[name] = min(natural[name], shown[name] + max(0, spare()))
    return shown


def _lines(columns: list[_Column], batch: Sequence[Row], look: Look) -> Iterator[str]:
    values = _transposed(batch)
    shown = [_column_texts(column, _cells(values[column.place]), look) for column in columns]
    lines = [GAP.join(texts).rstrip() for texts in zip(*(s.texts for s in shown), strict=True)]
    if not any(s.below for s in shown):
        yield from lines
        return
    for index, line in enumerate(lines):
        yield line
        for texts in zip_longest(*(s.below.get(index, ()) for s in shown), fillvalue=""):
            cells = [_pad(text, c.width) for text, c in zip(texts, columns, strict=True)]
            yield GAP.join(cells).rstrip()


def _column_texts(column: _Column, cells: _Cells, look: Look) -> _Shown:
    name, width = column.name, column.width
    if name in _GLYPHED:
        ready = {text: _glyphed(text, width, look) for text in set(cells.texts)}
        return _Shown([ready[text] for text in cells.texts], {})
    texts, below = cells.texts, {}
    if column.place and _widest(cells) > width:
        if name in _WRAPPED:
            wrapped = [wrap(text, width, look.glyphs.ellipsis) for text in texts]
            texts = [lines[0] for lines in wrapped]
            below = {i: lines[1:] for i, lines in enumerate(wrapped) if lines[1:]}
        else:
            ellipsis = "" if name in _SHORTENED else look.glyphs.ellipsis
            texts = [cut(text, width, ellipsis) for text in texts]
    if look.colour and (sgr := _COLOURS.get(name)) is not None:
        ready = {t: look.paint(t, sgr) + " " * (width - cell_width(t)) for t in set(texts)}
        return _Shown([ready[text] for text in texts], below)
    if texts is cells.texts and cells.ascii and not column.right:
        return _Shown([text.ljust(width) for text in texts], below)
    return _Shown([_pad(text, width, right=column.right) for text in texts], below)


def _glyphed(text: str, width: int, look: Look) -> str:
    return look.status(text) + " " * (width - len(text) - 2 if text else width)


def _transposed(batch: Sequence[Row]) -> list[tuple[object, ...]]:
    return list(zip(*batch, strict=True))


def _cells(values: Sequence[object]) -> _Cells:
    try:
        texts = cast("list[str]", ["" if value is None else value for value in values])
        joined = "".join(texts)
    except TypeError:  # a value that is not a string
        texts = [_words(value) for value in values]
        joined = "".join(texts)
    if joined.isascii() and joined.isprintable():
        return _Cells(texts, ascii=True)
    texts = [escape_controls(text) for text in texts]
    return _Cells(texts, ascii="".join(texts).isascii())


def _words(value: object) -> str:
    return ("no", "yes")[value] if isinstance(value, bool) else text_of(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _title(name: str) -> str:
    return name.replace("_", " ").upper()


def _widest(cells: _Cells, limit: int = sys.maxsize) -> int:
    measure = len if cells.ascii else cell_width
    widest = max(map(measure, cells.texts))
    if widest <= limit:
        return widest
    return max((n for n in map(measure, cells.texts) if n <= limit), default=0)


def cell_width(text: str) -> int:
    """How many cells of a terminal `text` takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _pad(text: str, width: int, *, right: bool = False) -> str:
    if text.isascii():
        return text.rjust(width) if right else text.ljust(width)
    space = " " * (width - cell_width(text))
    return space + text if right else text + space


def cut(text: str, width: int, ellipsis: str) -> str:
    """`text`, or as much of its start as leaves room for `ellipsis` in `width` cells."""
    if cell_width(text) <= width:
        return text
    return _split(text, width - len(ellipsis))[0] + ellipsis


def wrap(text: str, width: int, ellipsis: str) -> list[str]:
    """`text` in lines of at most `width` cells, at spaces where there are any; six at most."""
    if cell_width(text) <= width:
        return [text]
    lines: list[str] = []
    rest = text.strip()
    while rest:
        if len(lines) == WRAPPED_LINES - 1:
            return [*lines, cut(rest, width, ellipsis)]
        head, tail = _split(rest, width)
        if tail and not tail.startswith(" ") and " " in head.strip():
            space = head.rindex(" ")
            head, tail = head[:space], head[space:] + tail
        lines.append(head.rstrip())
        rest = tail.lstrip()
    return lines or [""]


def _split(text: str, width: int) -> tuple[str, str]:
    if text.isascii():
        return text[:width], text[width:]
    from rich.cells import chop_cells

    head = chop_cells(text, width)[0] or text[0]
    return head, text[len(head) :]
