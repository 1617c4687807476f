"""Words for people: numbers and times in sentences, and what a mistyped word was meant to be."""

from collections.abc import Iterable

_LETTERS_OFF = 2


def counted(number: int, noun: str) -> str:
    """`1 host`, `1,000 hosts`, `2 batches`."""
    ending = "" if number == 1 else "es" if noun.endswith("ch") else "s"
    return f"{number:,} {noun}{ending}"


def duration_words(seconds: float) -> str:
    """`20 s`, `3 min`, `2 h`, `3 days`, rounded."""
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def utc(epoch_s: float) -> str:
    """`2026-11-23T03:15:02Z`."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def local_time(text: str) -> str:
    """What `utc` made, as `2026-11-23 04:15:02` in this machine's time zone; else as it is."""
    from datetime import datetime

    try:
        return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (OSError, OverflowError, ValueError):
        return text


def local_words(epoch_s: float) -> str:
    """`Mon 23 Nov 2026, 04:15 UTC+01:00`, in this machine's time zone."""
    from datetime import UTC, datetime

    moment = datetime.fromtimestamp(epoch_s, UTC).astimezone()
    zone = moment.isoformat()[-6:]
    shown = f"{moment:%a} {moment.day} {moment:%b %Y, %H:%M} UTC"
    return shown if zone == "+00:00" else f"{shown}{zone}"


def did_you_mean(word: str, known: Iterable[str], otherwise: str | None = None) -> str | None:
    """A hint with the known word that is one or two letters off, in any case; else `otherwise`."""
    from difflib import SequenceMatcher, get_close_matches

    folded = {name.casefold(): name for name in known}
    word = word[:60].casefold()
    for near in get_close_matches(word, folded, 1):
        changes = SequenceMatcher(None, word, near, autojunk=False).get_opcodes()
        off = (max(i2 - i1, j2 - j1) for kind, i1, i2, j1, j2 in changes if kind != "equal")
        if sum(off) <= _LETTERS_OFF:
            return f"did you mean {folded[near]}?"
    return otherwise
