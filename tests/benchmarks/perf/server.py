"""server.py CERTIFICATE KEY LATENCY_MS: a quick HTTPS server; prints its port.

Needs orjson and uvloop.

It checks the Bearer header and the JSON body, and answers every scheduling POST with some 300
bytes a host, ids and descriptions of its own, and everything else with an empty list.
"""

import asyncio
import itertools
import ssl
import sys
from typing import Any

import orjson
import uvloop

_JOB = (
    '{"id":"%08x-0000-4000-8000-000000000000","status":1,"statusDescription":"Queued",'
    '"hostScanHostStatus":['
)
_numbers = itertools.count(1)


def _answer(hosts: list[str]) -> bytes:
    number = next(_numbers)
    parts = []
    for place, host in enumerate(hosts):
        own = f"{number:08x}-{place & 0xFFFF:04x}-4000-8000-{place:012x}"
        parts.append(
            f'{{"hostScanHostId":"{own}","hostId":"{own}","name":"{host.partition(".")[0]}",'
            f'"dnsHostName":"{host}","os":"Windows Server 2019 Standard","ipAddress":"10.1.2.3",'
            '"version":"10.0 (17763)","status":1,"statusDescription":"Pending",'
            '"failureReason":null}'
        )
    return (_JOB % number + ",".join(parts) + "]}").encode()


class _Connection(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self._write = transport.write
        self._held = bytearray()
        self._busy = False

    def data_received(self, data: bytes) -> None:
        self._held += data
        self._pump()

    def _pump(self) -> None:
        end = -1 if self._busy else self._held.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._held[:end])
        fields = head.lower().split(b"\r\n")
        sizes = [f.partition(b":")[2] for f in fields if f.startswith(b"content-length:")]
        length = int(sizes[0]) if sizes else 0
        if b"expect: 100-continue" in fields and len(self._held) == end + 4 and length:
            self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if len(self._held) < end + 4 + length:
            return
        body = bytes(self._held[end + 4 : end + 4 + length])
        del self._held[: end + 4 + length]
        self._busy = True
        if head.startswith(b"POST") and LATENCY_S:
            asyncio.get_running_loop().call_later(LATENCY_S, self._reply, head, body)
        else:
            self._reply(head, body)

    def _reply(self, head: bytes, body: bytes) -> None:
        status, out = b"200 OK", b"[]"
        if head.startswith(b"POST /api/v1/HostScanJob/OuMapping/"):
            try:
                hosts = orjson.loads(body)
                assert b"uthorization: Bearer " in head
            except (AssertionError, ValueError):
                status, out = b"400 Bad Request", b'{"title":"bad"}'
            else:
                out = _answer(hosts)
        self._write(
            b"HTTP/1.1 %s\r\nContent-Type: application/json; charset=utf-8\r\n"
            b"Content-Length: %d\r\n\r\n" % (status, len(out)) + out
        )
        self._busy = False
        if self._held:
            self._pump()


async def _serve() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", 0, ssl=context, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    LATENCY_S = float(sys.argv[3]) / 1000
    uvloop.run(_serve())
