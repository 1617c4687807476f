"""`sbpam hosts --onboard`: it acts, so it asks first, and is sent once."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpcore
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.faults import Fault
from support.site import Ended, Site

SERVERS = "OU=Servers,DC=corp,DC=example"
ODD = 'OU=Büro\\, "Süd",DC=corp,DC=example'
CALL = "OuManageResources"
RISK = '"Manage Local Administrator Accounts: On": then NPS takes over, and rotates'
UNKNOWN = "whether the server onboarded hosts is not known"


def onboard(site: Site, dn: str, *more: str, **how: Any) -> Ended:
    return site.run("hosts", "--onboard", "--ou", dn, *more, **how)


def answer(site: Site, value: object) -> None:
    site.faults.add(Fault(action="edit", path=CALL, edit=lambda _: value))


@pytest.mark.parametrize(
    ("more", "within", "children"),
    [([], [], "false"), (["--recursive"], ["ws-1002.corp.example"], "true")],
)
def test_the_hosts_stand_one_a_line_for_schedule(
    site: Site, more: list[str], within: list[str], children: str
) -> None:
    ended = onboard(site, SERVERS, "--yes", *more).expect(0)
    assert ended.out.splitlines() == site.world.units[SERVERS] + within
    assert f"hosts in {SERVERS}" in ended.err
    query = f"ou=OU%3DServers%2CDC%3Dcorp%2CDC%3Dexample&includeChildOus={children}"
    assert site.requests(CALL) == [("GET", f"/api/v1/Host/OuManageResources?{query}")]
    site.clock.move(31)
    assert site.run("schedule", "-", stdin=ended.out.encode()).code == 0
    assert site.scheduled() == ended.out.splitlines()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.text(st.characters(codec="utf-8"), max_size=40))
@example('Büro\\, "Süd" & Co + #1;x=y?/%2C%\u2028 \u202e')
@example("a&includeChildOus=true&ou=DC=other")
def test_what_the_server_decodes_is_what_was_given(site: Site, name: str) -> None:
    token = site.world.issue_token(site.world.users[1])[0]
    dn = f"OU={name},DC=corp,DC=example"
    site.world.units = {dn: ["a.corp.example"]}
    site.world.log.clear()
    onboard(site, dn, "--yes", env={"SBPAM_TOKEN": token}).expect(0, out="a.corp.example\n")
    [(_, target)] = site.requests(CALL)
    query = urlsplit(target).query
    assert parse_qs(query, errors="strict") == {"ou": [dn], "includeChildOus": ["false"]}
    assert re.fullmatch(r"[A-Za-z0-9_.~%&=-]+", query)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--onboard"], "--ou DN"),
        (["--onboard", "--ou", SERVERS, "--not-enrolled"], "--onboard goes"),
        (["--onboard", "--ou", SERVERS], "add --yes"),
        (["--onboard", "--ou", SERVERS], RISK),
        *(
            (["--onboard", "--ou", dn, "--yes"], "OU=Servers,DC=corp,DC=example")
            for dn in ("", "Servers", "corp.example/Servers", "=x", "OU Servers")
        ),
        (["--onboard", "--ou", "OU=B\udcfcro", "--yes"], "not text"),
    ],
)
def test_what_is_refused_asks_nothing(site: Site, arguments: list[str], words: str) -> None:
    site.run("hosts", *arguments).expect(2, words, out="")
    assert site.requests(CALL) == []


@pytest.mark.parametrize(
    ("more", "answers", "code"),
    [([], ["y"], 0), ([], ["n"], 2), ([], [""], 2), (["--yes"], [], 0), (["--no-input"], [], 2)],
)
def test_a_person_is_asked_and_knows_the_risk(
    site: Site, more: list[str], answers: list[str], code: int
) -> None:
    ended = onboard(site, ODD, *more, terminal=True, answers=answers)
    assert (ended.code, len(ended.asked)) == (code, len(answers))
    assert RISK in " ".join(ended.err.split())
    assert len(site.requests(CALL)) == (code == 0)


ENDINGS: list[dict[str, Any]] = [
    {"action": "reset", "when": "after"},
    {"action": "reset", "when": "before"},
    {"action": "close", "when": "after"},
    {"action": "truncate", "when": "after"},
    {"action": "status", "status": 500},
    {"action": "status", "status": 503, "headers": {"Retry-After": "1"}},
    {"action": "html200", "when": "after"},
    {"action": "edit", "edit": lambda _: {"hosts": []}},
    {"action": "edit", "edit": lambda _: ["a.corp.example", {"name": "b.corp.example"}]},
    {"action": "edit", "edit": lambda _: None},
]


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda e: f"{e['action']} {e.get('when', '')}")
def test_an_answer_that_never_came_is_asked_for_once(site: Site, ending: dict[str, Any]) -> None:
    site.faults.add(Fault(path=CALL, **ending))
    onboard(site, SERVERS, "--yes").expect(6, UNKNOWN, out="")
    assert len(site.requests(CALL)) == 1


class Interrupted:
    """A stream whose reader is interrupted once the call has arrived."""

    def __init__(self, site: Site, inner: Any) -> None:
        self.site = site
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def start_tls(self, *arguments: Any, **options: Any) -> "Interrupted":
        return Interrupted(self.site, self.inner.start_tls(*arguments, **options))

    def read(self, *arguments: Any, **options: Any) -> bytes:
        data: bytes = self.inner.read(*arguments, **options)
        if self.site.requests(CALL):
            raise KeyboardInterrupt
        return data


def test_an_interrupted_call_may_have_acted(site: Site) -> None:
    class Network(httpcore.SyncBackend):
        def connect_tcp(self, *arguments: Any, **options: Any) -> Any:
            return Interrupted(site, super().connect_tcp(*arguments, **options))

    site.prepare = lambda services: setattr(services, "network", Network)
    onboard(site, SERVERS, "--yes").expect(130, UNKNOWN, out="")


def test_a_refused_token_is_renewed_and_the_call_made(site: Site) -> None:
    site.faults.add(Fault(action="revoke", path=CALL, nth=1))
    site.world.refuse_replay = False
    onboard(site, ODD, "--yes").expect(0, out="ws-3001.corp.example\n")
    assert len(site.requests(CALL)) == 2


@pytest.mark.parametrize(("refused", "reached"), [(2, True), (9, False)])
def test_a_connection_never_made_is_made_again(site: Site, refused: int, reached: bool) -> None:
    class Unsteady(httpcore.SyncBackend):
        connects = 0

        def connect_tcp(self, *arguments: Any, **options: Any) -> httpcore.NetworkStream:
            self.connects += 1
            if self.connects <= refused:
                raise httpcore.ConnectError("refused")
            return super().connect_tcp(*arguments, **options)

    # The first connection of the command is this call's.
    token = site.world.issue_token(site.world.users[1])[0]
    network = Unsteady()
    site.prepare = lambda services: setattr(services, "network", lambda: network)
    ended = onboard(site, ODD, "--yes", env={"SBPAM_TOKEN": token}).expect(0 if reached else 6)
    assert UNKNOWN not in ended.err
    assert len(site.requests(CALL)) == reached


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"status": 404, "headers": {"X": "empty"}, "body": " "}, "which came with 4.2?"),
        (
            {"status": 404, "headers": {"Content-Type": "text/html"}, "body": "<html>no</html>"},
            "gives no hosts",
        ),
        ({"status": 400}, "gives no hosts"),
        ({"status": 405}, "gives no hosts"),
        (None, "The organisational unit does not exist."),
    ],
)
def test_a_server_that_cannot(site: Site, fault: dict[str, Any] | None, words: str) -> None:
    if fault is not None:
        site.faults.add(Fault(action="status", path=CALL, **fault))
    onboard(site, "OU=Nowhere,DC=corp,DC=example", "--yes").expect(
        2, words, "Get-ADComputer", out=""
    )
    assert len(site.requests(CALL)) == 1


def test_without_the_role(site: Site) -> None:
    env = {"SBPAM_USERNAME": "CORP\\viewer", "SBPAM_PASSWORD": "Sandbox-Viewer-1"}
    assert onboard(site, SERVERS, "--yes", env=env | {"SBPAM_TOTP_SECRET": ""}).code == 4


NAMES = [
    *("WEB01.corp.example.", None, "web02", "", "web01.CORP.example", "10.0.0.1", " "),
    *("bücher.corp.example", "a\x1b[31m\n.corp.example", "*.corp.example"),
]
REPORTED = [
    *("3 hosts without a name", "5 names left out", '"web02" is a short name'),
    *('"10.0.0.1" is an IPv4 address', "xn--bcher-kva.corp.example", "1 host in OU"),
]


@pytest.mark.parametrize(
    ("names", "code", "out", "words"),
    [
        (NAMES, 3, "web01.corp.example\n", REPORTED),
        ([f"short{n}" for n in range(4000)], 3, "", ["4,000 names left out", "and 3,995 more"]),
        ([], 0, "", ["0 hosts in"]),
        ([None], 0, "", ["0 hosts in"]),
    ],
)
def test_names_that_are_no_fqdn_are_reported_and_not_printed(
    site: Site, names: list[str | None], code: int, out: str, words: list[str]
) -> None:
    answer(site, names)
    ended = onboard(site, SERVERS, "--yes").expect(code, *words, out=out)
    assert "\x1b" not in ended.err
    assert len(ended.err) < 1500
    assert onboard(site, SERVERS, "--yes", "--quiet").err == ""
