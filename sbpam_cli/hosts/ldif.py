"""Lists of hosts as directories write them: LDIF."""

import re
from collections.abc import Iterable, Iterator
from itertools import accumulate

from sbpam_cli.errors import InputError
from sbpam_cli.hosts.fqdn import shown
from sbpam_cli.hosts.recognise import LINE_LIMIT, HostText
from sbpam_cli.hosts.tables import Cells
from sbpam_cli.models import ListTally

_ATTRIBUTE = "dNSHostName"
# ldapsearch's words about the search, in entries without a `dn`.
_OF_THE_SEARCH = {"search", "result", "ref", "control", "text", "matcheddn", "version"}


def read_cells(
    text: HostText, tally: ListTally, column: str | None, *, allow_partial: bool
) -> Iterator[Cells]:
    """The values of `dNSHostName`, or of the attribute `column`, of every entry.

    An entry without one is a row without a name; words about the search count as a comment.
    """
    tally.form, tally.column = "ldif", column or _ATTRIBUTE
    wanted = tally.column.strip().lower()
    dn_line, named, of_the_search = 0, False, False
    # Attributes of entries, as they are spelled, that hold no names.
    passed: set[str] = set()
    for lines in _read_lines(text):
        numbers: list[int] = []
        cells: list[str] = []
        for number, line in lines:
            if not line or line.isspace():
                if dn_line and not named:
                    numbers.append(dn_line)
                    cells.append("")
                tally.comments += of_the_search
                dn_line, named, of_the_search = 0, False, False
                continue
            if line.startswith("#"):
                tally.comments += 1
                continue
            name, colon, value = line.partition(":")
            if name == "dn" and not dn_line:
                dn_line = number
                continue
            if dn_line and name in passed:
                continue
            attribute = name.partition(";")[0].lower()
            if attribute == wanted and colon:
                named = True
                numbers.append(number)
                plain = value[:1] not in (":", "<")
                cells.append(value.strip() if plain else _decode(text, number, value))
            elif attribute == "dn" and not dn_line:
                dn_line = number
            elif wrong := _what_is_wrong(line, dn_line):
                raise text.refusal(number, wrong)
            elif dn_line and attribute != "changetype":
                passed.add(name)
            elif not dn_line and attribute != "version":
                of_the_search = True
                if attribute == "result" and value.split()[:1] != ["0"]:
                    tally.cut_short = f"line {number}: {line}"
        if tally.cut_short and not allow_partial:
            raise InputError(
                f"{text.name}: the directory cut the list short",
                reason=tally.cut_short,
                hint="Search page by page (ldapsearch -E pr=1000/noprompt), or take what there is"
                " with --allow-partial.",
            )
        yield numbers, cells


def _what_is_wrong(line: str, dn_line: int) -> str | None:
    """Why a line that is neither a name nor the first `dn` of its entry is not understood."""
    found = re.match(r"([A-Za-z0-9.-]+)(?:;[^:]*)?:(.*)", line)
    if found is None:
        return f"{shown(line)} is no attribute and value of LDIF"
    attribute, value = found[1].lower(), found[2].strip()
    if attribute == "dn":
        return "a second dn stands in one entry; a blank line is missing"
    if attribute == "changetype":
        return None if value == "add" else f"a change ({shown(value)}) is no entry"
    if not dn_line and attribute not in _OF_THE_SEARCH:
        return f"{shown(line)} belongs to no entry, a dn is missing"
    return None


def _decode(text: HostText, number: int, value: str) -> str:
    if value.startswith("<"):
        raise text.refusal(number, "the value is the address of a file, not a name")
    import base64

    try:
        return base64.b64decode(value[1:].strip(), validate=True).decode("utf-8").strip()
    except ValueError:
        raise text.refusal(number, "the base64 text is malformed") from None


def _read_lines(text: HostText) -> Iterator[Iterable[tuple[int, str]]]:
    """The lines, unfolded, with their numbers; an empty one ends the last entry."""
    held = ""
    for block in text.blocks():
        chunk, first = held + text.decode(block), text.line - held.count("\n")
        folded = "\n " in chunk
        *lines, held, _ = re.split("\n(?! )", chunk) if folded else chunk.split("\n")
        held += "\n"
        if len(held) > LINE_LIMIT:
            raise text.refusal(text.line, "a line goes on for more than 4 MiB")
        if folded:
            numbers = accumulate((line.count("\n") + 1 for line in lines), initial=first)
            yield zip(numbers, (line.replace("\n ", "") for line in lines), strict=False)
        else:
            yield enumerate(lines, first)
    yield [(text.line - held.count("\n"), held.replace("\n ", "").rstrip("\n")), (0, "")]
