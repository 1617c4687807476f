"""A script of faults: what goes wrong, on which request, and how."""

import random
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sbpam_cli.sandbox.http import (
    Behaviour,
    Reply,
    decode,
    encode,
    html_reply,
    problem_reply,
)
from sbpam_cli.sandbox.world import Effects

_ReplyAction = Literal[
    "status", "html200", "reset", "close", "hang", "truncate", "drip", "delay", "edit"
]
_ServerAction = Literal["twice", "later", "leave_out", "fill_gradually", "hide_job", "revoke"]
_PREVENTING = frozenset({"status", "html200", "reset", "close", "hang"})
_IIS_STATUSES = frozenset({413, 502, 503, 504})


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One rule. `method` and `path` (regular expression, searched, any case) select requests.

    nth: only these of the selected requests, counted from 1; every: each k-th of them;
    probability: of those, with the seeded generator.
    when: `before`: the server does not act; `after`: it acts, and the reply suffers.
    action:
        status: this status with `headers` and `body`; HTML where IIS answers, else ProblemDetails
        html200: a proxy's page with status 200
        reset, close: no reply; a TCP reset or an orderly end
        hang: no reply until `Faults.release`
        truncate: the connection closes after `count` bytes of the body (0: half of it)
        drip: `seconds` before each byte of the body; delay: `seconds` before the reply
        edit: the reply's JSON becomes `edit(json)` (from Python only)
        twice: acts twice, answers once
        later: the job appears `seconds` later; no reply unless another fault gives one
        leave_out: names that match `names`, or the first `count`, are not scheduled
        fill_gradually: the job's hosts appear in it over `seconds`
        hide_job: the job is missing in the list for `seconds`
        revoke: every token issued so far dies first
    """

    action: _ReplyAction | _ServerAction
    method: str = ""
    path: str = ""
    nth: int | Sequence[int] = ()
    every: int = 1
    probability: float = 1.0
    when: Literal["before", "after"] = "before"
    status: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    seconds: float = 60.0
    count: int = 0
    names: str = ""
    edit: Callable[[Any], Any] | None = None

    def affect(self, effects: Effects) -> Effects:
        """What the job about to be made will suffer."""
        if self.action == "later":
            return effects._replace(later_s=self.seconds)
        if self.action == "hide_job":
            return effects._replace(hide_s=self.seconds)
        if self.action == "fill_gradually":
            return effects._replace(fill_s=self.seconds)
        if self.action == "leave_out":
            search = re.compile(self.names, re.IGNORECASE).search if self.names else None
            return effects._replace(leave_out=search, leave_out_count=self.count)
        return effects

    def shape(self, reply: Reply, trace_id: str) -> Reply:
        """The reply as this fault leaves it."""
        how = reply.behaviour
        if self.action == "status":
            return self._status_reply(trace_id)
        if self.action == "html200":
            return html_reply(200, "Please sign in to the network")
        if self.action == "edit" and self.edit is not None:
            return replace(reply, body=encode(self.edit(decode(reply.body))))
        if self.action in ("reset", "close", "hang", "truncate"):
            keep = self.count or len(reply.body) // 2
            how = replace(how, ending=self.action, keep_bytes=keep)
        elif self.action == "drip":
            how = replace(how, drip_s=self.seconds)
        elif self.action == "delay":
            how = replace(how, delay_s=how.delay_s + self.seconds)
        return replace(reply, behaviour=how)

    def _status_reply(self, trace_id: str) -> Reply:
        headers = tuple(self.headers.items())
        if self.body:
            return Reply(self.status, headers, self.body.encode())
        if self.status in _IIS_STATUSES:
            return html_reply(self.status, headers=headers)
        return problem_reply(self.status, trace_id, headers=headers)


class Faults:
    """The rules in force. Every rule that fires on a request takes part, in order."""

    def __init__(self, rules: Sequence[Fault] = (), *, seed: int = 0) -> None:
        self.released = threading.Event()
        self._rules: list[tuple[Fault, list[int]]] = []
        self._random = random.Random(seed)
        self.add(*rules)

    def add(self, *rules: Fault) -> None:
        self._rules.extend((rule, [0]) for rule in rules)

    def clear(self) -> None:
        self._rules.clear()

    def release(self) -> None:
        """Lets every hanging reply go."""
        self.released.set()

    def fire(self, method: str, path: str) -> list[Fault]:
        """The faults for this request; the caller holds the world's lock."""
        return [rule for rule, seen in self._rules if self._fires(rule, seen, method, path)]

    def _fires(self, rule: Fault, seen: list[int], method: str, path: str) -> bool:
        if rule.method.upper() not in ("", method):
            return False
        if not re.search(rule.path, path, re.IGNORECASE):
            return False
        seen[0] += 1
        nth = (rule.nth,) if isinstance(rule.nth, int) else rule.nth
        if (nth and seen[0] not in nth) or seen[0] % rule.every:
            return False
        return rule.probability >= 1 or self._random.random() < rule.probability


def perform(fired: Sequence[Fault], act: Callable[[Effects], Reply], trace_id: str) -> Reply:
    """Acts as often as the faults let it, and gives the reply as they leave it."""
    actions = {fault.action for fault in fired}
    effects = Effects()
    for fault in fired:
        effects = fault.affect(effects)
    reply = replace(html_reply(504), behaviour=Behaviour("close"))
    if "later" in actions:
        act(effects)
    elif not any(fault.action in _PREVENTING and fault.when == "before" for fault in fired):
        reply = act(effects)
        if "twice" in actions:
            act(effects)
    for fault in fired:
        reply = fault.shape(reply, trace_id)
    return reply
