"""A server as quick as Python can be: canned replies over TLS, cut from the request.

    python model_server.py CERTIFICATE KEY LIST_HOSTS ENTITY_HOSTS ENTITY_BYTES

Prints its port. It checks nothing: what it must not be is the bottleneck.
"""

import itertools
import json
import socket
import ssl
import sys
import threading
import time
import uuid
from email.utils import formatdate

LIST_JOB = "11111111-0000-4000-8000-000000000001"
ENTITY_JOB = "11111111-0000-4000-8000-000000000002"
_TAILS = 1000
_RECEIVED_BYTES = 1 << 18


class Model:
    """What is answered. Shared by the threads, one a connection."""

    def __init__(self, list_hosts: int, entity_hosts: int, entity_bytes: int) -> None:
        self._jobs = itertools.count(1)
        self._tails = [_host_tail(n, status=0) for n in range(_TAILS)]
        self._list_job = _list_job(LIST_JOB, list_hosts)
        self._entity_job = _entity_job(entity_hosts, entity_bytes)
        self._jobs_list = _jobs_list(list_hosts)
        self.token = make_token()

    def answer(self, path: str, body: bytes) -> bytes:
        """The JSON for a request."""
        if "/OuMapping/" in path:
            return self._scheduled(body, next(self._jobs))
        if path.endswith(LIST_JOB):
            return self._list_job
        if path.endswith(ENTITY_JOB):
            return self._entity_job
        if path == "/api/v1/HostScanJob":
            return self._jobs_list
        return json.dumps(self.token if "Token" in path else "25.12.00000").encode()

    def _scheduled(self, body: bytes, job: int) -> bytes:
        names = body.strip()[2:-2].split(b'","')
        tails = self._tails
        hosts = b'"},'.join(
            [b'%b"dnsHostName":"%b' % (tails[n % _TAILS], name) for n, name in enumerate(names)]
        )
        head = b'{"id":"22222222-0000-4000-8000-%012x",' % job
        return head + b'"status":0,"statusDescription":null,"hostScanHostStatus":[%b"}]}' % hosts


def make_token() -> str:
    """A JWT that lives for ten years; its signature is none."""
    import base64

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


def _serve(model: Model, stream: ssl.SSLSocket) -> None:
    """One connection, request after request."""
    held = b""
    with stream:
        while True:
            while (end := held.find(b"\r\n\r\n")) < 0:
                if not (more := stream.recv(_RECEIVED_BYTES)):
                    return
                held += more
            head, held = held[:end].decode("latin-1"), held[end + 4 :]
            path = head.split(" ", 2)[1]
            fields = {
                name.lower(): value.strip()
                for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:])
            }
            if "expect" in fields:
                stream.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            length = int(fields.get("content-length", 0))
            parts = [held]
            missing = length - len(held)
            while missing > 0:
                parts.append(stream.recv(_RECEIVED_BYTES))
                missing -= len(parts[-1])
            body = b"".join(parts)
            body, held = body[:length], body[length:]
            answer = model.answer(path, body)
            words = (
                "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n"
                f"Date: {formatdate(usegmt=True)}\r\nContent-Length: {len(answer)}\r\n\r\n"
            )
            if len(answer) < _RECEIVED_BYTES:
                stream.sendall(words.encode() + answer)
            else:
                stream.sendall(words.encode())
                stream.sendall(answer)


def _accept(model: Model, raw: socket.socket, context: ssl.SSLContext) -> None:
    try:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _serve(model, context.wrap_socket(raw, server_side=True))
    except OSError:
        raw.close()


def main() -> None:
    """Serves on a free port of 127.0.0.1 until it is ended."""
    certificate, key, *sizes = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    model = Model(*map(int, sizes))
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            raw, _ = listener.accept()
            threading.Thread(target=_accept, args=(model, raw, context), daemon=True).start()


if __name__ == "__main__":
    main()
