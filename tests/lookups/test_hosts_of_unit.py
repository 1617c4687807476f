"""`sbpam hosts --ou`: asked once, encoded right, and what to do where the server cannot."""

import io
import json
import re
import shlex
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.faults import Fault
from support.site import Ended, Site

from sbpam_cli.errors import UnreachableError
from sbpam_cli.models import Token
from sbpam_cli.nps.client import NpsClient
from sbpam_cli.nps.tls import TlsSettings
from sbpam_cli.nps.transport import Transport
from sbpam_cli.system.services import Services

SERVERS = "OU=Servers,DC=corp,DC=example"
ODD = 'OU=Büro\\, "Süd",DC=corp,DC=example'
CALL = "OuManageResources"


def answer(site: Site, value: object) -> None:
    site.faults.add(Fault(action="edit", path=CALL, edit=lambda _: value))


def test_the_hosts_stand_one_a_line(site: Site) -> None:
    ended = site.program("hosts", "--ou", SERVERS)
    assert ended.code == 0
    assert ended.out.splitlines() == site.world.units[SERVERS]
    assert "may onboard the hosts" in ended.err
    assert "12 hosts in OU=Servers" in ended.err
    [(method, target)] = site.requests(CALL)
    assert method == "GET"
    assert target == (
        "/api/v1/Host/OuManageResources?ou=OU%3DServers%2CDC%3Dcorp%2CDC%3Dexample"
        "&includeChildOus=false"
    )


def test_the_units_within(site: Site) -> None:
    ended = site.program("hosts", "--ou", SERVERS, "--recursive")
    assert ended.rows()[-1] == ["ws-1002.corp.example"]
    assert site.requests(CALL)[0][1].endswith("&includeChildOus=true")


def test_a_pipe_into_schedule(site: Site) -> None:
    listed = site.program("hosts", "--ou", SERVERS).out
    site.clock.move(31)
    ended = site.program("schedule", "-", stdin=listed.encode())
    assert ended.code == 0
    assert site.scheduled() == site.world.units[SERVERS]


def test_every_form(site: Site) -> None:
    outs = {
        form: site.program("hosts", "--ou", ODD, "-o", form).out
        for form in ("table", "tsv", "csv", "json", "ndjson")
    }
    host = "ws-3001.corp.example"
    assert outs["table"].splitlines()[0].rstrip() == "HOST"
    assert outs["table"].splitlines()[2] == host
    assert (outs["tsv"], outs["csv"]) == (f"{host}\n", f"host\n{host}\n")
    assert json.loads(outs["ndjson"]) == {"host": host}
    assert json.loads(outs["json"])["hosts"] == [{"host": host}]
    assert json.loads(outs["json"])["command"] == "hosts"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.text(st.characters(codec="utf-8"), max_size=40))
@example('Büro\\, "Süd" & Co + #1;x=y?/%2C%\u2028 \u202e')
@example("a&includeChildOus=true&ou=DC=other")
@example("Straße\u00a0 北京 \U0001f4bb")
def test_what_the_server_decodes_is_what_was_given(site: Site, name: str) -> None:
    token = site.world.issue_token(site.world.users[1])[0]
    dn = f"OU={name},DC=corp,DC=example"
    site.world.units = {dn: ["a.corp.example"]}
    site.world.log.clear()
    ended = site.program("hosts", "--ou", dn, env={"SBPAM_TOKEN": token})
    assert (ended.code, ended.out) == (0, "a.corp.example\n"), ended
    [(_, target)] = site.requests(CALL)
    query = urlsplit(target).query
    assert parse_qs(query, errors="strict") == {"ou": [dn], "includeChildOus": ["false"]}
    assert re.fullmatch(r"[A-Za-z0-9_.~%&=-]+", query)


@pytest.mark.parametrize("dn", ["", "Servers", "corp.example/Servers", "=x", "OU Servers"])
def test_what_is_no_name_of_a_unit_asks_nothing(site: Site, dn: str) -> None:
    ended = site.program("hosts", "--ou", dn, "--yes")
    assert (ended.code, ended.out) == (2, "")
    assert "OU=Servers,DC=corp,DC=example" in ended.err
    assert site.requests() == []


def test_bytes_that_are_no_text(site: Site) -> None:
    ended = site.program("hosts", "--ou", "OU=B\udcfcro", "--yes")
    assert ended.code == 2
    assert "not text" in ended.err
    assert site.requests(CALL) == []


# It may onboard.


