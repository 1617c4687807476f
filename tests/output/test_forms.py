"""Rows in every form: nothing acts on the reader, no row breaks, none is lost."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sbpam_cli.models import FORMS, Form, HostRow, Rows, ScanStatus
from sbpam_cli.outcome import Outcome
from sbpam_cli.output.columns import DOCTOR, HOSTS, OU_HOSTS, RUNS, Row, RowSet
from sbpam_cli.output.console import Console
from sbpam_cli.output.forms import Printer
from sbpam_cli.system.services import Services


def printed(form: Form, row_set: RowSet, rows: Iterable[Row], **environ: str) -> str:
    stdout = io.StringIO()
    console = Console(Services(io.BytesIO(), stdout, io.StringIO(), environ))
    printer = Printer(form, console, row_set)
    printer.write(rows)
    printer.close("status", Outcome())
    return stdout.getvalue()


@pytest.mark.parametrize("form", ["tsv", "csv", "ndjson"])
def test_streamed_rows_are_out_when_write_returns(form: Form) -> None:
    raw = io.BytesIO()
    stdout = io.TextIOWrapper(raw, encoding="utf-8")
    console = Console(Services(io.BytesIO(), stdout, io.StringIO(), {}))
    Printer(form, console, OU_HOSTS).write([("host.example.local",)])
    assert b"host.example.local" in raw.getvalue()


@pytest.mark.parametrize("form", FORMS)
def test_every_row_is_printed_once_and_in_order(form: Form) -> None:
    hosts = [f"h{n:04}.example.com" for n in range(1001)]
    text = printed(form, OU_HOSTS, [(host,) for host in hosts])
    if form == "json":
        assert [row["host"] for row in json.loads(text)["hosts"]] == hosts
    elif form == "ndjson":
        assert [json.loads(line)["host"] for line in text.splitlines()] == hosts
    else:
        header_lines = {"table": 2, "csv": 1, "tsv": 0}[form]
        assert [line.rstrip() for line in text.splitlines()[header_lines:]] == hosts


hostile = st.text("\\\t\n\r\x1b\x7f\u202e\ud800=,\"'[/]é")
cell = st.none() | st.integers(0) | st.booleans() | st.text() | hostile
few = st.sampled_from([None, "x", "\\y"])
host_rows = st.builds(HostRow, st.text("ab,", min_size=1), st.sampled_from(ScanStatus), few, os=few)
rows_of_four = st.lists(st.tuples(cell, cell, cell, cell), max_size=4)


@pytest.mark.parametrize("form", FORMS)
@given(st.lists(host_rows, max_size=4), st.sets(st.sampled_from(HostRow._fields)))
def test_rows_kept_by_their_columns_are_the_same(
    form: Form, rows: list[HostRow], once: set[str]
) -> None:
    columns = Rows.of(HostRow, rows).columns
    alike = {f: c[:1] for f, c in columns.items() if f in once and len(set(c)) == 1}
    kept = Rows.of(HostRow, rows).replace(**alike)

    assert ([*kept], [*kept[1:3]], [*kept[:-1]]) == (rows, rows[1:3], rows[:-1])
    assert [kept[at] for at in range(-len(rows), len(rows))] == rows * 2
    with pytest.raises(IndexError):
        kept[len(rows)]
    assert kept.tally("status") == Counter(row.status for row in rows)
    assert [*Rows.joined([kept, kept[:1], kept])] == [*rows, *rows[:1], *rows]
    assert printed(form, HOSTS, kept) == printed(form, HOSTS, iter(rows))


@settings(deadline=None)
@given(rows_of_four, st.sampled_from(FORMS), st.integers(1, 200))
def test_whatever_the_values_no_control_leaves_and_no_row_breaks(
    rows: list[Row], form: Form, columns: int
) -> None:
    for row_set in (DOCTOR, RUNS._replace(columns=RUNS.columns[:4], table=None)):
        text = printed(form, row_set, rows, COLUMNS=str(columns))
        text.encode()
        controls = {*map(chr, [*range(10), *range(11, 32), 127]), "\u202e"}
        assert not set(text) & controls - {"\t"}
        if form == "tsv":
            assert [line.count("\t") for line in text.split("\n")[:-1]] == [3] * len(rows)
        else:
            assert "\t" not in text
        if form == "csv":
            assert [len(line) for line in csv.reader(io.StringIO(text))] == [4] * (len(rows) + 1)
        if form == "json":
            assert [tuple(row.values()) for row in json.loads(text)[row_set.name]] == rows
        if form == "ndjson":
            assert [tuple(json.loads(line).values()) for line in text.splitlines()] == rows
