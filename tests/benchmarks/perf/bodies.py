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
    bodies = {
        LIST_JOB: _list_job(LIST_JOB, list_hosts),
        ENTITY_JOB: _entity_job(entity_hosts, entity_bytes),
        "HostScanJob": _jobs_list(list_hosts),
        "UserToken": json.dumps(token).encode(),
        "Version": b'"25.12.00000"',
    }
    for name, body in bodies.items():
        (folder / name).write_bytes(body)


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


def _host_tail(number: int, status: int) -> bytes:
    """All of a host but its name, which comes last."""
    fields = {
        "hostScanHostId": _id(3, number),
        "hostId": _id(4, number),
        "name": f"WEB{number:06}",
        "os": "Windows Server 2022 Standard" if number % 3 else "Ubuntu 24.04.1 LTS",
        "ipAddress": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
        "version": "10.0.20348",
        "status": status,
        "statusDescription": None if status != 3 else "Access is denied.",
        "failureReason": 5 if status == 3 else 0,
    }
    return json.dumps(fields, separators=(",", ":"))[:-1].encode() + b","


def listed_host(number: int) -> str:
    """The name of a host of the jobs that are only looked at."""
    return f"web{number:06}.site{number % 97:02}.corp.example"


def _list_hosts(first: int, count: int) -> bytes:
    return b",".join(
        _host_tail(n, status=n % 4) + b'"dnsHostName":"%b"}' % listed_host(n).encode()
        for n in range(first, first + count)
    )


def _list_job(job_id: str, count: int, first: int = 0) -> bytes:
    head = b'{"id":"%b","status":1,"statusDescription":"Running.",' % job_id.encode()
    return head + b'"hostScanHostStatus":[%b]}' % _list_hosts(first, count)


def _jobs_list(hosts: int) -> bytes:
    """The same hosts in jobs of 50."""
    jobs = [_list_job(_id(5, first), 50, first) for first in range(0, hosts, 50)]
    return b"[" + b",".join(jobs) + b"]"


def _entity_job(hosts: int, size: int) -> bytes:
    """The single-job form: every host drags its users, groups and features along."""
    each = size // hosts
    joins = []
    for number in range(hosts):
        ballast = _ballast(number, each - 1500)
        status = number % 4
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
            **ballast,
        }
        queue = {
            "id": _id(7, number),
            "timeCreated": "2026-11-23T03:15:02.123Z",
            "timeStarted": "2026-11-23T03:15:03.5Z",
            "timeFinished": "2026-11-23T03:16:03.5Z" if status > 1 else None,
            "status": status,
            "statusDescription": "Access is denied." if status == 3 else None,
            "failureReason": 5 if status == 3 else 0,
            "actionQueueAction": [
                {"id": _id(8, n), "actionName": f"Scan step {n}", "status": 2, "output": "x" * 80}
                for n in range(4)
            ],
        }
        join = {
            "hostScanHostId": host["id"],
            "hostScanHost": host,
            "actionQueueId": queue["id"],
            "actionQueue": queue,
        }
        joins.append(json.dumps(join, separators=(",", ":")).encode())
    head = (
        b'{"id":"%b","createdBy":"%b","createdByUserName":"CORP\\\\bench","createdFromAddress":'
        b'"10.0.0.7","createdDateTimeUtc":"2026-11-23T03:15:02.123Z","nodeId":"%b",'
        % (ENTITY_JOB.encode(), _id(9, 1).encode(), _id(9, 2).encode())
    )
    return head + b'"hostScanJobHostJoin":[%b]}' % b",".join(joins)


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
