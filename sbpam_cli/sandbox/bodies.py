"""The two shapes in which the server tells of a job, as dicts ready for JSON."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from sbpam_cli.models import SERVER_STATUSES, FailureReason, ScanStatus
from sbpam_cli.sandbox.people import PLANTED_SECRETS
from sbpam_cli.sandbox.world import FAILURES, Job, Machine, Scan, World, sum_up

_REASONS = tuple(FailureReason)
_UNSET_TIME = "0001-01-01T00:00:00"
_ACTION_FIELDS = frozenset({"status", "statusDescription", "failureReason"})
_Progress = tuple[str, str, Machine, Scan]


def _enumeration(value: Any, members: Sequence[Any], form: str) -> int | str | None:
    if value is None or form == "null":
        return None
    return str(value) if form == "name" else members.index(value)


def _outcome(scan: Scan, form: str) -> dict[str, Any]:
    description: str = scan.status.value
    if form != "null" and scan.status is ScanStatus.FAILED and scan.reason is not None:
        description = FAILURES[scan.reason]
    return {
        "status": _enumeration(scan.status, SERVER_STATUSES, form),
        "statusDescription": description,
        "failureReason": _enumeration(scan.reason, _REASONS, form),
    }


def _progress(world: World, job: Job) -> Iterator[_Progress]:
    now = world.now()
    for number, name in enumerate(job.names_at(now), 1):
        machine = world.machine(name)
        yield name, f"{job.job_id[:24]}{number:012x}", machine, world.scan(job, machine, now)


def _time(moment: float | None) -> str:
    if moment is None:
        return _UNSET_TIME
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0")


def job_status(world: World, job: Job) -> dict[str, Any]:
    """`HostScanJobStatus`: what scheduling and the list of jobs answer."""
    form = world.status_form
    scans, hosts = [], []
    for name, scan_id, machine, scan in _progress(world, job):
        scans.append(scan)
        host = {
            "hostScanHostId": scan_id,
            "hostId": machine.host_id,
            "name": name.partition(".")[0].upper(),
            "dnsHostName": name,
            "os": machine.os,
            "ipAddress": machine.ip_address,
            "version": machine.version,
            **_outcome(scan, form),
        }
        hosts.append(host | world.overrides.get(name.lower(), {}))
    status = sum_up(scans)
    return {
        "id": job.job_id,
        "status": _enumeration(status, SERVER_STATUSES, form),
        "statusDescription": f"{status.value}.",
        "hostScanHostStatus": hosts,
    }


def job_entity(world: World, job: Job) -> dict[str, Any]:
    """`HostScanJob`: the entity graph that the single-job calls answer. It holds secrets."""
    return {
        "id": job.job_id,
        "createdBy": world.new_id(job.creator),
        "createdByUserName": job.creator,
        "createdFromAddress": job.address,
        "createdDateTimeUtc": _time(job.created_at),
        "modifiedDateTimeUtc": _UNSET_TIME,
        "nodeId": None,
        "hostScanJobHostJoin": [_join(world, job, entry) for entry in _progress(world, job)],
    }


def _join(world: World, job: Job, entry: _Progress) -> dict[str, Any]:
    name, scan_id, machine, scan = entry
    override = world.overrides.get(name.lower(), {})
    action = {key: value for key, value in override.items() if key in _ACTION_FIELDS}
    queue = _action_queue(world, job, scan_id, scan)
    if action:
        queue = (queue or {}) | action
    host = {
        "id": scan_id,
        "name": name.partition(".")[0].upper(),
        "dnsHostName": name,
        "ipAddress": machine.ip_address,
        "os": machine.os,
        "version": machine.version,
        "netBiosName": name.partition(".")[0].upper()[:15],
        "hostId": machine.host_id,
        "host": {},
        "credentialId": job.credential_id,
        "credential": {"id": job.credential_id, "userName": "svc-scan"} | PLANTED_SECRETS,
        "lastScanTimeUtc": _time(scan.finished_at),
        "lastScanStartTimeUtc": _time(scan.started_at),
        "hostConnected": scan.status is ScanStatus.COMPLETE,
        **_inventory(scan_id, world.accounts_per_host),
    }
    return {
        "hostScanJobId": job.job_id,
        "hostScanJob": {},
        "hostScanHostId": scan_id,
        "hostScanHost": host | {k: v for k, v in override.items() if k not in _ACTION_FIELDS},
        "actionQueueId": scan_id if queue else None,
        "actionQueue": queue,
    }


def _inventory(scan_id: str, accounts: int) -> dict[str, Any]:
    user = {
        "hostScanHostId": scan_id,
        "hostScanHost": {},
        "sid": "S-1-5-21-1004336348-1177238915-682003330-1001",
        "lastLogonUtc": _UNSET_TIME,
        "passwordHash": PLANTED_SECRETS["passwordHash"],
        "lsaLookupCache": PLANTED_SECRETS["lsaLookupCache"],
    }
    group = {"hostScanHostId": scan_id, "hostScanHost": {}}
    return {
        "hostScanUser": [user | {"userName": f"local{n:04d}"} for n in range(accounts)],
        "hostScanGroup": [group | {"name": f"Group {n}"} for n in range(accounts)],
        "hostScanFeature": [{"id": scan_id, "name": "Web-Server", "hostScanHost": {}}],
    }


def _action_queue(world: World, job: Job, scan_id: str, scan: Scan) -> dict[str, Any] | None:
    if scan.status is ScanStatus.QUEUED:
        return None
    return {
        "id": scan_id,
        "timeCreated": _time(job.created_at),
        "timeStarted": _time(scan.started_at),
        "timeFinished": _time(scan.finished_at),
        "heartBeatDateTimeUtc": _UNSET_TIME,
        **_outcome(scan, world.status_form),
        "actionQueueAction": [{"id": scan_id, "actionQueue": {}, "name": "Scan host"}],
    }
