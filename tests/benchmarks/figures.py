"""Every figure: what is run against what, the target, and what bounds it."""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from benchmarks.measure import Command, shell
from benchmarks.model_server import ENTITY_JOB, LIST_JOB
from benchmarks.stage import Stage, fresh, write_bodies

LATENCY_MS = 50
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
_CHUNKS = """
split -a 4 -l "$1" "$2" chunk.
CA=$3 TOKEN=$4 URL=$5 PICK=$6
export CA TOKEN URL PICK
ls chunk.???? | xargs -P "$7" -n 1 sh -c '
jq -Rnc "[inputs]" "$1" | curl -sS --cacert "$CA" -H "Authorization: Bearer $TOKEN" \
-H "Content-Type: application/json" --data-binary @- "$URL" | jq -r "$PICK" >"$1.out"' sh
cat chunk.????.out
"""
_RECORDED = """
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), b.job_id,
 coalesce(json_extract(value, '$[2]'), ''), coalesce(json_extract(value, '$[3]'), ''),
 coalesce(json_extract(value, '$[4]'), ''), coalesce(json_extract(value, '$[5]'), ''),
 CASE WHEN json_extract(value, '$[6]') IS NULL THEN '' ELSE json_extract(value, '$[6]') || '; ' END
 || 'as of ' || strftime('%Y-%m-%dT%H:%M:%SZ', w.seen_at, 'unixepoch')
FROM batches b JOIN batch_rows w USING (run_id, number), json_each(w.rows)
WHERE run_id = '{run}' ORDER BY b.first, key
"""

Kind = Literal["ratio", "peak", "floor"]


@dataclass(frozen=True)
class Figure:
    """target: a ratio, or MiB. against: a command's name in the race; empty for peak and floor.

    bound: what keeps it from being smaller.
    """

    what: str
    against: str
    target: float | None
    bound: str
    kind: Kind = "ratio"
    base: float = 0.0


@dataclass(frozen=True)
class Race:
    """Commands that run in turn; the first is ours. same: whether they printed the same."""

    commands: Mapping[str, Command]
    figures: Sequence[Figure]
    long: bool = False
    latency_ms: int = 0
    same: Sequence[Callable[[], object]] = ()


class DifferentError(Exception):
    """Two commands that should print the same rows do not."""


def check_same(first: Path, second: Path, script: str = "cat") -> None:
    """Compares two outputs after a filter. Raises DifferentError."""
    filtered = (
        f'({script}) <"$1" >"$1.same" && ({script}) <"$2" >"$2.same" && cmp "$1.same" "$2.same"'
    )
    done = subprocess.run(
        ["/bin/sh", "-c", filtered, "sh", first, second],
        capture_output=True,
        text=True,
        env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
        check=False,
    )
    if done.returncode != 0:
        raise DifferentError(done.stdout + done.stderr)


def starts(stage: Stage) -> list[Race]:
    """What every command pays, and one host."""
    python = stage.python
    post = ["POST", stage.post_url, f"Authorization:Bearer {stage.token}"]
    outputs = stage.folder / "one.tsv", stage.folder / "one.http"
    return [
        Race(
            {
                "sbpam --version": Command([stage.sbpam, "--version"]),
                "python -c pass": Command([python, "-c", "pass"]),
                "python -c 'import typer'": Command([python, "-c", "import typer"]),
            },
            [
                Figure(
                    "`sbpam --version`",
                    "python -c pass",
                    1.6,
                    "the interpreter's own start, and `re`, which pip's launcher imports",
                ),
                Figure(
                    "the same",
                    "python -c 'import typer'",
                    0.3,
                    "the same; Typer is not loaded",
                ),
            ],
        ),
        Race(
            {
                "sbpam --help": Command([stage.sbpam, "--help"]),
                "http --help": Command([stage.peers / "http", "--help"]),
            },
            [
                Figure(
                    "`sbpam --help`",
                    "http --help",
                    0.75,
                    "loading Typer and rich, which lays the page out",
                )
            ],
        ),
        Race(
            {
                "sbpam schedule": Command(
                    [stage.sbpam, "schedule", stage.lists / "all-1"], stdout=outputs[0]
                ),
                "http POST": Command(
                    [stage.peers / "http", "--verify", stage.ca, *post],
                    stdin=stage.lists / "one.json",
                    stdout=outputs[1],
                ),
            },
            [
                Figure(
                    "`schedule` of one host over TLS, journal and real keyring included",
                    "http POST",
                    0.65,
                    "imports: Typer, httpx with ssl, keyring's back end, sqlite3; then four commits"
                    " to the disk",
                ),
                Figure(
                    "the same, one host, peak memory, MiB",
                    "",
                    38,
                    "the same modules; cryptography, which keyring's Secret Service imports, is"
                    " 8 MiB of it",
                    kind="peak",
                ),
            ],
        ),
    ]


