"""The text of a list of hosts: any of its encodings in, lines of UTF-8 out; and what it is.

Read once, from front to back, in blocks; what is held at a time is bounded.
"""

import codecs
import re
from collections.abc import Callable, Iterator
from typing import BinaryIO, Literal

from sbpam_cli.errors import InputError
from sbpam_cli.models import ListTally

BLOCK_SIZE = 1 << 17
LINE_LIMIT = 1 << 22
HEAD_SIZE = 1 << 16
_HEAD_LIMIT = 1 << 20
_TOO_LONG = f"a line of more than {LINE_LIMIT >> 20} MiB is no name"

_SAVE_AS_CSV = 'Save the sheet as "CSV UTF-8".'
_PACKED = {
    rb"\x1f\x8b": ("a gzip file", "zcat FILE | sbpam schedule -"),
    rb"BZh[1-9]1AY": ("a bzip2 file", "bzcat FILE | sbpam schedule -"),
    rb"\xfd7zXZ\0": ("an xz file", "xzcat FILE | sbpam schedule -"),
    rb"\x28\xb5\x2f\xfd": ("a zstd file", "zstdcat FILE | sbpam schedule -"),
    rb"7z\xbc\xaf": ("a 7z archive", "7z x -so FILE | sbpam schedule -"),
    rb"PK\x03\x04": ("a workbook (xlsx) or a zip file", _SAVE_AS_CSV),
    rb"\xd0\xcf\x11\xe0": ("a workbook (xls)", _SAVE_AS_CSV),
    rb"%PDF-": ("a PDF", "Export the list as CSV."),
}
_FOREIGN = {
    r"<!doctype html|<html": ("HTML", "Export the list as CSV."),
    r"<objs ": (
        "PowerShell's Clixml",
        "Import-Clixml FILE | Select -Expand DNSHostName | sbpam schedule -",
    ),
    r"<\?xml|<[a-z!]": ("XML", "Export the list as CSV, or pick the names with xmllint --xpath."),
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
    r"(?:@[a-z-]+ )?\S+ (?:ssh-|ecdsa-|sk-)\S+ AAAA": (
        "an SSH known_hosts file",
        "cut -d' ' -f1 FILE | cut -d, -f1 | sbpam schedule -",
    ),
}
# "[web]" is a group header of Ansible's INI inventory, "[::1]:22" an address.
_JSON = r"\{|\[\s*(?:$|[\"{\[\]0-9-]|(?:true|false|null)\s*[,\]])"
_LDIF = r"(?i)version: *1\s*$|dn::? |dn:\w|(?:search|result): *[0-9]|ref: *ldap|changetype: "
_LDIF_COMMENT = r"# (?:extended LDIF|LDAPv[23]|refldaps?://|search re(?:sult|ference)|num[A-Z])"


class HostText:
    r"""One list, as UTF-8 with `\n` as its line ends.

    name: what messages call it, a path or `stdin`. tally: what became of it.
    line: the number, from 1, of the first line that was not taken yet.
    head: its first lines, for a look; at least one of them is no comment, if any is.

    Every method raises `InputError` if the stream cannot be read or decoded.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self.name = name
        self.tally = ListTally(name)
        self.line = 1
        self._chunks = _with_newlines(_as_utf8(stream, name))
        self._taken = b""
        seen = False
        while len(self._taken) <= (HEAD_SIZE if seen else _HEAD_LIMIT):
            if not (chunk := next(self._chunks, b"")):
                break
            seen = seen or re.search(rb"\n[ \t]*[^#\s]", chunk) is not None
            self._taken += chunk
        # A line that goes on beyond the head shows only if it is the first.
        end = self._taken.rfind(b"\n") if chunk else len(self._taken)
        if end < 0:
            self.head = [self._taken.decode("utf-8", "ignore")]
        else:
            shown = self.decode(self._taken[:end]).removesuffix("\n")
            self.head = shown.split("\n") if self._taken else []

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

    def rows(self, block: bytes, content: Callable[[str], str]) -> tuple[list[int], list[str]]:
        """What each line holds, with its number; one that holds nothing is blank or a comment."""
        numbers, rows = list[int](), list[str]()
        for number, line in enumerate(self.decode(block).split("\n")[:-1], self.line):
            if row := content(line):
                numbers.append(number)
                rows.append(row)
            elif line.strip():
                self.tally.comments += 1
            else:
                self.tally.blanks += 1
        return numbers, rows

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
    head = b""
    while len(head) < 1 << 10 and (chunk := _read(stream, name)):
        head += chunk
    for magic, (what, way_out) in _PACKED.items():
        if re.match(magic, head):
            raise InputError(f"{name} is {what}, not a list of hosts", hint=way_out)
    high, low = head[1::2], head[::2]
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif high and high.count(0) > len(high) // 2 > 4 * low.count(0):
        encoding = "utf-16-le"
    else:
        if head.count(0) > len(head) // 4:
            raise InputError(f"{name} is binary data, or UTF-16 without its mark")
        yield head.removeprefix(codecs.BOM_UTF8)
        while chunk := _read(stream, name):
            yield chunk
        return
    decoder, chunk, read = codecs.getincrementaldecoder(encoding)(), head, 0
    while True:
        read += len(chunk)
        try:
            yield decoder.decode(chunk, final=not chunk).encode()
        except UnicodeDecodeError as error:
            where = read - len(error.object) + error.start
            raise InputError(f"{name}: the text is not UTF-16 at byte {where:,}") from None
        if not chunk:
            return
        chunk = _read(stream, name)


def _with_newlines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Every line end as LF, without the Ctrl-Z that DOS ends a file with."""
    held = b""
    for raw in chunks:
        chunk = held + raw
        kept = chunk.removesuffix(b"\x1a").removesuffix(b"\r")
        held = chunk[len(kept) :]
        if b"\r" in kept:
            kept = kept.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if kept:
            yield kept
    if held.startswith(b"\r"):
        yield b"\n"
