"""JSON, NDJSON, inventories, LDIF, and what is no list at all: read, or refused and why."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.host_lists import Trickle, read_list

from sbpam_cli.errors import InputError

A, B, C = (f"web0{n}.corp.example.com" for n in (1, 2, 3))
ENTRY = f"dn: CN=A,DC=x\ndNSHostName: {A}\n"


def text_of(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


JSON_READ = [
    ([], None, []),
    ([A, B], None, [A, B]),
    ({"fqdn": A}, None, [A]),
    ([{"id": 1, "certname": A}], "2", [A]),
    ([{"fqdn": A}, {"FQDN": B}, {"fqdn": None}, {"name": "y"}], None, [A, B]),
    ([{"name": "x"}, {"name": "x", "fqdn": A}], None, [A]),
    ([{"host.name": A, "dns name": "x"}], "host.name", [A]),
    ([{"dns_host_name": A, "tags": ["x"], "os": {"name": "y"}}], None, [A]),
    ([{"name": A, "fqdn": B}], "name", [A]),
    ([{"certname": A, "hosts": [C]}, {"certname": B, "hosts": [C]}], "certname", [A, B]),
    ([{"fqdn": "", "name": A, "x": [1]}, {"fqdn": B}], "fqdn", [B]),
    ({"value": [A, B], "Count": 2}, None, [A, B]),
    ({"value": [{"Name": "a", "DNSHostName": A}], "Count": 1}, None, [A]),
    ({"hosts": [A, {"host": B}]}, None, [A, B]),
    ({"schema": "sbpam/1", "jobs": [{}], "hosts": [{"host": A}], "lists": []}, None, [A]),
    (f'["{A}"]\n["{B}"]', None, [A, B]),
    (f'{{"fqdn":"{A}"}}\n\n# c\n{{"fqdn":" "}}\n{{"fqdn":"{B}"}}', None, [A, B]),
    (f'{{"fqdn":\n"{A}"}}{{"fqdn":"{B}"}}\x1a', None, [A, B]),
    ({"_meta": {"hostvars": {A: {}, B: {}}}, "all": {"children": ["web"]}}, None, [A, B]),
    ({"all": {"hosts": {A: {}}, "children": {"x": {"hosts": {B: None}, "vars": {"y": {}}}}}}, None,
     [A, B]),
    ({"web": [A], "db": {"hosts": [B]}}, None, [A, B]),
]  # fmt: skip
JSON_REFUSED: list[tuple[Any, ...]] = [
    ([{"id": 1}], None, "entry 1", '"id"', "--column"),
    ([{"id": 1}], "zz", "entry 1", 'no column "zz"'),
    ([A], "fqdn", "entry 1", "--column"),
    ([{"name": A, "fqdn": B}], None, "entry 1", '"fqdn"', '"name"'),
    ([{"fqdn": B}, {"fqdn": None, "name": A}], None, "entry 2", '"fqdn"', '"name"'),
    ([{"fqdn": A}, {"fqdn": 7}], None, "entry 2", '"fqdn"', "jq -r '.[].fqdn'"),
    ([{"fqdn": [A]}], None, "entry 1", "jq -r '.[].fqdn[]'"),
    (f'{{"host":{{"name":"{A}"}}}}\n{{"host":{{"name":"{B}"}}}}', None, "line 1", ".host.name"),
    ([{"vm": {"guest": {"fqdn": A}}}], None, "entry 1", "jq -r '.[].vm.guest.fqdn'"),
    ([{"name": A}, {"name": None, "nics": [{"dns": B}]}], None, "entry 2", ".[].nics[].dns"),
    ([{"name": A}, {"hosts": [B]}], None, "entry 2", "hosts", "jq -r '.[].hosts[]'"),
    ({"name": "corp.example.com", "hosts": [A]}, None, "hosts", "jq -r '.hosts[]'"),
    ([[A]], None, "entry 1", "jq"),
    (f'{{"fqdn":"{A}"}}\n["{B}"]\n', None, "line 2", "jq -r '.[]'"),
    ([A, 7], None, "entry 2", "jq"),
    ({"value": [A], "Count": 2}, None, "not whole", "Count"),
    ({"value": [A], "@odata.nextLink": "x"}, None, "jq -r '.value[]'"),
    ({"hosts": [A], "more": 1}, None, "jq -r '.hosts[]'"),
    ({"hosts": {A: {}}}, None, "jq -r '.hosts | keys[]'"),
    ({"schema": "sbpam/1", "credentials": []}, None, "no list of hosts"),
    ({"all": {"hosts": {A: {}}, "host": [B]}}, None, '"all.host"', "jq"),
    ({"all": {"children": {"web": {"hosts": A}}}}, None, '"all.children.web.hosts"', "jq"),
    ({"all": {"hosts": [{"name": A}]}}, None, '"all.hosts"', "jq"),
    ({"all": {"children": {"web": 7}, "hosts": {}}}, None, '"all.children.web"', "jq"),
    ({"all": {"hosts": [A]}}, "fqdn", "--column"),
    (f'{{"fqdn":"{A}","fqdn":"{B}"}}', None, "line 1", "twice"),
    (f'{{"fqdn" :"{A}","fqdn"\t:"{B}"}}', None, "line 1", "twice"),
    (f'["{A}"\n"{B}"]', None, "line 2", "malformed"),
    (f'[\n"{A}",\nweb]', None, "line 3", "malformed"),
    (f'["{A}",]', None, "line 1", "malformed"),
    (f'["{A}"\n', None, "no end"),
    (f'{{"fqdn":"{A}"}}\n{{"fqdn":\n', None, "line 2", "malformed"),
    (f'{{"fqdn":"{A}"}},{{"fqdn":"{B}"}}\n', None, "line 1", "malformed"),
    ("[" * 100_000, None, "malformed", "deep"),
    ('{"fqdn":' + "[" * 100_000, None, "malformed", "deep"),
    ('["' + "1" * 9 + '", 1' + "0" * 5_000 + "]", None, "line 1", "malformed"),
]
LDIF_READ = [
    (ENTRY, None, [A]),
    (f"version: 1\n\n{ENTRY}", None, [A]),
    (f"version: 1\n{ENTRY}DN: b\ncn: x\n{ENTRY.replace(A, B)}", None, [A, B]),
    (f"dn:: Q049\ndnshostname:: {base64.b64encode(A.encode()).decode()}\n", None, [A]),
    (f"# long\n comment\n{ENTRY}", None, [A]),
    (f"# LDAPv3\n#\n# c\n\n{ENTRY}", None, [A]),
    (f"dn: a\nchangetype: add\ndNSHostName;x-y: {A[:9]}\n {A[9:]}\ndNSHostName: {B}", None, [A, B]),
    (f"dNSHostName: {A}\ndNSHostName: {B}\n", None, [A, B]),
    (f"dn: a\ncn: {A}\n", "CN", [A]),
    (
        f"{ENTRY}\n# search reference\nref: ldap://x/DC=y\n\nsearch: 2\nresult: 0 Success\n",
        None,
        [A],
    ),
    ("# refldap://F.corp.example.com/DC=F,DC=exampl\n e,DC=com\n\n", None, []),
    ("# search reference\nref: ldap://x/DC=y\n", None, []),
    (f"{ENTRY}result: 4 of the entry itself\n", None, [A]),
    (f"# servers\n {A}\n {B}\n", None, [A, B]),
]
LDIF_REFUSED = [
    (f"{ENTRY}\nsearch: 2\nresult: 4 Size limit exceeded\n", "Size limit", "--allow-partial"),
    ("# search result\nsearch: 2\nresult: 11 Administrative limit\n", "limit", "--allow-partial"),
    (f"{ENTRY}\nresult: 10 Referral\n\n{ENTRY}", "Referral"),
    ("dn: a\nchangetype: delete\n", "line 2", "delete"),
    (f"dn: a\nchangetype: modify\nreplace: dNSHostName\ndNSHostName: {A}\n-\n", "line 2"),
    ("dn: a\nweb01\n", "line 2", '"web01"'),
    ("dn: a\ndNSHostName\n", "line 2"),
    (f"dn: a\n>dNSHostName: {A}\n", "line 2"),
    ("dn: a\ndNSHostName:< file:///x\n", "line 2", "file"),
    ("dn: a\ndNSHostName:: %%\n", "line 2", "base64"),
]
FOREIGN = [
    (f"all:\n  hosts:\n    {A}:\n", "YAML", "ansible-inventory"),
    (f"# servers\n---\n- {A}\n", "YAML"),
    (f"- {A}\n", "YAML"),
    ("plugin: aws_ec2\n", "YAML"),
    ('<?xml version="1.0"?>\n<a/>', "XML"),
    ("<!DOCTYPE html>\n<body>", "HTML"),
    ('#< CLIXML\n<Objs Version="1.1.0.1">', "Clixml", "Import-Clixml"),
    (f"Name        : web01\nDNSHostName : {A}\n", "Format-List", "Select"),
    (f"127.0.0.1 localhost\n10.0.0.1\t{A} web01\n", "/etc/hosts", "awk"),
    (f"fe80::1 {A}\n", "/etc/hosts"),
    (f"{A},10.0.0.1 ssh-ed25519 AAAAC3\n", "known_hosts"),
    (f"[{A}]:2222 ssh-rsa AAAA\n", "known_hosts"),
    ("|1|abc=|def= ecdsa-sha2-nistp256 AAAA\n", "known_hosts"),
    (b"\x1f\x8b\x08\0", "gzip", "zcat"),
    (b"BZh91AY&SY", "bzip2", "bzcat"),
    (b"\xfd7zXZ\0\0", "xz", "xzcat"),
    (b"\x28\xb5\x2f\xfd\0", "zstd", "zstdcat"),
    (b"PK\x03\x04\x14\0", "xlsx", "CSV"),
    (b"\xd0\xcf\x11\xe0", "xls", "CSV"),
    (b"%PDF-1.7", "PDF", "CSV"),
    (A.encode("utf-16-be"), "UTF-16"),
    (f"{A}\nB\xfcro.corp.example.com\n".encode("cp1252"), "line 2", "UTF-8", "0xFC"),
    (f"fqdn;x\n{A};\xfc\n".encode("cp1252"), "line 2", "CSV UTF-8"),
    (f'["{A}", "\xfc"]'.encode("cp1252"), "line 1", "UTF-8"),
    (b"\xff\xfex\0\x00\xdcx\0", "UTF-16 at byte 4"),
    (b"\xff\xfex\0.", "UTF-16 at byte 4"),
]


@pytest.mark.parametrize(("value", "column", "names"), [*JSON_READ, *LDIF_READ])
def test_what_programs_write_is_read(value: object, column: str | None, names: list[str]) -> None:
    for most in (1, 1_000_000):
        hosts = read_list(Trickle(text_of(value).encode(), most), column)
        assert (hosts.names, hosts.refused) == (names, [])


@pytest.mark.parametrize(
    ("value", "column", "words"),
    [
        *((value, column, words) for value, column, *words in JSON_REFUSED),
        *((value, None, words) for value, *words in [*LDIF_REFUSED, *FOREIGN]),
    ],
)
def test_what_is_no_list_is_refused(value: object, column: str | None, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        read_list(value if isinstance(value, bytes) else text_of(value), column)
    told = f"{caught.value.message} {caught.value.reason} {caught.value.hint}"
    told = told.replace("stdin:", "stdin, line ")
    assert [word for word in words if word not in told] == []


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('[\n "x.corp",\n "web01"\n]', "stdin: entry 2"),
        ('[{"fqdn": "x.corp"},\n\n{"fqdn": "web01"}]', "stdin: entry 2"),
        ('{"all": {"hosts": ["x.corp", "web01"]}}', "stdin: entry 2"),
        (
            '{"schema": "sbpam/1", "hosts": [{"host": "x.corp"}, {"host": "web01"}]}',
            "stdin: entry 2",
        ),
        ('fqdn;x\nx.corp;"a\nb"\nweb01;x\n', "stdin:4"),
        ('{"fqdn": "x.corp"}\n\n{"fqdn": "web01"}\n', "stdin:3"),
        ("# a\n b\ndn: x\ncn: y\ndNSHostName: web\n 01\n", "stdin:5"),
        ("x.corp\tFailed\t\t\t\t\t\t\n\nweb01\tFailed\t\t\t\t\t\t\n", "stdin:3"),
    ],
)
def test_a_refused_name_has_its_place(text: str, where: str) -> None:
    (refusal,) = read_list(text).refused
    assert refusal[1:] == (where, "web01", "is a short name, add its domain")


def test_a_long_array_is_read_piece_by_piece() -> None:
    names = [f"bücher{n}.example.com" for n in range(6_000)]
    rows = [{"name": name, "notes": "x" * 300} for name in names]
    hosts = read_list(Trickle(json.dumps(rows, ensure_ascii=False).encode(), 60_001))
    assert [refusal.text for refusal in hosts.refused] == names


def test_column_is_always_obeyed() -> None:
    assert read_list(f"x: y\n{A}\n", "1").tallies[0].header_line == 1


LINES = st.lists(
    st.sampled_from(
        [
            *(f'{{"fqdn":"{A}"}}', f'{{"fqdn": "{B}", "x": "a :b"}}', f'{{"fqdn":"{C}","x":":"}}'),
            *(f'{{"fqdn":"{B}","fqdn":"{C}"}}', f'{{"fqdn" :"{B}","fqdn":"{C}"}}', "[]", "7"),
            *(f'{{"fqdn":"{A}"', f',"x":"{B}"}}', f'{{"fqdn":"{B}"}} {{"fqdn":"{C}"}}', "", " "),
            *(f'{{"fqdn":"{B}","fqdn":"\\":{C}"}}', f'{{"fqdn":"{C}","o":{{"fqdn":"{B}"}}}}'),
            *('{"fqdn":NaN}', '{"fqdn":"\\ud800"}', f'\t{{"fqdn":"{C}"}} ', '{"fqdn"\t:"x"}'),
        ]
    ),
    max_size=4,
)


@given(LINES)
def test_lines_of_json_mean_the_same_together_and_each_alone(lines: list[str]) -> None:
    def outcome(*more: str) -> object:
        try:
            return read_list("\n".join([f'{{"fqdn":"{A}"}}', *lines, *more, ""]))[:2]
        except InputError as error:
            return error.message

    # A comment is no JSON: the lines before it are read one by one.
    assert outcome() == outcome("# comment")
