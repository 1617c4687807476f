"""baseline.py POST_URL CA LIST IN_FLIGHT BATCH: the same parts without a journal or any promise.

Reads names line by line, POSTs them in batches on one httpx client with a few threads, decodes
with msgspec, writes tsv to stdout. The token is in SBPAM_TOKEN. A floor to measure against.
"""

import collections
import json
import os
import ssl
import sys
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import msgspec


class _Host(msgspec.Struct, rename="camel", gc=False):
    dns_host_name: str
    os: str | None
    ip_address: str | None
    version: str | None
    status: int | None
    status_description: str | None
    failure_reason: int | None


class _Job(msgspec.Struct, rename="camel", gc=False):
    id: str
    host_scan_host_status: list[_Host]


def main() -> None:
    """Everything."""
    url, ca, path = sys.argv[1:4]
    in_flight, size = int(sys.argv[4]), int(sys.argv[5])
    decoder = msgspec.json.Decoder(_Job)
    headers = {
        "Authorization": f"Bearer {os.environ['SBPAM_TOKEN']}",
        "Content-Type": "application/json",
        "Accept": "application/json",
    }
    with open(path, encoding="utf-8-sig") as lines:
        found = (line.partition("#")[0].strip().lower() for line in lines)
        names = list(dict.fromkeys(name for name in found if name))
    limits = httpx.Limits(max_connections=in_flight, max_keepalive_connections=in_flight)
    context = ssl.create_default_context(cafile=ca)
    with httpx.Client(
        verify=context, headers=headers, trust_env=False, limits=limits, timeout=60
    ) as client:

        def post(batch: list[str]) -> str:
            reply = client.post(url, content=json.dumps(batch).encode()).raise_for_status()
            job = decoder.decode(reply.content)
            return "".join(
                f"{h.dns_host_name}\t{h.status_description or h.status}\t{job.id}"
                f"\t{h.failure_reason or ''}\t{h.os}\t{h.ip_address}\t{h.version}\t\n"
                for h in job.host_scan_host_status
            )

        waiting: collections.deque[Future[str]] = collections.deque()
        with ThreadPoolExecutor(in_flight) as pool:
            for first in range(0, len(names), size):
                waiting.append(pool.submit(post, names[first : first + size]))
                while len(waiting) >= 2 * in_flight:
                    sys.stdout.write(waiting.popleft().result())
            while waiting:
                sys.stdout.write(waiting.popleft().result())


if __name__ == "__main__":
    main()
