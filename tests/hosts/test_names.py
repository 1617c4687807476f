"""Which names are FQDNs, what is wrong with the others, and the quick way through plain lists."""

import re
import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.host_lists import Trickle, read_list

from sbpam_cli.errors import InputError
from sbpam_cli.hosts.fqdn import fqdn, fqdns_of_block
from sbpam_cli.hosts.lists import refuse_invalid


def is_fqdn(name: str) -> bool:
    """The rule of the names, word by word."""
    labels = name.split(".")
    return (
        len(name) <= 253
        and len(labels) >= 2
        and all(1 <= len(label) <= 63 for label in labels)
        and all(c in "abcdefghijklmnopqrstuvwxyz0123456789-_" for c in name.replace(".", ""))
        and not any(label[0] == "-" or label[-1] == "-" for label in labels)
        and len(labels[-1]) > 1
        and labels[-1][0] in "abcdefghijklmnopqrstuvwxyz"
    )


def read_slowly(raw: bytes) -> tuple[list[str], list[str], list[int]]:
    """One line at a time: names, where and what is refused; duplicates, blanks, comments."""
    names, refused, seen = list[str](), list[str](), list[str]()
    duplicates = blanks = comments = 0
    lines = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    lines = lines if lines[-1] else lines[:-1]
    for number, line in enumerate(lines, 1):
        whole = line.decode().strip()
        text = re.split(r"(?:^|\s)#", whole)[0].strip()
        name = text.lower().removesuffix(".")
        if not text:
            blanks += not whole
            comments += bool(whole)
            continue
        is_name = text.isascii() and is_fqdn(name)
        kept = name if is_name else text.lower() if len(text) < 254 else f"{text.lower()[:252]}…"
        if kept in seen:
            duplicates += 1
            continue
        seen.append(kept)
        names += [kept] * is_name
        refused += [f"stdin:{number} {kept}"] * (not is_name)
    return names, refused, [duplicates, blanks, comments]


line_like = st.lists(
    st.sampled_from(
        [
            *"aZ09_-.", "..", ".-", "-.", "--", ".a", ".com", "web01.a.bc", "Web-01.A_1.bc", "x.1",
            "x.a1", "\n", "\r\n", "\r", "\n\n", " ", "\t", " # c", "#", "a" * 63, "b" * 64, "é",
            "\u212a", "a.bc", "b.bc. ",
            "\ufeff", '"', "\x00", "*", "é.a", "\n", "\nx.a.bc\n", "\x1c", "\x85",
        ]
    ),
    max_size=40,
).map("".join)  # fmt: skip


@given(text=line_like, most=st.integers(1, 60))
@example(text="a.bc\n" * 50 + "c.1\n", most=7)
@example(text="x.a1\nx.a2\nx.a\nx.1a\nx._a\n", most=60)
@example(text="-a.bc\n", most=60)
@example(text=".a.bc\n", most=60)
@example(text="\n\n\n#\n a.bc\n\n", most=60)
@example(text=f"{'a' * 64}.bc\n", most=60)
@example(text=f"{'a' * 63}.bc\n", most=60)
@example(text=f"{'a.' * 125}bcd\n{'a.' * 126}bc\n", most=60)
def test_blocks_and_single_lines_agree(text: str, most: int) -> None:
    # A first line that decides nothing about the form.
    raw = b"first.example.com\n" + text.removesuffix("\x1a").encode()
    hosts = read_list(Trickle(raw, most))
    (tally,) = hosts.tallies
    refused = [f"{refusal.where} {refusal.text}" for refusal in hosts.refused]
    counts = [tally.duplicates, tally.blanks, tally.comments]
    assert (hosts.names, refused, counts) == read_slowly(raw)


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


