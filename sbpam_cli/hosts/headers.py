"""Which column of a table holds the names, and where its header is."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from sbpam_cli.errors import InputError
from sbpam_cli.hosts.fqdn import fqdn, shown
from sbpam_cli.hosts.recognise import HostText
from sbpam_cli.models import ListTally, ScanStatus

COLUMNS = ("dnshostname", "dnsname", "fqdn", "hostname", "host", "name")
"""The columns that hold names, the best first; case, spaces, `_` and quotes don't count."""

SEPARATORS = ",;\t"
TSV_FIELDS = 8
_STATUSES = frozenset(ScanStatus)
_COLUMNS_SHOWN = 20
_EMPTY = ' ",;\t\x0b\x0c\xa0'
SAY_WHICH = "Name the column with --column NAME or --column NUMBER, or write one name a line."


class Layout(NamedTuple):
    """Where the names of a table stand.

    separator: None for one name a line. own: it is sbpam's tsv. column: its index.
    rivals: other columns that could hold names. label: the last one of a dotted title.
    """

    separator: str | None
    own: bool = False
    column: int = 0
    rivals: Sequence[int] = ()
    label: str | None = None
    titles: Sequence[str] = ()


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


def find_titles(titles: Sequence[str], column: str | None) -> list[int]:
    """The columns whose titles say that they hold the names, the best first."""
    if column is not None:
        return [n for n, title in enumerate(titles) if fold_title(title) == fold_title(column)]
    ranks = [(rank_title(title), n) for n, title in enumerate(titles)]
    return [n for _, n in sorted((rank, n) for rank, n in ranks if rank is not None)]


def column_number(column: str | None) -> int | None:
    """The index that `--column NUMBER` means; None if it is a name."""
    if column is None or not re.fullmatch("[0-9]{1,9}", column):
        return None
    return int(column) - 1


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


def bare(line: str) -> str:
    """A line of a plain list without white space around it and without its comment."""
    line = line.strip()
    if "#" in line and (comment := re.search(r"(?:\A|\s)#", line)):
        return line[: comment.start()].rstrip()
    return line


class _Row(NamedTuple):
    """A row of the head; `separator` is None if it is one bare name or title."""

    separator: str | None
    cells: list[str]
    height: int = 1


def find_layout(text: HostText, column: str | None, tally: ListTally) -> Layout:
    """The layout that the head shows; takes, and accounts for, what stands before the rows.

    Raises `InputError` if the head leaves a doubt.
    """
    head, number = text.head, column_number(column)
    place, separator = _skip_preface(head, column, tally)
    if place == len(head):
        text.skip_lines(place)
        return Layout(None)
    if column is None and is_own(head[place].split("\t")):
        text.skip_lines(place)
        tally.form, tally.column = "sbpam", "host"
        return Layout("\t", own=True)
    row = _row_at(head, place, column, separator)
    found = [number] if number is not None else _titles_of(row, column)
    if not found:
        is_name = row.separator is None and column is None and fqdn(row.cells[0])
        below = None if is_name else _find_below(head, place + 1, column)
        if column is None or below is None:
            _refuse_without_header(text, place, row, below, column)
            text.skip_lines(place)
            tally.form = "text" if row.separator is None else "csv"
            return Layout(row.separator)
        _pass_titles(text, place, below, tally)
        place, row = below, _row_at(head, below, column, separator)
        found = _titles_of(row, column)
    where = f"{text.name}:{place + 1}"
    if column is not None and len(found) > 1:
        hint = "Name one with --column NUMBER."
        raise InputError(f"{where}: {len(found)} columns are called {shown(column)}", hint=hint)
    if not 0 <= found[0] < len(row.cells):
        raise no_such_column(where, row.cells, column)
    title = row.cells[found[0]]
    dotted = row.separator is not None and "." in title and rank_title(title) is not None
    tally.form = {None: "text", "\t": "tsv"}.get(row.separator, "csv")
    tally.column = title
    if number is not None and fqdn(title) and not dotted:
        tally.column = column
        text.skip_lines(place)
        return Layout(row.separator, column=number)
    tally.header_line = place + 1
    below_header = "".join(head[place + row.height :][:1])
    underline = "-" in below_header and not below_header.strip("-" + _EMPTY)
    text.skip_lines(place + row.height + underline)
    label = fold_title(title).rpartition(".")[2] if dotted else None
    rivals = found[1:] if column is None else ()
    return Layout(row.separator, False, found[0], rivals, label, row.cells)


def _skip_preface(
    head: Sequence[str], column: str | None, tally: ListTally
) -> tuple[int, str | None]:
    """The place of the first line that counts, and the separator that a `sep=` line names."""
    separator: str | None = None
    for place, line in enumerate(head):
        if found := re.fullmatch(r'(?i)"?sep=(.|\\t)"?', line.strip(" ")):
            separator = found[1].replace("\\t", "\t")
        elif line.startswith("#TYPE "):
            continue
        elif not line.strip(_EMPTY):
            tally.blanks += 1
        elif line.lstrip().startswith("#") and not _is_row(head, place, column):
            tally.comments += 1
        else:
            return place, separator
    return len(head), separator


