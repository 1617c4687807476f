"""CSV, TSV and titled columns as people export them: what is read, and what is refused why."""

from itertools import product

import pytest
from support.host_lists import ENCODINGS, encode, read_list
from support.talk import Heard

from sbpam_cli.errors import InputError

A, B, C = (f"web0{n}.corp.example.com" for n in (1, 2, 3))
SEPARATORS = (",", ";", "\t")

READ = [
    # which column
    (f"Name;DNSHostName\nweb01;{A}\nweb02;{B}\n", None, [A, B]),
    (f"hostname;DNS Host Name\nx;{A}\n", None, [A]),
    (f"name;fqdn\nweb01;{A}\n", None, [A]),
    (f"DNS_Name;x\n{A};1\n", None, [A]),
    (f"'DNS Host_Name';x\n{A};1\n", None, [A]),
    (f'"Name"; "FQDN"\n"web01"; "{A}"\n', None, [A]),
    (f"name ; fqdn \nx ; {A} \n", None, [A]),
    (f'"DNS\nHostName";x\n{A};1\n', None, [A]),
    (f"host;name;fqdn\n{A};{A.upper()};{A}.\n", None, [A]),
    (f"name;#cores;fqdn\nx;4;{A}\n", None, [A]),
    (f"FQDN;\n{A};\n", None, [A]),
    # dotted titles
    (f"cmdb_ci.fqdn;x\n{A};1\n", None, [A]),
    (f"host.name;host.os.name;agent.version\n{A};Windows;8.11\n", None, [A]),
    (f"x;u_server.host\n1;{A}\n", "2", [A]),
    (f"x;u_server.host\n1;{A}\n", "u_server.host", [A]),
    # --column is obeyed
    (f"Rechner;Voll\nweb;{A}\n", "2", [A]),
    (f"Rechner;Voll\nweb;{A}\n", "VOLL", [A]),
    (f"web;{A}\nx;{B}\n", "2", [A, B]),
    (f"#1;{A}\n#2;{B}\n", "2", [A, B]),
    (f"{A};{B}\n", "1", [A]),
    (f"{A};{B}\n", "2", [B]),
    (f"name;fqdn\n{A};{B}\n", "name", [A]),
    (f"DNS Name;Host\n{A};{B}\n", "dns name", [A]),
    (f"Report;1\n;\nName;certname\nx;{A}\n", "certname", [A]),
    (f"name;fqdn\n{A};\n;{B}\n", "fqdn", [B]),
    (f"10.0.0.1;{A}\n", "2", [A]),
    # what is no row
    (f"sep=;\nName;FQDN\nx;{A}\n", None, [A]),
    (f'"sep=;"\r\n#TYPE x\r\n"Name";"FQDN"\r\n"x";"{A}"\r\n', None, [A]),
    (f"# c;fqdn\n#x\n;;\nTag;FQDN\n#1;{A}\n# 2;{B}\n;\n#N/A;{C}\n", None, [A, C]),
    (f'#;Hostname\n1;{A}\n"#2";{B}\n', None, [A, B]),
    (f"fqdn;x\n----;-\n{A};z\n", None, [A]),
    # cells with line breaks, quotes and separators
    (f'Host;Notes\n{A};"line 1\nline 2; more\n# line 3"\n{B};x\n', None, [A, B]),
    (f'Host;Notes\n{A};5" screen\n{B};"5"" screen"\n', None, [A, B]),
    (f'Notes;Host\n"a\nb";{A}\n', None, [A]),
    (f'FQDN;x\n{A};"1"\n# the ;"old one\n{B};2\n', None, [A, B]),
]
READ_AS_THEY_ARE = [
    (f"Name,FQDN,x;y\nweb,{A},1\n", None, [A]),
    (f"Name, #cores, FQDN\nx, 4, {A}\n", None, [A]),
    (f"sep=|\nName|FQDN\nx|{A}\n", None, [A]),
    # one column without quotes is a plain list
    (f"DNS Name\n{A} # old\n# {C}\nNULL\n{B}\n", None, [A, B]),
    (f"\nDNSHostName      \n-----------      \n{A}   \n\n", None, [A]),
    (f"Rechner\n{A}\n", "Rechner", [A]),
    (f"{A}\n{B}\n", "1", [A, B]),
    (f"Rechner\n{A}\n", "1", [A]),
    (f"host.name\n{A}\n", None, ["host.name", A]),
    (f"{A}  # old, name\n{B}\t# x, db.corp.example.com\n", None, [A, B]),
    (f"#old,name\n{A}\n", None, [A]),
    (f'"{A}"\n"{B}"\n', None, [A, B]),
    (f'"cmdb_ci.fqdn"\n"{A}"\n', None, [A]),
    (f"{A}\r\n\x1a", None, [A]),
]
REFUSED = [
    # which column
    (f"VM;DNS Name;Host\nx;{A};{C}\n", None, "line 2", '"DNS Name"', '"Host"'),
    (f"Name;Name\n{A};{B}\n", None, "line 2", "--column NUMBER"),
    (f"hostname;name\nweb01;{A}\n", None, "line 2", '"hostname"', '"name"'),
    (f"name;fqdn\nx;{B}\n{A};\n", None, "line 3", '"fqdn"', '"name"'),
    (f"name;fqdn\n{A};NULL\n", None, "line 2", '"fqdn"', '"name"'),
    (f"fqdn;FQDN\n{A};{B}\n", "fqdn", "line 1", "2 columns", "--column NUMBER"),
    ("web01;10.0.0.1\n", None, "line 1", '"web01", "10.0.0.1"', "--column"),
    (f"Name0;Full_Domain_Name0\nx;{A}\n", None, "line 1", "Full_Domain_Name0", "--column"),
    (f"a;b\n1;{A}\n", "fqdn", "line 1", 'no column "fqdn"', '"a", "b"'),
    ("a;b\n1;2\n", "3", "line 1", 'no column "3"'),
    ("a;b\n1;2\n", "0", "line 1", 'no column "0"'),
    ("a;b\n1;2\n", "9" * 5_000, "line 1", "no column"),
    (f'"ComputerName"\n"{A}"\n', None, "line 1", "ComputerName", "--column"),
    (f"{A};\n{B};\n", None, "line 1", "one name a line"),
    (f'cmdb_ci.fqdn;x\n{A};1\n"web.FQDN";1\n', None, "title", "host", "cmdb_ci.fqdn"),
    # several names, titles
    (f"{A}; {B}; {C}\n", None, "line 1", "one name a line"),
    (f"Title;1\nAll;1\n;\nName0;DNSHostName\nW;{A}\n", None, "line 4"),
    (f"Server list\n\nName;DNSHostName\nW;{A}\n", None, "line 3"),
    (f"Domain;corp.example.com\nName;DNSHostName\nW;{A}\n", None, "line 2"),
    (f"Old;{B}\nName;certname\nx;{A}\n", "certname", "line 1", "line 2"),
    # line breaks and quotes
    (f'x;FQDN\nshop;"{A}\n{B}"\nmail;{C}\n', None, "line 2", "line break"),
    (f'FQDN;x\n{C};1\n"{A}\n";2\n', None, "line 3", "line break"),
    (f'Host;Room;x\n{A};A1;"old\n{B};A2;screen 36"\n{C};A3;ok\n', None, "line 2", B),
    (f'Room;Host\n"old;{A}\nx;{B}\ny";{C}\n', None, "line 2", A),
    (f'Room;Host\n"old;{A}\ny";{C}\n', None, "line 2", A),
    (f'FQDN;x\n{A};1\n{B};"old\n{C};2\n', None, "line 3", "quote"),
    (f'Host;Room\n"{A}"x;1\n', None, "line 2", "malformed"),
]
REFUSED_AS_THEY_ARE = [
    (f'"{A}\n{B}"\n', None, "line 1", "one name a line"),
    (f'"FQDN"\n"{C}"\n"{A}\n{B}"\n', None, "line 3", "line break"),
    (f"ComputerName\n------------\n{A}\n", None, "line 1", "ComputerName", "--column"),
    (f"{A}\n", "fqdn", "line 1", 'no column "fqdn"'),
    (f"{A}\n", "2", "line 1", 'no column "2"'),
    (f"Report\nDNSHostName\n{A}\n", None, "line 2"),
    (f"{A}\tFailed\t\t\t\t\t\t\n{B}\tz\n", None, "line 2", "sbpam's tsv"),
]


