"""Lists of hosts in JSON and NDJSON, Ansible's inventory and sbpam's own output among them.

What is not understood is refused, with its place and a `jq` line that picks the names.
"""

import re
from collections.abc import Iterator, Sequence

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
from sbpam_cli.hosts.tables import ROWS_AT_ONCE, Cells
from sbpam_cli.models import ListTally

Numbered = tuple[Sequence[int], list[object]]

_GROUP_MEMBERS = {"hosts", "children", "vars"}
_NEXT = re.compile(r"[ \t\n\r]*([\[\],]?)")
_STEPS = {("", "["), ("[", "]"), ("value", ","), ("value", "]")}
"""Marks of an array, each after what may come before it."""


def read_cells(text: HostText, column: str | None) -> Iterator[Cells]:
    """The names that the list holds. Places are lines in NDJSON, else entries from 1."""
    rows, tally = _Rows(text.tally, column), text.tally
    if _is_row(text.head, column):
        tally.form = "ndjson"
        values = _ndjson_values(text)
    else:
        tally.form, tally.entries = "json", True
        values = _json_values(text, rows)
    try:
        for numbers, part in values:
            yield numbers, rows.cells(numbers, part)
    except RecursionError:
        raise _malformed(text.name, ValueError("It is nested too deep")) from None


def _is_row(head: Sequence[str], column: str | None) -> bool:
    """Whether the first line is an object by itself, and a row."""
    line = next((line for line in head if line.strip() and not line.startswith("#")), "")
    try:
        value = _decode(line, "")
    except (InputError, RecursionError):
        return False
    return isinstance(value, dict) and _kind(value, column) == "row"


def _decode(line: str, where: str) -> object:
    import json

    try:
        return json.loads(line, object_pairs_hook=_members)
    except ValueError as error:
        raise _malformed(where, error) from None


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("A member stands twice in one object")
    return value


def _malformed(where: str, error: Exception) -> InputError:
    reason = str(getattr(error, "msg", error))
    return InputError(f"{where}: the JSON is malformed", reason=reason)


def _ndjson_values(text: HostText) -> Iterator[Numbered]:
    for block in text.blocks():
        if (rows := _flat_rows(block)) is not None:
            yield range(text.line, text.line + len(rows)), rows
        else:
            numbers, lines = text.rows(block, _uncommented)
            yield numbers, list(map(_decode, lines, map(text.tally.place, numbers)))


def _uncommented(line: str) -> str:
    return "" if line.startswith("#") or line.isspace() else line


def _flat_rows(block: bytes) -> list[object] | None:
    """The objects of whole lines, one in each; None if a line may hold more, or a member twice."""
    import msgspec

    try:
        rows = msgspec.json.Decoder(dict[str, object]).decode_lines(block)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not len(rows) == block.count(b"\n") == block.count(b"}\n{") + 1:
        return None
    # Of a member that stands twice only one is left; objects in the objects have members too.
    members = block.translate(None, b" \t\r").count(b'":')
    return [*rows] if sum(map(len, rows)) == members else None


def _json_values(text: HostText, rows: "_Rows") -> Iterator[Numbered]:
    taken, batch = 0, list[object]()
    for in_array, value in _elements(text):
        rows.prefix = ".[]" if in_array else ""
        if in_array or not isinstance(value, dict):
            batch.append(value)
        else:
            batch += _contents(value, rows)
        if len(batch) >= ROWS_AT_ONCE:
            yield range(taken + 1, taken + 1 + len(batch)), batch
            taken, batch = taken + len(batch), []
    yield range(taken + 1, taken + 1 + len(batch)), batch


def _elements(text: HostText) -> Iterator[tuple[bool, object]]:
    """The values of the text and the elements of its arrays, one after another; which of the two.

    The text is held whole, its values are not.
    """
    import json

    decode = json.JSONDecoder(object_pairs_hook=_members).raw_decode
    whole = text.rest()
    # Inside an array, what came last: "[", "," or a value.
    at, last = 0, ""
    try:
        while found := _NEXT.match(whole, at):
            mark, at = found[1], found.start(1)
            if at == len(whole) and not last:
                return
            if (last, mark) in _STEPS:
                last, at = mark.strip("]"), at + 1
            elif last == "value":
                raise json.JSONDecodeError("Expecting ',' or ']', the array has no end", whole, at)
            else:
                value, end = decode(whole, at)
                yield bool(last), value
                last, at = last and "value", end
    except ValueError as error:
        line = 1 + whole.count("\n", 0, getattr(error, "pos", at))
        raise _malformed(f"{text.name}:{line}", error) from None


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
        names = [name for key, group in groups for name in _group(group, key, rows.tally.source)]
        known = set(names)
        meta = value.get("_meta")
        variables = meta.get("hostvars") if isinstance(meta, dict) else None
        return [*names, *(name for name in variables or () if name not in known)]
    member = "hosts" if kind == "sbpam" else kind
    listed, rows.prefix = value.get(member), f".{member}[]"
    if not isinstance(listed, list):
        raise InputError(f"{rows.tally.source} is sbpam's own, but no list of hosts")
    if value.get("Count", len(listed)) != len(listed):
        counts = f"Its Count is {value['Count']}, it holds {len(listed):,}"
        raise InputError(f"{rows.tally.source}: the list is not whole", reason=counts)
    return listed


