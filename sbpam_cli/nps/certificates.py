"""What a certificate says of itself, read from its DER octets.

The standard library reads a peer's certificate only once it is trusted, and no
certificate in a file; for a serial number, a name and a date `cryptography`
would be a large dependency.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

_PEM = re.compile(rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----(.*?)-----END", re.DOTALL)
_VERSION, _UTC_TIME, _BMP_STRING = 0xA0, 0x17, 0x1E
_COMMON_NAME = bytes((0x55, 0x04, 0x03))


class Certificate(NamedTuple):
    """serial: upper-case hexadecimal of the DER octets, a leading `00` included, as
    Windows prints it. expires_at: epoch seconds. common_name: of the subject, may be empty.
    """

    serial: str
    expires_at: float
    common_name: str


def first_pem_certificate(content: bytes) -> bytes | None:
    """The DER octets of the first certificate, which is the one that OpenSSL presents."""
    import base64
    import binascii

    found = _PEM.search(content)
    try:
        return base64.b64decode(b"".join(found[1].split())) if found else None
    except binascii.Error:
        return None


def read_certificate(der: bytes) -> Certificate:
    """Raises ValueError for what is no certificate."""
    try:
        (_, whole), *_ = _elements(der)
        (_, signed), *_ = _elements(whole)
        serial, _, _, validity, subject = [
            value for tag, value in _elements(signed) if tag != _VERSION
        ][:5]
        _, (tag, until) = _elements(validity)
        if not serial:
            raise ValueError("no serial number")
        return Certificate(serial.hex().upper(), _moment(tag, until), _common_name(subject))
    except IndexError as error:
        raise ValueError("cut off") from error


def _elements(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and value of each DER element in a row."""
    at = 0
    while at < len(content):
        tag, length, at = content[at], content[at + 1], at + 2
        if length & 0x80:
            width = length & 0x7F
            length = int.from_bytes(content[at : at + width], "big")
            at += width
        if at + length > len(content):
            raise ValueError("cut off")
        yield tag, content[at : at + length]
        at += length


def _moment(tag: int, value: bytes) -> float:
    from datetime import UTC, datetime

    form = "%y%m%d%H%M%SZ" if tag == _UTC_TIME else "%Y%m%d%H%M%SZ"
    return datetime.strptime(value.decode("ascii"), form).replace(tzinfo=UTC).timestamp()


def _common_name(subject: bytes) -> str:
    for _, names in _elements(subject):
        for _, pair in _elements(names):
            (_, kind), (tag, value) = _elements(pair)
            if kind == _COMMON_NAME:
                return value.decode("utf-16-be" if tag == _BMP_STRING else "utf-8", "replace")
    return ""
