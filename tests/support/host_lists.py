"""Lists of hosts for tests: written in every form, with what must come of them."""

import base64
import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from support.talk import Heard

from sbpam_cli.hosts import lists


class Trickle(io.BytesIO):
    """A pipe that gives a few bytes at a time."""

    def __init__(self, raw: bytes, most: int) -> None:
        super().__init__(raw)
        self._most = most

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self._most)


def read_sources(
    *sources: tuple[lists.Kind, str],
    stdin: bytes | io.BytesIO = b"",
    column: str | None = None,
    most: int | None = None,
    talk: Heard | None = None,
) -> lists.Hosts:
    """What comes of them. most: how many hosts at the most."""
    return lists.read_hosts(
        [lists.HostSource(*source) for source in sources],
        stdin=io.BytesIO(stdin) if isinstance(stdin, bytes) else stdin,
        stdin_is_terminal=False,
        rules=lists.ReadingRules(column, max_hosts=most),
        talk=talk or Heard(),
    )


def read_list(
    raw: bytes | str | io.BytesIO, column: str | None = None, heard: Heard | None = None
) -> lists.Hosts:
    """What comes of one list on stdin."""
    raw = raw.encode() if isinstance(raw, str) else raw
    return read_sources(("stdin", "-"), stdin=raw, column=column, talk=heard)


class Record(NamedTuple):
    """kind: `host`, `invalid`, `nameless`, `blank` or `comment`; text: of the first three."""

    kind: str
    text: str = ""


Writer = Callable[[Sequence[Record]], str]


class Form(NamedTuple):
    """How lists are written in one form.

    name: what the tally calls it. kinds: of records it can hold. column: how it is read.
    own: what it has besides the records that it is given.
    """

    name: str
    kinds: str
    write: Writer
    column: str | None = None
    own: Sequence[Record] = ()


class Expected(NamedTuple):
    names: list[str]
    refused: list[str]
    tally: dict[str, int]


def expect(records: Iterable[Record]) -> Expected:
    """What must come of the records, counted one by one."""
    names, refused = list[str](), list[str]()
    tally = dict.fromkeys(
        ("hosts", "duplicates", "without_name", "blanks", "comments", "invalid"), 0
    )
    fields = {"nameless": "without_name", "blank": "blanks", "comment": "comments"}
    for kind, text in records:
        known = names if kind == "host" else refused
        if kind in fields:
            tally[fields[kind]] += 1
        elif text.lower() in known:
            tally["duplicates"] += 1
        else:
            known.append(text.lower())
            tally["hosts" if kind == "host" else "invalid"] += 1
    return Expected(names, refused, {"records": sum(tally.values()), **tally})


def check_list(form: str, records: Sequence[Record], hosts: lists.Hosts) -> None:
    """Every record is accounted for, and every host is there."""
    expected = expect([*records, *FORMS[form].own])
    (tally,) = hosts.tallies
    counted = tally.as_dict()
    assert hosts.names == expected.names
    assert [refusal.text for refusal in hosts.refused] == expected.refused
    assert {key: counted[key] for key in expected.tally} == expected.tally
    assert tally.form == FORMS[form].name


def _plain(records: Sequence[Record]) -> str:
    ends = ["", "  ", " # old, name", "\t#"]
    lines = {"blank": " ", "comment": " # fqdn, name", "nameless": "NULL"}
    rows = [lines.get(kind, text + ends[n % 4]) for n, (kind, text) in enumerate(records)]
    return "".join(f"{row}\n" for row in rows)


def _sheet(separator: str, quoting: Any = csv.QUOTE_MINIMAL, title: str = "DNSHostName") -> Writer:
    def write(records: Sequence[Record]) -> str:
        target = io.StringIO()
        writer = csv.writer(target, delimiter=separator, quoting=quoting, lineterminator="\n")
        if title:
            writer.writerow(["Name", title, "Bemerkung"])
        for number, (kind, text) in enumerate(records):
            note = f'Say "{number}"; a, b\t\n# two' if number % 3 else "#4"
            cells = [f"#{number}", text or ["", "NULL", "#N/A"][number % 3], note]
            if kind == "blank":
                target.write(["", separator * 2, '""'][number % 3] + "\n")
            elif kind == "comment":
                target.write(f'# x{separator}fqdn{separator}"\n')
            else:
                writer.writerow(cells)
        return target.getvalue()

    return write


def _single_quoted(records: Sequence[Record]) -> str:
    return '"cmdb_ci.fqdn"\n' + "".join(f'"{text or "-"}"\n' for _, text in records)


def _json_text(records: Sequence[Record]) -> str:
    return json.dumps([text or None for _, text in records], indent=1)