@pytest.mark.parametrize(("reply", "code"), [("y", 0), ("n", 2), ("", 2)])
def test_a_person_is_asked(site: Site, reply: str, code: int) -> None:
    ended = site.program("hosts", "--ou", ODD, terminal=True, answers=[reply])
    assert ended.code == code
    [question] = ended.asked
    assert "may onboard the hosts" in question
    assert 'OU=Büro\\, "Süd",DC=corp' in question
    assert len(site.requests(CALL)) == (code == 0)


def test_a_question_is_not_moved_by_what_is_asked_about(site: Site) -> None:
    ended = site.program("hosts", "--ou", "OU=a\x1b[2J\u202eb", terminal=True, answers=["n"])
    assert re.search("[\x00-\x1f\u202e]", ended.asked[0]) is None


@pytest.mark.parametrize("options", [["--yes"], ["--no-input"]])
def test_nobody_is_asked(site: Site, options: list[str]) -> None:
    ended = site.program("hosts", "--ou", SERVERS, *options, terminal=True)
    assert (ended.code, ended.asked) == (0, [])
    assert "may onboard the hosts" in ended.err


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
def test_an_answer_that_never_came_is_not_asked_for_again(
    site: Site, ending: dict[str, Any]
) -> None:
    site.faults.add(Fault(path=CALL, **ending))
    ended = site.program("hosts", "--ou", SERVERS)
    assert (ended.code, ended.out) == (6, "")
    assert "whether the server onboarded hosts is not known" in ended.err
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
    import httpcore

    class Network(httpcore.SyncBackend):
        def connect_tcp(self, *arguments: Any, **options: Any) -> Any:
            return Interrupted(site, super().connect_tcp(*arguments, **options))

    site.program.prepare = lambda services: setattr(services, "network", Network)
    ended = site.program("hosts", "--ou", SERVERS)
    assert (ended.code, ended.out) == (130, "")
    assert "whether the server onboarded hosts is not known" in ended.err


def test_a_refused_token_is_renewed_and_the_call_made(site: Site) -> None:
    site.faults.add(Fault(action="revoke", path=CALL, nth=1))
    site.world.refuse_replay = False
    ended = site.program("hosts", "--ou", ODD)
    assert (ended.code, ended.out) == (0, "ws-3001.corp.example\n")
    assert len(site.requests(CALL)) == 2


class Held:
    """The token of a session."""

    def __init__(self, value: str) -> None:
        self.value = value

    def token(self, *, lasting: bool = False) -> Token:
        assert lasting
        return Token(self.value)

    def renew(self, refused: Token) -> Token:
        raise AssertionError(refused)


class Quiet:
    def note(self, text: str) -> None: ...
    def warn(self, text: str) -> None: ...
    def trace(self, text: str) -> None: ...


@pytest.mark.parametrize(("refused", "reached"), [(2, True), (9, False)])
def test_a_connection_that_was_never_made_is_made_again(
    site: Site, refused: int, reached: bool
) -> None:
    import httpcore

    class Unsteady(httpcore.SyncBackend):
        connects = 0

        def connect_tcp(self, *arguments: Any, **options: Any) -> httpcore.NetworkStream:
            self.connects += 1
            if self.connects <= refused:
                raise httpcore.ConnectError("refused")
            return super().connect_tcp(*arguments, **options)

    network = Unsteady()
    services = Services(io.BytesIO(), io.StringIO(), io.StringIO(), {}, clock=site.clock)
    services.network = lambda: network
    settings = TlsSettings(ca_bundle=site.server.ca_file)
    client = NpsClient(services, Transport(services, site.server.url, settings, Quiet()))
    client.use(Held(site.world.issue_token(site.world.users[1])[0]))
    if reached:
        assert client.manage_unit(ODD, children=False) == ["ws-3001.corp.example"]
    else:
        with pytest.raises(UnreachableError) as raised:
            client.manage_unit(ODD, children=False)
        assert "onboarded" not in str(raised.value.hint)
    assert len(site.requests(CALL)) == reached


# A server that cannot.

RECIPE = re.compile(r"`(ldapsearch .*) \| sbpam .*`; in PowerShell: `(Get-ADComputer .*) \| For")
DNS = [
    SERVERS,
    ODD,
    "OU=It's \u2018here\u2019,  two spaces\u00a0and $(touch x) `id` & #+;\"!,DC=corp,DC=example",
]


def recipes(ended: Ended) -> tuple[list[str], str]:
    """The words of the one for a POSIX shell, and the other one."""
    assert (ended.code, ended.out) == (2, ""), ended
    found = RECIPE.search(ended.err)
    assert found is not None, ended.err
    return shlex.split(found[1]), found[2]