@pytest.mark.parametrize(("text", "column", "names"), READ)
def test_a_table_is_read(text: str, column: str | None, names: list[str]) -> None:
    for separator, encoding in product(SEPARATORS, ENCODINGS):
        hosts = read_list(encode(text.replace(";", separator), encoding), column)
        assert (hosts.names, hosts.refused) == (names, []), (separator, encoding)
        assert hosts.tallies[0].form == ("tsv" if separator == "\t" else "csv")


@pytest.mark.parametrize(("text", "column", "names"), READ_AS_THEY_ARE)
def test_no_separator_or_its_own_is_read(text: str, column: str | None, names: list[str]) -> None:
    hosts = read_list(text, column)
    assert (hosts.names, hosts.refused) == (names, [])


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [(text, column, words) for text, column, *words in [*REFUSED, *REFUSED_AS_THEY_ARE]],
)
def test_a_table_in_doubt_is_refused(text: str, column: str | None, words: list[str]) -> None:
    for separator in SEPARATORS:
        with pytest.raises(InputError) as caught:
            read_list(text.replace(";", separator), column)
        told = f"{caught.value.message} {caught.value.reason} {caught.value.hint}"
        told = told.replace("stdin:", "stdin, line ")
        assert [word for word in words if word not in told] == [], separator
        assert len(told) < 1_000


