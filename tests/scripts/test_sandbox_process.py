"""`sbpam sandbox` as a process: what it prints is enough to rehearse with; a signal ends it."""

import os
import shlex
import signal
import subprocess
from pathlib import Path

import pytest
from support.programs import BIN

SBPAM = str(BIN / "sbpam")


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 0), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_rehearsal(tmp_path: Path, name: str, code: int) -> None:
    for folder in ("home", "tmp"):
        (tmp_path / folder).mkdir()
    own = {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "tmp"), "LANG": "C.UTF-8"}
    environ = {"PATH": os.environ["PATH"], **own}
    sandbox = subprocess.Popen(
        [SBPAM, "sandbox", "--port", "0"],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert sandbox.stdout is not None
        assert sandbox.stderr is not None
        assert "until Ctrl-C" in sandbox.stderr.readline()
        exported = {}
        while not (line := sandbox.stdout.readline()).startswith("# then"):
            if line.startswith("export "):
                key, _, value = shlex.split(line)[1].partition("=")
                exported[key] = value
        ended = subprocess.run(
            [*shlex.split(line.removeprefix("# then:"))[:-1]],
            env={**environ, **exported, "PATH": f"{BIN}{os.pathsep}{environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        assert len(ended.stdout.splitlines()) == 2
        sandbox.send_signal(signal.Signals[name])
        _, err = sandbox.communicate(timeout=30)
    finally:
        sandbox.kill()
        sandbox.wait()
    assert sandbox.returncode == code
    assert "Traceback" not in err
    assert list((tmp_path / "tmp").iterdir()) == []
