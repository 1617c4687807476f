"""Lists of hosts that programs write: JSON, NDJSON, Ansible's inventory, LDIF."""

import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice

from sbpam_cli.errors import InputError
from sbpam_cli.hosts.fqdn import shown
from sbpam_cli.hosts.recognise import HostText
from sbpam_cli.hosts.tables import COLUMNS, Entry, choose_column

Record = tuple[int, object]
_RECORDS_LOOKED_AT = 1_000
_LDIF_ATTRIBUTE = "dnshostname"


def json_entries(text: HostText, first_line: bytes, column: str | None) -> Iterator[Entry]:
    """The entries of NDJSON, where the first line is an object of its own, else of JSON.

    JSON is read whole: an array of strings or objects, `ansible-inventory --list`,
    an object with an array `hosts`, or several of them one after the other.
    """
    records = _ndjson_records if _is_record(first_line) else _json_records
    return _names(records(text), column, text.name)


def _is_record(line: bytes) -> bool:
    import json

    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and _contained(value) is None


def _ndjson_records(text: HostText) -> Iterator[Record]:
    import json

    for number, line in text.lines():
        if not line.strip() or line.startswith("#"):
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _malformed(f"{text.name}:{number}", error) from None
        yield number, value


def _json_records(text: HostText) -> Iterator[Record]:
    start = text.line
    whole = text.rest()
    counted, line = 0, start
    try:
        for offset, value in _elements(whole):
            line += whole.count("\n", counted, offset)
            counted = offset
            inner = _contained(value) if isinstance(value, dict) else None
            if inner is None:
                yield line, value
            else:
                yield from _located(inner, whole, offset, line)
    except (ValueError, RecursionError) as error:
        line += whole.count("\n", counted, getattr(error, "pos", counted))
        raise _malformed(f"{text.name}:{line}", error) from None


def _malformed(where: str, error: Exception) -> InputError:
    reason = getattr(error, "msg", "It is nested too deep, or has a number of too many digits")
    return InputError(f"{where}: the JSON is malformed", reason=reason)


def _elements(whole: str) -> Iterator[Record]:
    """The values of a JSON text, and the elements of those that are arrays, with their offsets."""
    import json

    decode = json.JSONDecoder().raw_decode
    skip = re.compile(r"[ \t\n\r]*").match

    def after_space(position: int) -> int:
        found = skip(whole, position)
        return found.end() if found else position

    position, in_array = after_space(0), False
    while position < len(whole):
        if not in_array and whole[position] == "[":
            position = after_space(position + 1)
            in_array = not whole.startswith("]", position)
            position = position if in_array else after_space(position + 1)
            continue
        value, end = decode(whole, position)
        yield position, value
        position = after_space(end)
        if in_array:
            if not whole.startswith((",", "]"), position):
                raise json.JSONDecodeError("Expecting ',' or ']'", whole, position)
            in_array = whole[position] == ","
            position = after_space(position + 1)
    if in_array:
        raise json.JSONDecodeError("Expecting a value, the array has no end", whole, position)


def _contained(value: dict[str, object]) -> list[object] | None:
    """What the object lists rather than is: an array `hosts`, or an inventory's hosts."""
    if any(key.lower() in COLUMNS for key in value):
        return None
    if isinstance(hosts := value.get("hosts"), list):
        return hosts
    if value and not any(
        isinstance(group, dict) and group.keys() & {"hosts", "children", "hostvars"}
        for group in value.values()
    ):
        return None
    names: dict[object, None] = {}
    for group in value.values():
        members = group
        if isinstance(group, dict):
            members = group.get("hosts", group.get("hostvars"))
        if isinstance(members, list | dict):
            names.update((name, None) for name in members if isinstance(name, str))
    return list(names)


def _located(values: list[object], whole: str, offset: int, line: int) -> Iterator[Record]:
    """The values with the lines where they stand, looked for in the order of the document."""
    import json

    position: int = offset
    for value in values:
        name = value.get("host") if isinstance(value, dict) else value
        if position >= 0:
            found = whole.find(json.dumps(name, ensure_ascii=False), position)
            if found < 0:
                found = whole.find(json.dumps(name), position)
            line += whole.count("\n", position, max(found, position))
            position = found
        yield line, value


def _names(records: Iterator[Record], column: str | None, source: str) -> Iterator[Entry]:
    head = list(islice(records, _RECORDS_LOOKED_AT))
    key: str | None = None
    for line, value in chain(head, records):
        name = value
        if isinstance(value, dict):
            if key is None:
                key = _key(head, value, column, f"{source}:{line}")
            name = value[key] if key in value else _in_any_case(value, key)
        if name is not None and not isinstance(name, str):
            raise InputError(
                f"{source}:{line}: this is no host",
                reason=f"A string or an object with one is expected, not {type(name).__name__}",
            )
        yield line, (name.strip() or None) if name else None


def _key(head: Iterable[Record], first: dict[str, object], column: str | None, where: str) -> str:
    spellings: dict[str, str] = {}
    for record in (*(value for _, value in head if isinstance(value, dict)), first):
        for key in record:
            spellings.setdefault(key.strip().lower(), key)
    found = list(spellings.values())
    if column is not None and column.lower() in spellings:
        return spellings[column.lower()]
    return found[choose_column(found, column, where)]


def _in_any_case(record: dict[str, object], key: str) -> object:
    wanted = key.strip().lower()
    return next((value for name, value in record.items() if name.strip().lower() == wanted), None)


def ldif_entries(text: HostText, column: str | None) -> Iterator[Entry]:
    """The values of `dNSHostName`, or of the attribute `column`, of every entry.

    An entry (it has a `dn`) without one names no host; ldapsearch's `search:`
    and `ref:` are no entries.
    """
    wanted = (column or _LDIF_ATTRIBUTE).strip().lower()
    dn_line, named = 0, False
    for number, line in chain(_ldif_lines(text), [(0, "")]):
        if not line.strip():
            if dn_line and not named:
                yield dn_line, None
            dn_line, named = 0, False
            continue
        attribute, colon, value = line.partition(":")
        if not colon and line != "-":
            raise InputError(
                f"{text.name}:{number}: the LDIF is malformed",
                reason=f"{shown(line)} is no attribute and value",
            )
        attribute = attribute.partition(";")[0].lower()
        if attribute == "dn":
            dn_line = number
        elif attribute == wanted and (name := _ldif_value(value, f"{text.name}:{number}")):
            named = True
            yield number, name


def _ldif_lines(text: HostText) -> Iterator[tuple[int, str]]:
    """The lines, unfolded, without comments."""
    start, parts = 0, [""]
    for number, line in text.lines():
        if line.startswith(" "):
            parts.append(line[1:])
            continue
        if start and not parts[0].startswith("#"):
            yield start, "".join(parts)
        start, parts = number, [line]
    if start and not parts[0].startswith("#"):
        yield start, "".join(parts)


def _ldif_value(value: str, where: str) -> str:
    if not value.startswith(":"):
        return value.strip()
    import base64

    try:
        return base64.b64decode(value[1:].strip(), validate=True).decode("utf-8").strip()
    except ValueError:
        raise InputError(f"{where}: the base64 text is malformed") from None
