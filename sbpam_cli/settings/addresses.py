"""Addresses and certificate fingerprints of servers, in the one form they are compared in."""

import re
from contextlib import suppress

from sbpam_cli.errors import wrong_value

DEFAULT_PORT = 6500
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)


def parse_server(text: str, source: str = "--server") -> str:
    """The origin, lower-cased: `https://nps.corp.example:6500`, without port if it is 443.

    A bare `HOST` or `HOST:PORT` means https and port 6500; a URL is taken as
    written. Raises OptionError or UsageError, which never repeats an address that may hold a
    password.
    """
    address = text.strip()
    if "@" in address:
        raise wrong_value(
            source,
            "a user or password cannot be part of the address",
            hint="use --username, and --password-file or SBPAM_PASSWORD",
        )
    scheme, separator, rest = address.lower().rpartition("://")
    if separator and scheme != "https":
        raise wrong_value(
            source,
            f"{text[:200]!r} does not start with https://",
            hint="the server is reached over TLS only",
        )
    authority = rest.removesuffix("/")
    if re.search(r"[/?#\\]", authority):
        raise wrong_value(
            source,
            "the address holds more than a host and a port",
            hint="remove the path: https://HOST:PORT",
        )
    host, port = _host_and_port(authority, text, source)
    number = (443 if separator else DEFAULT_PORT) if port is None else port
    return f"https://{host}" if number == 443 else f"https://{host}:{number}"


def short_name(origin: str) -> str:
    """As a person reads it: `nps.example.com`, with a port that is not 6500."""
    host = origin.removeprefix("https://")
    if not re.search(r":[0-9]+$", host):
        return f"{host}:443"
    return host.removesuffix(f":{DEFAULT_PORT}")


def _host_and_port(authority: str, text: str, source: str) -> tuple[str, int | None]:
    match = re.fullmatch(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([0-9]{1,5}))?", authority, re.ASCII)
    if match is None:
        raise wrong_value(
            source,
            f"{text[:200]!r} is not HOST, HOST:PORT or https://HOST",
            hint="write an IPv6 address in brackets: [::1]:6500",
        )
    port = int(match[2]) if match[2] else None
    if port is not None and not 1 <= port <= 65535:
        raise wrong_value(source, f"{port} is not a port", hint="ports go from 1 to 65535")
    host = match[1]
    if host.startswith("["):
        import ipaddress

        with suppress(ValueError):
            if "%" not in host:
                return f"[{ipaddress.IPv6Address(host[1:-1]).compressed}]", port
        raise wrong_value(source, f"{text[:200]!r} is not an IPv6 address")
    host = host.removesuffix(".")
    if not _is_host(host):
        hint = None if host.isascii() else "write a non-ASCII name in its punycode form (xn--...)"
        raise wrong_value(source, f"{text[:200]!r} is not a host name", hint=hint)
    return host, port


def _is_host(host: str) -> bool:
    labels = host.split(".")
    if len(host) > 253 or not all(_HOST.fullmatch(label) for label in labels):
        return False
    if any(label.startswith("xn--") for label in labels):
        import idna

        try:
            idna.decode(host)
        except idna.IDNAError:
            return False
    return True


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
