"""Fixtures for every test; `support` has what they are made of."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from support.clock import MovedClock
from support.faults import StagedWorld
from support.left_out import LEFT_OUT
from support.process import RealSite, staged
from support.site import Program, Site, served

# A shell's `&` starts what it runs with these ignored, and so would be every program under test.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if os.name != "nt" and signal.getsignal(signal.SIGQUIT) is signal.SIG_IGN:
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)

# Some machines forbid bytecode: every start of the program would compile all of it.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Every run draws others: fewer in each keeps the suite quick.
settings.register_profile(
    "shared-machine", deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("shared-machine")
# The long form: pytest --hypothesis-profile=long
settings.register_profile("long", settings.get_profile("shared-machine"), max_examples=2_000)


if os.name != "nt":
    collect_ignore = ["system/test_on_windows.py"]
else:
    whole = [path for path in LEFT_OUT if path.endswith((".py", "/"))]
    collect_ignore = [path.removeprefix("tests/") for path in whole]

    def pytest_report_header() -> list[str]:
        return [f"left out: {what}: {why}" for what, why in LEFT_OUT.items()]

    def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
        for item in items:
            for part, why in LEFT_OUT.items():
                if part in item.nodeid:
                    item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def program(tmp_path: Path, clock: MovedClock) -> Program:
    """The program with a private home; knows no server."""
    return Program(tmp_path, clock)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[RealSite]:
    """Real processes in real time; no scan ends."""
    with staged(tmp_path / "stage") as stage:
        yield stage


@pytest.fixture
def site(tmp_path: Path, clock: MovedClock) -> Iterator[Site]:
    """The sandbox on a loopback port; scans take 10 s of the moved clock, none fails."""
    world = StagedWorld(seed=1, now=clock.now, scan_duration_s=10.0, failing_share=0.0)
    with served(Site(tmp_path, clock), world) as site:
        yield site
