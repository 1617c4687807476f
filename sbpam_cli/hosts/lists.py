"""Reads lists of hosts: arguments, files and stdin into names, validated and unique."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import BinaryIO, Literal, NamedTuple

from sbpam_cli.errors import InputError, OptionError
from sbpam_cli.hosts.fqdn import NAME_LIMIT, fqdn, fqdns_of_block, shown, why_not
from sbpam_cli.hosts.recognise import HostText
from sbpam_cli.hosts.tables import (
    Entry,
    bare,
    csv_entries,
    is_own_row,
    own_entries,
    separator_of,
    take_single_header,
    unquoted,
)
from sbpam_cli.models import Talk

Kind = Literal["argument", "file", "host", "stdin"]

PATH_ENDINGS = (
    ".txt", ".csv", ".tsv", ".json", ".ndjson", ".jsonl", ".ldif", ".lst", ".list",
)  # fmt: skip
_REFUSALS_IN_FULL = 20


class HostSource(NamedTuple):
    """Where hosts come from: a positional argument, `--file`, `--host`, or stdin unasked."""

    kind: Kind
    value: str


class Refusal(NamedTuple):
    """An entry that is no FQDN.

    position: how many accepted names stand before it.
    where: `hosts.txt:3`, `stdin:7`, `argument 2`, `--host 1`.
    text: as written, lower-cased, its first 253 characters.
    reason: continues the sentence that `text` begins: `is a short name, ...`.
    """

    position: int
    where: str
    text: str
    reason: str


@dataclass(slots=True, eq=False, repr=False)
class HostList:
    """What was read.

    names: lower-case FQDNs, unique, in order. refusals: unique by text, in order.
    without_name: entries whose column was empty or absent.
    duplicates: entries that were there before, accepted or refused.
    """

    names: list[str] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    without_name: int = 0
    duplicates: int = 0


def read_hosts(
    sources: Sequence[HostSource],
    *,
    stdin: BinaryIO,
    stdin_is_terminal: bool,
    column: str | None,
    talk: Talk,
) -> HostList:
    """Reads every source in turn. Names that are no FQDNs end up in `refusals`.

    Raises `InputError` for what cannot be read, decoded or understood, and
    `OptionError` where nothing is given at all, or stdin twice.
    """
    if not sources:
        if stdin_is_terminal:
            raise OptionError(
                "no hosts given",
                hint="Name hosts or a file, or pipe a list into the command.",
            )
        sources = (HostSource("stdin", "-"),)
    reading = _Reading(column, talk)
    stdin_taken = False
    counts = {"argument": 0, "host": 0, "file": 0, "stdin": 0}
    for source in sources:
        counts[source.kind] += 1
        if source.kind == "host" or (path := _path(source, talk)) is None:
            option = "--host" if source.kind == "host" else "argument"
            reading.read_name(source.value.strip(), f"{option} {counts[source.kind]}")
        elif path != "-":
            with _opened(path) as stream:
                reading.read_text(HostText(stream, path))
        elif stdin_taken:
            raise OptionError("stdin (-) is given twice, it can be read once only")
        else:
            stdin_taken = True
            reading.read_text(HostText(stdin, "stdin"))
    return reading.result()


def refuse_invalid(hosts: HostList) -> InputError:
    """All refusals as one error: the first 20 in full, then how many more."""
    listed = [
        f"{refusal.where}: {shown(refusal.text)} {refusal.reason}"
        for refusal in hosts.refusals[:_REFUSALS_IN_FULL]
    ]
    hint = "Correct the list, or schedule only the good ones with --skip-invalid."
    if len(listed) == 1:
        return InputError(listed[0], reason="Nothing was sent", hint=hint)
    if more := len(hosts.refusals) - len(listed):
        listed.append(f"and {more:,} more")
    return InputError(
        f"{len(hosts.refusals):,} entries are no host names, nothing was sent",
        reason="\n".join(listed),
        hint=hint,
    )


def _path(source: HostSource, talk: Talk) -> str | None:
    """The file that is meant, `-` for stdin, None where it is a host."""
    value = source.value
    if source.kind in ("file", "stdin") or value == "-":
        return value
    if os.path.isdir(value) and fqdn(value):
        return None
    if os.path.exists(value):
        if fqdn(value):
            talk.note(f"{value} is read as a file; --host {value} would mean the host")
        return value
    if "://" in value:
        return None
    separators = [separator for separator in (os.sep, os.altsep, "/") if separator]
    if value.lower().endswith(PATH_ENDINGS) or any(mark in value for mark in separators):
        return value
    return None


def _opened(path: str) -> BinaryIO:
    try:
        return open(path, "rb")
    except FileNotFoundError:
        hint = "Give the path of a file that exists, or say --host for a host."
        raise InputError(f"no such file: {shown(path, 200)}", hint=hint) from None
    except IsADirectoryError:
        raise InputError(f"{shown(path, 200)} is a directory, not a list of hosts") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{shown(path, 200)} could not be opened", reason=reason) from None


def _entries(text: HostText, column: str | None, talk: Talk) -> Iterator[Entry] | None:
    """The entries, in the form that the content shows; None where names stand one a line."""
    raw = text.first_line()
    start = raw.strip()
    if re.match(rb"(?i)(?:version|dn|dnshostname):|# extended LDIF", start):
        from sbpam_cli.hosts.json_lists import ldif_entries

        return ldif_entries(text, column)
    # "[web]" is a group header of Ansible's INI inventory.
    if start.startswith((b"{", b"[")) and not re.fullmatch(rb"\[[A-Za-z0-9_.:-]+\]", start):
        from sbpam_cli.hosts.json_lists import json_entries

        return json_entries(text, raw, column)
    line = text.decode(raw).strip(" ")
    if column is None and is_own_row(line):
        return own_entries(text)
    if separator := separator_of(line, column):
        return csv_entries(text, separator, column, talk)
    take_single_header(text, line, column, talk)
    return None


class _Reading:
    """The list as it grows."""

    def __init__(self, column: str | None, talk: Talk) -> None:
        self._column = column
        self._talk = talk
        self._list = HostList()
        self._names: dict[str, None] = {}
        self._refused: set[str] = set()

    def result(self) -> HostList:
        self._list.names = list(self._names)
        return self._list

    def read_name(self, text: str, where: str) -> None:
        if not self._accept(text):
            self._refuse(text, where, why_not(text))

    def read_text(self, text: HostText) -> None:
        before = self._list.without_name
        entries = _entries(text, self._column, self._talk)
        if entries is None:
            self._read_lines(text)
        else:
            for number, name in entries:
                if name is None:
                    self._list.without_name += 1
                else:
                    self.read_name(name, f"{text.name}:{number}")
        if skipped := self._list.without_name - before:
            entries_are = "1 entry names" if skipped == 1 else f"{skipped:,} entries name"
            self._talk.note(f"{text.name}: {entries_are} no host, skipped")

    def _read_lines(self, text: HostText) -> None:
        for block in text.blocks():
            names = fqdns_of_block(block)
            if names is None:
                self._read_doubtful(text, block)
                continue
            known = len(self._names)
            self._names.update(zip(names, repeat(None), strict=False))
            self._list.duplicates += len(names) - (len(self._names) - known)

    def _read_doubtful(self, text: HostText, block: bytes) -> None:
        for number, line in enumerate(text.decode(block).split("\n")[:-1], text.line):
            name = unquoted(bare(line))
            if not name or self._accept(name):
                continue
            reason = why_not(name)
            if size := text.long_lines.get(number):
                reason = f"begins a line of {size:,} bytes, a name has {NAME_LIMIT} at most"
            self._refuse(name, f"{text.name}:{number}", reason)

    def _accept(self, text: str) -> bool:
        name = fqdn(text)
        if name is None:
            return False
        if name in self._names:
            self._list.duplicates += 1
        else:
            self._names[name] = None
        return True

    def _refuse(self, text: str, where: str, reason: str) -> None:
        # Half of a surrogate pair (from argv or JSON) can be written nowhere.
        kept = text.lower()[:NAME_LIMIT].encode("utf-8", "backslashreplace").decode()[:NAME_LIMIT]
        if kept in self._refused:
            self._list.duplicates += 1
            return
        self._refused.add(kept)
        self._list.refusals.append(Refusal(len(self._names), where, kept, reason))
