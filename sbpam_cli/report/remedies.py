"""What it means that a host was not scanned, and what to do about it.

The server's reasons: names from the vendor's 4.2 pages; causes and remedies from the
vendor's articles on failed scans, and from what its scans need.
"""

from collections.abc import Mapping, Sequence

from sbpam_cli.models import FailureReason, ScanStatus

_LOG = "Look up the job in the NPS server's log; the vendor's support asks for it."
_ONCE_MORE = "Read the server's message, and schedule the host again once."
_RESUME = "`sbpam resume RUN` finds out what became of the batch and sends what is left."
_GROUP = (
    "The server gives a group of the host as the reason.",
    "A scan changes no group: is another activity of NPS going on on the host?",
    _LOG,
)

REMEDIES: Mapping[str, Sequence[str]] = {
    FailureReason.FAILED_TO_CONNECT: (
        "The NPS server did not reach the host.",
        "Is the host on, and does the NPS server reach its WinRM or SSH port?",
        "Does the NPS server resolve its name? `Resolve-DnsName HOST`",
        "Windows: does WinRM answer the NPS server? `Test-WSMan HOST`; if not: `winrm quickconfig`",
        "Linux: does SSH answer the NPS server?",
        "Open TCP 5985 (WinRM), 5986 (WinRM over TLS), 22 (SSH) in all firewalls on the way.",
        "WinRM over TLS, or SSH: trust the host in the NPS console (`Trust on Discovery` is off).",
        "One scan without WinRM ticks `WinRM Disabled` on the resource, no later one clears it.",
        "If all of the above is right, clear that box on the resource's page in the NPS console.",
    ),
    FailureReason.ACCESS_DENIED: (
        "The host refused the service account.",
        "Is the account's password in NPS current, and is it not locked or expired?",
        "The account needs administrator's rights on the host, also over the network.",
        "Workgroup hosts (remote UAC): set `LocalAccountTokenFilterPolicy` to 1 on the host.",
        "Since the domain was hardened: RC4 is off? Then turn AES on for the service account.",
        "The message names `remote shell requests`: a group policy must allow remote shell access.",
    ),
    FailureReason.INVALID_HOST_NAME: (
        "The NPS server cannot do anything with the name.",
        "Does the name resolve on the NPS server? `Resolve-DnsName HOST`",
        "A host that is gone: take it out of the list, and out of NPS.",
    ),
    FailureReason.ACTION_TIMEOUT: (
        "The scan did not end in the time that NPS gives it.",
        "Hosts without certificates: set `WinRM HTTP Setting` in NPS to HTTP first.",
        "Raise `System Settings > Action Service Settings > Timeout Override` in NPS.",
        "Many at once: schedule fewer at a time with `--max-running`.",
    ),
    FailureReason.ACTION_SERVICE_UNAVAILABLE: (
        "No service of NPS took the scan.",
        "Start the action service (25.x: the host scan service too): `Service Nodes`",
        "Then schedule the hosts again; nothing need be done on them.",
    ),
    FailureReason.SYSTEM_ERROR: (
        "The operating system of the host or of the NPS server reported an error.",
        "Read the server's message: `The RPC server is unavailable` is a firewall.",
        "Look in the event log of the host and of the NPS server at that time.",
    ),
    FailureReason.UNKNOWN_ERROR: ("The server has no name for the reason.", _ONCE_MORE, _LOG),
    FailureReason.INVALID_USER_NAME: (
        "The service account's name is not valid on the host.",
        "Check user name and domain of the service account in NPS.",
        "Does the host belong to that domain, or trust it?",
    ),
    FailureReason.INVALID_GROUP_NAME: _GROUP,
    FailureReason.USER_ALREADY_MEMBER_OF_GROUP: _GROUP,
    FailureReason.USER_NOT_MEMBER_OF_GROUP: _GROUP,
    ScanStatus.FAILED: ("The scan failed, and the server gave no reason.", _ONCE_MORE, _LOG),
    ScanStatus.CANCELLED: (
        "Somebody stopped the job.",
        "If they are still wanted: `sbpam rescan RUN` schedules them again.",
    ),
    ScanStatus.COMPLETED_WITH_ERRORS: (
        "The scan ended, but not all of it succeeded.",
        "The host's page in the NPS console shows which part did not.",
    ),
    ScanStatus.COMPLETED_NOT_RUN: (
        "The job ended without scanning the host.",
        "Is the host enabled in NPS, and on? Then schedule it again.",
    ),
    ScanStatus.UNKNOWN: (
        "The server does not tell how the scan went.",
        "`sbpam status RUN` asks again.",
        _LOG,
    ),
    ScanStatus.OUTCOME_UNKNOWN: (
        "Sent, but no answer came: nobody knows yet whether these hosts are in a job.",
        "Don't schedule them again by hand: that could scan them twice.",
        _RESUME,
    ),
    ScanStatus.NOT_SENT: (
        "The run ended before these hosts were sent.",
        "`sbpam resume RUN` sends them.",
    ),
    ScanStatus.REJECTED: (
        "The server refused the batch that these hosts were in.",
        "Read the server's message; check the service account, and the names.",
        "If one of them is wrong, correct it and run `sbpam schedule` again.",
        "To retry unchanged: `sbpam resume RUN`",
    ),
    ScanStatus.NOT_ACCEPTED: (
        "Sent, but the server's job does not hold these hosts.",
        "Does NPS know the host? Add it there, or correct its name in the list.",
        "Then `sbpam rescan RUN` schedules it again; that is not done by itself.",
    ),
    ScanStatus.INVALID: (
        "These entries of the list are not valid host names.",
        "Correct them in the list; the detail names the line, and what is wrong.",
    ),
}
"""The meaning of a failure reason, or of a status that is not success, then what to do.

The first step stands alone on a screen. In backquotes: code (RUN in it is the run's id),
and what the NPS console shows.
"""
