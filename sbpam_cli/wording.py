"""Numbers in sentences."""


def counted(number: int, noun: str) -> str:
    """`1 host`, `1,000 hosts`, `2 batches`."""
    ending = "" if number == 1 else "es" if noun.endswith("ch") else "s"
    return f"{number:,} {noun}{ending}"
