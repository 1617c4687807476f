"""Every figure: what is run against what, the target, and what bounds it."""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from benchmarks.measure import Command, shell
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
    """Commands that run in turn; the first is ours. same: whether they printed the same."""

    commands: Mapping[str, Command]
    figures: Sequence[Figure]
    long: bool = False
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


def schedule_words(stage: Stage, hosts: Path, state: Path) -> list[object]:
    """The command that sends a whole list to the quick server, with a journal of its own."""
    settings = [
        f"SBPAM_STATE_HOME={state}",
        f"SBPAM_SERVER={stage.quick_origin}",
        f"SBPAM_TOKEN={stage.token}",
        f"SBPAM_CA_BUNDLE={stage.ca}",
        f"SBPAM_CREDENTIAL={CREDENTIAL}",
    ]
    send = ["--batch-size", stage.sizes.batch, "--parallel", PARALLEL, "-o", "tsv"]
    return ["/usr/bin/env", *settings, stage.sbpam, "schedule", *send, "--file", hosts]


def _starts(stage: Stage) -> list[Race]:
    """What every command pays, and one host."""
    python, http = stage.python, stage.peers / "http"
    one, body = stage.lists / "first-1", stage.lists / "one.json"
    post_url = f"{stage.origin}/api/v1/HostScanJob/OuMapping/{CREDENTIAL}"
    schedule = [stage.sbpam, "schedule", "--new-run", one]
    post = [http, "--verify", stage.ca, "POST", post_url, f"Authorization:Bearer {stage.token}"]
    return [
        Race(
            {
                "sbpam --version": Command([stage.sbpam, "--version"]),
                "python -c pass": Command([python, "-c", "pass"]),
            },
            [
                Figure(
                    "`sbpam --version`",
                    "python -c pass",
                    1.45,
                    "the interpreter's own start, and `re`, which pip's launcher imports",
                )
            ],
        ),
        Race(
            {
                "sbpam --help": Command([stage.sbpam, "--help"]),
                "http --help": Command([http, "--help"]),
            },
            [Figure("`sbpam --help`", "http --help", 0.65, "loading Typer and rich")],
        ),
        Race(
            {
                "sbpam schedule": Command(schedule, stdout=stage.folder / "one.tsv"),
                "http POST": Command(post, stdin=body, stdout=stage.folder / "one.http"),
            },
            [
                Figure(
                    "`schedule` of one host, TLS, journal, real keyring, tsv",
                    "http POST",
                    0.62,
                    "imports (Typer, httpx with ssl, keyring's back end, sqlite3), then commits",
                ),
                Figure(
                    "the same, peak memory, MiB",
                    "",
                    38,
                    "the same modules; cryptography, which keyring's Secret Service imports",
                    kind="peak",
                ),
            ],
        ),
        Race(
            {
                "sbpam schedule": Command(schedule, terminal=True),
                "http POST": Command(post, stdin=body, terminal=True),
            },
            [Figure("the same on a terminal", "http POST", 0.90, "the same, and rich")],
        ),
    ]


def _lists(stage: Stage) -> list[Race]:
    """Reading, checking and accounting for a list."""

    def race(name: str, *figure: Figure, peer: Command) -> Race:
        output = stage.folder / f"{name}.tsv"
        words = [stage.sbpam, "schedule", "--dry-run", "--offline", "--file", stage.lists / name]
        assert peer.stdout is not None
        return Race(
            {"sbpam schedule --dry-run": Command(words, stdout=output), figure[0].against: peer},
            figure,
            same=[partial(check_same, output, peer.stdout, "cut -f1")],
        )

    def mawk(script: str, name: str, *options: str) -> Command:
        words = ["mawk", *options, script, stage.lists / name]
        return Command(words, stdout=stage.folder / f"{name}.mawk")

    unique = "awk '{ $0 = tolower($0) } !seen[$0]++'"
    jq = f'jq -r .fqdn "$1" | {unique}'
    ndjson = shell(jq, stage.lists / "mixed.ndjson", stdout=stage.folder / "mixed.jq")
    lines = f"{stage.sizes.lines:,} lines"
    dictionary = "a set and a list of a million strings, and what validates them"
    return [
        race(
            "clean.txt",
            Figure(f"the names of {lines}, clean", "mawk", 0.55, dictionary),
            peer=mawk(_CLEAN, "clean.txt"),
        ),
        race(
            "mixed.txt",
            Figure(
                f"{lines} with comments, blanks, duplicates, capitals", "mawk", 0.90, dictionary
            ),
            peer=mawk(_MIXED, "mixed.txt"),
        ),
        race(
            "mixed.csv",
            Figure(
                "the same names as CSV", "mawk on the column", 1.5, "the csv module's lists of rows"
            ),
            peer=mawk(_COLUMN, "mixed.csv", "-F,"),
        ),
        race(
            "mixed.ndjson",
            Figure("the same names as NDJSON", "jq -r", 0.6, "a decoded object for each line"),
            peer=ndjson,
        ),
    ]


