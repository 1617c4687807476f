"""A JSON array read as it arrives: one element at a time, never all of it at once."""

from collections.abc import Iterable, Iterator
from typing import Any

from sbpam_cli.nps.replies import WireError

_SPACE = " \t\r\n"
_AFTER_NUMBER = frozenset({",", "]", *_SPACE})


def read_array(chunks: Iterable[bytes]) -> Iterator[Any]:
    """The elements of the JSON array in a body that comes in chunks.

    Holds no more than an element and what came after it. Raises WireError
    where the body is no array, or ends before the array does; the elements
    before that were good.
    """
    import codecs
    import json

    decode = codecs.getincrementaldecoder("utf-8-sig")("replace").decode
    scan = json.JSONDecoder().raw_decode
    source = iter(chunks)
    text, at = "", 0

    def more() -> bool:
        """Takes chunks until the text has doubled: a long element is tried a few times only."""
        nonlocal text, at
        text, at = text[at:], 0
        wanted = 2 * len(text)
        for chunk in source:
            text += decode(chunk)
            if len(text) > wanted:
                return True
        return len(text) > wanted // 2

    def next_mark() -> str:
        """The next character that is no space; empty at the end of the body."""
        nonlocal at
        while True:
            while at < len(text) and text[at] in _SPACE:
                at += 1
            if at < len(text):
                return text[at]
            if not more():
                return ""

    if next_mark() != "[":
        raise WireError("the reply is not a list of jobs")
    at += 1
    first = True
    while (mark := next_mark()) != "]":
        if not first:
            if mark != ",":
                raise WireError("the list of jobs is cut off or broken")
            at += 1
            next_mark()
        first = False
        while True:
            try:
                value, end = scan(text, at)
            except (ValueError, RecursionError) as error:
                if not more():
                    raise WireError("the list of jobs is cut off or broken") from error
                continue
            # A number may go on in the next chunk, in its very middle; anything else has ended.
            if text[end - 1] not in '}]"' and text[end : end + 1] not in _AFTER_NUMBER and more():
                continue
            break
        at = end
        yield value
