"""Times and tokens, as replies have them."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbpam_cli.nps import replies as wire
from sbpam_cli.nps.decoding import WireError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23T03:15:02", 1795403702.0),
        ("2026-11-23T03:15:02Z", 1795403702.0),
        ("2026-11-23T05:15:02.5000000+02:00", 1795403702.5),
        ("0001-01-01T00:00:00", None),
        ("2026-02-30T00:00:00", None),
        ("2026-11-23T03:15:02+99:99", None),
        ("soon", None),
        (None, None),
        (7, None),
    ],
)
def test_times_are_utc(text: object, expected: float | None) -> None:
    assert wire.read_time(text) == expected


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"7", b"[]", b'{"token": "x"}', b'"two words"', b"<html>", b'""', b"\xff\xfe"],
)
def test_what_is_no_token(body: bytes) -> None:
    with pytest.raises(WireError):
        wire.read_token(body, 0.0)


@pytest.mark.parametrize(
    "body", [b'"a.b.c"', b"a.b.c\r\n", b'\xef\xbb\xbf"a.b.c"', b"Bearer a.b.c"]
)
def test_a_token_as_json_or_bare_text(body: bytes) -> None:
    assert wire.read_token(body, 5.0).value == "a.b.c"


@pytest.mark.parametrize("claim", ["1e999", "-5", "true", '"soon"', "1" + "0" * 400, "NaN"])
def test_a_token_with_odd_times_has_none(claim: str) -> None:
    payload = base64.urlsafe_b64encode(f'{{"exp": {claim}}}'.encode()).decode().rstrip("=")
    assert wire.make_token(f"x.{payload}.x", None).expires_at is None


@given(st.text(max_size=60) | st.binary(max_size=40).map(lambda b: b.decode("latin-1")))
def test_any_text_is_a_token_or_a_refusal(text: str) -> None:
    try:
        token = wire.make_token(text, None)
    except WireError:
        return
    assert token.value.isascii()
    assert " " not in token.value
