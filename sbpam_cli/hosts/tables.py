"""Lists of hosts in rows and columns: CSV, TSV, sbpam's own tsv."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from sbpam_cli.errors import InputError
from sbpam_cli.hosts.fqdn import fqdn, shown
from sbpam_cli.hosts.headers import SAY_WHICH, Layout, check_rival, is_own
from sbpam_cli.hosts.recognise import HostText
from sbpam_cli.models import ListTally

Cells = tuple[Sequence[int], Sequence[str]]
"""Cells of the column of names, with the numbers of their lines; empty: a row without a name."""

ROWS_AT_ONCE = 1_000


def read_cells(text: HostText, layout: Layout) -> Iterator[Cells]:
    """The cells of every row after the header. Raises `InputError` for what is in doubt."""
    (index, *rivals), label, titles = layout.found, layout.label, layout.cells
    for all_numbers, all_rows in _read_rows(text, layout):
        numbers, rows = all_numbers, all_rows
        cells = [row[index] if index < len(row) else "" for row in rows]
        if "" in cells or any(row[0].startswith("#") for row in rows):
            kept = [n for n, row in enumerate(rows) if not _is_passed(row, text.tally)]
            numbers, rows = [numbers[n] for n in kept], [rows[n] for n in kept]
            cells = [cells[n] for n in kept]
        if layout.own:
            for number in [n for n, row in zip(numbers, rows, strict=True) if not is_own(row)]:
                raise text.refusal(number, "this is no row of sbpam's tsv, as those before it are")
            cells = [_unescape(cell) if "\\" in cell else cell for cell in cells]
        for rival in rivals:
            for number, cell, row in zip(numbers, cells, rows, strict=True):
                other = row[rival] if rival < len(row) else ""
                if "." in other and other != cell:
                    where = f"{text.name}:{number}"
                    check_rival(where, (titles[index], cell), (titles[rival], other))
        if label and f".{label}\n" in "\n".join([*cells, ""]).lower():
            title = shown(titles[index])
            raise InputError(
                f"{text.name}: {title} is a column's title or a host, both are possible",
                reason=f"Other names of that column end in .{label} too",
                hint=SAY_WHICH,
            )
        yield numbers, cells


def _is_passed(row: Sequence[str], tally: ListTally) -> bool:
    """Whether the row is a comment or empty; if so, it is counted."""
    is_comment, is_blank = bool(row) and row[0].startswith("# "), not any(map(str.strip, row))
    tally.comments += is_comment
    tally.blanks += is_blank
    return is_comment or is_blank


def _unescape(field: str) -> str:
    def character(escape: re.Match[str]) -> str:
        code = escape[1]
        return {"\\": "\\", "t": "\t", "n": "\n", "r": "\r"}.get(code) or chr(int(code[1:], 16))

    return re.sub(r"\\([\\tnr]|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4})", character, field)


def _read_rows(text: HostText, layout: Layout) -> Iterator[tuple[list[int], list[list[str]]]]:
    """The rows with the numbers of the lines in which they begin, many at a time."""
    import csv
    import io

    between_rows, first = True, text.line

    def lines() -> Iterator[str]:
        nonlocal between_rows
        for block in text.blocks():
            chunk = io.StringIO(text.decode(block))
            if "# " not in chunk.getvalue():
                yield from chunk
            for line in chunk:
                # A quote in a comment is none, and would hide the end of its line.
                is_comment = between_rows and line.lstrip(' "').startswith("# ")
                between_rows = False
                yield "# \n" if is_comment else line

    reader = csv.reader(
        lines(),
        delimiter=layout.separator or ",",
        quoting=csv.QUOTE_NONE if layout.own else csv.QUOTE_MINIMAL,
        skipinitialspace=True,
        strict=True,
    )
    number = first
    while True:
        numbers, rows = list[int](), list[list[str]]()
        try:
            for row in islice(reader, ROWS_AT_ONCE):
                between_rows = True
                numbers.append(number)
                rows.append(row)
                if first + reader.line_num > number + 1:
                    _check_line_breaks(text, number, layout, row)
                number = first + reader.line_num
        except csv.Error as error:
            reason = str(error)
            if "unexpected end" in reason or "field limit" in reason:
                reason = "a quote opens in this row and never ends"
            raise text.refusal(number, f"the CSV is malformed: {reason}") from None
        if not rows:
            return
        yield numbers, rows


def _check_line_breaks(text: HostText, number: int, layout: Layout, row: Sequence[str]) -> None:
    """Refuses a row of several lines if a stray quote may have made it of several rows."""
    index, separator = layout.found[0], layout.separator or ","
    own = row[index] if index < len(row) else ""
    if "\n" in own:
        raise text.refusal(number, "the cell of the host's name has a line break in it")
    for line in separator.join(row).split("\n"):
        swallowed = "".join(line.split(separator)[index : index + 1]).strip(' "')
        if fqdn(swallowed) not in (None, fqdn(own.strip())):
            raise text.refusal(
                number,
                f"a quote opens in this row and swallows {shown(swallowed)}",
                hint="Remove the stray quote, or double it.",
            )
