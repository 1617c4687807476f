"""What it means that a host came to no good, and what to do about it.

The server's reasons: names from the vendor's 4.2 pages, remedies from what its
scans need (a name, a way to the host, rights there).
"""

from collections.abc import Mapping
from typing import NamedTuple

from sbpam_cli.models import FailureReason, ScanStatus


class Remedy(NamedTuple):
    """meaning: a sentence. steps: what to do; in backquotes: code, RUN is the run's id."""

    meaning: str
    steps: tuple[str, ...]


_SERVER_LOG = "Look up the job in the NPS server's log; the vendor's support asks for it."
_GROUPS = (
    "A scan changes no group: look in the NPS console whether another activity runs on the host.",
    _SERVER_LOG,
)
_RESUME = "`sbpam resume RUN` finds out what became of the batch and sends what is left."

_REMEDIES: Mapping[str, Remedy] = {
    FailureReason.FAILED_TO_CONNECT: Remedy(
        "The NPS server did not reach the host.",
        (
            "Is the host on, and does the NPS server resolve its name? `Resolve-DnsName HOST`",
            (
                "Windows: does WinRM answer the NPS server? `Test-WSMan HOST`;"
                " `winrm quickconfig` on the host turns it on. Linux: does SSH?"
            ),
            (
                "Open TCP 5985 (WinRM), 5986 (WinRM over TLS) or 22 (SSH) in every firewall between"
                " the NPS server and the host, the host's own included."
            ),
        ),
    ),
    FailureReason.ACCESS_DENIED: Remedy(
        "The host refused the service account.",
        (
            (
                "Is the account's password in NPS the current one, and is it neither locked nor"
                " expired?"
            ),
            "The account needs administrator's rights on the host, also over the network.",
            (
                "A local account is filtered by remote UAC: use a domain account, or set"
                " `LocalAccountTokenFilterPolicy` to 1 on the host."
            ),
        ),
    ),
    FailureReason.INVALID_HOST_NAME: Remedy(
        "The NPS server cannot do anything with the name.",
        (
            "Does the name resolve on the NPS server? `Resolve-DnsName HOST`",
            "A host that is gone: take it out of the list, and out of NPS.",
        ),
    ),
    FailureReason.ACTION_TIMEOUT: Remedy(
        "The scan did not end in the time that NPS gives it.",
        (
            "Is the host overloaded, or far away? Schedule it again at a quieter time.",
            "Many at once: schedule fewer at a time with `--max-running`.",
            "Raise the time limit of scans in the NPS console where they always take longer.",
        ),
    ),
    FailureReason.ACTION_SERVICE_UNAVAILABLE: Remedy(
        "No action service of NPS took the scan.",
        (
            "Is the action service running on the NPS server or the node for this site? Start it.",
            "Then schedule the hosts again; nothing need be done on them.",
        ),
    ),
    FailureReason.SYSTEM_ERROR: Remedy(
        "The host's or the NPS server's operating system reported an error.",
        (
            "Read the server's words: `The RPC server is unavailable` is a firewall, for example.",
            "Look in the event log of the host and of the NPS server at that time.",
        ),
    ),
    FailureReason.UNKNOWN_ERROR: Remedy(
        "The server gave no reason that it has a name for.",
        ("Read the server's words, and schedule the host again once.", _SERVER_LOG),
    ),
    FailureReason.INVALID_USER_NAME: Remedy(
        "The service account's name is not valid on the host.",
        (
            "Check user name and domain of the service account in NPS.",
            "Does the host belong to that domain, or trust it?",
        ),
    ),
    FailureReason.INVALID_GROUP_NAME: Remedy("A group does not exist on the host.", _GROUPS),
    FailureReason.USER_ALREADY_MEMBER_OF_GROUP: Remedy(
        "An account is in a group of the host already.", _GROUPS
    ),
    FailureReason.USER_NOT_MEMBER_OF_GROUP: Remedy(
        "An account is not in a group of the host.", _GROUPS
    ),
    ScanStatus.FAILED: Remedy(
        "The scan failed, and the server gave no reason.",
        ("Read the server's words, and schedule the host again once.", _SERVER_LOG),
    ),
    ScanStatus.CANCELLED: Remedy(
        "Somebody stopped the job.", ("Schedule the hosts again if they are still wanted.",)
    ),
    ScanStatus.COMPLETED_WITH_ERRORS: Remedy(
        "The scan ended, but not all of it succeeded.",
        ("The host's page in the NPS console shows which part did not.",),
    ),
    ScanStatus.COMPLETED_NOT_RUN: Remedy(
        "The job ended without scanning the host.",
        ("Is the host enabled in NPS, and on? Then schedule it again.",),
    ),
    ScanStatus.UNKNOWN: Remedy(
        "The server does not tell how the scan went.",
        ("`sbpam status RUN` asks again.", _SERVER_LOG),
    ),
    ScanStatus.OUTCOME_UNKNOWN: Remedy(
        "Sent, but no answer came: nobody knows yet whether these hosts are in a job.",
        ("Don't schedule them again by hand: that could scan them twice.", _RESUME),
    ),
    ScanStatus.NOT_SENT: Remedy("The run ended before these hosts were sent.", (_RESUME,)),
    ScanStatus.REJECTED: Remedy(
        "The server refused the batch that these hosts were in.",
        (
            "Read the server's words; check the id of the service account, and the names.",
            "Where one of them is wrong, schedule again with the right one.",
            "Else `sbpam resume RUN` sends the same once more.",
        ),
    ),
    ScanStatus.NOT_ACCEPTED: Remedy(
        "Sent, but the server's job does not hold these hosts.",
        (
            "Does NPS know the host? Add it there, or correct its name in the list.",
            "Then schedule it again; that is not done by itself.",
        ),
    ),
    ScanStatus.INVALID: Remedy(
        "These entries of the list are no fully qualified host names.",
        ("Correct them in the list; the detail says where they stand and what is wrong.",),
    ),
}


def find_remedy(name: str) -> Remedy:
    """What is known of a failure reason, or of a status that is no success."""
    return _REMEDIES[name]