def _dry_run(stage: Stage) -> Race:
    mixed, output = stage.lists / "mixed", stage.folder / "read.tsv"
    unique, seen = stage.folder / "read.sort", stage.folder / "read.mawk"
    words = [stage.sbpam, "schedule", "--dry-run", "--offline", "--file", mixed]
    return Race(
        {
            "sbpam schedule --dry-run": Command(words, stdout=output),
            "sort -u": shell('LC_ALL=C exec sort -u "$1"', mixed, stdout=unique),
            "mawk": Command(["mawk", "!seen[$0]++", mixed], stdout=seen),
        },
        [
            Figure(
                f"read, validate, de-duplicate {stage.sizes.hosts:,} lines"
                " (`schedule --dry-run --offline`)",
                "sort -u",
                2.7,
                "a dict of a million strings, and a row and a line of output for each;"
                " `sort` has all processors",
            ),
            Figure("the same", "mawk", 0.6, "the same"),
        ],
        same=(
            partial(check_same, output, seen, "cut -f1"),
            partial(check_same, output, unique, "cut -f1 | sort"),
        ),
    )


def _million(stage: Stage) -> Race:
    sizes, output = stage.sizes, stage.folder / "all.tsv"
    hosts, state = stage.lists / f"all-{sizes.hosts}", stage.folder / "state-all"
    chunks, bodies = stage.folder / "chunks", write_bodies(stage)
    piped = stage.folder / "all.xargs"
    in_chunks = f'cd "$8" && {_CHUNKS}'
    batches = -(-sizes.hosts // sizes.batch)
    floor_s = batches * LATENCY_MS / 1000 / PARALLEL
    return Race(
        {
            "sbpam schedule": Command(
                schedule_words(stage, hosts, state),
                stdout=output,
                before=partial(fresh, state),
            ),
            "split + xargs": Command(
                [
                    *("/bin/sh", "-c", in_chunks, "sh", str(sizes.batch), hosts, stage.ca),
                    *(stage.token, stage.post_url, _LISTED, str(PARALLEL), chunks),
                ],
                stdout=piped,
                before=partial(fresh, chunks),
            ),
            "curl --parallel": Command(
                ["curl", "--parallel", "--parallel-max", str(PARALLEL), "-K", bodies]
            ),
        },
        [
            Figure(
                f"`schedule` of {sizes.hosts:,} hosts, batches of {sizes.batch:,}, {PARALLEL} in"
                f" flight, {LATENCY_MS} ms latency, journal on, `-o tsv` to a file",
                "split + xargs",
                0.25,
                "one interpreter, with one lock, decodes, matches, packs and prints every row: 7 to"
                " 9 µs a host while the server has its share of the processor; the rest is latency",
            ),
            Figure(
                "the same, against requests prepared before",
                "curl --parallel",
                0.45,
                "curl only stores the replies and is at the latency floor itself, so less than it"
                " is less than the floor",
            ),
            Figure(
                "the same, peak memory, MiB",
                "",
                200,
                "the names, and the rows of batches until the end of the run",
                kind="peak",
            ),
            Figure(
                "the same, wall time against the latency floor",
                "",
                1.6,
                "reading the list before, the last rows after, and the interpreter's one lock",
                kind="floor",
                base=floor_s,
            ),
        ],
        long=True,
        latency_ms=LATENCY_MS,
        same=[partial(check_same, output, piped, "cut -f1,2,4-8")],
    )


def schedule_words(stage: Stage, hosts: Path, state: Path) -> list[object]:
    """The command that sends a whole list, with a journal of its own."""
    send = ["--batch-size", str(stage.sizes.batch), "--parallel", str(PARALLEL), "-o", "tsv"]
    setting = f"SBPAM_STATE_HOME={state}"
    return ["/usr/bin/env", setting, stage.sbpam, "schedule", *send, "--file", hosts]


def _status(stage: Stage) -> list[Race]:
    def race(name: str, path: str, pick: str, words: Sequence[str], *figures: Figure) -> Race:
        ours, theirs = stage.folder / f"{name}.tsv", stage.folder / f"{name}.jq"
        url = stage.origin + path
        return Race(
            {
                "sbpam status": Command([stage.sbpam, "status", *words], stdout=ours),
                "curl | jq": shell(_CURL, stage.ca, stage.token, url, pick, stdout=theirs),
            },
            figures,
            same=[partial(check_same, ours, theirs)],
        )

    sizes, jobs = stage.sizes, "/api/v1/HostScanJob"
    body_mib = stage.body_mib(f"{jobs}/{ENTITY_JOB}")
    return [
        race(
            "listed",
            f"{jobs}/{LIST_JOB}",
            _LISTED,
            [LIST_JOB],
            Figure(
                f"`status` of a {sizes.listed:,}-host job, list form",
                "curl | jq",
                0.45,
                "a row of eight strings for each host, made in Python",
            ),
        ),
        race(
            "every",
            jobs,
            f".[] | {_LISTED}",
            ["--all"],
            Figure(
                "`status --all`, the same hosts in jobs of 50",
                "curl | jq",
                None,
                "the same, and each job is decoded as it arrives",
            ),
        ),
        race(
            "joined",
            f"{jobs}/{ENTITY_JOB}",
            _JOINED,
            [ENTITY_JOB],
            Figure(
                f"`status` of a {sizes.entities:,}-host job, entity form of"
                f" {sizes.entity_bytes / 1e6:.0f} MB",
                "curl | jq",
                0.45,
                "TLS and the copy into one buffer; decoding skips what is not wanted",
            ),
            Figure(
                "the same, peak memory, MiB",
                "",
                body_mib + 40,
                "the body, and what every command needs",
                kind="peak",
            ),
        ),
    ]


def _offline(stage: Stage, run: str) -> Race:
    ours, theirs = stage.folder / "offline.tsv", stage.folder / "offline.sqlite"
    journal = f"file:{stage.state / 'journal.sqlite3'}?mode=ro"
    query = _RECORDED.format(run=run)
    return Race(
        {
            "sbpam status --offline": Command(
                [stage.sbpam, "status", run, "--offline"], stdout=ours
            ),
            "sqlite3": Command(["sqlite3", "-batch", "-tabs", journal, query], stdout=theirs),
        },
        [
            Figure(
                f"`status RUN --offline` of {stage.sizes.listed:,} hosts",
                "sqlite3",
                2.5,
                "a row of nine values for each host, made in Python",
            )
        ],
        same=[partial(check_same, ours, theirs)],
    )


def all_races(stage: Stage) -> list[Race]:
    """In the order of the table."""
    listed = stage.lists / f"all-{stage.sizes.listed}"
    if not listed.exists():
        hosts = (stage.lists / f"all-{stage.sizes.hosts}").read_text().splitlines(keepends=True)
        listed.write_text("".join(hosts[: stage.sizes.listed]))
    stage.run(*schedule_words(stage, listed, stage.state))
    run = stage.run(stage.sbpam, "runs", "-o", "tsv").split("\t")[0]
    return [
        *starts(stage),
        _dry_run(stage),
        _million(stage),
        *_status(stage),
        _offline(stage, run),
    ]
