"""Reads lists of hosts: arguments, files and stdin into names, validated and unique.

Every record of a list is accounted for in its tally.
"""

import os
import re
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Literal, NamedTuple

from sbpam_cli.errors import InputError, OptionError
from sbpam_cli.hosts.fqdn import NAME_LIMIT, fqdn, fqdns_of_block, shown, why_not
from sbpam_cli.hosts.headers import bare, find_layout
from sbpam_cli.hosts.recognise import HostText, recognise
from sbpam_cli.models import ListTally, Talk
from sbpam_cli.wording import counted

Kind = Literal["argument", "file", "host", "stdin"]

PATH_ENDINGS = (
    *(".txt", ".csv", ".tsv", ".json", ".ndjson", ".jsonl", ".ldif", ".ldf", ".lst", ".list"),
    *(".xlsx", ".xls", ".ods", ".yml", ".yaml", ".xml", ".html", ".log", ".dat", ".ini", ".conf"),
    *(".gz", ".zip", ".bak", ".out", ".tmp"),
)
"""Endings that files have and no domain."""

_DEVICE = r"(con|prn|aux|nul|(com|lpt)[0-9¹²³]) *(\.|:|$)"
_REFUSALS_IN_FULL = 20
_PLACES_NAMED = 5
_FEW = 16
_NO_NAMES = frozenset({"", "null", "n/a", "#n/a", "#nv", "-", "(null)"})
"""What spreadsheets and databases write in an empty cell."""

_COMMENT_LINE = re.compile(rb"\n[ \t]*#[^\n]*")
_COMMENT = re.compile(rb"#(?<=[ \t]#)[^\n]*")


class HostSource(NamedTuple):
    """Where hosts come from: a positional argument, `--file`, `--host`, or stdin unasked."""

    kind: Kind
    value: str


class ReadingRules(NamedTuple):
    """How lists are read.

    column: a name or number, as the user gave it. allow_partial: a list that its directory
    cut short will do. max_hosts: more is an error, raised as soon as they are read.
    """

    column: str | None = None
    allow_partial: bool = False
    max_hosts: int | None = None


class Refusal(NamedTuple):
    """An entry that is no FQDN.

    position: how many accepted names stand before it.
    where: `hosts.txt:3`, `stdin:7`, `hosts.json: entry 2`, `argument 2`, `--host 1`.
    text: as written, lower-cased; if it is too long, its start and an ellipsis.
    reason: continues the sentence that `text` begins: `is a short name, ...`.
    """

    position: int
    where: str
    text: str
    reason: str


class Hosts(NamedTuple):
    """What was read.

    names: lower-case FQDNs, unique, in order. refused: unique by text, in order.
    tallies: one for each list; arguments are none.
    """

    names: list[str]
    refused: list[Refusal]
    tallies: list[ListTally]


def read_hosts(
    sources: Sequence[HostSource],
    *,
    stdin: BinaryIO,
    stdin_is_terminal: bool,
    rules: ReadingRules,
    talk: Talk,
) -> Hosts:
    """Reads every source in turn. Names that are no FQDNs end up in `refused`.

    Raises `InputError` for what cannot be read, decoded or understood, and
    `OptionError` if nothing is given at all, or stdin twice.
    """
    if not sources:
        if stdin_is_terminal:
            raise OptionError(
                "no hosts given",
                hint="Name hosts or a file, or pipe a list into the command.",
            )
        sources = (HostSource("stdin", "-"),)
    reading = _Reading(rules, talk)
    stdin_taken = False
    counts = {"argument": 0, "host": 0, "file": 0, "stdin": 0}
    for source in sources:
        counts[source.kind] += 1
        if source.kind == "host" or (path := _path(source, talk)) is None:
            option = "--host" if source.kind == "host" else "argument"
            reading.read_argument(source.value.strip(), f"{option} {counts[source.kind]}")
        elif path != "-":
            with _opened(path) as stream:
                reading.read_list(stream, path)
        elif stdin_taken:
            raise OptionError("stdin (-) is given twice, it can be read once only")
        else:
            stdin_taken = True
            reading.read_list(stdin, "stdin")
    return reading.result()


