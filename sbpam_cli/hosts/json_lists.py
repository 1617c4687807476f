"""Lists of hosts in JSON and NDJSON, Ansible's inventory and sbpam's own output among them.

What is not understood is refused, with its place and a `jq` line that picks the names.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from json import JSONDecodeError, JSONDecoder, dumps

from sbpam_cli.errors import InputError
from sbpam_cli.hosts.fqdn import fqdn, shown
from sbpam_cli.hosts.headers import (
    check_rival,
    find_columns,
    fold_title,
    no_such_column,
    rank_title,
)
from sbpam_cli.hosts.recognise import HostText
from sbpam_cli.hosts.tables import Cells
from sbpam_cli.models import ListTally

_GROUP_MEMBERS = {"hosts", "children", "vars"}


def read_cells(text: HostText, tally: ListTally, column: str | None) -> Cells:
    """The names that the list holds. Places are lines in NDJSON, else entries from 1."""
    rows = _Rows(text.name, tally, column)
    try:
        if _begins_with_row(text.head, column):
            tally.form = "ndjson"
            for block in text.blocks():
                numbers, values = _read_lines(text, block, tally)
                yield from zip(numbers, rows.cells(numbers, values), strict=True)
        else:
            tally.form, tally.entries = "json", True
            values = _read_whole(text, rows)
            yield from enumerate(rows.cells(range(1, len(values) + 1), values), 1)
    except RecursionError:
        raise _malformed(text.name, ValueError("It is nested too deep")) from None


def _begins_with_row(head: Sequence[str], column: str | None) -> bool:
    """Whether the first line is an object by itself, and a row."""
    line = next((line for line in head if line.strip() and not line.startswith("#")), "")
    try:
        value = _JSON.decode(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and _kind(value, column) == "row"


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("A member stands twice in one object")
    return value


_JSON = JSONDecoder(object_pairs_hook=_members)


def _malformed(where: str, error: Exception) -> InputError:
    reason = str(getattr(error, "msg", error))
    return InputError(f"{where}: the JSON is malformed", reason=reason)


def _read_lines(
    text: HostText, block: bytes, tally: ListTally
) -> tuple[Sequence[int], list[object]]:
    lines = text.decode(block).split("\n")[:-1]
    try:
        at_once: list[object] = _JSON.decode(f"[{','.join(lines)}]")
        if len(at_once) == len(lines):
            return range(text.line, text.line + len(lines)), at_once
    except ValueError:
        pass
    numbers, values = list[int](), list[object]()
    for number, line in enumerate(lines, text.line):
        if not line.strip():
            tally.blanks += 1
        elif line.startswith("#"):
            tally.comments += 1
        else:
            try:
                values.append(_JSON.decode(line))
            except ValueError as error:
                raise _malformed(f"{text.name}:{number}", error) from None
            numbers.append(number)
    return numbers, values


def _read_whole(text: HostText, rows: "_Rows") -> list[object]:
    """The rows of one value after another, as jq writes them."""
    line, whole = text.line, text.rest()
    at, values = 0, list[object]()
    try:
        while found := re.compile(r"[^ \t\n\r]").search(whole, at):
            at = found.start()
            value, at = _JSON.raw_decode(whole, at)
            rows.prefix = ".[]" if isinstance(value, list) else ""
            if isinstance(value, dict):
                value = _contents(value, rows)
            values += value if isinstance(value, list) else [value]
    except ValueError as error:
        line += whole.count("\n", 0, error.pos if isinstance(error, JSONDecodeError) else at)
        raise _malformed(f"{text.name}:{line}", error) from None
    return values


def _kind(value: dict[str, object], column: str | None) -> str:
    """What an object is: `row`, `inventory`, or what wraps a list: `sbpam`, `hosts`, `value`."""
    if column is not None and fold_title(column) in map(fold_title, value):
        return "row"
    if str(value.get("schema")).startswith("sbpam/"):
        return "sbpam"
    if "_meta" in value:
        return "inventory"
    if any(rank_title(key) is not None for key in value):
        return "row"
    for wrapper in ("hosts", "value"):
        if isinstance(value.get(wrapper), list) and value.keys() <= {wrapper, "Count"}:
            return wrapper
    groups = [group for group in value.values() if isinstance(group, dict)]
    return "inventory" if any(group.keys() & _GROUP_MEMBERS for group in groups) else "row"


def _contents(value: dict[str, object], rows: "_Rows") -> list[object]:
    """The rows in an object, which may be one itself."""
    kind = _kind(value, rows.column)
    if kind == "row":
        return [value]
    if kind in ("inventory", "sbpam"):
        rows.tally.form = kind
    if kind == "inventory":
        groups = ((key, group) for key, group in value.items() if key != "_meta")
        return [name for key, group in groups for name in _group(group, key, rows.name)]
    wrapper = "value" if kind == "value" else "hosts"
    rows.prefix, listed = f".{wrapper}[]", value.get(wrapper)
    if not isinstance(listed, list):
        raise InputError(f"{rows.name} is sbpam's own, but no list of hosts")
    if value.get("Count", len(listed)) != len(listed):
        counts = f"Its Count is {value['Count']}, it holds {len(listed):,}"
        raise InputError(f"{rows.name}: the list is not whole", reason=counts)
    return listed


def _group(group: object, place: str, name: str) -> Iterator[str]:
    """The names in an inventory's group and in those nested in it."""
    if isinstance(group, list):
        # As inventory scripts of old have it.
        group = {"hosts": group}
    members = group if isinstance(group, dict) else {"": group} if group is not None else {}
    for member, inner in members.items():
        names = () if inner is None else inner
        if member == "children" and isinstance(inner, dict):
            for key, child in inner.items():
                yield from _group(child, f"{place}.children.{key}", name)
        elif (
            member in ("hosts", "children")
            and isinstance(names, list | dict | tuple)
            and all(isinstance(host, str) for host in names)
        ):
            yield from names if member == "hosts" else ()
        elif member != "vars":
            picks = '[.. | .hosts? // empty | if type == "object" then keys[] else .[] end]'
            raise InputError(
                f"{name}: {shown(f'{place}.{member}'.rstrip('.'))} is no part of an inventory",
                hint=f"Pick the names with jq: jq -r '{picks} | unique[]' FILE | sbpam schedule -",
            )


