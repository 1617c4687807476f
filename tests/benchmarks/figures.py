"""Every figure: what is run against what, the target, and what bounds it."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from benchmarks.measure import Command, FailedError, shell
from benchmarks.perf.bodies import ENTITY_JOB, LIST_JOB
from benchmarks.stage import CREDENTIAL, Stage, fresh

PARALLEL = 8

_STATUS = '["Queued","Running","Complete","Failed"][.status]'
_REASON = '(if .failureReason == 5 then "AccessDenied" else "" end)'
_LISTED = (
    f".id as $job | .hostScanHostStatus[] | [.dnsHostName, {_STATUS}, $job, {_REASON}, .os,"
    ' .ipAddress, .version, (.statusDescription // "")] | @tsv'
)
_JOINED = (
    ".id as $job | .hostScanJobHostJoin[] | .hostScanHost as $host | .actionQueue"
    f" | [$host.dnsHostName, {_STATUS}, $job, {_REASON}, $host.os, $host.ipAddress, $host.version,"
    ' (.statusDescription // "")] | @tsv'
)
_CURL = 'curl -sS --cacert "$1" -H "Authorization: Bearer $2" "$3" | jq -r "$4"'
_CLEAN = "!seen[$0]++"
_MIXED = """
{ sub(/#.*/, ""); gsub(/^[ \\t]+|[ \\t]+$/, ""); name = tolower($0) }
name != "" && !seen[name]++ { print name }
"""
_COLUMN = """
NR > 1 { gsub(/"/, "", $2); name = tolower($2) }
NR > 1 && name != "" && !seen[name]++ { print name }
"""
_PAGES = """
skip=0
while names=$(curl -sS --cacert "$1" -H "Authorization: Bearer $2" \\
        "$3?filterType=Host&Skip=$skip&Take=100" | jq -r '.data[].dnsHostName') && [ -n "$names" ]
do printf '%s\\n' "$names"; skip=$((skip + 100)); done
"""
_CHUNKS = """
cd "$8" && split -a 4 -l "$1" "$2" chunk.
CA=$3 TOKEN=$4 URL=$5 PICK=$6
export CA TOKEN URL PICK
ls chunk.???? | xargs -P "$7" -n 1 sh -c '
jq -Rnc "[inputs]" "$1" | curl -sS --cacert "$CA" -H "Authorization: Bearer $TOKEN" \
-H "Content-Type: application/json" --data-binary @- "$URL" | jq -r "$PICK" >"$1.out"' sh
cat chunk.????.out
"""
Kind = Literal["wall", "cpu", "peak"]


@dataclass(frozen=True)
class Figure:
    """target: a ratio, or MiB for a peak. against: a command's name in the race, none for a peak.

    bound: what a profile shows to be the most of it.
    """

    what: str
    against: str
    target: float | None
    bound: str
    kind: Kind = "wall"


@dataclass(frozen=True)
class Race:
    """Commands that run in turn; the first is ours.

    same: a filter, after which the last two of them have printed the same.
    """

    commands: Mapping[str, Command]
    figures: Sequence[Figure]
    long: bool = False
    same: str = ""


def check_same(race: Race) -> None:
    """Compares the last two outputs after the filter. Raises FailedError."""
    outputs = [str(command.stdout) for command in race.commands.values()][-2:]
    script = f'for file; do ({race.same}) <"$file" >"$file.same"; done && cmp "$1.same" "$2.same"'
    done = subprocess.run(
        ["/bin/sh", "-ec", script, "sh", *outputs],
        capture_output=True,
        text=True,
        env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
        check=False,
    )
    if done.returncode != 0:
        raise FailedError(done.stdout + done.stderr)


def with_journal(stage: Stage, state: Path, *words: object) -> list[object]:
    """The program with a journal of its own, and the quick server."""
    settings = [
        f"SBPAM_STATE_HOME={state}",
        f"SBPAM_SERVER={stage.quick_origin}",
        f"SBPAM_TOKEN={stage.token}",
        f"SBPAM_CA_BUNDLE={stage.ca}",
        f"SBPAM_CREDENTIAL={CREDENTIAL}",
    ]
    return ["/usr/bin/env", *settings, stage.sbpam, *words]


def schedule_words(stage: Stage, hosts: Path, state: Path) -> list[object]:
    """The command that sends a whole list."""
    send = ["--batch-size", stage.sizes.batch, "--parallel", PARALLEL, "-o", "tsv"]
    return with_journal(stage, state, "schedule", *send, "--file", hosts)


def _race(ours: Command, peer: Command, *figures: Figure, **how: Any) -> Race:
    """Of two; the first figure has their names."""
    return Race({figures[0].what: ours, figures[0].against: peer}, figures, **how)


def _starts(stage: Stage) -> list[Race]:
    """What every command pays, and one host."""
    http, one = stage.peers / "http", stage.lists / "one.json"
    url = f"{stage.origin}/api/v1/HostScanJob/OuMapping/{CREDENTIAL}"
    post = [http, "--verify", stage.ca, "POST", url, f"Authorization:Bearer {stage.token}"]
    schedule = [stage.sbpam, "schedule", "--new-run", stage.lists / "first-1"]
    start = "the interpreter's own start, and `re`, which pip's launcher imports"
    imports = "imports (Typer, httpx with ssl, keyring's back end, sqlite3), then commits"
    modules = "the same modules; cryptography, which keyring's Secret Service imports"
    what = "`schedule` of one host, TLS, journal, real keyring, tsv"
    return [
        _race(
            Command([stage.sbpam, "--version"]),
            Command([stage.python, "-c", "pass"]),
            Figure("`sbpam --version`", "python -c pass", 1.45, start),
        ),
        _race(
            Command([stage.sbpam, "--help"]),
            Command([http, "--help"]),
            Figure("`sbpam --help`", "http --help", 0.65, "loading Typer and rich"),
        ),
        _race(
            Command(schedule, stdout=stage.folder / "one.tsv"),
            Command(post, stdin=one, stdout=stage.folder / "one.http"),
            Figure(what, "http POST", 0.62, imports),
            Figure("the same, peak memory, MiB", "", 38, modules, kind="peak"),
        ),
        _race(
            Command(schedule, terminal=True),
            Command(post, stdin=one, terminal=True),
            Figure("the same on a terminal", "http POST", 0.90, "the same, and rich"),
        ),
    ]


def _lists(stage: Stage) -> list[Race]:
    """Reading, checking and accounting for a list."""

    def race(name: str, peer: Sequence[object], figure: Figure) -> Race:
        dry_run = [stage.sbpam, "schedule", "--dry-run", "--offline", "--file"]
        ours = Command([*dry_run, stage.lists / name], stdout=stage.folder / f"{name}.tsv")
        theirs = Command([*peer, stage.lists / name], stdout=stage.folder / f"{name}.peer")
        return _race(ours, theirs, figure, same="cut -f1")

    jq = """jq -r .fqdn "$1" | awk '{ $0 = tolower($0) } !seen[$0]++'"""
    lines = f"{stage.sizes.lines:,} lines"
    dirty = f"{lines} with comments, blanks, duplicates, capitals"
    dictionary = "a set and a list of a million strings, and what validates them"
    rows, objects = "the csv module's lists of rows", "a decoded object for each line"
    return [
        race(
            "clean.txt",
            ["mawk", _CLEAN],
            Figure(f"the names of {lines}, clean", "mawk", 0.55, dictionary),
        ),
        race("mixed.txt", ["mawk", _MIXED], Figure(dirty, "mawk", 0.90, dictionary)),
        race(
            "mixed.csv",
            ["mawk", "-F,", _COLUMN],
            Figure("the same names as CSV", "mawk on the column", 1.5, rows),
        ),
        race(
            "mixed.ndjson",
            ["/bin/sh", "-c", jq, "sh"],
            Figure("the same names as NDJSON", "jq -r", 0.6, objects),
        ),
    ]


def _million(stage: Stage) -> Race:
    sizes, state, chunks = stage.sizes, stage.folder / "state-all", stage.folder / "chunks"
    hosts, names = stage.lists / "mixed.txt", stage.lists / "clean.txt"
    url = f"{stage.quick_origin}/api/v1/HostScanJob/OuMapping/{CREDENTIAL}"
    script = Path(__file__).parent / "perf" / "baseline.py"
    pick = (
        ".id as $job | .hostScanHostStatus[] | [.dnsHostName, .statusDescription, $job, "
        '(.failureReason // ""), .os, .ipAddress, .version, ""] | @tsv'
    )
    baseline = ["/usr/bin/env", f"SBPAM_TOKEN={stage.token}", stage.python, script, url, stage.ca]
    pipeline = ["/bin/sh", "-c", _CHUNKS, "sh", sizes.batch, names, stage.ca, stage.token, url]
    commands = {
        "sbpam schedule": Command(
            schedule_words(stage, hosts, state),
            stdout=stage.folder / "all.tsv",
            before=partial(fresh, state),
        ),
        "baseline.py": Command(
            [*baseline, hosts, PARALLEL, sizes.batch], stdout=stage.folder / "all.baseline"
        ),
        "xargs pipeline": Command(
            [*pipeline, pick, PARALLEL, chunks],
            stdout=stage.folder / "all.xargs",
            before=partial(fresh, chunks),
        ),
    }
    what = f"the names of {sizes.lines:,} lines scheduled, {sizes.batch:,} a batch, {PARALLEL} in"
    lock = (
        "one interpreter with one lock: a quarter of its time the list, a quarter decoding and"
        " matching, a fifth httpx and TLS; then commits, which the next POSTs wait for"
    )
    kept = "the names, and the rows of batches that are not printed yet"
    figures = [
        Figure(f"{what} flight, tsv", "baseline.py", 1.25, lock),
        Figure("the same, user + system time", "baseline.py", 1.5, lock, kind="cpu"),
        Figure("the same, wall", "xargs pipeline", 0.22, lock),
        Figure("the same, peak memory, MiB", "", 160, kept, kind="peak"),
    ]
    return Race(commands, figures, long=True, same="cut -f1,2,4-8")


def _status(stage: Stage) -> list[Race]:
    def race(path: str, pick: str, argument: str, *figures: Figure) -> Race:
        output = stage.folder / argument.strip("-")
        curl = [stage.ca, stage.token, f"{stage.origin}/api/v1/HostScanJob{path}", pick]
        return _race(
            Command([stage.sbpam, "status", argument], stdout=output.with_suffix(".tsv")),
            shell(_CURL, *curl, stdout=output.with_suffix(".jq")),
            *figures,
            same="cat",
        )

    listed, entity_bytes = f"{stage.sizes.listed:,}", stage.sizes.entity_bytes
    row = "columns of a hundred thousand texts, read and joined in Python; decoding is a third"
    pieces = "TLS and httpx, 16 KiB at a time; decoding skips what is not wanted"
    needed = "the body, and what every command needs"
    entity = f"`status` of a job in the entity form, {entity_bytes / 1e6:.0f} MB"
    return [
        race(
            f"/{LIST_JOB}",
            _LISTED,
            LIST_JOB,
            Figure(f"`status` of a {listed}-host job", "curl | jq", 0.40, row),
        ),
        race(
            "",
            f".[] | {_LISTED}",
            "--all",
            Figure("`status --all`, the same hosts in jobs of 50", "curl | jq", None, row),
        ),
        race(
            f"/{ENTITY_JOB}",
            _JOINED,
            ENTITY_JOB,
            Figure(entity, "curl | jq", 0.25, pieces),
            Figure(
                "the same, peak memory, MiB", "", entity_bytes / 2**20 + 40, needed, kind="peak"
            ),
        ),
    ]


def _hosts(stage: Stage) -> Race:
    url = f"{stage.origin}/api/v1/ManagedResource/Search"
    what = f"`hosts` of {stage.sizes.known:,} enrolled hosts, 100 a page"
    return _race(
        Command([stage.sbpam, "hosts"], stdout=stage.folder / "known.tsv"),
        shell(_PAGES, stage.ca, stage.token, url, stdout=stage.folder / "known.jq"),
        Figure(what, "curl loop + jq", 0.6, "a request after the other"),
        long=True,
        same="cat",
    )


def _journal(stage: Stage) -> list[Race]:
    """What is shown of a run that the journal has."""
    state, output = stage.folder / "state-shown", stage.folder / "shown"
    stage.run(*schedule_words(stage, stage.lists / f"first-{stage.sizes.shown}", fresh(state)))
    shown = f"{stage.sizes.shown:,} hosts"
    status = with_journal(stage, state, "status", "--offline")
    report = with_journal(stage, state, "report", "--offline")
    return [
        _race(
            Command(status, terminal=True),
            Command([*status, "-o", "tsv"], stdout=output),
            Figure(f"`status` of {shown} on a terminal", "status -o tsv", 1.3, "loading rich"),
        ),
        _race(
            Command(report, stdout=output),
            Command([*status, "-o", "json"], stdout=output),
            Figure(f"`report` of {shown}", "status -o json", 2.5, "jinja2's autoescaped rows"),
        ),
    ]


def all_races(stage: Stage) -> list[Race]:
    """In the order of the table."""
    return [
        *_starts(stage),
        *_lists(stage),
        _million(stage),
        *_status(stage),
        _hosts(stage),
        *_journal(stage),
    ]