def _is_row(head: Sequence[str], place: int, column: str | None) -> bool:
    """Whether a line that begins with `#` is a header, `#,Hostname,IP`, or `#1;web01...`."""
    row, number = _row_at(head, place, column, None), column_number(column)
    below = next((line for line in head[place + 1 :] if line.strip()), "")
    if row.separator is None or row.cells[0].startswith("# "):
        return False
    if number is not None and any(map(fqdn, row.cells[max(number, 0) : number + 1])):
        return True
    return row.separator in below and bool(_titles_of(row, column))


def _row_at(head: Sequence[str], place: int, column: str | None, separator: str | None) -> _Row:
    """The row with the separator that makes a header of it, else with the one that cuts most."""
    line = head[place]
    if "#" in line and fqdn(bare(line)):
        return _Row(None, [bare(line)])
    rows = []
    for mark in separator or SEPARATORS:
        # A cell may begin with "#": `Name, #cores, FQDN`.
        comment = re.search(rf"\s#(?= |$)|(?<![\s{mark}\"])[^\S{mark}]+#", line)
        body = line[: comment.start()] if comment else line
        if mark in body or separator or line.lstrip().startswith('"'):
            rows.append(_Row(mark, *split_row([body, *head[place + 1 :]], mark)))
    fitness = lambda row: (bool(_titles_of(row, column)), len(row.cells))  # noqa: E731
    return max(rows, key=fitness, default=_Row(None, [bare(line)]))


def split_row(lines: Sequence[str], separator: str) -> tuple[list[str], int]:
    """The cells of the first row, whatever its quotes do, and how many lines it takes."""
    import csv

    ended = (f"{line}\n" for line in lines)
    reader = csv.reader(ended, delimiter=separator, skipinitialspace=True, strict=True)
    try:
        cells, height = next(reader), reader.line_num
    except csv.Error:
        cells, height = lines[0].split(separator), 1
    return [cell.strip(' "\n') for cell in cells], height


def _titles_of(row: _Row, column: str | None) -> list[int]:
    # A dotted name alone in its line is a host.
    is_host = row.separator is None and column is None and "." in row.cells[0]
    return [] if is_host else find_titles(row.cells, column)


def _find_below(head: Sequence[str], start: int, column: str | None) -> int | None:
    """The place of a header under a title."""
    for place in range(start, len(head)):
        row = _row_at(head, place, column, None)
        titles = [row.cells[n] for n in _titles_of(row, column)]
        if column is not None and titles:
            return place
        if any("." not in title for title in titles) and not any(map(fqdn, row.cells)):
            return place
    return None


def _pass_titles(text: HostText, place: int, header: int, tally: ListTally) -> None:
    """Accounts for the lines above the header that `--column NAME` points to."""
    for number, line in enumerate(text.head[place:header], place + 1):
        if any(map(fqdn, re.split(rf"[{_EMPTY}]", line))):
            raise text.refusal(number, f"a host stands above the header, in line {header + 1}")
        tally.blanks += not line.strip(_EMPTY)
        tally.comments += bool(line.strip(_EMPTY))


def _refuse_without_header(
    text: HostText, place: int, row: _Row, below: int | None, column: str | None
) -> None:
    """Refuses what cannot do without the header that it has not."""
    names = [cell for cell in row.cells if fqdn(cell)]
    if column is None and below is not None and len(names) < 2:
        raise text.refusal(
            place + 1,
            f"this is no header; line {below + 1} is one",
            hint=f"Delete what stands above line {below + 1}.",
        )
    if column is None and len(names) > 1:
        hint = "Write one name a line, or say which with --column NUMBER."
        raise text.refusal(place + 1, "several names stand in one line", hint=hint)
    under = "".join(text.head[place + 1 : place + 2])
    underlined = "--" in under and not under.strip("- ") and not names
    plain = row.separator is None or (len(row.cells) == 1 and names)
    if column is not None or underlined or not plain:
        raise no_such_column(f"{text.name}:{place + 1}", row.cells, column)


def is_own(fields: Sequence[str]) -> bool:
    """Whether sbpam wrote the row as tsv: 8 fields, the second a status."""
    return len(fields) == TSV_FIELDS and fields[1] in _STATUSES


def check_rival(where: str, chosen: tuple[str, str], other: tuple[str, str]) -> None:
    """Refuses two columns, each as (title, cell), of which only one can hold the name."""
    name, rival = fqdn(chosen[1].strip()), fqdn(other[1].strip())
    if rival is None or rival == name:
        return
    raise InputError(
        f"{where}: the columns {shown(chosen[0])} and {shown(other[0])} don't hold the same name",
        reason=f"They hold {shown(chosen[1])} and {shown(other[1])}",
        hint="Say which has the hosts: --column NAME, or --column NUMBER.",
    )