def test_a_block_of_plain_names_takes_the_quick_way() -> None:
    block = b"Web-01.a.bc\nxn--p1ai.x_y.corp\n1.2.c-3d\nWEB.corp.xn--p1ai\n" * 99
    assert fqdns_of_block(block) == block.decode().lower().split()


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
        ("*.a.bc", "is a wildcard, list every host on its own"),
        ("web[01:20].a.bc", "is a range, list every host on its own"),
        ("[webservers]", "is a group header, list its hosts without it"),
        ("https://web.a.bc/x", "is a URL, give the host's name alone"),
        ("web.a.bc:443", "has a port, give the host's name alone"),
        ("web.a.bc x.a.bc", "has a space, write one name a line"),
        ("a.b.c,d.e.f", "has several fields (',' separates them), write one name a line"),
        ("a.b.c\td.e.f", "has several fields ('\\t' separates them), write one name a line"),
        ("corp\\web", "has the character '\\\\', names have letters, digits, - and _"),
        ("a\x1b[31m.b", "has the character '\\x1b', names have letters, digits, - and _"),
        ("a.b\0", "has a NUL character, is the file partly UTF-16?"),
        ("büro.a.bc", 'has the non-ASCII character "ü" (U+00FC), write xn--bro-hoa.a.bc'),
        ("BÜRO.a.bc", 'has the non-ASCII character "Ü" (U+00DC), write xn--bro-hoa.a.bc'),
        ("\u212a1.a.bc", 'has the non-ASCII character "\u212a" (U+212A), write k1.a.bc'),
        ("we\u200bb.a.bc", 'has the non-ASCII character "\\u200b" (U+200B), write web.a.bc'),
        ("web.a.b\u2028x", 'has the non-ASCII character "\\u2028" (U+2028)'),
        (f"{'ü' * 80}.b", 'has the non-ASCII character "ü" (U+00FC)'),
        ("a..b", "has an empty label (two dots in a row, or one at an end)"),
        ("a.b..", "has an empty label (two dots in a row, or one at an end)"),
        ("-a.bc", 'has a "-" at an end of the label "-a"'),
        ("a.b-", 'has a "-" at an end of the label "b-"'),
        (f"{'a' * 64}.b", "has a label of 64 characters, 63 at most"),
        ("a." * 127 + "b", "has 255 characters, 253 at most"),
        ("web.123", 'ends in "123", a domain has two characters or more, a letter first'),
        ("web.a", 'ends in "a", a domain has two characters or more, a letter first'),
        ("web._ab", 'ends in "_ab", a domain has two characters or more, a letter first'),
        ("10.0.0.1 - 10.0.0.20", "is a range of addresses, give the host's name"),
        ("10.0.0.*", "is a range of addresses, give the host's name"),
        ("10.0.0.[1-20]", "is a range of addresses, give the host's name"),
        ("fe80::1-fe80::9", "is a range of addresses, give the host's name"),
        ("fa\u00df.a.bc", 'has the non-ASCII character "\u00df" (U+00DF), write xn--fa-hia.a.bc'),
        ("\u201cw.bc", 'has the typographic quote "\u201c" (U+201C), write the name without it'),
        ("web\u201301.a.bc", 'has the typographic dash "\u2013" (U+2013), write "-"'),
    ],
)
def test_every_refusal_says_line_and_reason(line: str, reason: str) -> None:
    hosts = read_list(f"\n# comment\nX.a.bc\n{line}\ny.a.bc\n".encode())
    assert hosts.names == ["x.a.bc", "y.a.bc"]
    (refusal,) = hosts.refused
    assert refusal == (1, "stdin:4", line.lower() if len(line) < 254 else f"{line[:252]}…", reason)


def test_refusals_are_unique_and_know_what_stands_before_them() -> None:
    hosts = read_list(b"web01\na.bc\nWEB01\nA.bc\nc.de\nweb02\n")
    assert [(r.position, r.where, r.text) for r in hosts.refused] == [
        (0, "stdin:1", "web01"),
        (2, "stdin:6", "web02"),
    ]


def test_a_short_name_that_may_be_a_title_is_told_so() -> None:
    assert "--column" in (refuse_invalid(read_list("ComputerName\nweb.a.bc\n")).hint or "")


def test_many_refusals_are_one_error_with_the_first_twenty_in_full() -> None:
    error = refuse_invalid(read_list("".join(f"web{i}\n" for i in range(1234))))
    assert error.message == "1,234 entries are not valid host names; nothing was sent"
    lines = (error.reason or "").split("\n")
    assert lines[0] == 'stdin:1: "web0" is a short name, add its domain'
    assert lines[19].startswith("stdin:20: ")
    assert lines[20:] == ["and 1,214 more"]


def test_a_long_comment_above_the_names_is_one_comment() -> None:
    hosts = read_list("# " + "old" * 500_000 + " x.bc\na.bc\n")
    assert hosts.names == ["a.bc"]
    assert hosts.tallies[0].comments == 1


FOLDED = b" " + b"x" * 5_000 + b"\n"


@pytest.mark.parametrize(
    ("start", "more", "line"),
    [(b"a.bc\nx", b"x", 2), (b"#", b"x", 1), (b"dn: a\nb:\n", FOLDED, 2)],
)
def test_an_endless_line_is_refused_in_bounded_memory(start: bytes, more: bytes, line: int) -> None:
    stream = Trickle(start + more * (40_000_000 // len(more)), 1 << 16)
    tracemalloc.start()
    with pytest.raises(InputError, match=rf"stdin:{line}: a line .* more than 4 MiB"):
        read_list(stream)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000_000
