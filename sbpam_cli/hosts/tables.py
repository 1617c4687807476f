"""Lists of hosts in rows and columns: CSV, TSV, sbpam's own tsv."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from sbpam_cli.errors import InputError
from sbpam_cli.hosts.fqdn import fqdn, shown
from sbpam_cli.hosts.headers import SAY_WHICH, TSV_FIELDS, Layout, check_rival, is_own
from sbpam_cli.hosts.recognise import LINE_LIMIT, HostText
from sbpam_cli.models import ListTally

if TYPE_CHECKING:
    from _csv import Reader

Cells = tuple[Sequence[int], list[str]]
"""Cells of the column of names, with the numbers of their lines; empty: a row without a name."""

Rows = tuple[Sequence[int], list[list[str]]]


def read_cells(text: HostText, layout: Layout, tally: ListTally) -> Iterator[Cells]:
    """The cells of every row after the header. Raises `InputError` for what is in doubt."""
    index, label = layout.column, layout.label
    for all_numbers, all_rows in _read_rows(text, layout):
        numbers, rows = all_numbers, all_rows
        cells = [row[index] if index < len(row) else "" for row in rows]
        if "" in cells or any(row[0].startswith("#") for row in rows):
            kept = [n for n, row in enumerate(rows) if not _is_passed(row, tally)]
            numbers, rows = [numbers[n] for n in kept], [rows[n] for n in kept]
            cells = [cells[n] for n in kept]
        if layout.own:
            _check_own(text, numbers, rows)
            cells = [_unescape(cell) if "\\" in cell else cell for cell in cells]
        for rival in layout.rivals:
            _check_rival(text, layout, rival, zip(numbers, cells, rows, strict=True))
        if label and f".{label}\n" in "\n".join([*cells, ""]).lower():
            title = shown(layout.titles[index])
            raise InputError(
                f"{text.name}: {title} is a column's title or a host, both are possible",
                reason=f"Other names of that column end in .{label} too",
                hint=SAY_WHICH,
            )
        yield numbers, cells


def _is_passed(row: Sequence[str], tally: ListTally) -> bool:
    """Whether the row is a comment or empty; if so, it is counted."""
    if row and row[0].startswith("# "):
        tally.comments += 1
        return True
    if not any(map(str.strip, row)):
        tally.blanks += 1
        return True
    return False


def _check_rival(
    text: HostText, layout: Layout, rival: int, rows: Iterable[tuple[int, str, Sequence[str]]]
) -> None:
    """Refuses a row in which another column that could hold the names holds another one."""
    for number, cell, row in rows:
        other = row[rival] if rival < len(row) else ""
        if "." in other and other != cell:
            check_rival(
                f"{text.name}:{number}",
                (layout.titles[layout.column], cell),
                (layout.titles[rival], other),
            )


def _check_own(text: HostText, numbers: Sequence[int], rows: Sequence[Sequence[str]]) -> None:
    for number, row in zip(numbers, rows, strict=True):
        if not is_own(row):
            raise text.refusal(
                number,
                "this is no row of sbpam's tsv; the rows before it have"
                f" {TSV_FIELDS} fields, the second a status",
            )


def _unescape(field: str) -> str:
    def character(escape: re.Match[str]) -> str:
        code = escape[1]
        return {"\\": "\\", "t": "\t", "n": "\n", "r": "\r"}.get(code) or chr(int(code[1:], 16))

    return re.sub(r"\\([\\tnr]|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4})", character, field)


def _read_rows(text: HostText, layout: Layout) -> Iterator[Rows]:
    """The rows with the numbers of the lines in which they begin, many at a time."""
    held = ""
    for block in text.blocks():
        chunk, first = held + text.decode(block), text.line - held.count("\n")
        rows = _rows_of_one_line(chunk, layout)
        if rows is not None:
            numbers: Sequence[int] = range(first, first + len(rows))
            held = ""
        else:
            numbers, rows, held = _rows_one_by_one(text, first, chunk, layout)
        yield numbers, rows
        if len(held) > LINE_LIMIT:
            break
    if held:
        number = first + chunk.count("\n") - held.count("\n")
        raise text.refusal(number, "the CSV is malformed: a quote opens in this row and never ends")


def _csv_rows(lines: Iterable[str], layout: Layout) -> "Reader":
    import csv

    return csv.reader(
        lines,
        delimiter=layout.separator or ",",
        quoting=csv.QUOTE_NONE if layout.own else csv.QUOTE_MINIMAL,
        skipinitialspace=True,
        strict=True,
    )


def _rows_of_one_line(chunk: str, layout: Layout) -> list[list[str]] | None:
    """A row for each line; None if a row has several lines, or may have."""
    import csv
    import io

    # A quote in a comment is none, and would hide the end of its line.
    if '"' in chunk and "# " in chunk:
        return None
    try:
        rows = list(_csv_rows(io.StringIO(chunk), layout))
    except csv.Error:
        return None
    return rows if len(rows) == chunk.count("\n") else None


def _rows_one_by_one(
    text: HostText, first: int, chunk: str, layout: Layout
) -> tuple[list[int], list[list[str]], str]:
    """The rows, and what is left: a row whose end is not in the chunk."""
    import csv

    lines = [f"{line}\n" for line in chunk.split("\n")[:-1]]
    numbers: list[int] = []
    rows: list[list[str]] = []
    ahead, done = iter(lines), 0
    for line in ahead:
        number, height = first + done, 1
        if line.lstrip(' "').startswith("# "):
            row = ["# "]
        else:
            reader = _csv_rows(chain([line], ahead), layout)
            try:
                row = next(reader)
            except csv.Error as error:
                if "unexpected end" in str(error):
                    return numbers, rows, "".join(lines[done:])
                raise text.refusal(number, f"the CSV is malformed: {error}") from None
            height = reader.line_num
        if height > 1:
            _check_line_breaks(text, number, lines[done : done + height], layout, row)
        done += height
        numbers.append(number)
        rows.append(row)
    return numbers, rows, ""


def _check_line_breaks(
    text: HostText, number: int, lines: Sequence[str], layout: Layout, row: Sequence[str]
) -> None:
    """Refuses a row of several lines if a stray quote may have made it of several rows."""
    index = layout.column
    own = row[index] if index < len(row) else ""
    if "\n" in own:
        raise text.refusal(number, "the cell of the host's name has a line break in it")
    for line in lines:
        swallowed = "".join(line.split(layout.separator)[index : index + 1]).strip(' "\n')
        if fqdn(swallowed) not in (None, fqdn(own.strip())):
            raise text.refusal(
                number,
                f"a quote opens in this row and swallows {shown(swallowed)}",
                hint="Remove the stray quote, or double it.",
            )
