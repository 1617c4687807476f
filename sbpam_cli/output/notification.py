"""`--notify`: the terminal's bell, and the desktop's notification where there is one."""

import os
import shutil
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sbpam_cli.models import ScanStatus
from sbpam_cli.output.summary import host_summary

if TYPE_CHECKING:
    from sbpam_cli.output.console import Console

_WITHIN_S = 2.0


def notify_of_end(
    console: "Console", command: str, code: int, counts: Mapping[ScanStatus, int]
) -> None:
    """Says that the command is over: figures only, no name of a host. Fails silently."""
    services = console.services
    if services.stderr_is_terminal():
        console.write_talk("\a")
    program = shutil.which("notify-send", path=services.env("PATH") or os.defpath)
    if program is None or services.env("DBUS_SESSION_BUS_ADDRESS") is None:
        return
    what = host_summary(counts, ())[0] if counts else f"ended with exit code {code}"
    # Secrets are nobody else's.
    environ = {k: v for k, v in services.environ.items() if not k.upper().startswith("SBPAM_")}
    services.launch([program, "--app-name=sbpam", f"sbpam {command}", what], environ, _WITHIN_S)
