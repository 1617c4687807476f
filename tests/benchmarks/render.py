"""Shows a tsv of host rows as a table on stdout: ours, or rich's for comparison.

python render.py ROWS.tsv [--rich]
"""

import sys
from collections.abc import Iterator


def read_rows(path: str) -> Iterator[list[str | None]]:
    """The values of each line; empty ones are absent."""
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            yield [value or None for value in line.rstrip("\n").split("\t")]


def show_ours(path: str) -> None:
    """As `-o table` does."""
    from sbpam_cli.output.console import Console
    from sbpam_cli.output.forms import HOSTS, Envelope, make_printer
    from sbpam_cli.system.services import system_services

    printer = make_printer("table", Console(system_services()), HOSTS)
    printer.write([(*row, None) for row in read_rows(path)])
    printer.close(Envelope("status", 0))


def show_richly(path: str) -> None:
    """The same columns in a rich Table."""
    from rich.console import Console
    from rich.table import Table

    from sbpam_cli.output.forms import HOST_COLUMNS

    table = Table(*(name.upper() for name in HOST_COLUMNS), box=None)
    for row in read_rows(path):
        table.add_row(*row)
    Console(width=200).print(table)


if __name__ == "__main__":
    (show_richly if "--rich" in sys.argv else show_ours)(sys.argv[1])
