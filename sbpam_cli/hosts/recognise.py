"""The text of a list of hosts: any of its encodings in, lines of UTF-8 out.

Read once, from front to back, in blocks; what is held at a time is bounded,
`rest` aside.
"""

import codecs
from collections.abc import Iterator
from typing import BinaryIO

from sbpam_cli.errors import InputError

BLOCK_SIZE = 1 << 17
LINE_LIMIT = 1 << 22
_KEPT_OF_LONG_LINE = 1 << 12
_HEAD_SIZE = 1 << 10


class HostText:
    r"""One list, as UTF-8 with `\n` as its line ends.

    name: what messages call it, a path or `stdin`.
    line: the number, from 1, of the first line that was not taken yet.
    long_lines: bytes of each line over `LINE_LIMIT`, of which only the start is kept.

    Every method raises `InputError` where the stream cannot be read or decoded.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self.name = name
        self.line = 1
        self.long_lines: dict[int, int] = {}
        self._chunks = _with_newlines(_as_utf8(stream, name))
        self._head = b""

    def first_line(self) -> bytes:
        """Drops blank lines and comments, and shows the first other line without taking it.

        A line over `LINE_LIMIT` comes in part; at the end of the text what is left.
        """
        start = 0
        while True:
            end = self._head.find(b"\n", start)
            if end < 0 and len(self._head) - start <= LINE_LIMIT:
                chunk = next(self._chunks, b"")
                if chunk:
                    self._head = self._head[start:] + chunk
                    start = 0
                    continue
            line = self._head[start:end] if end >= 0 else self._head[start:]
            if end < 0 or _says_something(line):
                self._head = self._head[start:]
                return line
            start = end + 1
            self.line += 1

    def skip_line(self) -> None:
        """Takes the line that `first_line` showed."""
        _, _, self._head = self._head.partition(b"\n")
        self.line += 1

    def blocks(self) -> Iterator[bytes]:
        r"""Blocks of whole lines, each line with its `\n`; `line` is the block's first."""
        held = b""
        while chunk := self._next_chunk():
            end = chunk.rfind(b"\n") + 1
            if end:
                block, held = held + chunk[:end], chunk[end:]
                yield block
                self.line += block.count(b"\n")
            else:
                held += chunk
            if len(held) > LINE_LIMIT:
                yield self._start_of_long_line(held)
                self.line += 1
                held = b""
        if held:
            yield held + b"\n"
            self.line += 1

    def _next_chunk(self) -> bytes:
        chunk, self._head = self._head, b""
        return chunk or next(self._chunks, b"")

    def _start_of_long_line(self, held: bytes) -> bytes:
        size = len(held)
        for chunk in self._chunks:
            line, end, self._head = chunk.partition(b"\n")
            size += len(line)
            if end:
                break
        self.long_lines[self.line] = size
        return held[:_KEPT_OF_LONG_LINE].decode("utf-8", "ignore").encode() + b"\n"

    def lines(self) -> Iterator[tuple[int, str]]:
        """The lines without their ends, each with its number."""
        for block in self.blocks():
            lines = self.decode(block).split("\n")
            lines.pop()
            if self.line in self.long_lines:
                raise InputError(
                    f"{self.name}:{self.line}: the line is too long",
                    reason=f"It has {self.long_lines[self.line]:,} bytes",
                )
            yield from enumerate(lines, self.line)

    def rest(self) -> str:
        """All that is left, whatever its size."""
        return self.decode(b"".join(iter(self._next_chunk, b"")))

    def decode(self, raw: bytes) -> str:
        """`raw` as text; its first byte stands in line `line`."""
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            line = self.line + raw.count(b"\n", 0, error.start)
            raise InputError(
                f"{self.name}:{line}: the text is not UTF-8",
                reason=f"Byte 0x{raw[error.start]:02X} makes no sense there",
                hint='Save the list as UTF-8 (in Excel: "CSV UTF-8").',
            ) from None


def _says_something(line: bytes) -> bool:
    text = line.strip()
    # This comment begins ldapsearch's output, and the folded comments after it
    # would look like lines of their own.
    return bool(text) and (not text.startswith(b"#") or text == b"# extended LDIF")


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
    while len(head) < _HEAD_SIZE and (chunk := _read(stream, name)):
        head += chunk
    if head.startswith((b"PK\x03\x04", b"\x1f\x8b")):
        kind = "a gzip file" if head.startswith(b"\x1f") else "a workbook or a zip file"
        raise InputError(f"{name} is {kind}, not text", hint="Export the list as CSV.")
    encoding, mark = _encoding(head)
    if encoding is None:
        yield head[mark:]
        while chunk := _read(stream, name):
            yield chunk
        return
    decoder = codecs.getincrementaldecoder(encoding)()
    chunk, offset = head[mark:], mark
    while True:
        pending = len(decoder.getstate()[0])
        try:
            yield decoder.decode(chunk, final=not chunk).encode()
        except UnicodeDecodeError as error:
            where = offset - pending + error.start
            raise InputError(f"{name}: the text is not UTF-16 at byte {where:,}") from None
        if not chunk:
            return
        offset += len(chunk)
        chunk = _read(stream, name)


def _encoding(head: bytes) -> tuple[str | None, int]:
    """The encoding to translate from (None: UTF-8), and the bytes of the byte order mark."""
    if head.startswith(codecs.BOM_UTF8):
        return None, 3
    if head.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le", 2
    if head.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be", 2
    high, low = head[1::2], head[::2]
    if high and high.count(0) > len(high) // 2 > 4 * low.count(0):
        return "utf-16-le", 0
    return None, 0


def _with_newlines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    held = b""
    for raw in chunks:
        chunk = held + raw
        held = b"\r" if chunk.endswith(b"\r") else b""
        if held:
            chunk = chunk[:-1]
        if b"\r" in chunk:
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if chunk:
            yield chunk
    if held:
        yield b"\n"
