"""Breaks the protocol on purpose: each mutant must turn the torture suite red.

Every mutant is a copy of the package in a temporary folder in which some functions differ in
their syntax tree; a change that misses raises.
"""

import ast
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass
class Change:
    """What a function is instead. where: `module:qualified name`.

    new: its whole body, or what takes the place of every node of it that reads as `old`.
    """

    where: str
    old: str = ""
    new: str = ""


@dataclass(frozen=True)
class Mutant:
    """found_by: rows of the table of situations, or `points`."""

    name: str
    found_by: str
    changes: list[Change]

    @property
    def tests(self) -> tuple[str, ...]:
        """What finds it, as arguments of pytest."""
        if self.found_by == "points":
            return ("-k", "one_failure", "tests/torture/test_torture_points.py")
        return ("-k", self.found_by, "-m", "slow or not slow", "tests/runs/test_situations.py")


# Name and what finds it; then each function that differs: without a `-`, `+` is all of its body.
_TABLE = """
synchronous off | points
@ journal/schema:Database._make_durable
- 'PRAGMA synchronous = FULL'
+ 'PRAGMA synchronous = OFF'
@ journal/schema:Database._make_durable
- level != 2
+ level != 0

mark after sending | points
@ runs/send:Sending._start
+ now, wall = self._clock.monotonic(), self._clock.now()
+ for batch in due:
+     batch.sent_at, batch.deadline = wall, wall + self._limits.send_timeout_s
+     self._planned.remove(batch)
+     self._in_flight[batch.number] = batch
+     self._workers.submit(batch.number, partial(self._post, batch, now))
+     batch.state = "sending"
+ self._record(judged, due)

repeat on a read error | points
@ runs/answers:judge_failure
- 'unknown' if failure.sent else 'planned'
+ 'planned'

no quiet time | points
@ runs/settle:Settling._quiet_at
+ return 0.0

a split in two transactions | points
@ journal/journal:Journal.split
+ with self._transaction() as execute:
+     execute(
+         "UPDATE batches SET state = 'split' WHERE run_id = ? AND number = ?",
+         (parent.run_id, parent.number),
+     )
+ with self._transaction() as execute:
+     self._insert(execute, parent.run_id, children)

no positive control | row10
@ runs/settle:Settling._is_absent
+ return not batch.possible and began >= self._quiet_at(batch)

the newest read as the list before of an earlier send | row4
@ runs/settle:Settling._doubt_of
- state, number = self._state, batch.list_before
+ state, number = self._state, self._state.list_before

a read that ended after the POST as its list before | row11
@ runs/reads:ListBefore.take
+ self._wait_until = 0.0
+ self._state.keep_list(self._reading.ids, whole=done.error is None)
+ for batch in self._state.batches:
+     if batch.sent_at is not None:
+         batch.list_before = self._state.list_before

jobs listed before still block | row3
@ runs/settle:Settling._concerns
- id_bytes(job.job_id) in doubt.before
+ False
@ runs/settle:Settling._look
- id_bytes(job.job_id) not in known
+ True

exact names only | row5
@ names:short_host
+ return fold_host(name)

no cut at 15 | row5
@ names:short_host
+ return fold_host(name).partition('.')[0].casefold()

a job without names is nothing | row5
@ runs/candidates:Names.sharing
- found if says_names else None
+ found

few names are nothing | row5 or row7
@ runs/settle:Settling._concerns
- doubt.shares(job)
+ holds_most(job, doubt.batch)

half is enough | row5
@ runs/candidates:holds_most
+ return 2 * len(match_hosts(batch.names, job.hosts or ())) >= len(batch.names)

NotAccepted beside unmatched hosts | person
@ jobs/job:FollowedJob._missing_row
- match.nameless or match.unasked or self._is_young(now)
+ False

the address rules out | row16
@ nps/replies:decode_job
- job.createdBy
+ job.createdFromAddress
@ nps/decoding:decoders
- 'id status statusDescription createdDateTimeUtc createdBy nodeId'
+ 'id status statusDescription createdDateTimeUtc createdFromAddress nodeId'

the creator of another sign-in rules out | another_sign_in
@ runs/settle:Settling._creator
- b.state == 'accepted' and b.session == session
+ b.state == 'accepted'

quiet time on the wall clock | row2
@ runs/settle:Settling.settle
- self._clock.monotonic()
+ self._clock.now()
@ runs/settle:Settling._wait_until
- clock.monotonic()
+ clock.now()
@ runs/send:Sending._apply
- self._clock.monotonic()
+ self._clock.now()

one clock suffices | (row1 or row2) and 70
@ runs/candidates:Times.surely
- all(moment > ended + later_s for moment in moments)
+ any(moment > ended + later_s for moment in moments)

an hour without a jobs' clock | row1 and local and none
@ runs/candidates:Times.surely
- earlier_s = later_s = _WITHOUT_JOBS_CLOCK_S
+ earlier_s = later_s = 3600.0

any accepted job is control | row10
@ runs/settle:Settling._is_absent
- shows_earlier or batch.number in self._earlier
+ any(id_bytes(b.job_id) in reading.ids for b in self._state.batches if b.job_id)
@ runs/settle:Settling._is_absent
- reading.ids.issuperset(accepted)
+ True

an empty list is control | row10
@ runs/settle:Settling._is_absent
- shows_earlier or batch.number in self._earlier
+ True

a job with another service account is taken | row8
@ runs/candidates:fits
- accounts - {None, credential_id}
+ False

the first of two is taken | row9
@ runs/settle:Settling._find
- len(mine) > 1 or not fitting or not self._is_sure(batch, mine[0])
+ not fitting

claims read only before the list | meanwhile
@ runs/settle:Settling._look
- journal.claimed_jobs(server).keys()
+ claims.keys()
@ runs/settle:Settling._look
- groups = {doubt.names for doubt in doubts}
+ groups, claims = {doubt.names for doubt in doubts}, journal.claimed_jobs(server)
@ journal/journal:Journal.claim
- not taken
+ True

other runs' doubts unseen | two_runs
@ runs/settle:Settling._look
- run.run_id != state.run.run_id
+ False

planned blocked by one host | never_sent
@ runs/settle:Settling._find
- batch.state == 'planned'
+ False

--resend despite a possible job | person
@ runs/run:_plan_again
- b.is_in_doubt and not b.possible
+ b.is_in_doubt

--accept takes a job that another batch has | two_runs
@ journal/journal:Journal.claim
- not taken
+ True
"""


