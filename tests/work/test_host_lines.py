"""Plain lists: the quick way through them, and what is said of names that are none."""

import io
import re
import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sbpam_cli.errors import InputError
from sbpam_cli.hosts.fqdn import fqdn, fqdns_of_block
from sbpam_cli.hosts.lists import HostList, HostSource, read_hosts, refuse_invalid


class DeafTalk:
    def note(self, text: str) -> None: ...
    def warn(self, text: str) -> None: ...
    def trace(self, text: str) -> None: ...


class Trickle(io.BytesIO):
    def __init__(self, raw: bytes, most: int) -> None:
        super().__init__(raw)
        self._most = most

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self._most)


def read(raw: bytes, most: int = 1 << 20) -> HostList:
    return read_hosts(
        [HostSource("stdin", "-")],
        stdin=Trickle(raw, most),
        stdin_is_terminal=False,
        column=None,
        talk=DeafTalk(),
    )


def is_fqdn(name: str) -> bool:
    """The rule of the names, word by word."""
    labels = name.split(".")
    return (
        len(name) <= 253
        and len(labels) >= 2
        and all(1 <= len(label) <= 63 for label in labels)
        and all(c in "abcdefghijklmnopqrstuvwxyz0123456789-_" for c in name.replace(".", ""))
        and not any(label[0] == "-" or label[-1] == "-" for label in labels)
        and not all(c in "0123456789" for c in labels[-1])
    )


def read_slowly(raw: bytes) -> tuple[list[str], list[tuple[int, str, str]], int]:
    """One line at a time: names, refusals (position, where, text), duplicates."""
    names: list[str] = []
    refusals: list[tuple[int, str, str]] = []
    duplicates = 0
    lines = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    for number, line in enumerate(lines, 1):
        text = re.split(r"(?:^|\s)#", line.decode().strip())[0].strip()
        if len(text) > 1 and text[0] == text[-1] == '"':
            text = text[1:-1].strip()
        if not text:
            continue
        name = text.lower().removesuffix(".")
        if text.isascii() and is_fqdn(name):
            if name in names:
                duplicates += 1
            else:
                names.append(name)
        elif any(text.lower()[:253] == refusal[2] for refusal in refusals):
            duplicates += 1
        else:
            refusals.append((len(names), f"stdin:{number}", text.lower()[:253]))
    return names, refusals, duplicates


line_like = st.lists(
    st.sampled_from(
        [
            *"aZ09_-.", "..", ".-", "-.", "--", ".a", ".com", "web01.a.b", "Web-01.A_1.b", "x.1",
            "x.a1", "\n", "\r\n", "\r", "\n\n", " ", "\t", " # c", "#", "a" * 63, "b" * 64, "é",
            "\u212a", "\ufeff", '"', "\x00", "*", "é.a", "\n", "\nx.a.b\n", "\x1c", "\x85",
        ]
    ),
    max_size=40,
).map("".join)  # fmt: skip


@given(text=line_like, most=st.integers(1, 60))
@example(text="a.b\n" * 50 + "c.1\n", most=7)
@example(text="x.a1\nx.a2\n", most=60)
@example(text="-a.b\n", most=60)
@example(text=".a.b\n", most=60)
@example(text=f"{'a' * 64}.b\n", most=60)
@example(text=f"{'a' * 63}.b\n", most=60)
@example(text=f"{'a.' * 126}b\n{'a.' * 127}b\n", most=60)
def test_blocks_and_single_lines_agree(text: str, most: int) -> None:
    # A first line that decides nothing about the form, and no separators before it.
    raw = b"first.example.com\n" + text.replace("\t", " ").encode()
    hosts = read(raw, most)
    refusals = [(refusal.position, refusal.where, refusal.text) for refusal in hosts.refusals]
    assert (hosts.names, refusals, hosts.duplicates) == read_slowly(raw)


@given(block=st.binary(min_size=1, max_size=80).map(lambda raw: raw + b"\n"))
def test_a_block_passes_only_when_every_line_of_it_is_an_fqdn(block: bytes) -> None:
    names = fqdns_of_block(block)
    if names is not None:
        assert names == block.decode().lower().split("\n")[:-1]
        assert all(map(is_fqdn, names))


@given(text=line_like)
def test_one_name(text: str) -> None:
    name = text.lower().removesuffix(".")
    assert fqdn(text) == (name if text.isascii() and is_fqdn(name) else None)


