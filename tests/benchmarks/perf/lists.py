"""Host lists as people keep them, the same each time.

clean.txt: names alone. mixed.txt: the lists' 6% of comments, blanks and duplicates, a tenth
in capitals. mixed.csv and mixed.ndjson: the names of mixed.txt, a row each.
"""

import json
import random
from collections.abc import Iterator
from pathlib import Path

_DOMAINS = (
    *("corp.example.com", "eu.corp.example.com", "prod.contoso.local"),
    *("lab.fabrikam.net", "dmz.example.org"),
)
_KINDS = ("srv", "web", "db", "app", "ws", "dc", "file", "sql")


def mixed_lines(count: int) -> Iterator[str]:
    """Lines without their ends: of a million 939,908 are names."""
    dice = random.Random(7)
    lines: list[str] = []
    for number in range(count):
        share = dice.random()
        if share < 0.005:
            line = f"# rack {number}"
        elif share < 0.01:
            line = ""
        elif share < 0.06 and lines:
            line = lines[dice.randrange(len(lines))]
        else:
            kind, letter = dice.choice(_KINDS), dice.choice("abcdef")
            line = f"{kind}-{letter}{number:07}.{dice.choice(_DOMAINS)}"
            if share < 0.16:
                line = line.upper()
        lines.append(line)
        yield line


def write_lists(folder: Path, count: int) -> None:
    """The four files."""
    lines = list(mixed_lines(count))
    names = [line for line in lines if line and not line.startswith("#")]
    clean = dict.fromkeys(name.lower() for name in names)
    (folder / "clean.txt").write_text("\n".join(clean) + "\n")
    (folder / "mixed.txt").write_text("\n".join(lines) + "\n")
    rows = (f'"{n}","{name}","True"' for n, name in enumerate(names))
    (folder / "mixed.csv").write_text("\n".join(['"Id","DNSHostName","Enabled"', *rows]) + "\n")
    objects = (json.dumps({"id": n, "fqdn": name}) for n, name in enumerate(names))
    (folder / "mixed.ndjson").write_text("\n".join(objects) + "\n")