def _read(text: str) -> Mutant:
    title, *lines = text.splitlines()
    name, found_by = title.split(" | ")
    changes: list[Change] = []
    for mark, code in ((line[0], line[2:]) for line in lines):
        if mark == "@":
            changes.append(Change(code))
        elif mark == "-":
            changes[-1].old = code
        else:
            changes[-1].new += f"{code}\n"
    return Mutant(name, found_by, changes)


MUTANTS = [_read(text) for text in _TABLE.strip().split("\n\n")]


class _Replacement(ast.NodeTransformer):
    """Puts `new` in the place of every node that reads as `old`."""

    def __init__(self, old: str, new: str) -> None:
        self._old = ast.unparse(_parse(old))
        self._new = _parse(new)
        self.made = 0

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.expr | ast.stmt) and ast.unparse(node) == self._old:
            self.made += 1
            return self._new
        return self.generic_visit(node)


def _parse(text: str) -> ast.expr | ast.stmt:
    statement = ast.parse(text).body[0]
    return statement.value if isinstance(statement, ast.Expr) else statement


def _apply(change: Change, tree: ast.Module) -> None:
    function = _find_function(tree, change.where.partition(":")[2])
    if not change.old:
        function.body = ast.parse(change.new).body
        return
    replacement = _Replacement(change.old, change.new)
    replacement.visit(function)
    if not replacement.made:
        raise LookupError(f"{change.where} has no {change.old}")


def _find_function(tree: ast.AST, name: str) -> ast.FunctionDef:
    first, _, rest = name.partition(".")
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == first:
            if rest:
                return _find_function(node, rest)
            if isinstance(node, ast.FunctionDef):
                return node
    raise LookupError(f"no function {name}")


def mutate(mutant: Mutant) -> dict[str, str]:
    """The source of the modules that differ. Raises LookupError if a change misses."""
    trees: dict[str, ast.Module] = {}
    for change in mutant.changes:
        module = change.where.partition(":")[0]
        if module not in trees:
            path = ROOT / "sbpam_cli" / f"{module}.py"
            trees[module] = ast.parse(path.read_text(encoding="utf-8"))
        _apply(change, trees[module])
    return {name: ast.unparse(ast.fix_missing_locations(tree)) for name, tree in trees.items()}


def find(mutant: Mutant) -> str | None:
    """The first violation that the suite reports; None if it stays green."""
    with tempfile.TemporaryDirectory(prefix="sbpam-mutant-") as name:
        folder, without = Path(name), shutil.ignore_patterns("__pycache__")
        for part in ("sbpam_cli", "tests"):
            shutil.copytree(ROOT / part, folder / part, ignore=without)
        shutil.copy(ROOT / "pyproject.toml", folder)
        for module, source in mutate(mutant).items():
            (folder / "sbpam_cli" / f"{module}.py").write_text(source, encoding="utf-8")
        # The working folder comes first on the module path: the copy is what is tested.
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
        ended = subprocess.run(
            [*command, *mutant.tests], cwd=folder, capture_output=True, text=True, check=False
        )
    if ended.returncode == 0:
        return None
    for line in ended.stdout.splitlines():
        if line.startswith("E ") and ("assert" in line.lower() or "Violation" in line):
            return line.removeprefix("E").strip()
    raise RuntimeError(f"pytest ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")
