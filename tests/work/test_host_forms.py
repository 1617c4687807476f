"""The same hosts in every form and encoding are the same names."""

import base64
import csv
import io
import json
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbpam_cli.errors import InputError
from sbpam_cli.hosts.lists import HostList, HostSource, read_hosts

Names = list[str]


class SilentTalk:
    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)

    warn = trace = note


class Trickle(io.BytesIO):
    """A pipe that gives a few bytes at a time."""

    def __init__(self, raw: bytes, most: int) -> None:
        super().__init__(raw)
        self._most = most

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self._most)


def read(
    raw: bytes | io.BytesIO, column: str | None = None, talk: SilentTalk | None = None
) -> HostList:
    return read_hosts(
        [HostSource("stdin", "-")],
        stdin=raw if isinstance(raw, io.BytesIO) else io.BytesIO(raw),
        stdin_is_terminal=False,
        column=column,
        talk=talk or SilentTalk(),
    )


def sheet(names: Names, separator: str, quoting: int = csv.QUOTE_MINIMAL) -> str:
    target = io.StringIO()
    writer = csv.writer(target, delimiter=separator, quoting=quoting, lineterminator="\n")  # type: ignore[arg-type]
    writer.writerow(["Name", "Bemerkung", "dnsHostName", "Number"])
    for number, name in enumerate(names):
        writer.writerow([name.partition(".")[0], f'Say "{number}"; a, b\n# two', name, number])
    return target.getvalue()


def export_csv(names: Names) -> str:
    rows = "".join(f'"CN={n},OU=x","{n}","True"\n' for n in names)
    return (
        "#TYPE Microsoft.ActiveDirectory.Management.ADComputer\n"
        '"DistinguishedName","DNSHostName","Enabled"\n' + rows
    )


