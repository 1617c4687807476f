"""What a terminal shows of more hosts than a person reads, and below a table."""

import re

import pytest
from support.screen import Terminal
from support.site import Site

from sbpam_cli.models import PROBLEMS, FailureReason
from sbpam_cli.report.remedies import REMEDIES

FAILING = {11: 400, 5: 120, 4: 60, 2: 45, 10: 5}
"""How many hosts fail for which reason, as the wire numbers them: 630."""
HOSTS = [f"srv{n:05}.site{n % 7}.corp.example" for n in range(2_000)]


def on_screen(site: Site, size: tuple[int, int], *arguments: str, stdin: bytes = b"") -> list[str]:
    terminal = Terminal(*size)
    site.prepare = terminal.serve
    site.run(*arguments, stdin=stdin, env=terminal.environ)
    site.prepare = lambda _: None
    return terminal.lines()


def fail(site: Site, failing: dict[int, int], hosts: list[str]) -> None:
    reasons = [reason for reason, number in failing.items() for _ in range(number)]
    for host, reason in zip(hosts, reasons, strict=False):
        told = {"status": 3, "failureReason": reason, "statusDescription": None}
        site.world.overrides[host] = told


def test_hundreds_of_problems_fit_a_screen(site: Site) -> None:
    fail(site, FAILING, HOSTS)
    command = ["schedule", "-", "--yes", "--wait"]
    first = on_screen(site, (80, 24), *command, stdin="\n".join(HOSTS).encode())
    run = site.run("runs").rows()[0][0]
    assert first[0].startswith("stdin: 2,000 hosts")
    for shown, named in (
        (first, 5),
        (on_screen(site, (200, 50), "status"), 5),
        (on_screen(site, (80, 19), "status", "--offline"), 0),
    ):
        at = shown.index("2,000 hosts: 1,370 Complete, 630 Failed")
        reasons = [(number, list(FailureReason)[reason]) for reason, number in FAILING.items()]
        found = [line for line in shown[at + 2 : -3] if "srv" not in line]
        told = [[f"✗ {number} {name}", f"  {REMEDIES[name][1]}"] for number, name in reasons]
        assert found == [line for lines in told for line in lines]
        assert len([line for line in shown if line.startswith("  srv")]) == named
        assert shown[-3:] == [
            f"every row: `sbpam status {run} --full`, or -o csv",
            f"a page: `sbpam report {run}`",
            f"→ `sbpam rescan {run}` scans again what did not succeed",
        ]


def test_every_problem_has_a_remedy_that_fits_a_line() -> None:
    assert {*PROBLEMS, *FailureReason} - {FailureReason.NO_ERROR} == {*REMEDIES} - {"Unknown"}
    for reason, steps in REMEDIES.items():
        assert len(f"  {steps[1]}") <= 80, reason


def test_more_reasons_than_fit_are_counted(site: Site) -> None:
    fail(site, dict.fromkeys(range(1, 12), 10) | {11: 20}, HOSTS)
    shown = on_screen(site, (80, 18), "schedule", *HOSTS[:200], "--wait")
    assert len(shown) < 18
    assert len([line for line in shown if line.startswith("✗")]) == 4
    assert "and 70 hosts for 7 other reasons" in shown
    # Wrapped lines count.
    narrow = on_screen(site, (44, 16), "status", "--offline")
    assert narrow[0].startswith("200 hosts: ")
    assert [line for line in narrow if line.startswith("✗")] == ["✗ 20 FailedToConnect"]
    assert "and 100 hosts for 10 other reasons" in narrow


@pytest.mark.parametrize("more", [[], ["--only", "problems"], ["--watch"], ["-o", "table"]])
def test_below_a_table_each_reason_has_its_remedy(site: Site, more: list[str]) -> None:
    fail(site, {11: 2, 5: 1}, HOSTS)
    site.run("schedule", *HOSTS[:9])
    site.clock.move(60)
    shown = " ".join(" ".join(on_screen(site, (120, 40), "status", *more)).split())
    assert "9 hosts: 6 Complete, 3 Failed" in shown
    for name in (FailureReason.FAILED_TO_CONNECT, FailureReason.ACCESS_DENIED):
        assert shown.count(f"{name}: {REMEDIES[name][1]}") == 1
    assert re.search("scans again what did not succeed$", shown)
