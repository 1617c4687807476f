"""The two shapes in which the server describes a job, as dicts ready for JSON."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sbpam_cli.models import SERVER_STATUSES, FailureReason, ScanStatus, sum_status
from sbpam_cli.sandbox.people import PLANTED_SECRETS
from sbpam_cli.sandbox.world import FAILURES, Job, Machine, Scan, World

_REASONS = tuple(FailureReason)
_UNSET_TIME = "0001-01-01T00:00:00"
_Progress = tuple[str, str, Machine, Scan]


def job_status(world: World, job: Job) -> dict[str, Any]:
    """`HostScanJobStatus`: what scheduling and the list of jobs return."""
    progress = list(_progress(world, job))
    status = sum_status(ScanStatus.QUEUED, (scan.status for *_, scan in progress))
    hosts = [
        {"hostScanHostId": scan_id, **_host(name, machine), **_outcome(scan)}
        for name, scan_id, machine, scan in progress
    ]
    return {
        "id": job.job_id,
        "status": SERVER_STATUSES.index(status),
        "statusDescription": f"{status.value}.",
        "hostScanHostStatus": hosts,
    }


def job_entity(world: World, job: Job) -> dict[str, Any]:
    """`HostScanJob`: the entity graph that the single-job call returns. It holds secrets."""
    return {
        "id": job.job_id,
        "createdBy": world.new_id(job.creator),
        "createdByUserName": job.creator,
        "createdFromAddress": "127.0.0.1",
        "createdDateTimeUtc": _time(job.created_at),
        "modifiedDateTimeUtc": _UNSET_TIME,
        "nodeId": None,
        "hostScanJobHostJoin": [_join(job, entry) for entry in _progress(world, job)],
    }


def enrolled_host(row: dict[str, Any]) -> dict[str, Any]:
    """A row of `ManagedResource/Search`. It holds secrets."""
    return {
        "id": row["managedResourceId"],
        "name": row["displayName"],
        "type": "Host",
        "hostId": row["id"],
        "host": {"distinguishedName": row["distinguishedName"], **PLANTED_SECRETS},
        **{key: row[key] for key in ("dnsHostName", "os", "ipAddress", "disableWinRm")},
        "hostName": row["displayName"],
        "platformName": row["platformName"],
        "saName": row["serviceAccountName"],
        "saUsername": "svc-scan",
        "lastScanTimeUtc": _time(row["lastScan"]),
        "credential": {"userName": "svc-scan", **PLANTED_SECRETS},
    }


def _progress(world: World, job: Job) -> Iterator[_Progress]:
    now = world.now()
    for number, name in enumerate(job.names, 1):
        machine = world.machine(name)
        yield name, f"{job.job_id[:24]}{number:012x}", machine, world.scan(job, machine, now)


def _host(name: str, machine: Machine) -> dict[str, Any]:
    return {
        "name": name.partition(".")[0].upper(),
        "dnsHostName": name,
        "hostId": machine.host_id,
        "os": machine.os,
        "version": machine.version,
        "ipAddress": machine.ip_address,
    }


def _outcome(scan: Scan) -> dict[str, Any]:
    reason = scan.reason or FailureReason.NO_ERROR
    return {
        "status": SERVER_STATUSES.index(scan.status),
        "statusDescription": FAILURES.get(reason, scan.status.value),
        "failureReason": scan.reason and _REASONS.index(scan.reason),
    }


def _join(job: Job, entry: _Progress) -> dict[str, Any]:
    name, scan_id, machine, scan = entry
    queue = {
        "id": scan_id,
        "timeCreated": _time(job.created_at),
        "timeStarted": _time(scan.started_at),
        "timeFinished": _time(scan.finished_at),
        "heartBeatDateTimeUtc": _UNSET_TIME,
        **_outcome(scan),
        "actionQueueAction": [{"id": scan_id, "actionQueue": {}, "name": "Scan host"}],
    }
    began = scan.status is not ScanStatus.QUEUED
    return {
        "hostScanJobId": job.job_id,
        "hostScanJob": {},
        "hostScanHostId": scan_id,
        "hostScanHost": {
            "id": scan_id,
            **_host(name, machine),
            "netBiosName": name.partition(".")[0].upper()[:15],
            "host": {},
            "credentialId": job.credential_id,
            "credential": {"id": job.credential_id, "userName": "svc-scan"} | PLANTED_SECRETS,
            "lastScanTimeUtc": _time(scan.finished_at),
            "lastScanStartTimeUtc": _time(scan.started_at),
            "hostConnected": scan.status is ScanStatus.COMPLETE,
            "hostScanUser": [{"userName": "Administrator", "lastLogonUtc": _UNSET_TIME}],
            "hostScanGroup": [{"hostScanHostId": scan_id, "name": "Users", "hostScanHost": {}}],
            "hostScanFeature": [{"id": scan_id, "name": "Web-Server", **PLANTED_SECRETS}],
        },
        "actionQueueId": scan_id if began else None,
        "actionQueue": queue if began else None,
    }


def _time(moment: float | None) -> str:
    if moment is None:
        return _UNSET_TIME
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0")
