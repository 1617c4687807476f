"""Addresses as people write them, and the one form they are compared in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbpam_cli.errors import OptionError, UsageError
from sbpam_cli.settings.addresses import parse_fingerprint, parse_server


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("nps.corp.example", "https://nps.corp.example:6500"),
        ("NPS.Corp.Example:7000", "https://nps.corp.example:7000"),
        ("nps:443", "https://nps"),
        ("https://nps.corp.example", "https://nps.corp.example"),
        ("HTTPS://NPS.corp.example:443/", "https://nps.corp.example"),
        ("https://nps.corp.example:6500/", "https://nps.corp.example:6500"),
        (" nps.corp.example. \n", "https://nps.corp.example:6500"),
        ("10.4.1.1", "https://10.4.1.1:6500"),
        ("[::1]", "https://[::1]:6500"),
        ("https://[2001:DB8:0:0::1]:8443", "https://[2001:db8::1]:8443"),
        ("nps.corp.example/", "https://nps.corp.example:6500"),
        ("nps:7000/\r\n", "https://nps:7000"),
        ("xn--bro-hoa.example", "https://xn--bro-hoa.example:6500"),
    ],
)
def test_an_address_becomes_an_origin(text: str, origin: str) -> None:
    assert parse_server(text) == origin


@pytest.mark.parametrize(
    "text",
    [
        *("http://nps.corp.example", "ftp://nps", "https://https://nps", "https://nps/path"),
        *("nps/path", "nps//", "https://nps//", "https://nps?x=1", "https://nps#x"),
        *("xn--bro-hoa\u00fc.example", "xn--zzzzzzzz99999.example", "www.xn--a.example"),
        *("nps:0", "nps:65536", "nps:", "nps:port", "nps:\uff16\uff15\uff10\uff10", "::1"),
        *("[::1%eth0]", "[nps]", "büro.example", "a b", "-nps", "", "https://", "nps\nevil"),
        *("nps..example", "https://nps\\x"),
    ],
)
def test_anything_else_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_server(text, "SBPAM_SERVER")
    assert caught.value.message.startswith("SBPAM_SERVER: ")


@pytest.mark.parametrize("text", ["https://joe:geheim@nps", "joe:geheim@nps", "nps/?p=geheim@"])
def test_a_password_in_the_address_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_server(text)
    assert "geheim" not in f"{caught.value.message}{caught.value.hint}"


@given(st.text())
def test_an_origin_is_its_own_origin_and_safe_to_build_a_url_from(text: str) -> None:
    try:
        origin = parse_server(text)
    except OptionError:
        return
    assert parse_server(origin) == origin
    assert origin.startswith("https://")
    assert not set(origin.removeprefix("https://")) & set("@/?#\\ %")
    assert origin.isascii()


DIGITS = "0123456789abcdef" * 4
COLONS = ":".join(DIGITS[i : i + 2] for i in range(0, 64, 2)).upper()


@pytest.mark.parametrize(
    "text",
    [
        *(DIGITS, f" {COLONS}\n", COLONS.replace(":", " "), f"sha256 Fingerprint={COLONS}"),
        *(f"SHA256:{DIGITS}", f"SHA-256: {COLONS}", f"sha256={DIGITS}"),
        *(f"SHA-256 fingerprint {DIGITS}", f"# fingerprint {DIGITS}"),
    ],
)
def test_a_fingerprint_in_any_spelling_is_the_same(text: str) -> None:
    assert parse_fingerprint(text) == DIGITS


@pytest.mark.parametrize("text", ["", "ab" * 20, "0" * 63 + "g", "0" * 65, "\uff10" * 64])
def test_other_digests_are_refused(text: str) -> None:
    with pytest.raises(OptionError, match=r"not the SHA-256"):
        parse_fingerprint(text)
