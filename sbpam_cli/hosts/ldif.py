"""Lists of hosts as directories write them: LDIF."""

import re
from collections.abc import Iterator
from itertools import islice

from sbpam_cli.hosts.fqdn import shown
from sbpam_cli.hosts.recognise import LINE_LIMIT, HostText
from sbpam_cli.hosts.tables import ROWS_AT_ONCE, Cells

# ldapsearch's words about the search begin with one of these.
_OF_THE_SEARCH = {"search", "result", "ref", "control", "text", "matcheddn", "version"}
_ATTRIBUTE = re.compile(r"[A-Za-z0-9.-]+(?:;[^:]*)?")


def read_cells(text: HostText, column: str | None) -> Iterator[Cells]:
    """The values of `dNSHostName`, or of the attribute `column`, of every entry.

    An entry without one is a row without a name; words about the search count as a comment.
    """
    text.tally.form, text.tally.column = "ldif", column or "dNSHostName"
    values = _values(text, text.tally.column.strip().lower())
    while part := list(islice(values, ROWS_AT_ONCE)):
        numbers, cells = zip(*part, strict=True)
        yield numbers, cells


def _values(text: HostText, column: str) -> Iterator[tuple[int, str]]:
    tally = text.tally
    # What a line is, by what stands before its colon.
    kinds = {"": "end", column: "name"}
    # Of the entry that is being read: its first line and attribute, and whether it has a name.
    start, first, named = 0, "", False
    for number, line in _unfolded(text):
        spelled, colon, value = line.partition(":")
        kind = kinds.get(spelled)
        if kind is None:
            attribute = spelled.partition(";")[0].lower()
            kind = "comment" if line.startswith("#") else "end" if line.isspace() else None
            if kind is None and _ATTRIBUTE.fullmatch(spelled):
                kind = kinds[spelled] = kinds.get(attribute, attribute)
        if kind == "comment":
            tally.comments += 1
            continue
        if kind == "end" or (kind == "dn" and start):
            if start and not named and first not in _OF_THE_SEARCH:
                yield start, ""
            tally.comments += first in _OF_THE_SEARCH and first != "version"
            start, first, named = 0, "", False
        if kind == "end":
            continue
        if not colon or kind is None:
            raise text.refusal(number, f"{shown(line)} is no attribute and value of LDIF")
        if not start:
            start, first = number, kind
        if kind == "name":
            named = True
            plain = value[:1] not in (":", "<")
            yield number, value.strip() if plain else _decode(text, number, value)
        elif kind == "changetype" and value.strip() != "add":
            raise text.refusal(number, f"a change ({shown(value.strip())}) is no entry")
        elif kind == "result" and first in _OF_THE_SEARCH and value.split()[:1] != ["0"]:
            tally.cut_short = f"line {number}: {line}"


def _decode(text: HostText, number: int, value: str) -> str:
    if value.startswith("<"):
        raise text.refusal(number, "the value is the address of a file, not a name")
    import base64

    try:
        return base64.b64decode(value[1:].strip(), validate=True).decode("utf-8").strip()
    except ValueError:
        raise text.refusal(number, "the base64 text is malformed") from None


def _unfolded(text: HostText) -> Iterator[tuple[int, str]]:
    """The lines, unfolded, with their numbers; an empty one ends the last entry."""
    start, held = 0, ""
    for block in text.blocks():
        for number, line in enumerate(text.decode(block).split("\n")[:-1], text.line):
            if start and line.startswith(" "):
                held += line[1:]
                if len(held) > LINE_LIMIT:
                    raise text.refusal(start, "a line goes on for more than 4 MiB")
                continue
            if start:
                yield start, held
            start, held = number, line
    yield start, held
    yield 0, ""
