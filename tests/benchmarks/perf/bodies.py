"""What a server's replies are read from: jobs of many hosts in both shapes, and a token."""

import base64
import json
import time
import uuid
from pathlib import Path

LIST_JOB = "11111111-0000-4000-8000-000000000001"
ENTITY_JOB = "11111111-0000-4000-8000-000000000002"


def write_bodies(
    folder: Path, token: str, list_hosts: int, entity_hosts: int, entity_bytes: int
) -> None:
    """A file for each call, named as its path ends."""
    firsts = range(0, list_hosts, 50)
    bodies = {
        LIST_JOB: _list_job(LIST_JOB, list_hosts),
        ENTITY_JOB: _entity_job(entity_hosts, entity_bytes),
        "HostScanJob": [_list_job(_id(5, first), 50, first) for first in firsts],
        "UserToken": token,
        "Version": "25.12.00000",
    }
    for name, body in bodies.items():
        (folder / name).write_text(json.dumps(body, separators=(",", ":")))


def write_pages(folder: Path, hosts: int, take: int = 100) -> None:
    """The pages of a search for enrolled hosts, and the empty one that ends it."""
    for skip in range(0, hosts + take, take):
        rows = [_enrolled(number) for number in range(skip, min(skip + take, hosts))]
        page = json.dumps({"data": rows, "recordsTotal": hosts})
        (folder / f"Search?filterType=Host&Skip={skip}&Take={take}").write_text(page)


def _enrolled(number: int) -> dict[str, object]:
    """A row drags accounts along."""
    unit = f"OU=Site {number % 97:02},OU=Servers,DC=corp,DC=example"
    account = {"id": _id(14, 1), "userName": "svc-scan", "domain": "CORP", "notes": "x" * 300}
    return {
        "id": _id(4, number),
        "name": f"WEB{number:06}",
        "host": {"id": _id(3, number), "distinguishedName": f"CN=WEB{number:06},{unit}"},
        "dnsHostName": listed_host(number),
        "os": "Windows Server 2022 Standard",
        "ipAddress": f"10.0.{number >> 8}.{number & 255}",
        "saName": "svc-scan",
        "serviceAccount": account,
        "lastScanTimeUtc": "2026-11-23T03:15:02.123Z",
        "disableWinRm": False,
    }


def make_token() -> str:
    """A JWT that lives for ten years; its signature is none."""

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    now = int(time.time())
    claims = {"sub": "CORP\\bench", "iat": now, "exp": now + 315_360_000}
    return ".".join([part({"alg": "none"}), part(claims), "c2lnbmF0dXJl"])


def _id(kind: int, number: int) -> str:
    return str(uuid.UUID(int=(kind << 96) | 0x4000_8000_0000_0000_0000 | number))


def listed_host(number: int) -> str:
    """The name of a host of the jobs that are only looked at."""
    return f"web{number:06}.site{number % 97:02}.corp.example"


def _state(number: int) -> dict[str, object]:
    """A quarter of the scans has each status."""
    status = number % 4
    words, reason = ("Access is denied.", 5) if status == 3 else (None, 0)
    return {"status": status, "statusDescription": words, "failureReason": reason}


def _list_job(job_id: str, count: int, first: int = 0) -> dict[str, object]:
    hosts = [
        {
            "hostScanHostId": _id(3, number),
            "hostId": _id(4, number),
            "name": f"WEB{number:06}",
            "os": "Windows Server 2022 Standard" if number % 3 else "Ubuntu 24.04.1 LTS",
            "ipAddress": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
            "version": "10.0.20348",
            **_state(number),
            "dnsHostName": listed_host(number),
        }
        for number in range(first, first + count)
    ]
    words = {"status": 1, "statusDescription": "Running."}
    return {"id": job_id, **words, "hostScanHostStatus": hosts}


def _entity_job(hosts: int, size: int) -> dict[str, object]:
    """The single-job form: every host drags its users, groups and features along."""
    ballast = size // hosts - 1500
    return {
        "id": ENTITY_JOB,
        "createdBy": _id(9, 1),
        "createdByUserName": "CORP\\bench",
        "createdFromAddress": "10.0.0.7",
        "createdDateTimeUtc": "2026-11-23T03:15:02.123Z",
        "nodeId": _id(9, 2),
        "hostScanJobHostJoin": [_join(number, ballast) for number in range(hosts)],
    }


def _join(number: int, ballast: int) -> dict[str, object]:
    host = {
        "id": _id(3, number),
        "name": f"WEB{number:06}",
        "dnsHostName": listed_host(number),
        "ipAddress": f"10.0.{number >> 8}.{number & 255}",
        "os": "Windows Server 2022 Standard",
        "version": "10.0.20348",
        "netBiosName": f"WEB{number:06}",
        "hostId": _id(4, number),
        "credentialId": _id(6, 1),
        "lastScanTimeUtc": "2026-11-23T03:15:02.123Z",
        "hostConnected": True,
        **_ballast(number, ballast),
    }
    steps = [
        {"id": _id(8, n), "actionName": f"Scan step {n}", "status": 2, "output": "x" * 80}
        for n in range(4)
    ]
    queue = {
        "id": _id(7, number),
        "timeCreated": "2026-11-23T03:15:02.123Z",
        "timeStarted": "2026-11-23T03:15:03.5Z",
        "timeFinished": "2026-11-23T03:16:03.5Z" if number % 4 > 1 else None,
        **_state(number),
        "actionQueueAction": steps,
    }
    ids = {"hostScanHostId": host["id"], "actionQueueId": queue["id"]}
    return {**ids, "hostScanHost": host, "actionQueue": queue}


def _ballast(number: int, size: int) -> dict[str, object]:
    users = [
        {
            "id": _id(10, number * 1000 + n),
            "hostScanHostId": _id(3, number),
            "userName": f"user{n:04}",
            "displayName": f"Jürgen Müller {n} (Administration)",
            "sid": f"S-1-5-21-1004336348-1177238915-682003330-{n}",
            "passwordHash": "aad3b435b51404eeaad3b435b51404ee",
            "passwordLastSet": "2026-01-02T03:04:05Z",
            "enabled": True,
            "hostScanGroupUser": [{"id": _id(11, n), "groupName": "Administrators", "user": {}}],
        }
        for n in range(max(1, size // 490))
    ]
    groups = [{"id": _id(12, n), "name": f"Group {n}", "members": {}} for n in range(40)]
    features = [{"id": _id(13, n), "name": f"Feature {n}", "installed": True} for n in range(40)]
    return {"hostScanUser": users, "hostScanGroup": groups, "hostScanFeature": features}
