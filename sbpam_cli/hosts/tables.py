"""Lists of hosts in rows and columns: CSV, TSV, sbpam's own tsv."""

import io
from collections.abc import Iterator, Sequence

from sbpam_cli.errors import InputError
from sbpam_cli.hosts.fqdn import fqdn, shown
from sbpam_cli.hosts.headers import SAY_WHICH, Layout, check_rival
from sbpam_cli.hosts.recognise import HostText
from sbpam_cli.models import ListTally

Cells = Iterator[tuple[int, str]]
"""The cells that hold names, each after its row's first line; empty: a row without a name."""


def read_cells(text: HostText, layout: Layout, tally: ListTally) -> Cells:
    """The cells of every row after the header. Raises `InputError` for what is in doubt."""
    import csv

    column, label, titles = layout.column, f".{layout.label}", layout.titles
    below = first = text.line
    reader = csv.reader(
        (line for block in text.blocks() for line in io.StringIO(text.decode(block))),
        delimiter=layout.separator or ",",
        quoting=csv.QUOTE_NONE if layout.own else csv.QUOTE_MINIMAL,
        skipinitialspace=True,
        strict=True,
    )
    try:
        for row in reader:
            number, below = below, first + reader.line_num
            if below > number + 1:
                _check_line_breaks(text, number, layout, row)
            cell = row[column] if column < len(row) else ""
            if row and row[0].startswith("# "):
                tally.comments += 1
                continue
            if not cell and not any(map(str.strip, row)):
                tally.blanks += 1
                continue
            for rival in layout.rivals:
                other = row[rival] if rival < len(row) else ""
                if "." in other and other != cell:
                    where = f"{text.name}:{number}"
                    check_rival(where, (titles[column], cell), (titles[rival], other))
            if layout.label and cell.lower().endswith(label):
                title = shown(titles[column])
                raise InputError(
                    f"{text.name}: {title} is a column's title or a host, both are possible",
                    reason=f"Other names of that column end in {label} too",
                    hint=SAY_WHICH,
                )
            yield number, cell
    except csv.Error as error:
        reason = str(error)
        if "unexpected end" in reason or "field limit" in reason:
            reason = "a quote opens in this row and never ends"
        raise text.refusal(below, f"the CSV is malformed: {reason}") from None


def _check_line_breaks(text: HostText, number: int, layout: Layout, row: Sequence[str]) -> None:
    """Refuses a row of several lines if a stray quote may have made it of several rows."""
    index, separator = layout.column, layout.separator or ","
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
