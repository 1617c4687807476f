"""`--dry-run`: what the server thinks of a list, without scheduling anything."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sbpam_cli.models import HostRow, ScanStatus
from sbpam_cli.nps.client import NotFoundError, NpsClient
from sbpam_cli.nps.wire import fold_host
from sbpam_cli.storage.profiles import Target
from sbpam_cli.storage.records import Batch
from sbpam_cli.work.connection import connect
from sbpam_cli.work.hosts import HostList
from sbpam_cli.work.outcome import Outcome
from sbpam_cli.work.row_stream import RowStream

if TYPE_CHECKING:
    from sbpam_cli.services import Services
    from sbpam_cli.work.execution import Audience
    from sbpam_cli.work.scheduling import ScheduleOptions


def run_validation(
    services: "Services",
    options: "ScheduleOptions",
    target: Target,
    credential_id: str,
    hosts: HostList,
    audience: "Audience",
    outcome: Outcome,
) -> None:
    """Writes a row `Valid` or `Invalid` for every host; schedules and records nothing."""
    from sbpam_cli.work.scheduling import cut_batches, set_aside

    batches = cut_batches(hosts.names, options.batch_size)
    rows = RowStream(lambda part: audience.write(outcome.count(part)), set_aside(hosts))
    client: NpsClient | None = None
    if batches and not options.offline:
        connection = connect(services, target, audience.talk, no_input=options.connection.no_input)
        client = connection.client
    for batch in batches:
        try:
            batch.rows = _check(client, credential_id, batch)
        except NotFoundError:
            audience.talk.warn("this server has no validation call: the list alone was checked")
            client = None
            batch.rows = _check(None, credential_id, batch)
        rows.settle(batch)
    rows.finish(batches)
    outcome.partial = bool(outcome.counts[ScanStatus.INVALID])


def _check(client: NpsClient | None, credential_id: str, batch: Batch) -> Sequence[HostRow]:
    if client is None:
        return [HostRow(name, ScanStatus.VALID) for name in batch.names]
    answers = {
        fold_host(row["dnsHostName"] or ""): row
        for row in client.validate_hosts(credential_id, batch.names)
    }
    return [_row(name, answers.get(name, {})) for name in batch.names]


def _row(name: str, answer: dict[str, str | None]) -> HostRow:
    found: Iterable[str | None] = (
        answer.get("dnsHostNameError"),
        answer.get("credentialNameError"),
    )
    errors = "; ".join(error for error in found if error)
    if errors:
        return HostRow(name, ScanStatus.INVALID, detail=errors)
    return HostRow(name, ScanStatus.VALID)
