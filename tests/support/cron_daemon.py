"""Debian's cron as a daemon, in namespaces of its own: with its tables, its mail, its end.

Of the machine's own tables and mail it sees nothing. Jobs are started by
`@reboot`, which cron does at its own start, so that nobody waits for the next
minute; how they are run, and with what environment, is the same.
"""

import email
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

import pytest
from support.process import until
from support.programs import find_program

# The mount points are bound, so that all of it is gone with the namespace.
_START = """\
set -e
cd "$1"
mount --bind /usr/sbin machine
for path in machine/*; do ln -s "$1/$path" "sbin/${path##*/}"; done
ln -sf "$1/sendmail" sbin/sendmail
mount --bind crontabs /var/spool/cron/crontabs
mount --bind crontab /etc/crontab
mount --bind empty /etc/cron.d
mount --bind run /run
mount --bind sbin /usr/sbin
exec cron -f
"""
# Renamed when whole.
_SENDMAIL = """\
#!/bin/sh
umask 077
cat >"{folder}/mail/.$$" && mv "{folder}/mail/.$$" "{folder}/mail/$$"
"""


@dataclass(frozen=True)
class Job:
    """A line of a crontab: what runs, and the settings that stand above it."""

    name: str
    command: str
    settings: dict[str, str]


@dataclass(frozen=True)
class Finished:
    """What became of a job. mail: the body, None where cron had nothing to mail."""

    code: int
    seconds: float
    mail: str | None
    environ: dict[str, str]


def need_cron() -> None:
    """Skips where there is no cron, or no root to start it (fails where all must be there)."""
    find_program("cron")
    words = "cron needs root, and namespaces"
    if os.geteuid() == 0 and _may_unshare():
        return
    if os.environ.get("SBPAM_TEST_REQUIRE_ALL"):
        pytest.fail(words)
    pytest.skip(words)


def _may_unshare() -> bool:
    probe = [find_program("unshare"), "--mount", "--pid", "--fork", "--mount-proc", "true"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def run_jobs(folder: Path, jobs: Sequence[Job], timeout_s: float = 90.0) -> dict[str, Finished]:
    """Every job once, all started together by one daemon; how each ended.

    Jobs see an environment that has what cron gives, and their settings, alone.
    """
    folder.mkdir()
    for name in ("machine", "sbin", "crontabs", "empty", "run", "mail", "jobs"):
        (folder / name).mkdir()
    (folder / "crontab").touch()
    sendmail = folder / "sendmail"
    sendmail.write_text(_SENDMAIL.format(folder=folder))
    sendmail.chmod(0o755)
    table = folder / "crontabs" / "root"
    table.write_text("".join(_lines(job, folder / "jobs" / job.name) for job in jobs))
    table.chmod(0o600)
    ends = [folder / "jobs" / f"{job.name}.code" for job in jobs]
    with _daemon(folder) as daemon:
        # The second condition: what cron has left to mail is mailed by children of its.
        until(
            lambda: all(end.exists() for end in ends) and not _children(daemon), timeout_s=timeout_s
        )
    mails = {_job_of(mail): mail for mail in _mails(folder / "mail")}
    return {job.name: _finished(folder / "jobs", job.name, mails.get(job.name)) for job in jobs}


def _lines(job: Job, marks: Path) -> str:
    assert "%" not in job.command, "a percent sign ends a command of cron's"
    settings = "".join(f"{name}={value}\n" for name, value in job.settings.items())
    measured = f": >{marks}.begun; {job.command}; echo $? >{marks}.new; mv {marks}.new {marks}.code"
    return f"JOB={job.name}\n{settings}@reboot {measured}\n"


@contextmanager
def _daemon(folder: Path) -> Iterator[int]:
    """Its process id. With the namespace of its processes every one of them dies."""
    script = ["sh", "-c", _START, "sh", str(folder)]
    namespaces = ["--mount", "--propagation", "private", "--pid", "--mount-proc", "--fork"]
    with (folder / "said").open("wb") as said:
        outer = subprocess.Popen(
            ["unshare", *namespaces, "--kill-child=KILL", "--", *script],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
    try:
        until(lambda: _children(outer.pid) or outer.poll() is not None)
        assert outer.poll() is None, (folder / "said").read_text()
        [daemon] = _children(outer.pid)
        yield daemon
    finally:
        outer.send_signal(signal.SIGKILL)
        outer.wait()


def _children(process: int) -> list[int]:
    path = Path(f"/proc/{process}/task/{process}/children")
    return [int(word) for word in path.read_text().split()]


def _mails(folder: Path) -> list[Message]:
    return [email.message_from_bytes(path.read_bytes()) for path in folder.iterdir()]


def _settings(mail: Message) -> dict[str, str]:
    """The environment that cron names in its mails."""
    headers = mail.get_all("X-Cron-Env", [])
    pairs = (str(header)[1:-1].partition("=") for header in headers)
    return {name: value for name, _, value in pairs}


def _job_of(mail: Message) -> str:
    return _settings(mail)["JOB"]


def _finished(folder: Path, name: str, mail: Message | None) -> Finished:
    begun, code = folder / f"{name}.begun", folder / f"{name}.code"
    body = None
    if mail is not None:
        content = mail.get_payload(decode=True)
        assert isinstance(content, bytes)
        body = content.decode()
    seconds = code.stat().st_mtime - begun.stat().st_mtime
    environ = _settings(mail) if mail is not None else {}
    return Finished(int(code.read_text()), seconds, body, environ)