def test_a_valid_block_takes_the_quick_way() -> None:
    block = b"Web-01.a.b\nxn--p1ai.x_y.c\n1.2.c-3d\n"
    assert fqdns_of_block(b"web.corp.example\nWEB-2.corp.example\n" * 99) is not None
    assert fqdns_of_block(block) is None, "a digit in a last label wants a second look"
    assert read(block).names == ["web-01.a.b", "xn--p1ai.x_y.c", "1.2.c-3d"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("web01", "is a short name, add its domain"),
        ("web01.", "is a short name, add its domain"),
        (".", "is empty"),
        ("10.0.0.1", "is an IPv4 address, give the host's name"),
        ("10.0.0.999", "is an IPv4 address, give the host's name"),
        ("10.0.0.1:443", "is an IPv4 address, give the host's name"),
        ("10.0.0.0/24", "is an IPv4 network, give the host's name"),
        ("fe80::1%eth0", "is an IPv6 address, give the host's name"),
        ("[::1]:443", "is an IPv6 address, give the host's name"),
        ("*.a.b", "is a wildcard, list every host on its own"),
        ("web?.a.b", "is a wildcard, list every host on its own"),
        ("web[01:20].a.b", "is a range, list every host on its own"),
        ("web[a:f:2].a.b", "is a range, list every host on its own"),
        ("[webservers]", "is a group header, list its hosts without it"),
        ("[web:children]", "is a group header, list its hosts without it"),
        ("https://web.a.b/x", "is a URL, give the host's name alone"),
        ("web.a.b:443", "has a port, give the host's name alone"),
        ("web.a.b x.a.b", "has a space, write one name a line"),
        ("a.b.c,d.e.f", "has several fields (',' separates them) and no header line"),
        ("a.b.c\td.e.f", "has several fields ('\\t' separates them) and no header line"),
        ("corp\\web", "has the character '\\\\', names have letters, digits, - and _"),
        ("a\x1b[31m.b", "has the character '\\x1b', names have letters, digits, - and _"),
        ("a.b\0", "has a NUL character, is the file partly UTF-16?"),
        ("büro.a.b", 'has the non-ASCII character "ü" (U+00FC), write xn--bro-hoa.a.b'),
        ("BÜRO.a.b", 'has the non-ASCII character "Ü" (U+00DC), write xn--bro-hoa.a.b'),
        ("\u212a1.a.b", 'has the non-ASCII character "\u212a" (U+212A), write k1.a.b'),
        ("we\u200bb.a.b", 'has the non-ASCII character "\\u200b" (U+200B), write web.a.b'),
        ("web.a.b\u2028x", 'has the non-ASCII character "\\u2028" (U+2028)'),
        (f"{'ü' * 80}.b", 'has the non-ASCII character "ü" (U+00FC)'),
        ("a..b", "has an empty label (two dots in a row, or one at an end)"),
        (".a.b", "has an empty label (two dots in a row, or one at an end)"),
        ("a.b..", "has an empty label (two dots in a row, or one at an end)"),
        ("-a.b", 'has a "-" at an end of the label "-a"'),
        ("a.b-", 'has a "-" at an end of the label "b-"'),
        (f"{'a' * 64}.b", "has a label of 64 characters, 63 at most"),
        ("a." * 127 + "b", "has 255 characters, 253 at most"),
        ("web.123", "ends in the number 123, no domain does"),
    ],
)
def test_every_refusal_says_line_and_reason(line: str, reason: str) -> None:
    hosts = read(f"\n# comment\nX.a.b\n{line}\ny.a.b\n".encode())
    assert hosts.names == ["x.a.b", "y.a.b"]
    (refusal,) = hosts.refusals
    assert refusal == (1, "stdin:4", line.lower()[:253], reason)


def test_refusals_are_unique_and_know_what_stands_before_them() -> None:
    hosts = read(b"web01\na.b\nWEB01\nA.b\nc.d\nweb02\n")
    assert [(r.position, r.where, r.text) for r in hosts.refusals] == [
        (0, "stdin:1", "web01"),
        (2, "stdin:6", "web02"),
    ]
    assert (hosts.names, hosts.duplicates) == (["a.b", "c.d"], 2)


def test_one_refusal_is_one_error() -> None:
    error = refuse_invalid(read(b"a.b\nweb01\n"))
    assert error.message == 'stdin:2: "web01" is a short name, add its domain'
    assert error.reason == "Nothing was sent"
    assert "--skip-invalid" in (error.hint or "")


def test_many_refusals_are_one_error_with_the_first_twenty_in_full() -> None:
    error = refuse_invalid(read("".join(f"web{i}\n" for i in range(1234)).encode()))
    assert error.message == "1,234 entries are no host names, nothing was sent"
    lines = (error.reason or "").split("\n")
    assert lines[0] == 'stdin:1: "web0" is a short name, add its domain'
    assert lines[19].startswith("stdin:20: ")
    assert lines[20:] == ["and 1,214 more"]


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        (2_000_000, "has 2,000,000 characters, 253 at most"),
        (40_000_000, "begins a line of 40,000,000 bytes, a name has 253 at most"),
    ],
)
def test_an_endless_line_is_refused_in_bounded_memory(size: int, reason: str) -> None:
    raw = b"a.b\n" + b"x" * size + b"\nc.d\nweb01\n"
    tracemalloc.start()
    hosts = read(raw, 1 << 16)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert hosts.names == ["a.b", "c.d"]
    assert [(r.where, r.text, r.reason) for r in hosts.refusals] == [
        ("stdin:2", "x" * 253, reason),
        ("stdin:4", "web01", "is a short name, add its domain"),
    ]
    assert peak < 40_000_000
    assert len(refuse_invalid(hosts).reason or "") < 300


def test_an_endless_line_of_fields_is_refused_shortly() -> None:
    with pytest.raises(InputError) as caught:
        read(b"web01," * 400_000 + b"\n")
    assert caught.value.message.startswith("stdin:1: there is no header")
    assert len(caught.value.reason or "") < 500


def test_a_long_comment_is_a_comment() -> None:
    assert read(b"#" + b"x" * 9_000_000 + b"\na.b\n", 1 << 16).names == ["a.b"]


def test_many_lines_of_comments_come_before_the_header() -> None:
    hosts = read(b"# comment\n\n" * 50_000 + b"fqdn;x\nweb01;1\na.b;2\n")
    assert hosts.names == ["a.b"]
    assert hosts.refusals[0].where == "stdin:100002"
