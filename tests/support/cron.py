"""Debian's cron in namespaces of its own: one job, its exit code and its mail.

`@reboot` starts the job when cron starts, so that nobody waits for the next minute; how it is
run, and with what environment, is the same. Of the machine's own tables and mail it sees nothing.
"""

import email
import os
import signal
import subprocess
from pathlib import Path

from support.process import until
from support.programs import find_program, skip

# The mount points are bound, so that all of it is gone with the namespace.
_START = """\
set -e
cd "$1"
mount --bind /usr/sbin machine
for path in machine/*; do ln -s "$1/$path" "sbin/${path##*/}"; done
ln -sf "$1/sendmail" sbin/sendmail
mount --bind crontabs /var/spool/cron/crontabs
mount --bind empty/crontab /etc/crontab
mount --bind empty/cron.d /etc/cron.d
mount --bind run /run
mount --bind sbin /usr/sbin
exec cron -f
"""
_NAMESPACES = ("--mount", "--propagation", "private", "--pid", "--mount-proc", "--fork")
_KEEP_MAIL = '#!/bin/sh\ncat >"{0}/mail.new" && mv "{0}/mail.new" "{0}/mail"\n'


def need_cron() -> None:
    """Skips where there is no cron, or no root to start it (fails where all must be there)."""
    find_program("cron")
    probe = [find_program("unshare"), *_NAMESPACES, "true"]
    if os.geteuid() != 0 or subprocess.run(probe, capture_output=True, check=False).returncode:
        skip("cron needs root, and namespaces")


def run_by_cron(folder: Path, command: str, settings: dict[str, str]) -> tuple[int, str]:
    """The exit code, and what cron mails ("" where it has nothing to mail)."""
    assert "%" not in command, "a percent sign ends a command of cron's"
    for name in ("machine", "sbin", "crontabs", "empty/cron.d", "run"):
        (folder / name).mkdir(parents=True)
    (folder / "empty/crontab").touch()
    (folder / "sendmail").write_text(_KEEP_MAIL.format(folder))
    (folder / "sendmail").chmod(0o755)
    code, mail, table = folder / "code", folder / "mail", folder / "crontabs" / "root"
    lines = "".join(f"{name}={value}\n" for name, value in settings.items())
    table.write_text(f"{lines}@reboot {command}; echo $? >{code}.new; mv {code}.new {code}\n")
    table.chmod(0o600)
    daemon = subprocess.Popen(
        ["unshare", *_NAMESPACES, "--kill-child=KILL", "sh", "-c", _START, "sh", str(folder)],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        stdin=subprocess.DEVNULL,
    )
    try:
        until(lambda: code.exists() or daemon.poll() is not None, timeout_s=90)
        # Children of cron's mail what is left.
        until(lambda: not any(_children(cron) for cron in _children(daemon.pid)))
    finally:
        daemon.send_signal(signal.SIGKILL)
        daemon.wait()
    sent = email.message_from_bytes(mail.read_bytes() if mail.exists() else b"")
    body = sent.get_payload(decode=True)
    assert isinstance(body, bytes)
    return int(code.read_text()), body.decode()


def _children(process: int) -> list[int]:
    path = Path(f"/proc/{process}/task/{process}/children")
    return [int(word) for word in path.read_text().split()]
