"""Which column of a table holds the names, and where its header is."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from sbpam_cli.errors import InputError
from sbpam_cli.hosts.fqdn import fqdn, shown
from sbpam_cli.hosts.recognise import HostText
from sbpam_cli.models import ScanStatus

COLUMNS = ("dnshostname", "dnsname", "fqdn", "hostname", "host", "name")
"""The columns that hold names, the best first; case, spaces, `_` and quotes don't count."""

_ACCOUNTS = re.compile("(service|scan)?(account|credential)(name|id)?|saname")
_SEPARATORS = ",;\t"
_STATUSES = frozenset(ScanStatus)
_TSV_FIELDS = 8
_COLUMNS_SHOWN = 20
_EMPTY = ' ",;\t\x0b\x0c\xa0'
SAY_WHICH = "Name the column with --column NAME or --column NUMBER, or write one name a line."


class Layout(NamedTuple):
    """A row of the head, and what it tells of those below.

    separator: None for one name a line. found: columns that could hold the names, the best
    first. height: in lines. own: it is sbpam's tsv. label: the last one of a dotted title.
    """

    separator: str | None
    cells: Sequence[str] = ()
    found: Sequence[int] = (0,)
    height: int = 1
    own: bool = False
    label: str | None = None


def fold_title(title: str) -> str:
    """A column's title as it is compared: case, spaces, `_` and quotes don't count."""
    return re.sub(r"""[\s_"']""", "", title).lower()


def rank_title(title: str) -> int | None:
    """How well a column of this title fits, the lowest best; None if it holds no names.

    A dotted title, `cmdb_ci.fqdn`, comes right after what it ends in.
    """
    folded = fold_title(title)
    tail = folded.rpartition(".")[2]
    return 2 * COLUMNS.index(tail) + (tail != folded) if tail in COLUMNS else None


def find_columns(titles: Sequence[str], column: str | None) -> list[int]:
    """The columns that hold the names, the best first: as `column` says, else by title."""
    if column is None:
        ranks = [(rank_title(title), n) for n, title in enumerate(titles)]
        return [n for _, n in sorted((rank, n) for rank, n in ranks if rank is not None)]
    if re.fullmatch("[0-9]{1,9}", column):
        return [int(column) - 1] if 0 < int(column) <= len(titles) else []
    return [n for n, title in enumerate(titles) if fold_title(title) == fold_title(column)]


def no_such_column(where: str, titles: Sequence[str], column: str | None) -> InputError:
    """The refusal of rows in which no column, or not the one asked for, holds the names."""
    listed = [shown(title) for title in titles[:_COLUMNS_SHOWN]]
    listed += ["..."] if len(titles) > _COLUMNS_SHOWN else []
    what = "column of host names" if column is None else f"column {shown(column)}"
    return InputError(
        f"{where}: there is no {what}",
        reason=f"The columns found are {', '.join(listed)}",
        hint=SAY_WHICH,
    )


def check_rival(where: str, chosen: tuple[str, str], other: tuple[str, str]) -> None:
    """Refuses two columns, each as (title, cell), of which only one can hold the name."""
    rival = fqdn(other[1].strip())
    if rival is not None and rival != fqdn(chosen[1].strip()):
        both = f"{shown(chosen[0])} and {shown(other[0])}"
        raise InputError(
            f"{where}: the columns {both} don't hold the same name",
            reason=f"They hold {shown(chosen[1])} and {shown(other[1])}",
            hint="Say which has the hosts: --column NAME, or --column NUMBER.",
        )


def bare(line: str) -> str:
    """A line of a plain list without white space around it and without its comment."""
    line = line.strip()
    if "#" in line and (comment := re.search(r"(?:\A|\s)#", line)):
        return line[: comment.start()].rstrip()
    return line


def is_own(fields: Sequence[str]) -> bool:
    """Whether sbpam wrote the row as tsv: 8 fields, the second a status."""
    return len(fields) == _TSV_FIELDS and fields[1] in _STATUSES


def find_layout(text: HostText, column: str | None) -> Layout:
    """The layout that the head shows; takes, and accounts for, what stands before the rows.

    Raises `InputError` if the head leaves a doubt.
    """
    head, tally = text.head, text.tally
    is_number = column is not None and re.fullmatch("[0-9]+", column)
    place, separator = _skip_preface(text, column)
    text.skip_lines(place)
    if place == len(head):
        return Layout(None)
    if column is None and is_own(head[place].split("\t")):
        tally.form, tally.column = "sbpam", "host"
        return Layout("\t", own=True)
    row = _row_at(head, place, column, separator)
    if not row.found and not is_number and not (row.separator is None and fqdn(row.cells[0])):
        top, (place, row) = place, _find_below(text, place, row, column, separator)
        _pass_titles(text, top, place)
    where = f"{text.name}:{place + 1}"
    tally.form = {None: "text", "\t": "tsv"}.get(row.separator, "csv")
    if not row.found:
        names = [cell for cell in row.cells if fqdn(cell)]
        if column is None and len(names) > 1:
            hint = "Write one name a line, or say which with --column NUMBER."
            raise text.refusal(place + 1, "several names stand in one line", hint=hint)
        plain = row.separator is None or (len(row.cells) == 1 and names)
        if column is not None or not plain or (not names and _is_underlined(head, place + 1)):
            raise no_such_column(where, row.cells, column)
        return Layout(row.separator)
    if column is not None and len(row.found) > 1:
        hint = "Name one with --column NUMBER."
        raise InputError(f"{where}: {len(row.found)} columns are called {shown(column)}", hint=hint)
    title = row.cells[row.found[0]]
    dotted = row.separator is not None and "." in title and rank_title(title) is not None
    tally.column = title
    if is_number and fqdn(title) and not dotted:
        tally.column = column
        return row
    tally.header_line = place + 1
    others = (cell for cell in row.cells if cell != title and _ACCOUNTS.fullmatch(fold_title(cell)))
    tally.unused = next(others, None)
    text.skip_lines(row.height + _is_underlined(head, place + row.height))
    return row._replace(label=fold_title(title).rpartition(".")[2] if dotted else None)


