"""The sandbox's world: hosts, jobs, scans, and what was asked of it.

Everything is a function of the seed, the clock and the requests, so that a rehearsal can
be repeated. Hosts are not stored but derived from their names.
"""

import base64
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, NamedTuple

from sbpam_cli.models import FailureReason, ScanStatus
from sbpam_cli.sandbox import people
from sbpam_cli.sandbox.http import encode
from sbpam_cli.sandbox.people import User

_SYSTEMS = (
    ("Windows Server 2025 Datacenter", "10.0.26100"),
    ("Windows Server 2022 Standard", "10.0.20348"),
    ("Windows Server 2019 Standard", "10.0.17763"),
    ("Windows 11 Enterprise", "10.0.22631"),
)
FAILURES = {
    FailureReason.FAILED_TO_CONNECT: "WinRM did not answer within 30 seconds.",
    FailureReason.ACCESS_DENIED: "Access is denied.",
    FailureReason.ACTION_TIMEOUT: "The action did not finish in time.",
    FailureReason.ACTION_SERVICE_UNAVAILABLE: "No action service took the job.",
    FailureReason.SYSTEM_ERROR: "The RPC server is unavailable.",
    FailureReason.INVALID_HOST_NAME: "The host name could not be resolved.",
    FailureReason.UNKNOWN_ERROR: "An unexpected error occurred.",
}
_REASONS = tuple(FAILURES)
_CANCELLING_TAKES_S = 2.0
_SPREAD = 0.8
"""The share of a job's time over which the ends of its scans are strewn."""


class Machine(NamedTuple):
    """A host as its name and the seed make it; `pace` and `wait` are in 0..1."""

    host_id: str
    os: str
    version: str
    ip_address: str
    pace: float
    wait: float
    reason: FailureReason | None


class Scan(NamedTuple):
    """One host's scan at a moment; times are epoch seconds."""

    status: ScanStatus
    reason: FailureReason | None = None
    started_at: float | None = None
    finished_at: float | None = None


@dataclass(slots=True)
class Job:
    job_id: str
    names: Sequence[str] = field(repr=False)
    credential_id: str
    creator: str
    created_at: float
    cancelled_at: float | None = None


@dataclass(kw_only=True)
class World:
    """now: epoch seconds; the only clock there is.

    scan_duration_s: every scan of a job has ended this long after the job was made.
    failing_share: of hosts, drawn by name and seed.
    tokens: those that are good, unless they have expired, and their claims.
    """

    seed: int = 0
    now: Callable[[], float]
    scan_duration_s: float = 20.0
    failing_share: float = 0.1
    token_life_s: float = 900.0

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self._host_key = str(self.seed).encode()[:64]
        self.users = people.default_users()
        self.units = people.default_units()
        self.credentials = people.default_credentials(self.new_id)
        self.resources = [
            self._resource(name, unit, number)
            for number, (unit, name) in enumerate(
                (unit, name) for unit, names in self.units.items() for name in names
            )
        ]
        self.jobs: dict[str, Job] = {}
        self.sessions: dict[str, str] = {}
        self.tokens: dict[str, dict[str, Any]] = {}
        self._counter = 0

    def new_id(self, what: str) -> str:
        """A UUID that follows from the seed and `what`."""
        h = blake2b(f"{self.seed} {what}".encode(), digest_size=16).hexdigest()
        return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}"

    def next_id(self, kind: str) -> str:
        """The next UUID of its kind; never the same twice."""
        self._counter += 1
        return self.new_id(f"{kind} {self._counter}")

    def user(self, login: str) -> User | None:
        """By log-on name, in any case."""
        return next((u for u in self.users if u.login.lower() == login.lower()), None)

    def issue_token(self, user: User, *, owes_mfa: bool = False) -> tuple[str, str]:
        """A JWT and its `jti`."""
        now, jti = self.now(), self.next_id("token")
        claims = {
            "sub": user.login,
            "role": user.roles,
            "iat": int(now),
            "exp": int(now + self.token_life_s),
            "jti": jti,
            "owes_mfa": owes_mfa,
        }
        parts = (encode({"alg": "HS256", "typ": "JWT"}), encode(claims), jti.encode())
        token = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts).decode()
        self.tokens[token] = claims
        return token, jti

    def knows_credential(self, credential_id: str) -> bool:
        return any(row["credentialId"] == credential_id for row in self.credentials)

    def knows_host(self, name: str) -> bool:
        return not name.lower().startswith("unknown")

    def machine(self, name: str) -> Machine:
        spelt = name.lower().encode(errors="replace")
        d = blake2b(spelt, digest_size=24, key=self._host_key).digest()
        h = d.hex()
        fails = int.from_bytes(d[18:20], "big") / 65536 < self.failing_share
        return Machine(
            f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:32]}",
            *_SYSTEMS[d[22] % len(_SYSTEMS)],
            ip_address=f"10.{d[0]}.{d[1]}.{d[2] % 254 + 1}",
            pace=d[16] / 256,
            wait=d[17] / 256,
            reason=_REASONS[d[23] % len(_REASONS)] if fails else None,
        )

    def _resource(self, name: str, unit: str, number: int) -> dict[str, Any]:
        """A computer as the searches describe it: every third is not enrolled."""
        machine, label = self.machine(name), name.partition(".")[0]
        return {
            "id": machine.host_id,
            "displayName": label.upper(),
            "dnsHostName": name,
            "distinguishedName": f"CN={label.upper()},{unit}",
            "domainName": name.partition(".")[2],
            "os": machine.os,
            "ipAddress": machine.ip_address,
            "platformName": "Windows",
            "managedResourceId": None if number % 3 == 2 else machine.host_id,
            "serviceAccountName": None if number % 3 == 2 else "svc-scan (CORP)",
            "lastScan": None if number % 7 == 1 else self.now() - number * 4 * 86_400,
            "disableWinRm": number % 5 == 3,
        }

    def scan(self, job: Job, machine: Machine, now: float) -> Scan:
        """A pure function of the clock."""
        needs_s = self.scan_duration_s * (1 - _SPREAD * machine.pace)
        start = job.created_at + needs_s * machine.wait / 2
        end = job.created_at + needs_s
        if job.cancelled_at is not None:
            stop = job.cancelled_at + _CANCELLING_TAKES_S
            if stop < end and stop <= now:
                return Scan(ScanStatus.CANCELLED, None, start if start < stop else None, stop)
        if now < start:
            return Scan(ScanStatus.QUEUED)
        if now < end:
            return Scan(ScanStatus.RUNNING, None, start)
        if machine.reason is None:
            return Scan(ScanStatus.COMPLETE, FailureReason.NO_ERROR, start, end)
        return Scan(ScanStatus.FAILED, machine.reason, start, end)

    def add_job(self, names: Sequence[str], credential_id: str, creator: str) -> Job:
        """Makes a job of the known names."""
        known = [name for name in names if self.knows_host(name)]
        job = Job(self.next_id("job"), known, credential_id, creator, self.now())
        self.jobs[job.job_id] = job
        return job

    def hosts_of_unit(self, dn: str, *, children: bool) -> list[str] | None:
        """None for a unit that does not exist."""
        wanted = people.split_dn(dn)
        units = {people.split_dn(unit): hosts for unit, hosts in self.units.items()}
        inside = [u for u in units if u == wanted or (children and u[-len(wanted) :] == wanted)]
        return [host for unit in inside for host in units[unit]] if wanted in units else None
