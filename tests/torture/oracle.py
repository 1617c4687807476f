"""What must hold, judged by the sandbox's world alone, whatever the program believes."""

import sqlite3
from collections.abc import Sequence

from torture.machine import Ended, Machine

from sbpam_cli.jobs.job import NOT_IN_REPLY
from sbpam_cli.models import SCHEDULED, ScanStatus

_IN_A_JOB = {str(status) for status in SCHEDULED}
_IN_NONE = {
    str(status) for status in (ScanStatus.NOT_SENT, ScanStatus.REJECTED, ScanStatus.NOT_ACCEPTED)
}
_ACCEPTED = str(ScanStatus.ACCEPTED)
_NOT_ACCEPTED = str(ScanStatus.NOT_ACCEPTED)
_DOUBT = str(ScanStatus.OUTCOME_UNKNOWN)
_SECOND_LOOK_AFTER_S = 8.0
_NO_LATER_THAN_RECORDED = (4, 6, 75, 129, 130, 143)


class Violation(AssertionError):
    """The promise is broken."""


def check_world(machine: Machine) -> None:
    """Each host is in at most one job, at every moment."""
    doubled = {host: n for host, n in machine.copies().items() if n > 1}
    if doubled:
        raise Violation(f"scheduled more than once: {doubled}")
    if machine.world.violations:
        raise Violation(f"a call that nobody may make: {machine.world.violations}")


def check_command(machine: Machine, ended: Ended, names: Sequence[str]) -> Ended:
    """What the command said is what the server holds; answers the command's end."""
    check_world(machine)
    # The second signal means: leave at once.
    if ended.code is not None and ended.signals < 2:
        _check_rows(machine, ended, names)
    return ended


def _check_rows(machine: Machine, ended: Ended, names: Sequence[str]) -> None:
    if ended.code == 1:
        raise Violation(f"a bug: {ended.err}")
    if ended.code == 2 or _could_not_know(machine, ended):
        if ended.rows:
            raise Violation(f"rows, and exit {ended.code}")
        return
    if [row[0] for row in ended.rows] != list(names):
        raise Violation(f"not a row for each host in its order: {ended}")
    copies = machine.copies()
    for row in ended.rows:
        host, status, job_id, *_ = row
        if status in _IN_A_JOB:
            held = machine.world.scheduled.get(job_id, ())
            if host not in held and not _had_no_second_look(machine, row):
                raise Violation(f"{host} is said to be in job {job_id}, and is not")
        elif status in _IN_NONE:
            excused = status == _NOT_ACCEPTED and _fills_slowly(machine, host)
            if copies[host] and not excused:
                raise Violation(f"{host} is said to be in no job ({status}), and is in one")
        elif status != _DOUBT:
            raise Violation(f"{host} is {status}")
    _check_code(ended)


def _had_no_second_look(machine: Machine, row: Sequence[str]) -> bool:
    """A host that the reply left out is NotAccepted when the job was read again; that can fail.

    A signal ends the wait for it: it comes some seconds after the reply.
    """
    host, status, *_, detail = row
    left_out = status == _ACCEPTED and detail.startswith(NOT_IN_REPLY) and host in machine.excused
    return left_out and any(ended.failed or ended.signals for ended in machine.endings)


def _fills_slowly(machine: Machine, host: str) -> bool:
    """NotAccepted is what two looks at the job showed; that it fills later is nobody's promise."""
    return machine.faults.fills_slowly(host, _SECOND_LOOK_AFTER_S)


def _holds_nobody(machine: Machine) -> bool:
    """Whether a job was left with no host at all: it could be that of any batch in doubt."""
    return any(not names for names, *_ in machine.faults.jobs().values())


def _could_not_know(machine: Machine, ended: Ended) -> bool:
    """No rows: `schedule` before it has a run, `resume` without a run or its journal."""
    if ended.rows:
        return False
    if ended.arguments[0] == "schedule":
        return ended.code in _NO_LATER_THAN_RECORDED and "run 20" not in ended.err
    number = machine.endings.index(ended)
    reached = {point.operation for point in machine.points if point.command == number}
    if ended.code == 0:
        return "no run is unfinished" in ended.err
    return "lock" not in reached or "journal" in ended.err


def _check_code(ended: Ended) -> None:
    statuses = {row[1] for row in ended.rows}
    if _DOUBT in statuses:
        allowed: tuple[int | None, ...] = (4, 5, 129, 130, 143, 75)
    elif statuses <= _IN_A_JOB:
        allowed = (0, *_NO_LATER_THAN_RECORDED)
    else:
        allowed = (3, *_NO_LATER_THAN_RECORDED)
    if ended.code not in allowed:
        raise Violation(f"exit {ended.code} with {sorted(statuses)}: {ended.err}")


def check_end(machine: Machine, names: Sequence[str]) -> None:
    """Each host is in exactly one job and its row says so; what a fault left out is named.

    The journal is whole, and `runs` counts what the rows say.
    """
    check_world(machine)
    wanted = set(names)
    with_rows = [e for e in machine.endings if wanted == {row[0] for row in e.rows}]
    rows = {row[0]: row for row in with_rows[-1].rows} if with_rows else {}
    said = {host: row[1] for host, row in rows.items()}
    copies = machine.copies()
    for name in names:
        settled = copies[name] == 1 and said.get(name) in _IN_A_JOB
        named = said.get(name) in _IN_NONE | {_DOUBT}
        named = named or (name in rows and _had_no_second_look(machine, rows[name]))
        excused = name in machine.excused or _fills_slowly(machine, name)
        excused = excused or (said.get(name) == _DOUBT and _holds_nobody(machine))
        if not settled and not (excused and named):
            raise Violation(f"{name} is in {copies[name]} jobs, its row says {said.get(name)}")
    connection = sqlite3.connect(machine.journal_path)
    try:
        [(verdict,)] = connection.execute("PRAGMA integrity_check").fetchall()
    finally:
        connection.close()
    if verdict != "ok":
        raise Violation(f"the journal is damaged: {verdict}")
    _check_runs(machine, said)


def _check_runs(machine: Machine, said: dict[str, str]) -> None:
    row = machine.unwatched("runs").rows[0]
    accepted = sum(status in _IN_A_JOB for status in said.values())
    doubtful = sum(status == _DOUBT for status in said.values())
    if [row[3], row[4], row[6]] != [str(len(said)), str(accepted), str(doubtful)]:
        raise Violation(f"`runs` says {row}, the rows {said}")