def _is_underlined(head: Sequence[str], place: int) -> bool:
    """Whether the line there is the one of hyphens below a header."""
    line = "".join(head[place : place + 1])
    return "--" in line and not line.strip("-" + _EMPTY)


def _skip_preface(text: HostText, column: str | None) -> tuple[int, str | None]:
    """The place of the first line that counts, and the separator that a `sep=` line names."""
    separator: str | None = None
    for place, line in enumerate(text.head):
        if found := re.fullmatch(r'(?i)"?sep=(.|\\t)"?', line.strip(" ")):
            separator = found[1].replace("\\t", "\t")
        elif line.startswith("#TYPE "):
            continue
        elif not line.strip(_EMPTY):
            text.tally.blanks += 1
        elif line.lstrip().startswith("#") and not _is_row(text.head, place, column):
            text.tally.comments += 1
        else:
            return place, separator
    return len(text.head), separator


def _is_row(head: Sequence[str], place: int, column: str | None) -> bool:
    """Whether a line that begins with `#` is a header, `#,Hostname,IP`, or `#1;web01...`."""
    row = _row_at(head, place, column, None)
    below = next((line for line in _lines_below(head, place) if line.strip()), "")
    if row.separator is None or row.cells[0].startswith("# ") or not row.found:
        return False
    cell = row.cells[row.found[0]]
    is_title = rank_title(cell) is not None or fold_title(cell) == fold_title(column or "")
    return fqdn(cell) is not None or (is_title and row.separator in below)


def _row_at(head: Sequence[str], place: int, column: str | None, separator: str | None) -> Layout:
    """The row with the separator that makes a header of it, else with the one that cuts most."""
    line, rows = head[place], list[Layout]()
    alone = bare(line)
    for mark in separator or _SEPARATORS if "#" not in line or not fqdn(alone) else ():
        # A cell may begin with "#": `Name, #cores, FQDN`.
        comment = re.search(rf"\s#(?= |$)|(?<![\s{mark}\"])[^\S{mark}]+#", line)
        body = line[: comment.start()] if comment else line
        if mark in body or separator or line.lstrip().startswith('"'):
            cells, height = _split_row(body, _lines_below(head, place), mark)
            rows.append(Layout(mark, cells, find_columns(cells, column), height))
    # A dotted name alone in its line is a host.
    is_host = column is None and "." in alone
    plain = Layout(None, [alone], [] if is_host else find_columns([alone], column))
    return max(rows, key=lambda row: (bool(row.found), len(row.cells)), default=plain)


def _lines_below(head: Sequence[str], place: int) -> Iterator[str]:
    # A slice at every line of a long preface would copy for minutes.
    return (head[number] for number in range(place + 1, len(head)))


def _split_row(first: str, below: Iterable[str], separator: str) -> tuple[list[str], int]:
    """The cells of the first row, whatever its quotes do, and how many lines it takes."""
    import csv

    ended = (f"{line}\n" for line in chain([first], below))
    reader = csv.reader(ended, delimiter=separator, skipinitialspace=True, strict=True)
    try:
        cells, height = next(reader), reader.line_num
    except csv.Error:
        cells, height = first.split(separator), 1
    return [cell.strip(' "\n') for cell in cells], height


def _find_below(
    text: HostText, start: int, first: Layout, column: str | None, separator: str | None
) -> tuple[int, Layout]:
    """The header that `column` names and its place, else the first row; another is refused."""
    for place in range(start + 1, len(text.head)):
        row = _row_at(text.head, place, column, separator)
        if row.found and column is not None:
            return place, row
        titled = any("." not in row.cells[n] for n in row.found) and not any(map(fqdn, row.cells))
        if titled and len([cell for cell in first.cells if fqdn(cell)]) < 2:
            raise text.refusal(
                start + 1,
                f"this is no header; line {place + 1} is one",
                hint=f"Delete what stands above line {place + 1}.",
            )
    return start, first


def _pass_titles(text: HostText, start: int, header: int) -> None:
    """Takes, and accounts for, the lines above the header that `--column NAME` points to."""
    text.skip_lines(header - start)
    for number, line in enumerate(text.head[start:header], start + 1):
        if any(map(fqdn, re.split(rf"[{_EMPTY}]", line))):
            raise text.refusal(number, f"a host stands above the header, in line {header + 1}")
        text.tally.blanks += not line.strip(_EMPTY)
        text.tally.comments += bool(line.strip(_EMPTY))