def refuse_invalid(hosts: Hosts) -> InputError:
    """All refusals as one error: the first 20 in full, then how many more."""
    listed = [
        f"{refusal.where}: {shown(refusal.text)} {refusal.reason}"
        for refusal in hosts.refused[:_REFUSALS_IN_FULL]
    ]
    hint = "Correct the list, or schedule only the good ones with --skip-invalid."
    if hosts.refused[0].position == 0 and ":" in hosts.refused[0].where:
        hint += " If it begins with a column's title: --column TITLE."
    if len(listed) == 1:
        return InputError(listed[0], reason="Nothing was sent", hint=hint)
    if more := len(hosts.refused) - len(listed):
        listed.append(f"and {more:,} more")
    return InputError(
        f"{len(hosts.refused):,} entries are not valid host names; nothing was sent",
        reason="\n".join(listed),
        hint=hint,
    )


def _path(source: HostSource, talk: Talk) -> str | None:
    """The file that is meant, `-` for stdin, None if it is a host."""
    value = source.value
    has_ending = value.lower().endswith(PATH_ENDINGS)
    if source.kind in ("file", "stdin") or value == "-":
        return value
    if fqdn(value) and (os.path.isdir(value) or _is_device(value)):
        return None
    if os.path.exists(value):
        if fqdn(value) and not has_ending:
            talk.note(f"{value} is read as a file; --host {value} would mean the host")
        return value
    if "://" in value:
        return None
    return value if has_ending or os.sep in value or "/" in value else None


def _is_device(path: str) -> bool:
    """Whether Windows opens a device, whatever the ending: one waits for ever."""
    return os.name == "nt" and re.match(_DEVICE, os.path.basename(path), re.IGNORECASE) is not None


def _opened(path: str) -> BinaryIO:
    if _is_device(path):
        raise InputError(f"{shown(path, 200)} is a device of Windows, not a file")
    if os.path.isdir(path):
        raise InputError(f"{shown(path, 200)} is a directory, not a list of hosts")
    try:
        return open(path, "rb")
    except FileNotFoundError:
        hint = "Give the path of a file that exists, or say --host for a host."
        raise InputError(f"no such file: {shown(path, 200)}", hint=hint) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{shown(path, 200)} could not be opened", reason=reason) from None


