"""What reading a list costs in each form, against one name a line.

    python tests/benchmarks/host_lists.py [NAMES]

Prints processor time as a ratio of plain text's, and what memory comes on top of it; the
medians of five runs each, in processes of their own.
"""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

RUNS = 5
FORMS: dict[str, tuple[str, Callable[[str, str], str], str]] = {
    "plain": ("", lambda _, name: f"{name}\n", ""),
    "csv": ("Name,DNSHostName,Enabled\n", lambda short, name: f"{short},{name},True\n", ""),
    "csv, quoted": ('"Name","FQDN"\n', lambda short, name: f'"{short}","{name}"\n', ""),
    "tsv": ("Name\tDNSHostName\n", lambda short, name: f"{short}\t{name}\n", ""),
    "ndjson": ("", lambda _, name: json.dumps({"dNSHostName": name}) + "\n", ""),
    "ldif": ("", lambda short, name: f"dn: CN={short},DC=x\ndNSHostName: {name}\n\n", ""),
    "sbpam's tsv": ("", lambda _, name: f"{name}\tFailed\t\tAccessDenied\t\t\t\t\n", ""),
    "json": ("[\n", lambda _, name: f'"{name}",\n', '"last.corp.example.com"]\n'),
}


def lines(form: str, count: int) -> Iterator[str]:
    head, line, tail = FORMS[form]
    yield head
    for number in range(count):
        short = f"srv-{number:07}"
        yield line(short, f"{short}.{('corp', 'eu', 'lab')[number % 3]}.example.com")
    yield tail


def read(path: str) -> None:
    """Reads the list; prints seconds of processor time and KiB of memory."""
    from sbpam_cli.hosts.lists import HostSource, ReadingRules, read_hosts

    class Nobody:
        def note(self, text: str) -> None: ...
        def alert(self, text: str) -> None: ...

    sources, began = [HostSource("file", path)], time.process_time()
    read_hosts(
        sources,
        stdin=sys.stdin.buffer,
        stdin_is_terminal=False,
        rules=ReadingRules(),
        talk=Nobody(),
    )
    print(time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def measure(path: Path) -> tuple[float, float]:
    """Seconds and MiB."""
    command = [sys.executable, __file__, "--read", str(path)]
    outputs = [subprocess.check_output(command, text=True).split() for _ in range(RUNS)]
    seconds, kib = zip(*[map(float, output) for output in outputs], strict=True)
    return statistics.median(seconds), statistics.median(kib) / 1024


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, plain_s, plain_mib = Path(folder, "list"), 0.0, 0.0
        for form in FORMS:
            with path.open("w", encoding="utf-8") as target:
                target.writelines(lines(form, count))
            seconds, mib = measure(path)
            plain_s, plain_mib = plain_s or seconds, plain_mib or mib
            size = path.stat().st_size / 2**20
            print(
                f"{form:12} {seconds / plain_s:5.2f} of plain text's time (3 at most),"
                f" {mib - plain_mib:+4.0f} MiB of memory,"
                f" {(mib - plain_mib) / size:4.1f} of its own size ({size:.0f} MiB)"
            )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--read"]:
        read(sys.argv[2])
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