def unquoted_by_powershell(text: str) -> str:
    """A single-quoted string: any of the four single quotes, doubled, stands for itself."""
    quotes = "['\u2018\u2019\u201a\u201b]"
    found = re.search(rf"-SearchBase {quotes}((?:[^'\u2018-\u201b]|({quotes}){quotes})*)'", text)
    assert found is not None
    return re.sub(rf"({quotes}){quotes}", r"\1", found[1])


@pytest.mark.parametrize("dn", DNS)
@pytest.mark.parametrize("recursive", [False, True])
def test_an_older_server_is_not_asked(site: Site, dn: str, recursive: bool) -> None:
    site.faults.add(Fault(action="edit", path="Version", edit=lambda _: "4.1.0.12"))
    ended = site.program("hosts", "--ou", dn, *(["--recursive"] if recursive else []))
    shell, powershell = recipes(ended)
    assert "it is version 4.1.0.12" in ended.err
    assert site.requests(CALL) == []
    assert shell[shell.index("-b") + 1] == dn
    assert shell[shell.index("-s") + 1] == ("sub" if recursive else "one")
    assert unquoted_by_powershell(powershell) == dn
    assert ("Subtree" if recursive else "OneLevel") in powershell


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 404, "headers": {"X": "empty"}, "body": " "},
        {"status": 404, "headers": {"Content-Type": "text/html"}, "body": "<html>no</html>"},
        {"status": 400},
        {"status": 405},
    ],
)
def test_a_server_without_the_call(site: Site, fault: dict[str, Any]) -> None:
    site.faults.add(Fault(action="status", path=CALL, **fault))
    shell, _ = recipes(site.program("hosts", "--ou", SERVERS))
    assert shell[shell.index("-b") + 1] == SERVERS
    assert len(site.requests(CALL)) == 1


def test_the_sandbox_of_another_version(site: Site) -> None:
    site.world.missing.add(CALL)
    ended = site.program("hosts", "--ou", SERVERS)
    recipes(ended)
    assert "HTTP 404: does it lack the call, which came with 4.2?" in ended.err


def test_an_unknown_unit_is_the_servers_word(site: Site) -> None:
    ended = site.program("hosts", "--ou", "OU=Nowhere,DC=corp,DC=example")
    recipes(ended)
    assert "The organisational unit does not exist." in ended.err
    assert "trace id: 00-" in ended.err


@pytest.mark.parametrize("version", ["4.2", "4.2.1", "25.12.00000", "26.03", "x", None, "10.0"])
def test_newer_and_unknown_versions_are_asked(site: Site, version: str | None) -> None:
    site.faults.add(Fault(action="edit", path="Version", edit=lambda _: version))
    assert site.program("hosts", "--ou", ODD).code == 0


def test_without_the_role(site: Site) -> None:
    env = {"SBPAM_USERNAME": "CORP\\viewer", "SBPAM_PASSWORD": "Sandbox-Viewer-1"}
    ended = site.program("hosts", "--ou", SERVERS, env=env | {"SBPAM_TOTP_SECRET": ""})
    assert ended.code == 4


# What is no FQDN.


def test_names_that_are_none_are_told_of_and_not_printed(site: Site) -> None:
    names = ["WEB01.corp.example.", None, "web02", "", "web01.CORP.example", "10.0.0.1", " "]
    answer(site, [*names, "bücher.corp.example", "a\x1b[31m\n.corp.example", "*.corp.example"])
    ended = site.program("hosts", "--ou", SERVERS)
    assert ended.code == 3
    assert ended.out == "web01.corp.example\n"
    assert "3 hosts without a name" in ended.err
    assert "5 names left out" in ended.err
    assert '"web02" is a short name' in ended.err
    assert '"10.0.0.1" is an IPv4 address' in ended.err
    assert "xn--bcher-kva.corp.example" in ended.err
    assert "\x1b" not in ended.err
    assert site.program("hosts", "--ou", SERVERS, "--quiet").err == ""


def test_many_of_them_are_counted(site: Site) -> None:
    answer(site, [f"short{n}" for n in range(4000)])
    ended = site.program("hosts", "--ou", SERVERS)
    assert (ended.code, ended.out) == (3, "")
    assert "4,000 names left out" in ended.err
    assert "and 3,995 more" in ended.err
    assert len(ended.err) < 1000


@pytest.mark.parametrize("names", [[], [None]])
def test_an_empty_unit(site: Site, names: list[None]) -> None:
    answer(site, names)
    ended = site.program("hosts", "--ou", SERVERS)
    assert (ended.code, ended.out) == (0, "")
    assert "0 hosts in" in ended.err