def _group(group: object, place: str, name: str) -> Iterator[str]:
    """The names in an inventory's group and in those nested in it."""
    if isinstance(group, list):
        # As inventory scripts of old have it.
        group = {"hosts": group}
    members = group if isinstance(group, dict) else {"": group} if group is not None else {}
    for member, inner in members.items():
        names = inner if isinstance(inner, list | dict) else ()
        hosts = [host for host in names if isinstance(host, str)]
        listed = len(hosts) == len(names) and (inner is None or inner is names)
        if member == "children" and isinstance(inner, dict):
            for key, child in inner.items():
                yield from _group(child, f"{place}.children.{key}", name)
        elif member == "hosts" and listed:
            yield from hosts
        elif member != "vars" and not (member == "children" and listed):
            picks = '[.. | .hosts? // empty | if type == "object" then keys[] else .[] end]'
            raise InputError(
                f"{name}: {shown(f'{place}.{member}'.rstrip('.'))} is no part of an inventory",
                hint=f"Pick the names with jq: jq -r '{picks} | unique[]' FILE | sbpam schedule -",
            )


class _Rows:
    """Finds the name in each row. The member that holds it is chosen once, from the first rows.

    prefix: where the rows are, for jq.
    """

    def __init__(self, tally: ListTally, column: str | None) -> None:
        self.tally = tally
        self.column = column
        self.prefix = ""
        self._title: str | None = None

    def cells(self, numbers: Sequence[int], values: Sequence[object]) -> list[str]:
        """The names; empty for a row without one. Raises `InputError` for what is in doubt."""
        if self._title is None:
            self._choose(numbers, values)
        rows = [value for value in values if isinstance(value, dict)]
        layouts = set(map(tuple, rows)) if len(rows) == len(values) else set()
        if len(layouts) == 1 and "hosts" not in (layout := layouts.pop()):
            key, rivals = self._members(layout)
            cells = [row[key] for row in rows] if key is not None else []
            doubtful = any("." in str(row[rival]) for rival in rivals for row in rows)
            if set(map(type, cells)) == {str} and "" not in cells and not doubtful:
                return cells
        return [self._cell(n, value) for n, value in zip(numbers, values, strict=True)]

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
            raise no_such_column(self.tally.place(place), titles, self.column)
        self._title = self.tally.column = titles[found[0]]

    def _members(self, keys: Sequence[str]) -> tuple[str | None, list[str]]:
        """The member that holds the name in a row of these, and others that could."""
        wanted = fold_title(self._title or "")
        found = [key for key in keys if fold_title(key) == wanted]
        key = self._title if self._title in keys else found[0] if found else None
        if self.column is not None:
            return key, []
        return key, [other for other in keys if other != key and rank_title(other) is not None]

    def _cell(self, number: int, value: object) -> str:
        if value is None:
            return ""
        if isinstance(value, str):
            if self.column is not None:
                where = self.tally.place(number)
                raise InputError(f"{where}: a name has no columns", hint="Leave out --column.")
            return value
        if not isinstance(value, dict):
            raise self._refusal(number, "this is no host", _path_to_name(value))
        key, rivals = self._members(tuple(value))
        name = value[key] if key is not None else None
        if name is not None and not isinstance(name, str):
            what, path = f"{shown(key or '')} is no string", _step(key or "") + _path_to_name(name)
            raise self._refusal(number, what, path)
        if self.column is None and isinstance(value.get("hosts"), list | dict):
            what = "this has both a name and hosts" if name else "this has hosts, but no name"
            raise self._refusal(number, what, ".hosts" + _path_to_name(value["hosts"]))
        for rival in rivals:
            if isinstance(value[rival], str):
                chosen = self._title or "", name or ""
                check_rival(self.tally.place(number), chosen, (rival, value[rival]))
        nested = any(isinstance(inner, list | dict) for inner in value.values())
        if not name and self.column is None and nested:
            what = "this has no name, but more than single values"
            raise self._refusal(number, what, _path_to_name(value))
        return name or ""

    def _refusal(self, number: int, what: str, path: str) -> InputError:
        picked = self.prefix + (path or ".NAME")
        start = "" if picked.startswith(".") else "."
        hint = f"Pick the names with jq: jq -r '{start}{picked}' FILE | sbpam schedule -"
        return InputError(f"{self.tally.place(number)}: {what}", hint=hint)


def _step(key: str) -> str:
    import json

    return f".{key}" if re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", key) else f".{json.dumps(key)}"


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
