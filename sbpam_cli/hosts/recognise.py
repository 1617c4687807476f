"""The text of a list of hosts: any of its encodings in, lines of UTF-8 out; and what it is.

Read once, from front to back, in blocks; what is held at a time is bounded.
"""

import codecs
import io
import re
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO, Literal

from sbpam_cli.errors import InputError

BLOCK_SIZE = 1 << 17
LINE_LIMIT = 1 << 22
HEAD_SIZE = 1 << 16
_TOO_LONG = f"a line of more than {LINE_LIMIT >> 20} MiB is no name"

_PACKED = {
    rb"\x1f\x8b|BZh[1-9]1AY|\xfd7zXZ\0|\x28\xb5\x2f\xfd|7z\xbc\xaf": (
        "compressed (gzip, bzip2, xz, zstd or 7z)",
        "zcat FILE | sbpam schedule - (or bzcat, xzcat, zstdcat, 7z x -so)",
    ),
    rb"PK\x03\x04|\xd0\xcf\x11\xe0": (
        "a workbook (xlsx, xls) or a zip file",
        'Save the sheet as "CSV UTF-8".',
    ),
    rb"%PDF-": ("a PDF", "Export the list as CSV."),
}
_FOREIGN = {
    r"<objs |<\?xml|<[a-z!]": (
        "XML or HTML",
        "Export the list as CSV; PowerShell's Clixml: Import-Clixml | Select -Expand DNSHostName.",
    ),
    r"---\s*$|%yaml|- \S|[a-z_][\w.-]*:(?:\s|$)": (
        "YAML",
        "ansible-inventory -i FILE --list | sbpam schedule -, or yq -o=json FILE | ...",
    ),
    r"\w[\w ]*[ \t]+: ": (
        "PowerShell's Format-List",
        "... | Select -Expand DNSHostName | sbpam schedule -, or Export-Csv",
    ),
    r"(?:[0-9]+(?:\.[0-9]+){3}|[0-9a-f]*:[0-9a-f:]+)[ \t]+[a-z]": (
        "a list of addresses with names, like /etc/hosts",
        "awk '!/^#/ {print $2}' FILE | sbpam schedule -",
    ),
}
# "[web]" is a group header of Ansible's INI inventory, "[::1]:22" an address.
_JSON = r"\{|\[\s*(?:$|[\"{\[\]0-9-]|(?:true|false|null)\s*[,\]])"
_LDIF = r"(?i)version: *1\s*$|dn::? |dn:\w|(?:search|result): *[0-9]|ref: *ldap|changetype: "
_LDIF_COMMENT = r"# (?:extended LDIF|LDAPv[23]|refldaps?://|search re(?:sult|ference)|num[A-Z])"


