"""Addresses and certificate fingerprints of servers, in the one form they are compared in."""

import re

from sbpam_cli.errors import wrong_value

DEFAULT_PORT = 6500
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_ADDRESS = re.compile(
    rf"(?:(https)://)?(?:\[([0-9a-f:.]+)\]|({_LABEL}(?:\.{_LABEL})*)\.?)(?::([0-9]{{1,5}}))?/?"
)


def parse_server(text: str, source: str = "--server") -> str:
    """The origin, lower-cased: `https://nps.corp.example:6500`, without port if it is 443.

    A bare `HOST` or `HOST:PORT` means https and port 6500; a URL is taken as written. Raises
    OptionError or UsageError, which never repeats an address that may hold a password.
    """
    address = text.strip().lower()
    if "@" in address:
        raise wrong_value(
            source,
            "a user or password cannot be part of the address",
            hint="use --username, and --password-file or SBPAM_PASSWORD",
        )
    try:
        if (match := _ADDRESS.fullmatch(address)) is None:
            raise ValueError
        scheme, ipv6, host, digits = match.groups()
        if ipv6:
            import ipaddress

            host = f"[{ipaddress.IPv6Address(ipv6).compressed}]"
        if "xn--" in host:
            import idna

            idna.decode(host)
        port = int(digits or (443 if scheme else DEFAULT_PORT))
        if len(host) > 253 or not 1 <= port <= 65535:
            raise ValueError
    except ValueError:
        raise wrong_value(
            source,
            f"{text[:200]!r} is not HOST, HOST:PORT or https://HOST:PORT",
            hint="TLS only (https), no path, a port from 1 to 65535, an IPv6 address in brackets,"
            " a non-ASCII name in its punycode form (xn--...)",
        ) from None
    return f"https://{host}" if port == 443 else f"https://{host}:{port}"


def short_name(origin: str) -> str:
    """As a person reads it: `nps.example.com`, with a port that is not 6500."""
    host = origin.removeprefix("https://")
    if not re.search(r":[0-9]+$", host):
        return f"{host}:443"
    return host.removesuffix(f":{DEFAULT_PORT}")


def parse_fingerprint(text: str, source: str = "--fingerprint") -> str:
    """A certificate's SHA-256 as 64 lower-case hexadecimal digits.

    Colons and spaces are fine, and so are the whole lines that openssl, ssh and sbpam print.
    """
    digits = re.sub(r"^.*fingerprint|^\s*sha-?256\b|[\s:=]", "", text.lower())
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise wrong_value(
            source,
            "this is not the SHA-256 of a certificate",
            hint="it has 64 hexadecimal digits, with or without colons:"
            " openssl x509 -noout -fingerprint -sha256 -in server.crt",
        )
    return digits
