"""Threads where the system allows few or none."""

import os
import threading

import pytest
from support.programs import SBPAM, run

from sbpam_cli.system.clock import Clock
from sbpam_cli.system.threads import Workers


@pytest.mark.skipif(os.name != "posix", reason="Windows reserves no stack that it refuses")
def test_what_cannot_have_a_thread_of_its_own_waits_for_another() -> None:
    workers, release = Workers(2, Clock()), threading.Event()
    workers.submit("first", release.wait)
    usual = threading.stack_size(1 << 46)
    try:
        workers.submit("second", release.wait)
    finally:
        threading.stack_size(usual)
    release.set()
    for key in ("first", "second"):
        done = workers.next(30)
        assert done is not None
        assert done.key == key


@pytest.mark.skipif(os.name != "posix", reason="limits are POSIX's")
def test_no_thread_at_all_is_no_bug() -> None:
    limited = ["sh", "-c", 'ulimit -s 1000000000000 && exec "$@"', "sh", SBPAM, "demo"]
    done = run(limited, os.environ)
    assert done.returncode == 6, done.stderr
    assert "no thread can be started" in done.stderr
