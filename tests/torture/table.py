"""What can fail: for each operation of a seam, every way in which it may."""

import json
from collections.abc import Mapping
from typing import Any

from support.faults import Fault

from sbpam_cli.sandbox.http import Request

ALWAYS = ("kill", "signal")
"""At every point: the machine dies there, or SIGINT arrives."""

_NO_ID = "00000000-0000-0000-0000-000000000000"


def _status(status: int, when: str = "before", **headers: str) -> list[Fault]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return [Fault(action="status", status=status, when=when, headers=named)]  # type: ignore[arg-type]


def _edit(change: Any) -> list[Fault]:
    return [Fault(action="edit", edit=change)]


def _with(**fields: Any) -> list[Fault]:
    return _edit(lambda job: {**job, **fields})


def _fewer(reply: dict[str, Any]) -> dict[str, Any]:
    if "hostScanHostStatus" not in reply:
        # The POST was refused: its token had been revoked, say.
        return reply
    return {**reply, "hostScanHostStatus": reply["hostScanHostStatus"][1:]}


def _blank(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**job, "hostScanHostStatus": None} for job in jobs]


_LOST: dict[str, list[Fault]] = {
    f"{action}, {when}": [Fault(action=action, when=when)]
    for action in ("close", "reset", "hang")
    for when in ("before", "after")
}
_BROKEN: dict[str, list[Fault]] = {
    "cut": [Fault(action="truncate", when="after")],
    "drip": [Fault(action="drip", seconds=1.0, when="after")],
    "garbage": _edit(lambda _: "\u0000{"),
    "null": _edit(lambda _: None),
    "html200": [Fault(action="html200")],
    "html200, after": [Fault(action="html200", when="after")],
    "token revoked": [Fault(action="revoke")],
    "429 at once": _status(429, Retry_After="0"),
    "429 in a moment": _status(429, Retry_After="5"),
    "429 in an hour": _status(429, Retry_After="3600"),
    "503 with a date": _status(503, Retry_After="5"),
    "503 of the listener": _status(503, Server="Microsoft-HTTPAPI/2.0"),
}
_STATUSES = {str(n): _status(n) for n in (302, 400, 401, 403, 404, 407, 408, 429, 500, 502, 503)}
_ANY = {**_LOST, **_BROKEN, **_STATUSES}
_HIDDEN = Fault(action="hide_job", seconds=150.0)
_SLOW = Fault(action="fill_gradually", seconds=150.0)

POSTED: Mapping[str, list[Fault]] = {
    **_ANY,
    **{str(n): _status(n) for n in (405, 413, 415, 422, 504)},
    **{f"{n}, after": _status(n, "after") for n in (408, 500, 502, 503, 504)},
    "no id": _with(id=None),
    "id of zeros": _with(id=_NO_ID),
    "hosts unsaid": _with(hostScanHostStatus=None),
    "a host missing in the reply": _edit(_fewer),
    "a host left out": [Fault(action="leave_out", count=1)],
    "later": [Fault(action="later", seconds=20.0)],
    "much later": [Fault(action="later", seconds=150.0)],
    "hidden": [_HIDDEN],
    "hidden and lost": [_HIDDEN, Fault(action="close", when="after")],
    "filled slowly and lost": [_SLOW, Fault(action="reset", when="after")],
    "filled slowly": [_SLOW],
}

ANSWERS: Mapping[str, Mapping[str, list[Fault]]] = {
    "answer POST": POSTED,
    "answer list": {
        **_ANY,
        "an empty list": _edit(lambda _: []),
        "no names": _edit(_blank),
        "others' jobs alone": [],
    },
    "answer job": {**_ANY, "hosts unsaid": _with(hostScanJobHostJoin=None)},
    "answer sign-in": _ANY,
    "answer version": _ANY,
}

TABLE: Mapping[str, tuple[str, ...]] = {
    "folder": ("EACCES", "ENOSPC", "EROFS"),
    "open file": ("EACCES", "ENOSPC", "EMFILE"),
    "lock": ("EAGAIN", "ENOLCK"),
    "open database": ("unable to open database file", "disk I/O error"),
    "pragma": ("disk I/O error", "database disk image is malformed"),
    "begin": ("database is locked", "disk I/O error"),
    "select": ("disk I/O error", "database disk image is malformed"),
    "statement": ("database or disk is full", "disk I/O error"),
    "commit": (
        "database or disk is full",
        "disk I/O error",
        "disk I/O error, after",
        "database is locked",
    ),
    "close database": (),
    "wait": (),
    "connect": ("refused", "time-out", "name unknown"),
    "tls": ("reset", "time-out"),
    "write": ("reset, before", "reset, after", "time-out, before", "time-out, after"),
    "read": ("reset", "time-out", "end", "part", "drip"),
    **{operation: tuple(failures) for operation, failures in ANSWERS.items()},
}
"""Operation -> its failures, `ALWAYS` aside."""


def failures_of(operation: str) -> tuple[str, ...]:
    return (*ALWAYS, *TABLE[operation])


def kind_of(request: Request) -> tuple[str, str]:
    """The operation that answering it is, and what it is about."""
    path = request.target
    if "OuMapping" in path:
        names = json.loads(request.body)
        return "answer POST", f"{names[0]} and {len(names) - 1} more"
    if path.endswith("/HostScanJob"):
        return "answer list", ""
    if path.startswith("/api/v1/HostScanJob/"):
        return "answer job", ""
    if path.endswith("/Version"):
        return "answer version", ""
    return "answer sign-in", path
