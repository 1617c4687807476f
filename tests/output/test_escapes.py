import csv
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.screen import BIDI, is_harmless

from sbpam_cli.output.escape import csv_cell, escape_controls, json_text, tsv_cell

HOSTILE = "\t\r\n\x00\x1b\x7f\x9b\x85\u2028\u2029" + BIDI + "\ud800\udfff"
odd = st.sampled_from(HOSTILE + "\\=+-@'\",tnrxu0é日")
any_text = st.text(st.characters() | odd | st.characters(categories=["Cs"]))


def unescape(cell: str) -> str:
    named = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}
    return re.sub(
        r"\\(?:([tnr\\])|x([0-9a-f]{2})|u([0-9a-f]{4}))",
        lambda m: named[m[1]] if m[1] else chr(int(m[2] or m[3], 16)),
        cell,
    )


@given(any_text)
def test_a_tsv_cell_is_harmless_and_gives_its_value_back(text: str) -> None:
    cell = tsv_cell(text)
    assert is_harmless(cell)
    assert unescape(cell) == text


@given(any_text)
def test_an_escaped_text_is_harmless_and_escaping_it_again_changes_nothing(text: str) -> None:
    escaped = escape_controls(text)
    assert is_harmless(escaped)
    assert escape_controls(escaped) == escaped


@given(st.lists(any_text, min_size=2, max_size=5))
def test_a_csv_line_is_read_back_with_formulas_disarmed(values: list[str]) -> None:
    line = ",".join(map(csv_cell, values))
    assert is_harmless(line)
    (cells,) = csv.reader([line])
    for cell, value in zip(cells, values, strict=True):
        guard = "'" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else ""
        assert cell == guard + escape_controls(value)


@given(st.recursive(any_text, lambda inner: st.lists(inner) | st.dictionaries(any_text, inner)))
def test_json_is_printable_ascii_and_keeps_its_value(value: object) -> None:
    text = json_text(value)
    assert text.isascii()
    assert text.isprintable()
    assert json.dumps(json.loads(text)) == json.dumps(value)


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a\tb\nc\r", r"a\tb\nc\r"),
        ("\x1b[31m", r"\x1b[31m"),
        ("\x00\x7f\x85\x9b", r"\x00\x7f\x85\x9b"),
        ("\u2028\u2029\u202e\u2066\u061c", r"\u2028\u2029\u202e\u2066\u061c"),
        ("a\ud800", r"a\ud800"),
        (r"C:\temp", r"C:\temp"),
        ("[red]é日本[/red]", "[red]é日本[/red]"),
    ],
)
def test_the_escapes_are_the_documented_ones(text: str, escaped: str) -> None:
    assert escape_controls(text) == escaped
    assert tsv_cell(text) == escaped.replace(r"C:\t", r"C:\\t")
