"""`--dry-run`: what the server thinks of a list, without scheduling anything."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sbpam_cli.errors import ExitCode, SbpamError
from sbpam_cli.hosts.lists import HostList
from sbpam_cli.jobs.rows import RowStream
from sbpam_cli.journal.records import Batch
from sbpam_cli.lookups.accounts import find_credential_id
from sbpam_cli.models import HostRow, ScanStatus
from sbpam_cli.names import fold_host
from sbpam_cli.nps.client import NotFoundError, NpsClient
from sbpam_cli.settings.profiles import Target
from sbpam_cli.signin.session import open_site

if TYPE_CHECKING:
    from sbpam_cli.output.context import Context
    from sbpam_cli.runs.schedule import ScheduleOptions

_TOLD_AT_ONCE = 10_000


def run_validation(
    ctx: "Context", options: "ScheduleOptions", target: Target, credential: str, hosts: HostList
) -> None:
    """Writes a row `Valid` or `Invalid` for every host; schedules and records nothing."""
    from sbpam_cli.runs.schedule import cut_batches, set_aside

    outcome, talk = ctx.outcome, ctx.console
    aside = set_aside(hosts)
    if options.offline and not aside:
        for start in range(0, len(hosts.names), _TOLD_AT_ONCE):
            names = hosts.names[start : start + _TOLD_AT_ONCE]
            ctx.printer.write(outcome.count([HostRow(name, ScanStatus.VALID) for name in names]))
        return
    batches = cut_batches(hosts.names, options.batch_size)
    rows = RowStream(ctx.printer.write, outcome, aside, keep_rows=False)
    client: NpsClient | None = None
    credential_id = ""
    if batches and not options.offline:
        client = open_site(ctx, target).client
    try:
        if client is not None:
            credential_id = find_credential_id(client, credential, talk)
        for batch in batches:
            try:
                batch.rows = _check(client, credential_id, batch)
            except NotFoundError as error:
                talk.warn(f"{error.message}: the list alone was checked")
                client = None
                batch.rows = _check(None, credential_id, batch)
            rows.settle(batch)
    except SbpamError as error:
        if error.exit_code is not ExitCode.USAGE:
            rows.finish(batches, f"not checked: {error.message}")
        raise
    rows.finish(batches)
    outcome.partial = bool(outcome.counts[ScanStatus.INVALID])


def _check(client: NpsClient | None, credential_id: str, batch: Batch) -> Sequence[HostRow]:
    if client is None:
        return [HostRow(name, ScanStatus.VALID) for name in batch.names]
    answers = client.validate_hosts(credential_id, batch.names)
    # A row that came back without its name is the one that was sent in its place.
    places = list(batch.names) + [""] * len(answers)
    found = {
        fold_host(answer["dnsHostName"] or name): answer
        for name, answer in zip(places, answers, strict=False)
    }
    return [_row(name, found.get(name, {})) for name in batch.names]


def _row(name: str, answer: Mapping[str, str | None]) -> HostRow:
    errors = [answer.get("dnsHostNameError"), answer.get("credentialNameError")]
    detail = "; ".join(error for error in errors if error)
    return HostRow(name, ScanStatus.INVALID if detail else ScanStatus.VALID, detail=detail or None)