class _Rows:
    """Finds the name in each row. The member that holds it is chosen once, from the first rows.

    prefix: where the rows are, for jq.
    """

    def __init__(self, name: str, tally: ListTally, column: str | None) -> None:
        self.name = name
        self.tally = tally
        self.column = column
        self.prefix = ""
        self._title: str | None = None
        self._members = cache(self._find_members)

    def cells(self, numbers: Sequence[int], values: Sequence[object]) -> Iterator[str]:
        """The names; empty for a row without one. Raises `InputError` for what is in doubt."""
        if self._title is None:
            self._choose(numbers, values)
        return map(self._cell, numbers, values)

    def _choose(self, numbers: Sequence[int], values: Sequence[object]) -> None:
        rows = [(n, row) for n, row in zip(numbers, values, strict=True) if isinstance(row, dict)]
        titles = list(dict.fromkeys(title for _, row in rows for title in row))
        if not titles:
            return
        found = find_columns(titles, self.column)
        if not found:
            place, row = rows[0]
            if self.column is None and (path := _path_to_name(row)):
                raise self._refusal(place, "the name is not a member of the row itself", path)
            raise no_such_column(self._where(place), titles, self.column)
        self._title = self.tally.column = titles[found[0]]

    def _find_members(self, *keys: str) -> tuple[str, list[str]]:
        """The member that holds the name in a row of these, and others that could."""
        title = self._title or ""
        found = [key for key in keys if fold_title(key) == fold_title(title)]
        key = title if title in keys or not found else found[0]
        rivals = keys if self.column is None else ()
        return key, [other for other in rivals if other != key and rank_title(other) is not None]

    def _cell(self, number: int, value: object) -> str:
        if value is None:
            return ""
        if isinstance(value, str) and self.column is None:
            return value
        if not isinstance(value, dict):
            what = "this is no host" if self.column is None else "this has no column, see --column"
            raise self._refusal(number, what, _path_to_name(value))
        key, rivals = self._members(*value)
        name = value.get(key)
        if name is not None and not isinstance(name, str):
            path = _step(key) + _path_to_name(name)
            raise self._refusal(number, f"{shown(key)} is no string", path)
        for rival in rivals:
            if isinstance(other := value[rival], str) and other != name:
                check_rival(self._where(number), (key, name or ""), (rival, other))
        if self.column is None and (not name or "hosts" in value):
            doubtful = {"hosts": value["hosts"]} if name else value
            if any(isinstance(inner, list | dict) for inner in doubtful.values()):
                what = "both a name and hosts" if name else "no name, but more than single values"
                raise self._refusal(number, f"this has {what}", _path_to_name(doubtful))
        return name or ""

    def _where(self, number: int) -> str:
        return f"{self.name}{': entry ' if self.tally.entries else ':'}{number}"

    def _refusal(self, number: int, what: str, path: str) -> InputError:
        picked = self.prefix + (path or ".NAME")
        pick = f"jq -r '{'' if picked.startswith('.') else '.'}{picked}' FILE | sbpam schedule -"
        return InputError(f"{self._where(number)}: {what}", hint=f"Pick the names with jq: {pick}")


def _step(key: str) -> str:
    return f".{key}" if re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", key) else f".{dumps(key)}"


def _path_to_name(value: object) -> str:
    """jq's path to the first host name in the value; empty if there is none, or it is one."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if path := _path_to_name(inner):
                return _step(key) + path
            if isinstance(inner, str) and fqdn(inner):
                return _step(key)
        return " | keys[]" if any(map(fqdn, value)) else ""
    if isinstance(value, list):
        return "[]" + next(filter(None, map(_path_to_name, value)), "")
    return ""