def _objects(records: Sequence[Record]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for number, (kind, text) in enumerate(records):
        name = {} if kind == "nameless" and number % 2 else {"DNSHostName": text or None}
        rows.append({"Name": f"x{number}", **name, "Enabled": True})
    return rows


def _counted_json(records: Sequence[Record]) -> str:
    return json.dumps({"value": _objects(records), "Count": len(records)}, indent=2)


def _json_in_lines(records: Sequence[Record]) -> str:
    return "\n".join(json.dumps(each, indent=2) for each in _objects(records))


def _own_json(records: Sequence[Record]) -> str:
    rows = [{"host": text, "status": "Failed", "job_id": None} for _, text in records]
    return json.dumps({"schema": "sbpam/1", "command": "status", "hosts": rows, "errors": []})


def _ndjson(records: Sequence[Record]) -> str:
    lines = {"blank": " ", "comment": "# {"}
    objects = _objects(records)
    return "".join(
        lines.get(kind, json.dumps(objects[n], ensure_ascii=False)) + "\n"
        for n, (kind, _) in enumerate(records)
    )


def _inventory(records: Sequence[Record]) -> str:
    names = [text for _, text in records]
    half = len(names) // 2
    nested = {"hosts": dict.fromkeys(names[:1]), "vars": {"x": 1}}
    groups = {
        "all": {"children": {"web": nested, "empty": None}},
        "db": {"hosts": names[1:half] if half > 1 else []},
        "app": {"hosts": names[max(half, 1) :], "children": ["db"]},
        "_meta": {"hostvars": {name: {"ansible_user": "x"} for name in names}},
    }
    return json.dumps(groups, indent=4)


def _ldif(records: Sequence[Record]) -> str:
    entries = ["# extended LDIF\n#\n# LDAPv3\n# filter: (&(objectCategory=computer)(a\n web01.b)\n"]
    for number, (kind, text) in enumerate(records):
        value = f"dNSHostName: {text}"
        if number % 2 or not text.isascii():
            value = f"dnshostname:: {base64.b64encode(text.encode()).decode()}"
        if number % 3 == 0:
            value = "\n ".join(value[i : i + 17] for i in range(0, len(value), 17))
        if kind == "comment":
            entries.append(f"# {number}, Servers\n fqdn\n")
        else:
            value = f"{value}\n" if kind != "nameless" else ""
            entries.append(f"dn: CN={number},DC=x\nobjectClass: top\n{value}cn: y\n")
    return "\n".join([*entries, "# search result\nsearch: 2\nresult: 0 Success\n"])


def _own_tsv(records: Sequence[Record]) -> str:
    lines = {"blank": "", "comment": "# x"}
    return "".join(
        lines.get(kind, f"{text}\tFailed\t\tAccessDenied\t\t\t\tline\\none") + "\n"
        for kind, text in records
    )


def _under(title: str, write: Writer) -> Writer:
    """With these lines above."""
    return lambda records: title + write(records)


_ALL = "host invalid nameless blank comment"
_ROWS = "host invalid nameless"
_TWO_ABOVE = [Record("comment"), Record("blank")]
_SIX_COMMENTS = [Record("comment")] * 6
_CERTNAMES = _under("Report\n;;\n", _sheet(";", title="certname"))
FORMS: dict[str, Form] = {
    "text": Form("text", "host invalid blank comment", _plain),
    "text with a title": Form("text", _ALL, _under("FQDN\n----\n", _plain)),
    "csv": Form("csv", _ALL, _sheet(",")),
    "csv of Excel": Form("csv", _ALL, _under("sep=;\n#c\n;;\n", _sheet(";")), own=_TWO_ABOVE),
    "csv of PowerShell": Form("csv", _ALL, _under("#TYPE X\n", _sheet(",", csv.QUOTE_ALL))),
    "csv without header": Form("csv", _ALL, _sheet(";", title=""), "2"),
    "csv under a title": Form("csv", _ALL, _CERTNAMES, "certname", _TWO_ABOVE),
    "csv of one column": Form("csv", _ROWS, _single_quoted),
    "tsv": Form("tsv", _ALL, _sheet("\t", title="DNS Name")),
    "json strings": Form("json", _ROWS, _json_text),
    "json objects": Form("json", _ROWS, lambda records: json.dumps(_objects(records))),
    "json of PowerShell": Form("json", _ROWS, _counted_json),
    "jq": Form("json", _ROWS, _json_in_lines),
    "own json": Form("sbpam", _ROWS, _own_json),
    "ndjson": Form("ndjson", _ALL, _ndjson),
    "inventory": Form("inventory", "host invalid", _inventory),
    "ldif": Form("ldif", "host invalid nameless comment", _ldif, own=_SIX_COMMENTS),
    "own tsv": Form("sbpam", _ALL, _own_tsv),
}
ENCODINGS = {
    "utf-8": ("", "utf-8"),
    "utf-8 with mark": ("\ufeff", "utf-8"),
    "utf-16-le with mark": ("\ufeff", "utf-16-le"),
    "utf-16-be with mark": ("\ufeff", "utf-16-be"),
    "utf-16-le": ("", "utf-16-le"),
}
LINE_ENDS = ("\n", "\r\n", "\r")
_NAMES = [f"web{n}.corp.example.com" for n in range(40)] + ["WEB1.Corp.example.com", "a_b.xn--p1ai"]
_INVALID = ["web01", "10.0.0.1", "*.corp.example.com", "a..corp.example.com", "web.123"]
_INVALID += ["b\u00fcro.example.com", "x y.example.com", "x" * 64 + ".example.com"]


def draw_records(form: str, numbers: Sequence[int]) -> list[Record]:
    """A record for each number, of the kinds that the form can hold; the first is a host."""
    kinds = [*["host"] * 5, *FORMS[form].kinds.split()]
    records = [Record("host", _NAMES[0])]
    for number in numbers:
        kind = kinds[number % len(kinds)]
        texts = {"host": _NAMES, "invalid": _INVALID}.get(kind, [""])
        records.append(Record(kind, texts[number // len(kinds) % len(texts)]))
    return records


def encode(text: str, encoding: str, line_end: str = "\n") -> bytes:
    """The list as it lies in a file."""
    mark, codec = ENCODINGS[encoding]
    return (mark + text.replace("\n", line_end)).encode(codec)


def write_list(form: str, records: Sequence[Record]) -> str:
    """The list as text."""
    return FORMS[form].write(records)
