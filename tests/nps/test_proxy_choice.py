"""Which proxy leads to the server."""

import pytest

from sbpam_cli.nps.proxies import choose_proxy

ORIGIN = "https://nps.corp.example:6500"


@pytest.mark.parametrize(
    ("environ", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ({"HTTPS_PROXY": "p:1"}, "http://p:1"),
        ({"HTTPS_PROXY": "http://upper:1", "https_proxy": "http://lower:1"}, "http://lower:1"),
        ({"ALL_PROXY": "http://all:1"}, "http://all:1"),
        ({"ALL_PROXY": "http://all:1", "HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ({"HTTP_PROXY": "http://plain:1"}, None),
        ({"HTTPS_PROXY": ""}, None),
    ],
)
def test_the_variables(environ: dict[str, str], proxy: str | None) -> None:
    assert choose_proxy(environ, ORIGIN) == proxy


@pytest.mark.parametrize(
    ("entry", "origin", "direct"),
    [
        ("*", ORIGIN, True),
        ("corp.example", ORIGIN, True),
        (".corp.example", ORIGIN, True),
        ("*.corp.example", ORIGIN, True),
        ("NPS.CORP.EXAMPLE", ORIGIN, True),
        ("other, nps.corp.example ,x", ORIGIN, True),
        ("nps.corp.example:6500", ORIGIN, True),
        ("nps.corp.example:443", ORIGIN, False),
        ("orp.example", ORIGIN, False),
        (".nps.corp.example", ORIGIN, True),
        ("https://nps.corp.example", ORIGIN, True),
        ("http://nps.corp.example", ORIGIN, False),
        ("10.1.2.3", "https://10.1.2.3:6500", True),
        ("10.0.0.0/8", "https://10.1.2.3:6500", True),
        ("10.2.0.0/16", "https://10.1.2.3:6500", False),
        ("::1", "https://[::1]:6500", True),
        ("[::1]:6500", "https://[::1]:6500", True),
        ("localhost", "https://localhost", True),
        ("", ORIGIN, False),
        (",,", ORIGIN, False),
    ],
)
def test_exceptions(entry: str, origin: str, direct: bool) -> None:
    environ = {"HTTPS_PROXY": "http://p:1", "NO_PROXY": entry}
    assert choose_proxy(environ, origin) == (None if direct else "http://p:1")