class HostText:
    r"""One list, as UTF-8 with `\n` as its line ends.

    name: what messages call it, a path or `stdin`.
    line: the number, from 1, of the first line that was not taken yet.
    head: its first lines, for a look.

    Every method raises `InputError` if the stream cannot be read or decoded.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self.name = name
        self.line = 1
        self._chunks = _with_newlines(_as_utf8(stream, name))
        self._taken = chunk = next(self._chunks, b"")
        while chunk and len(self._taken) < HEAD_SIZE:
            chunk = next(self._chunks, b"")
            self._taken += chunk
        # What is no UTF-8 is refused when it is taken, with its line.
        self.head = self._taken.decode("utf-8", "replace").split("\n")
        if not self.head[-1] or (chunk and len(self.head) > 1):
            del self.head[-1]

    def skip_lines(self, count: int) -> None:
        """Takes lines of the head; its only line may go on beyond it."""
        while self._taken.count(b"\n") < count and (chunk := next(self._chunks, b"")):
            self._taken += chunk
            if len(self._taken) > LINE_LIMIT:
                raise self.refusal(self.line, _TOO_LONG)
        parts = self._taken.split(b"\n", count)
        self._taken = parts[count] if len(parts) > count else b""
        self.line += count

    def chunks(self) -> Iterator[bytes]:
        """What was not taken yet, cut anywhere."""
        if self._taken:
            yield self._taken
        yield from self._chunks

    def blocks(self) -> Iterator[bytes]:
        r"""Blocks of whole lines, each line with its `\n`; `line` is the block's first."""
        held = b""
        for chunk in self.chunks():
            end = chunk.rfind(b"\n") + 1
            if end:
                block, held = held + chunk[:end], chunk[end:]
                yield block
                self.line += block.count(b"\n")
            else:
                held += chunk
            if len(held) > LINE_LIMIT:
                raise self.refusal(self.line, _TOO_LONG)
        if held:
            yield held + b"\n"
            self.line += 1

    def rest(self) -> str:
        """All that was not taken yet, whatever its size."""
        return self.decode(b"".join(self.chunks()))

    def decode(self, raw: bytes) -> str:
        """`raw` as text; its first byte stands in line `line`."""
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.refusal(
                self.line + raw.count(b"\n", 0, error.start),
                f"the text is not UTF-8, byte 0x{raw[error.start]:02X} makes no sense there",
                hint='Save the list as UTF-8 (in Excel: "CSV UTF-8").',
            ) from None

    def refusal(self, line: int, what: str, *, hint: str | None = None) -> InputError:
        """The error that ends reading because of one line."""
        return InputError(f"{self.name}:{line}: {what}", reason=f"See line {line}", hint=hint)


def recognise(text: HostText, column: str | None) -> Literal["ldif", "json", "lines"]:
    """What the head shows. Raises `InputError` for what is no list but is well known."""
    first, comments = "", ""
    for line in text.head:
        if line.startswith("#"):
            comments += line + "\n"
        elif line.strip() and not (comments and line.startswith(" ")):
            first = line.strip()
            break
    named = "".join(f"|{re.escape(name)}::? " for name in ("dNSHostName", column) if name)
    marks_ldif = re.search(_LDIF_COMMENT, comments) and not first
    if marks_ldif or re.match(_LDIF + named, first):
        return "ldif"
    for pattern, (what, way_out) in _FOREIGN.items() if column is None else ():
        if re.match(pattern, first, re.IGNORECASE):
            raise InputError(f"{text.name} is {what}, not a list of hosts", hint=way_out)
    return "json" if re.match(_JSON, first) else "lines"


def _read(stream: BinaryIO, name: str) -> bytes:
    try:
        chunk: bytes | None = stream.read(BLOCK_SIZE)
    except OSError as error:
        raise InputError(f"{name} could not be read", reason=error.strerror) from None
    if chunk is None:
        raise InputError(f"{name} could not be read", reason="It does not wait for its writer")
    return chunk


def _as_utf8(stream: BinaryIO, name: str) -> Iterator[bytes]:
    chunks, head = iter(lambda: _read(stream, name), b""), b""
    while len(head) < 1 << 10 and (chunk := next(chunks, b"")):
        head += chunk
    for magic, (what, way_out) in _PACKED.items():
        if re.match(magic, head):
            raise InputError(f"{name} is {what}, not a list of hosts", hint=way_out)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif re.match(rb"[^\0]\0", head):
        encoding = "utf-16-le"
    elif head.count(0) > len(head) // 4:
        raise InputError(f"{name} is binary data, or UTF-16 without its mark")
    else:
        yield from chain([head.removeprefix(codecs.BOM_UTF8)], chunks)
        return
    try:
        for text in codecs.iterdecode(chain([head], chunks), encoding):
            yield text.encode()
    except UnicodeDecodeError:
        raise InputError(f"{name}: the text is not UTF-16") from None


def _with_newlines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Every line end as LF, without the Ctrl-Z that DOS ends a file with."""
    lines = io.IncrementalNewlineDecoder(None, translate=True)
    for chunk in chain(chunks, [b""]):
        text = chunk.removesuffix(b"\x1a").decode("latin-1")
        if kept := lines.decode(text, final=not chunk):
            yield kept.encode("latin-1")
