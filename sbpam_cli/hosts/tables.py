"""Lists of hosts in rows and columns: CSV, TSV, sbpam's own tsv, a single column.

Every form turns into entries: the number of a line, and the name that stands
there, not validated yet, or None where the entry names no host.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from sbpam_cli.errors import InputError
from sbpam_cli.hosts.fqdn import shown
from sbpam_cli.hosts.recognise import HostText
from sbpam_cli.models import ScanStatus, Talk

Entry = tuple[int, str | None]

COLUMNS = ("dnshostname", "dns host name", "fqdn", "host", "hostname", "name")
"""The columns that hold names, the best first."""

SEPARATORS = ",;\t"
_TSV_FIELDS = 8
_STATUSES = frozenset(ScanStatus)
_COLUMNS_NAMED = 20


def bare(line: str) -> str:
    """A line or cell without white space around it and without its comment."""
    line = line.strip()
    if "#" in line and (comment := re.search(r"(?:\A|\s)#", line)):
        return line[: comment.start()].rstrip()
    return line


def unquoted(name: str) -> str:
    """The name without the quotes around it, if it has them."""
    return name[1:-1].strip() if len(name) > 1 and name[0] == name[-1] == '"' else name


def choose_column(found: Sequence[str], column: str | None, where: str) -> int:
    """The index of the column that holds the names; `column` as the user gave it.

    `found` is the header. Raises `InputError`, naming what was found.
    """
    names = [name.strip().lower() for name in found]
    if column is not None and column.isdecimal():
        if 1 <= int(column) <= len(names):
            return int(column) - 1
    else:
        for wanted in COLUMNS if column is None else (column.strip().lower(),):
            if names.count(wanted) > 1:
                raise InputError(
                    f"{where}: {names.count(wanted)} columns are called {shown(wanted)}",
                    hint="Say which with --column NUMBER.",
                )
            if wanted in names:
                return names.index(wanted)
    listed = [shown(name) for name in found[:_COLUMNS_NAMED]]
    listed += ["..."] if len(found) > _COLUMNS_NAMED else []
    what = "header with a column of host names" if column is None else f"column {shown(column)}"
    raise InputError(
        f"{where}: there is no {what}",
        reason=f"The columns found are {', '.join(listed)}",
        hint="Name the column with --column NAME or --column NUMBER, or write one name a line.",
    )


def is_own_row(line: str) -> bool:
    """Whether sbpam wrote the line as tsv: 8 fields, the second a status."""
    fields = line.split("\t")
    return len(fields) == _TSV_FIELDS and fields[1] in _STATUSES


def own_entries(text: HostText) -> Iterator[Entry]:
    """The first field of every row of sbpam's tsv; lines without TAB are names alone."""
    for number, line in text.lines():
        if not line.strip() or line.startswith("#"):
            continue
        if "\t" not in line:
            yield number, bare(line)
        elif is_own_row(line.strip(" ")):
            yield number, _unescaped(line.partition("\t")[0]) or None
        else:
            raise InputError(
                f"{text.name}:{number}: this is no row of sbpam's tsv",
                reason=f"The rows before it have {_TSV_FIELDS} fields, the second a status",
            )


def _unescaped(field: str) -> str:
    if "\\" not in field:
        return field.strip()

    def character(escape: re.Match[str]) -> str:
        code = escape[1]
        return {"\\": "\\", "t": "\t", "n": "\n", "r": "\r"}.get(code) or chr(int(code[1:], 16))

    return re.sub(r"\\([\\tnr]|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4})", character, field)


def _cells(line: str, separator: str) -> list[str]:
    import csv

    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return []


def separator_of(line: str, column: str | None) -> str | None:
    """The separator of the line's fields, the one that makes a header of it first; None: one."""
    wanted = COLUMNS if column is None else (column.strip().lower(),)

    def fitness(mark: str) -> tuple[bool, int]:
        cells = _cells(line, mark)
        return any(cell.strip().lower() in wanted for cell in cells), len(cells)

    header = max((mark for mark in SEPARATORS if mark in line), key=fitness, default=None)
    if header is not None and fitness(header)[0]:
        return header
    return max((mark for mark in SEPARATORS if mark in bare(line)), key=fitness, default=None)


def csv_entries(text: HostText, separator: str, column: str | None, talk: Talk) -> Iterator[Entry]:
    """The entries of CSV, from its header on; malformed CSV raises `InputError`."""
    import csv

    start, fresh = text.line, True

    def record_lines() -> Iterator[str]:
        nonlocal start, fresh
        for number, line in text.lines():
            if fresh:
                if line.lstrip().startswith("#"):
                    continue
                start, fresh = number, False
            yield line

    index, after_header = -1, False
    try:
        for row in csv.reader(record_lines(), delimiter=separator, strict=True):
            fresh = True
            if len(row) < 2 and not "".join(row).strip():
                continue
            if index < 0:
                index = choose_column(row, column, f"{text.name}:{start}")
                after_header = _is_header(row[index], row, column, f"{text.name}:{start}", talk)
                if after_header:
                    continue
            elif after_header:
                after_header = False
                if set("".join(row).strip()) == {"-"}:
                    continue
            name = unquoted(bare(row[index])) if index < len(row) else ""
            yield start, name or None
    except csv.Error as error:
        raise InputError(
            f"{text.name}:{start}: the CSV is malformed", reason=str(error).capitalize()
        ) from None


def _is_header(cell: str, cells: Iterable[str], column: str | None, where: str, talk: Talk) -> bool:
    """Whether the first line is a header. With a numbered column it may be a host already."""
    if column is None or not column.isdecimal():
        return True
    if any(cell.strip().lower() in COLUMNS for cell in cells):
        return True
    if re.search(r"[.0-9]", cell):
        return False
    talk.note(f"{where}: taken as the header, {shown(cell)} is no host")
    return True


def take_single_header(text: HostText, line: str, column: str | None, talk: Talk) -> None:
    """Takes the first line, `line`, and dashes under it, where it is the header of one column."""
    cell = unquoted(bare(line))
    if not cell or (column is None and cell.lower() not in COLUMNS):
        return
    where = f"{text.name}:{text.line}"
    choose_column([cell], column, where)
    if _is_header(cell, [cell], column, where, talk):
        text.skip_line()
        if set(text.first_line().strip()) == set(b"-"):
            text.skip_line()