@pytest.mark.parametrize("empty", ["", '""', "NULL", "null", "N/A", "#N/A", "#NV", "-", "(null)"])
def test_an_empty_cell_is_a_row_without_a_name(empty: str) -> None:
    for place in range(3):
        rows = [f"x;{A}", f"y;{B}"]
        rows.insert(place, f"z;{empty}")
        heard = Heard()
        hosts = read_list("Name;FQDN\n" + "\n".join(rows), None, heard)
        assert (hosts.names, hosts.refused) == ([A, B], [])
        (told,) = heard.alerts
        assert told.endswith(f"(header in line 1); 1 row without a name (line {place + 2})")


def test_more_than_a_tenth_without_a_name_is_a_warning_even_when_quiet() -> None:
    rows = "".join(f"web{n}.corp.example.com;1\n" for n in range(9))
    for nameless, alerts in ((1, 0), (2, 1)):
        heard = Heard()
        read_list("FQDN;x\n" + rows + ";1\n" * nameless, None, heard)
        assert (len(heard.notes), len(heard.alerts)) == (1 - alerts, alerts)


def test_a_tally_in_a_line() -> None:
    heard = Heard()
    read_list(f"FQDN\n# c\n\n{A}\n{A}\nweb01\n" + "NULL\n" * 7, None, heard)
    (told,) = heard.alerts
    assert told == (
        "stdin: 1 host from column FQDN (header in line 1); 1 duplicate,"
        " 7 rows without a name (lines 7, 8, 9, 10, 11, ...),"
        " 1 blank line, 1 comment, 1 invalid name"
    )


def test_a_row_may_be_longer_than_a_block() -> None:
    note = "\n".join(f"{n} words; and more" for n in range(6_000))
    rows = "".join(f'{n}.corp.example.com;"{note}"\n' for n in "abc")
    assert len(read_list(f"FQDN;Note\n{rows}").names) == 3


def test_the_escapes_of_sbpams_tsv_are_undone() -> None:
    hosts = read_list(b"a\\\\b\\t\\n\\x1b\\u202e\tInvalid\t\t\t\t\t\t\n")
    assert [refusal.text for refusal in hosts.refused] == ["a\\b\t\n\x1b\u202e"]


def test_many_lines_of_comments_come_before_the_header() -> None:
    hosts = read_list("# comment\n\n" * 20_000 + f"fqdn;x\nweb01;1\n{A};2\n")
    assert hosts.names == [A]
    assert hosts.refused[0].where == "stdin:40002"
