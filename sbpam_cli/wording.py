"""Words for people: numbers and times in sentences, and what a mistyped word was meant to be."""

from collections.abc import Iterable


def counted(number: int, noun: str) -> str:
    """`1 host`, `1,000 hosts`, `2 batches`."""
    ending = "" if number == 1 else "es" if noun.endswith("ch") else "s"
    return f"{number:,} {noun}{ending}"


def utc(epoch_s: float) -> str:
    """`2026-11-23T03:15:02Z`."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def did_you_mean(
    word: str, known: Iterable[str], otherwise: str | None = None, *, likeness: float = 0.6
) -> str | None:
    """A hint with the known word that is nearest, in any case; `otherwise` where none is near.

    likeness: how near, 0 to 1, as `difflib` counts; more for words that are all alike.
    """
    from difflib import get_close_matches

    folded = {name.casefold(): name for name in known}
    near = get_close_matches(word[:60].casefold(), folded, 1, likeness)
    return f"did you mean {folded[near[0]]}?" if near else otherwise