def inventory(names: Names) -> str:
    half = len(names) // 2
    groups = {
        "_meta": {"hostvars": {n: {"ansible_user": "x", "name": "y"} for n in names[: half // 2]}},
        "all": {"children": ["ungrouped", "web"]},
        "ungrouped": {"hosts": names[:half]},
        "web": {"hosts": names[half:] + names[:1]},
    }
    return json.dumps(groups, indent=4)


def ldif(names: Names) -> str:
    folded = ["# extended LDIF\n#\n# LDAPv3\n# filter: (&(objectCategory=computer)(a\n web01.b)\n"]
    for number, name in enumerate(names):
        value = f"dNSHostName: {name}"
        if number % 2:
            value = f"dnshostname:: {base64.b64encode(name.encode()).decode()}"
        if number % 3 == 0:
            value = "\n ".join(value[i : i + 17] for i in range(0, len(value), 17))
        folded.append(f"# {number}\ndn: CN={number},DC=x\nobjectClass: top\n{value}\ncn: y\n")
    return "\n".join([*folded, "# search result\nsearch: 2\nresult: 0 Success\n"])


def own_tsv(names: Names) -> str:
    return "".join(f"{n}\tFailed\t\tAccessDenied\t\t\t\tline\\none\n" for n in names)


def own_json(names: Names) -> str:
    rows = [{"host": n, "status": "Failed", "job_id": None} for n in names]
    jobs = [{"job_id": "x", "status": "Failed", "hosts": len(names)}]
    return json.dumps({"schema": "sbpam/1", "command": "status", "jobs": jobs, "hosts": rows})


FORMS: dict[str, Callable[[Names], str]] = {
    "plain": lambda names: "# c\n\n" + "".join(f"{n}\n" for n in names),
    "commented": lambda names: "".join(f"  {n.upper()}. # {i}, x\n" for i, n in enumerate(names)),
    "without last newline": lambda names: "\n".join(names),
    "quoted": lambda names: "".join(f'"{n}"\n' for n in names),
    "single column": lambda names: "".join(f"{n}\n" for n in ["FQDN", *names]),
    "quoted column": lambda names: "".join(f'"{n}"\n' for n in ["Name", *names]),
    "format-table": lambda names: (
        "\nDNSHostName       \n-----------       \n" + "".join(f"{n:60}\n" for n in names) + "\n\n"
    ),
    "comma": lambda names: sheet(names, ",", csv.QUOTE_ALL),
    "excel": lambda names: sheet(names, ";"),
    "tab": lambda names: sheet(names, "\t"),
    "export-csv": export_csv,
    "json strings": lambda names: json.dumps(names),
    "json indented": lambda names: json.dumps(
        [{"id": 1, "DNSHostName": n} for n in names], indent=1
    ),
    "jq": lambda names: "\n".join(json.dumps({"host": n, "x": [1]}, indent=2) for n in names),
    "ndjson": lambda names: "".join(json.dumps({"Name": "x", "fqdn": n}) + "\n" for n in names),
    "inventory": inventory,
    "ldif": ldif,
    "own tsv": own_tsv,
    "own csv": lambda names: "host,status,job_id\n" + "".join(f"{n},Failed,\n" for n in names),
    "own json": own_json,
}
ENCODINGS = {
    "utf-8": ("", "utf-8"),
    "utf-8 with mark": ("\ufeff", "utf-8"),
    "utf-16-le with mark": ("\ufeff", "utf-16-le"),
    "utf-16-be with mark": ("\ufeff", "utf-16-be"),
    "utf-16-le": ("", "utf-16-le"),
}
LINE_ENDS = {"lf": "\n", "crlf": "\r\n", "cr": "\r"}

label = st.from_regex(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", fullmatch=True)
fqdns = (
    st.tuples(st.lists(label, min_size=1, max_size=3), label.filter(lambda x: not x.isdigit()))
    .map(lambda parts: ".".join([*parts[0], parts[1]]))
    .filter(lambda name: len(name) <= 253)
)


def thousand() -> Names:
    seed = random.Random(7)
    zones = ["emea.corp.example.local", "dmz-1.example.com", "a_b.xn--p1ai"]
    return [f"srv-{seed.randrange(10**6)}x{i}.{seed.choice(zones)}" for i in range(1000)]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("form", FORMS)
def test_a_thousand_hosts_are_the_same_in_every_form(form: str, encoding: str) -> None:
    mark, codec = ENCODINGS[encoding]
    text = mark + FORMS[form](thousand()).replace("\n", "\r\n")
    hosts = read(text.encode(codec))
    assert hosts.names == thousand()
    assert (hosts.refusals, hosts.without_name, hosts.duplicates) == ([], 0, 0)


@given(
    names=st.lists(fqdns, min_size=1, max_size=8, unique=True),
    form=st.sampled_from(sorted(FORMS)),
    encoding=st.sampled_from(sorted(ENCODINGS)),
    line_end=st.sampled_from(sorted(LINE_ENDS)),
    most=st.integers(1, 200),
)
def test_writing_and_reading_back_is_the_identity(
    names: Names, form: str, encoding: str, line_end: str, most: int
) -> None:
    mark, codec = ENCODINGS[encoding]
    text = mark + FORMS[form](names).replace("\n", LINE_ENDS[line_end])
    assert read(Trickle(text.encode(codec), most)).names == names


def test_get_adcomputer_export_csv_as_windows_powershell_writes_it() -> None:
    text = (
        "#TYPE Selected.Microsoft.ActiveDirectory.Management.ADComputer\r\n"
        '"Name","DNSHostName","Enabled","OperatingSystem"\r\n'
        '"DC01","DC01.corp.example.local","True","Windows Server 2022 Standard"\r\n'
        '"CLUSTER1","","True",\r\n'
        '"WEB-07","web-07.corp.example.local","True","Windows Server 2019, ""Core"""\r\n'
    )
    talk = SilentTalk()
    hosts = read(b"\xff\xfe" + text.encode("utf-16-le"), talk=talk)
    assert hosts.names == ["dc01.corp.example.local", "web-07.corp.example.local"]
    assert hosts.without_name == 1
    assert talk.said == ["stdin: 1 entry names no host, skipped"]


def test_ldapsearch_output_as_openldap_writes_it() -> None:
    text = """\
# extended LDIF
#
# LDAPv3
# base <OU=Servers,DC=corp,DC=example,DC=local> with scope subtree
# filter: (&(objectCategory=computer)(operatingSystem=*Server*)(!(userAccountC
 ontrol:1.2.840.113556.1.4.803:=2)))
# requesting: dNSHostName
#

# DC01, Domain Controllers, corp.example.local
dn: CN=DC01,OU=Domain Controllers,DC=corp,DC=example,DC=local
dNSHostName: DC01.corp.example.local

# B\\C3\\BCro-PC, corp.example.local
dn:: Q049QsO8cm8tUEMsREM9Y29ycA==
dNSHostName: a-very-long-name-that-has-to-be-folded-by-the-tool.corp.exampl
 e.local

# no name
dn: CN=NEW,DC=corp,DC=example,DC=local

# search reference
ref: ldap://forestdnszones.corp.example.local/DC=ForestDnsZones

# search result
search: 2
result: 0 Success

# numResponses: 5
# numEntries: 3
"""
    hosts = read(text.encode())
    assert hosts.names == [
        "dc01.corp.example.local",
        "a-very-long-name-that-has-to-be-folded-by-the-tool.corp.example.local",
    ]
    assert (hosts.refusals, hosts.without_name) == ([], 1)


@pytest.mark.parametrize(
    ("text", "column", "names"),
    [
        ("Rechner;Voll\nweb;web.a.b\n", "2", ["web.a.b"]),
        ("web;web.a.b\nx;x.a.b\n", "2", ["web.a.b", "x.a.b"]),
        ("Rechner;Voll\nweb;web.a.b\n", "VOLL", ["web.a.b"]),
        ("name,fqdn\nweb.a.b,other.a.b\n", "name", ["web.a.b"]),
        ("name,fqdn\nweb.a.b,other.a.b\n", None, ["other.a.b"]),
        ("hostname\tDNS Host Name\nx\ty.a.b\n", None, ["y.a.b"]),
        ("name,fqdn,x;y\nweb,other.a.b,1\n", None, ["other.a.b"]),
        ("name\t#cores\tfqdn\nx\t4\ty.a.b\n", None, ["y.a.b"]),
        ("fqdn;x\n----;-\ny.a.b;z\n", None, ["y.a.b"]),
        ("fqdn;x\n# y;z\ny.a.b # old;z\n", None, ["y.a.b"]),
        ("rechner\nx.a.b\n", "Rechner", ["x.a.b"]),
        ("x.a.b\ny.a.b\n", "1", ["x.a.b", "y.a.b"]),
        ('[{"Rechner": "x.a.b", "name": "y"}]', "rechner", ["x.a.b"]),
        ('{"name":"x"}\n{"name":"x", "fqdn":"x.a.b"}\n', None, ["x.a.b"]),
        ('{"fqdn":"x.a.b"}\n{"FQDN":"y.a.b"}\n', None, ["x.a.b", "y.a.b"]),
        ("dn: x\ncn: web.a.b\n", "CN", ["web.a.b"]),
        ('{"web": ["x.a.b"], "db": {"hosts": {"y.a.b": null}}}', None, ["x.a.b", "y.a.b"]),
        ('[["x.a.b"]]'[1:-1] + '\n["y.a.b"]', None, ["x.a.b", "y.a.b"]),
        ("[]", None, []),
        ("{}", None, []),
        ("x.a.b\tFailed\t\t\t\t\t\t\ny.a.b\n", None, ["x.a.b", "y.a.b"]),
    ],
)
def test_the_column(text: str, column: str | None, names: Names) -> None:
    hosts = read(text.encode(), column)
    assert (hosts.names, hosts.refusals) == (names, [])


@pytest.mark.parametrize(
    ("text", "names", "without_name"),
    [
        ("fqdn;x\n;1\nx.a.b;2\n\n \n", ["x.a.b"], 1),
        ("x;fqdn\n1\n2;x.a.b\n3;# nothing\n", ["x.a.b"], 2),
        ('["x.a.b", null, ""]', ["x.a.b"], 2),
        ('[{"fqdn": "x.a.b"}, {"fqdn": null}, {"name": "y"}]', ["x.a.b"], 2),
        ('{"fqdn": "x.a.b"}\n\n{"fqdn": " "}\n', ["x.a.b"], 1),
        ("dn: a\ndNSHostName:\n\ndn: b\ndNSHostName: x.a.b\n", ["x.a.b"], 1),
        ("x.a.b\tFailed\t\t\t\t\t\t\n\tFailed\t\t\t\t\t\t\n", ["x.a.b"], 1),
    ],
)
def test_entries_without_a_name_are_counted(text: str, names: Names, without_name: int) -> None:
    talk = SilentTalk()
    hosts = read(text.encode(), talk=talk)
    assert (hosts.names, hosts.refusals, hosts.without_name) == (names, [], without_name)
    assert len(talk.said) == 1


@pytest.mark.parametrize(
    ("raw", "column", "message", "detail"),
    [
        (b"web01;10.0.0.1\n", None, "stdin:1: there is no header", '"web01", "10.0.0.1"'),
        (b"\n# x\na.b.c, d.e.f\n", None, "stdin:3: there is no header", '"a.b.c"'),
        (b"a;b\n1;2\n", "fqdn", 'stdin:1: there is no column "fqdn"', '"a", "b"'),
        (b"a;b\n1;2\n", "3", 'stdin:1: there is no column "3"', '"a", "b"'),
        (b"a;b\n1;2\n", "0", 'stdin:1: there is no column "0"', '"a", "b"'),
        (b"x.a.b\n", "fqdn", 'stdin:1: there is no column "fqdn"', '"x.a.b"'),
        (b"fqdn,FQDN\nx.a.b,y.a.b\n", None, 'stdin:1: 2 columns are called "fqdn"', "NUMBER"),
        (b'[{"id": 1}]', None, "stdin:1: there is no header", '"id"'),
        (b'fqdn;x\n"x.a.b;1\n"y"z.a.b;1\n', None, "stdin:2: the CSV is malformed", "';'"),
        (b'fqdn;x\nx.a.b;1\n"y.a.b;1\nz.a.b;1\n', None, "stdin:3: the CSV is malformed", "end"),
        (b'[\n"x.a.b",\n"y.a.b"\n', None, "stdin:4: the JSON is malformed", "Expecting"),
        (b'[\n"x.a.b"\n"y.a.b"]\n', None, "stdin:3: the JSON is malformed", "Expecting ','"),
        (b'#\n[\n"x.a.b",\nweb]', None, "stdin:4: the JSON is malformed", "Expecting value"),
        (b'{"fqdn":"x.a.b"}\n{"fqdn":\n', None, "stdin:2: the JSON is malformed", "Expecting"),
        (b"[" + b"[" * 100_000, None, "stdin:1: the JSON is malformed", "deep"),
        (b"[\n1]", None, "stdin:2: this is no host", "int"),
        (b'[\n"x.a.b", ["y.a.b"]]', None, "stdin:2: this is no host", "list"),
        (b'{"fqdn": ["x.a.b"]}\n', None, "stdin:1: this is no host", "list"),
        (b"dn: x\n\nweb01\n", None, "stdin:3: the LDIF is malformed", '"web01"'),
        (b"dn: x\ndNSHostName:: %%\n", None, "stdin:2: the base64 text is malformed", ""),
        (b"x.a.b\nB\xfcro.a.b\n", None, "stdin:2: the text is not UTF-8", "0xFC"),
        (b"fqdn;x\nx.a.b;1\ny.a.b;\xfc\n", None, "stdin:3: the text is not UTF-8", "CSV UTF-8"),
        (b"\xff\xfex\0.\0a", None, "stdin: the text is not UTF-16 at byte 6", ""),
        (b"\xff\xfex\0\x00\xdcx\0", None, "stdin: the text is not UTF-16 at byte 4", ""),
        (b"PK\x03\x04\0\0\0", None, "stdin is a workbook or a zip file", "CSV"),
        (b"x.a.b\tFailed\t\t\t\t\t\t\ny.a.b\tz\n", None, "stdin:2: this is no row", "8"),
        (b'{"fqdn":"x.a.b"}\n"' + b"x" * 5_000_000, None, "stdin:2: the line is too", "5,000,001"),
    ],
)
def test_what_cannot_be_understood(
    raw: bytes, column: str | None, message: str, detail: str
) -> None:
    with pytest.raises(InputError) as caught:
        read(raw, column)
    error = caught.value
    assert error.message.startswith(message)
    assert detail in f"{error.message} {error.reason} {error.hint}"


def test_a_numbered_column_under_an_unknown_header_is_said() -> None:
    talk = SilentTalk()
    read(b"Rechner;Voll\nweb;web.a.b\n", "2", talk)
    assert talk.said == ['stdin:1: taken as the header, "Voll" is no host']


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('[\n "x.a.b",\n "web01"\n]', "stdin:3"),
        ('[{"fqdn": "x.a.b"},\n\n{"fqdn": "web01"}]', "stdin:3"),
        ('{"fqdn": "x.a.b"}\n\n{"fqdn": "web01"}\n', "stdin:3"),
        ('{"_meta": {"hostvars": {}},\n"web":\n{"hosts": ["web01"]}}', "stdin:3"),
        ('{"schema": "sbpam/1", "hosts": [\n{"host": "x.a.b"},\n{"host": "web01"}]}', "stdin:3"),
        ("dn: x\ncn: y\ndNSHostName: web\n 01\n", "stdin:3"),
        ('fqdn;x\nx.a.b;"a\nb"\nweb01;x\n', "stdin:4"),
        ("#TYPE x\nfqdn\nweb01\n", "stdin:3"),
        ("x.a.b\tFailed\t\t\t\t\t\t\n\nweb01\tFailed\t\t\t\t\t\t\n", "stdin:3"),
    ],
)
def test_every_form_says_the_line_of_a_refusal(text: str, where: str) -> None:
    hosts = read(text.encode())
    assert [(r.where, r.text, r.reason) for r in hosts.refusals] == [
        (where, "web01", "is a short name, add its domain")
    ]


def test_the_escapes_of_sbpams_tsv_are_undone() -> None:
    hosts = read(b"a\\\\b\\t\\n\\x1b\\u202e\tInvalid\t\t\t\t\t\t\n")
    assert [refusal.text for refusal in hosts.refusals] == ["a\\b\t\n\x1b\u202e"]