class _Reading:
    """The hosts as they grow."""

    def __init__(self, rules: ReadingRules, talk: Talk) -> None:
        self._rules = rules
        self._talk = talk
        self._names: list[str] = []
        # Beside the list, because a dict of a million names takes half as long again.
        self._known: set[str] = set()
        self._refused: dict[str, Refusal] = {}
        self._tallies: list[ListTally] = []
        self._tally = ListTally("")

    def result(self) -> Hosts:
        return Hosts(self._names, list(self._refused.values()), self._tallies)

    def read_argument(self, text: str, where: str) -> None:
        self._tally = ListTally(where)
        self._take_one(text, where)

    def read_list(self, stream: BinaryIO, name: str) -> None:
        text, column = HostText(stream, name), self._rules.column
        tally = self._tally = text.tally
        self._tallies.append(tally)
        form = recognise(text, column)
        if form == "json":
            from sbpam_cli.hosts.json_lists import read_cells as read_json

            parts = read_json(text, column)
        elif form == "ldif":
            from sbpam_cli.hosts.ldif import read_cells as read_ldif

            parts = read_ldif(text, column)
        elif (layout := find_layout(text, column)).separator is None:
            parts = self._read_plain(text)
        else:
            from sbpam_cli.hosts.tables import read_cells as read_table

            parts = read_table(text, layout)
        for numbers, cells in parts:
            self._take(numbers, cells)
        if tally.cut_short is not None and not self._rules.allow_partial:
            raise InputError(
                f"{name}: the directory cut the list short",
                reason=tally.cut_short,
                hint="Search page by page (ldapsearch -E pr=1000/noprompt), or take what there is"
                " with --allow-partial.",
            )
        rows = tally.hosts + tally.duplicates + tally.invalid + tally.without_name
        too_many = tally.without_name * 10 > rows
        (self._talk.alert if too_many else self._talk.note)(describe_tally(tally))

    def _take(self, numbers: Sequence[int], cells: Sequence[str]) -> None:
        """Accounts for cells, all at once or, if some are not plain names, half by half."""
        names = fqdns_of_block(("\n".join(cells) + "\n").encode("utf-8", "surrogatepass"))
        if names is not None and len(names) == len(cells):
            self._add(names)
        elif len(cells) > _FEW:
            half = len(cells) // 2
            self._take(numbers[:half], cells[:half])
            self._take(numbers[half:], cells[half:])
        else:
            for number, cell in zip(numbers, cells, strict=True):
                text = cell.strip()
                if not text or (self._tally.column and text.lower() in _NO_NAMES):
                    self._tally.without_name += 1
                    if self._tally.without_name <= _PLACES_NAMED:
                        self._tally.nameless.append(number)
                else:
                    self._take_one(text, self._tally.place(number))

    def _read_plain(self, text: HostText) -> Iterator[tuple[list[int], list[str]]]:
        """Accounts for blocks of nothing but names and comments; returns the lines of others."""
        for block in text.blocks():
            kept, comments = _without_comments(block)
            names = fqdns_of_block(kept) if kept else []
            if names is None:
                numbers, cells = text.rows(block, bare)
                yield numbers, cells
            else:
                self._tally.blanks += block.count(b"\n") - comments - len(names)
                self._tally.comments += comments
                self._add(names)

    def _add(self, names: Sequence[str]) -> None:
        new = dict.fromkeys(names)
        for name in self._known.intersection(new):
            del new[name]
        self._known.update(new)
        self._names += new
        self._tally.hosts += len(new)
        self._tally.duplicates += len(names) - len(new)
        most = self._rules.max_hosts
        if most is not None and len(self._names) > most:
            raise InputError(
                f"the list names more hosts than --max-hosts allows ({most:,})",
                hint="Check the list, or raise the guard.",
            )

    def _take_one(self, text: str, where: str) -> None:
        if name := fqdn(text):
            self._add([name])
            return
        # Half of a surrogate pair (from argv or JSON) can be written nowhere.
        kept = text.lower().encode("utf-8", "backslashreplace").decode()
        if len(kept) > NAME_LIMIT:
            kept = f"{kept[: NAME_LIMIT - 1]}…"
        if kept in self._refused:
            self._tally.duplicates += 1
            return
        self._refused[kept] = Refusal(len(self._names), where, kept, why_not(text))
        self._tally.invalid += 1


def _without_comments(block: bytes) -> tuple[bytes, int]:
    """Whole lines without comments, blank lines and outer spaces; how many lines were comments."""
    kept, comments = b"\n" + block, 0
    if b"#" in kept:
        kept, comments = _COMMENT_LINE.subn(b"", kept)
        kept = _COMMENT.sub(b"", kept)
    if b" " in kept or b"\t" in kept:
        kept = b"\n".join(map(bytes.strip, kept.split(b"\n")))
    while b"\n\n" in kept:
        kept = kept.replace(b"\n\n", b"\n")
    return kept[1:], comments


def describe_tally(tally: ListTally) -> str:
    """What became of a list, in a line: `hosts.csv: 998 hosts from column DNSHostName ...`."""
    line = f"{tally.source}: {counted(tally.hosts, 'host')}"
    if tally.column is not None:
        line += f" from column {tally.column[:NAME_LIMIT]}"
    if tally.header_line is not None:
        line += f" (header in line {tally.header_line})"
    parts = [counted(tally.duplicates, "duplicate")] if tally.duplicates else []
    if tally.without_name:
        noun = ("entry", "entries") if tally.entries else ("line", "lines")
        listed = ", ".join(map(str, tally.nameless))
        listed += ", ..." if tally.without_name > len(tally.nameless) else ""
        rows = counted(tally.without_name, "row")
        parts.append(f"{rows} without a name ({noun[tally.without_name > 1]} {listed})")
    rest = (
        (tally.blanks, "blank line"),
        (tally.comments, "comment"),
        (tally.invalid, "invalid name"),
    )
    parts += [counted(number, what) for number, what in rest if number]
    if tally.cut_short is not None:
        parts.append(f"cut short by the directory ({tally.cut_short[:NAME_LIMIT]})")
    if tally.unused is not None:
        unused = f"column {tally.unused[:NAME_LIMIT]} is not used"
        parts.append(f"{unused}: --credential names the account")
    return f"{line}; {', '.join(parts)}" if parts else line