def _million(stage: Stage) -> Race:
    sizes, output = stage.sizes, stage.folder / "all.tsv"
    hosts, state = stage.lists / "mixed.txt", stage.folder / "state-all"
    chunks, names = stage.folder / "chunks", stage.lists / "clean.txt"
    baseline, piped = stage.folder / "all.baseline", stage.folder / "all.xargs"
    url = f"{stage.quick_origin}/api/v1/HostScanJob/OuMapping/{CREDENTIAL}"
    script = Path(__file__).parent / "perf" / "baseline.py"
    pick = (
        ".id as $job | .hostScanHostStatus[] | [.dnsHostName, .statusDescription, $job, "
        '(.failureReason // ""), .os, .ipAddress, .version, ""] | @tsv'
    )
    what = f"the names of {sizes.lines:,} lines scheduled, {sizes.batch:,} a batch, {PARALLEL} in"
    lock = (
        "one interpreter with one lock: a quarter of its time the list, a quarter decoding and"
        " matching, a fifth httpx and TLS; then commits, which the next POSTs wait for"
    )
    return Race(
        {
            "sbpam schedule": Command(
                schedule_words(stage, hosts, state), stdout=output, before=partial(fresh, state)
            ),
            "baseline.py": Command(
                [
                    *("/usr/bin/env", f"SBPAM_TOKEN={stage.token}", stage.python, script, url),
                    *(stage.ca, hosts, PARALLEL, sizes.batch),
                ],
                stdout=baseline,
            ),
            "xargs pipeline": Command(
                [
                    *("/bin/sh", "-c", _CHUNKS, "sh", sizes.batch, names, stage.ca),
                    *(stage.token, url, pick, PARALLEL, chunks),
                ],
                stdout=piped,
                before=partial(fresh, chunks),
            ),
        },
        [
            Figure(f"{what} flight, tsv", "baseline.py", 1.25, lock),
            Figure("the same, user + system time", "baseline.py", 1.5, lock, kind="cpu"),
            Figure("the same, wall", "xargs pipeline", 0.22, lock),
            Figure(
                "the same, peak memory, MiB",
                "",
                160,
                "the names, and the rows of batches that are not printed yet",
                kind="peak",
            ),
        ],
        long=True,
        same=[partial(check_same, baseline, piped, "cut -f1,2,4-8")],
    )


def _status(stage: Stage) -> list[Race]:
    def race(path: str, pick: str, words: Sequence[str], *figures: Figure) -> Race:
        name = words[0].strip("-")
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
    row = "columns of a hundred thousand texts, read and joined in Python; decoding is a third"
    return [
        race(
            f"{jobs}/{LIST_JOB}",
            _LISTED,
            [LIST_JOB],
            Figure(f"`status` of a {sizes.listed:,}-host job", "curl | jq", 0.40, row),
        ),
        race(
            jobs,
            f".[] | {_LISTED}",
            ["--all"],
            Figure("`status --all`, the same hosts in jobs of 50", "curl | jq", None, row),
        ),
        race(
            f"{jobs}/{ENTITY_JOB}",
            _JOINED,
            [ENTITY_JOB],
            Figure(
                f"`status` of a job in the entity form, {sizes.entity_bytes / 1e6:.0f} MB",
                "curl | jq",
                0.25,
                "TLS and httpx, 16 KiB at a time; decoding skips what is not wanted",
            ),
            Figure(
                "the same, peak memory, MiB",
                "",
                sizes.entity_bytes / 2**20 + 40,
                "the body, and what every command needs",
                kind="peak",
            ),
        ),
    ]


def _hosts(stage: Stage) -> Race:
    ours, theirs = stage.folder / "known.tsv", stage.folder / "known.jq"
    url = f"{stage.origin}/api/v1/ManagedResource/Search"
    what = f"`hosts` of {stage.sizes.known:,} enrolled hosts, 100 a page"
    return Race(
        {
            "sbpam hosts": Command([stage.sbpam, "hosts"], stdout=ours),
            "curl loop + jq": shell(_PAGES, stage.ca, stage.token, url, stdout=theirs),
        },
        [Figure(what, "curl loop + jq", 0.6, "a request after the other")],
        long=True,
        same=[partial(check_same, ours, theirs)],
    )


def _journal(stage: Stage) -> list[Race]:
    """What is shown of a run that the journal has."""
    state = stage.folder / "state-shown"
    stage.run(*schedule_words(stage, stage.lists / f"first-{stage.sizes.shown}", fresh(state)))
    own: list[object] = ["/usr/bin/env", f"SBPAM_STATE_HOME={state}", f"SBPAM_TOKEN={stage.token}"]
    own += [f"SBPAM_SERVER={stage.quick_origin}", f"SBPAM_CA_BUNDLE={stage.ca}", stage.sbpam]
    shown = f"{stage.sizes.shown:,} hosts"
    status = [*own, "status", "--offline"]
    return [
        Race(
            {
                "status on a terminal": Command(status, terminal=True),
                "status -o tsv": Command([*status, "-o", "tsv"], stdout=stage.folder / "shown.tsv"),
            },
            [Figure(f"`status` of {shown} on a terminal", "status -o tsv", 1.3, "loading rich")],
        ),
        Race(
            {
                "sbpam report": Command(
                    [*own, "report", "--offline"], stdout=stage.folder / "shown.html"
                ),
                "status -o json": Command(
                    [*status, "-o", "json"], stdout=stage.folder / "shown.json"
                ),
            },
            [Figure(f"`report` of {shown}", "status -o json", 2.5, "jinja2's autoescaped rows")],
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
