"""Text and the little Markdown of the README as roff with the macros of man(7).

Everything is written so that groff and mandoc read it alike: what is not
ASCII, or means something in roff, by its name.
"""

import re
import textwrap
from collections.abc import Iterator

_WIDTH = 96
_NAMED = {
    "\\": "\\e",
    "-": "\\-",
    "'": "\\(aq",
    "`": "\\(ga",
    "^": "\\(ha",
    "~": "\\(ti",
    '"': "\\(dq",
}
_SPANS = re.compile(r"`([^`]+)`|\*\*(.+?)\*\*|(?<!\*)\*([^*\s][^*]*)\*|\[([^\]]+)\]\([^)]+\)")


def plain(text: str) -> str:
    """Text of one line, in which nothing means anything to roff."""
    return "".join(_NAMED.get(char) or _spelled(char) for char in text)


def _spelled(char: str) -> str:
    if char.isascii() and char.isprintable():
        return char
    return f"\\[u{ord(char):04X}]" if char.isprintable() else " "


def bold(text: str) -> str:
    """For what one types: its words are not hyphenated."""
    return f"\\fB{_whole(text)}\\fR"


def italic(text: str) -> str:
    return f"\\fI{_whole(text)}\\fR"


def _whole(text: str) -> str:
    return " ".join(f"\\%{plain(word)}" for word in text.split(" "))


def spans(text: str) -> str:
    """A line of Markdown: code and strong words bold, emphasis italic, links without targets."""
    made, end = "", 0
    for found in _SPANS.finditer(text):
        code, strong, emphasis, link = found.groups()
        made += plain(text[end : found.start()])
        made += bold(code or strong) if code or strong else italic(emphasis) if emphasis else ""
        made += spans(link) if link else ""
        end = found.end()
    return made + plain(text[end:])


def lines(made: str) -> list[str]:
    """Ready text, folded; no line of it is taken for a request."""
    folded = textwrap.wrap(made, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return [_guarded(line) for line in folded]


def _guarded(line: str) -> str:
    return f"\\&{line}" if line[:1] in (".", "'") else line


def heading(text: str) -> str:
    return f".SH {plain(text.upper())}"


def paragraph(made: str) -> list[str]:
    return [".PP", *lines(made)]


def item(tag: str, made: str) -> list[str]:
    """A tag, and what it means beside or below it. Both are ready."""
    return [".TP", _guarded(tag), *(lines(made) or ["\\&"])]


def example(code: str) -> list[str]:
    """Lines as they are."""
    verbatim = [_guarded(plain(line)) or "\\&" for line in code.split("\n")]
    return [".PP", ".RS 4", ".EX", *verbatim, ".EE", ".RE"]


def markdown(text: str) -> Iterator[str]:
    """Paragraphs, lists, tables and code, as the README has them."""
    text = re.sub(r"<!--.*?-->\n*", "", text, flags=re.DOTALL).strip("\n")
    fenced = re.split(r"^```\w*\n(.*?)\n```$", text, flags=re.DOTALL | re.MULTILINE)
    for number, part in enumerate(fenced):
        if number % 2:
            yield from example(part)
            continue
        for block in re.split(r"\n{2,}", part.strip("\n")):
            if block.startswith("|"):
                yield from _table(block)
            elif block.startswith("- "):
                for entry in re.split(r"\n(?=- )", block):
                    yield from [".IP \\(bu 2", *lines(spans(_joined(entry[2:])))]
            elif block:
                yield from paragraph(spans(_joined(block)))


def _joined(text: str) -> str:
    return " ".join(text.split())


def _table(block: str) -> Iterator[str]:
    """The first cell of a row is its tag; three columns and more say what each cell is."""
    head, _, *rows = [
        [
            cell.strip().replace("\\|", "|")
            for cell in re.split(r"(?<!\\)\|", row.strip().strip("|"))
        ]
        for row in block.split("\n")
    ]
    for tag, *cells in rows:
        if len(cells) == 1:
            yield from item(spans(tag), spans(cells[0]))
            continue
        yield from [".TP", _guarded(spans(tag))]
        for number, (name, cell) in enumerate(zip(head[1:], cells, strict=True)):
            yield from [".br"] * bool(number) + lines(spans(f"{name}: {cell}"))
