"""The list of jobs is read an element at a time, however it is cut into chunks."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbpam_cli.nps.array_stream import read_array
from sbpam_cli.nps.replies import WireError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def cut(body: bytes, sizes: list[int]) -> Iterator[bytes]:
    at = 0
    for size in sizes:
        yield body[at : at + size]
        at += size
    yield body[at:]


@given(st.lists(JSON), st.lists(st.integers(0, 9)), st.sampled_from([None, 1]), st.booleans())
def test_any_array_in_any_chunks(
    values: list[object], sizes: list[int], indent: int | None, ascii_only: bool
) -> None:
    body = json.dumps(values, indent=indent, ensure_ascii=ascii_only)
    raw = body.encode("utf-8", "surrogatepass")
    expected = json.loads(raw.decode("utf-8", "replace"))
    assert list(read_array(cut(raw, sizes))) == expected


@given(st.lists(JSON, min_size=1), st.data())
def test_a_body_that_ends_early_is_said(values: list[object], data: st.DataObject) -> None:
    body = json.dumps(values).encode()
    short = body[: data.draw(st.integers(0, len(body) - 1))]
    with pytest.raises(WireError):
        list(read_array([short]))


@pytest.mark.parametrize(
    "body", [b"{}", b"null", b'"x"', b"", b"<html>", b"[1 2]", b"[,]", b"[1,]"]
)
def test_what_is_no_array_is_said(body: bytes) -> None:
    with pytest.raises(WireError):
        list(read_array([body]))


def test_a_long_list_is_never_held_whole() -> None:
    element = json.dumps({"id": "x" * 1000}).encode()
    taken = 0

    def chunks() -> Iterator[bytes]:
        nonlocal taken
        yield b"["
        for number in range(10_000):
            taken = number
            yield (b"," if number else b"") + element
        yield b"]"

    reader = read_array(chunks())
    next(reader)
    assert taken < 10
    assert sum(1 for _ in reader) == 9_999
