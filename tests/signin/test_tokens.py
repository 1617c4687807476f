"""The token of a command: where it comes from, when it is renewed, what is never repeated."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from email.utils import formatdate
from typing import Any

import pytest
from support.faults import Fault
from support.person import DEMO, RENEWAL, Person
from support.site import CREDENTIAL

from sbpam_cli.system.locks import take_turn
from sbpam_cli.system.services import Services

HOSTS = [f"web{number:02}.corp.example" for number in range(1, 9)]


def ready(person: Person) -> dict[str, str]:
    """An environment with a token of the user with TOTP."""
    return person.where() | {"SBPAM_TOKEN": person.site.world.issue_token(person.user(DEMO))[0]}


@pytest.mark.parametrize(
    ("life_s", "left_s", "counts"),
    [
        (900, 61, (0, 0, 0)),
        (900, 60, (0, 0, 1)),
        (20, 5, (0, 0, 0)),
        (20, 4, (0, 0, 1)),
        (900, -5, (1, 1, 0)),
    ],
)
def test_a_stored_token_is_renewed_in_good_time(
    person: Person, life_s: float, left_s: float, counts: tuple[int, int, int]
) -> None:
    person.site.world.token_life_s = life_s
    person.login()
    old = person.kept()["token"]
    person.site.clock.move(life_s - left_s)
    before = person.counts()
    assert person("credentials").code == 0
    first, second, renewal = person.counts()
    assert (first - before[0], second - before[1], renewal - before[2]) == counts
    assert (person.kept()["token"] != old) is (counts != (0, 0, 0))
    assert person("credentials").code == 0
    assert person.counts() == (first, second, renewal)


def test_a_token_of_the_environment_is_renewed_and_not_stored(person: Person) -> None:
    person.login()
    kept, environ = person.kept(), ready(person)
    person.site.clock.move(850)
    assert person("credentials", env=environ).code == 0
    assert person.counts()[2] == 1
    assert person.kept() == kept


def test_garbage_in_the_keyring_is_no_token(person: Person) -> None:
    person.login()
    person.keyring.kept[f"default {person.url} token"] = "not a token"
    assert person("credentials").code == 0
    assert person.counts() == (2, 2, 0)
    assert person.kept()["token"] != "not a token"


def test_clocks_that_differ_make_no_storm_of_sign_ins(person: Person) -> None:
    """Every fresh token looks expired: the front end's `Date` is not the application's clock."""
    person.login()
    routes, now = person.site.server.app, person.site.clock.now

    def ahead(request: Any, answer: Any) -> Any:
        response = person.site.faults(request, answer)
        date = ("Date", formatdate(now() + 1000, usegmt=True))
        return replace(response, headers=(*response.headers, date))

    routes.intercept = ahead
    before = person.counts()[0]
    schedule = ["schedule", "--credential", CREDENTIAL, "--batch-size", "1", *HOSTS]
    assert person(*schedule).code == 0
    assert person.counts()[0] - before == 1


def test_a_process_that_hangs_is_waited_for_ten_seconds(person: Person) -> None:
    person.login()
    person.site.clock.move(850)
    held: list[AbstractContextManager[object]] = []

    def prepare(services: Services) -> None:
        held.append(take_turn(services, f"default {person.url}", services.clock.sleep))
        held[0].__enter__()

    person.prepare = prepare
    before = person.site.clock.now()
    assert person("credentials").code == 0
    assert 10 <= person.site.clock.now() - before < 13
    assert person.counts()[2] == 1
    held[0].__exit__(None, None, None)


def test_without_a_state_folder_it_renews_all_the_same(person: Person) -> None:
    person.login()
    person.site.clock.move(850)
    file = person.site.folder / "file"
    file.write_text("")
    assert person("credentials", env={"SBPAM_STATE_HOME": str(file)}).code == 0
    assert person.counts()[2] == 1


def same_token(person: Person, environ: dict[str, str]) -> None:
    """The renewal gives back what it was asked with."""
    token = environ.get("SBPAM_TOKEN") or person.kept()["token"]
    person.site.faults.add(Fault(action="edit", path=RENEWAL, edit=lambda _: token))


def same_sign_in(person: Person, environ: dict[str, str]) -> None:
    """So does a whole sign-in."""
    same_token(person, environ)
    token = person.kept()["token"]
    person.site.faults.add(Fault(action="edit", path="in2fa", edit=lambda _: token))


def no_renewal(person: Person, environ: dict[str, str]) -> None:
    person.site.world.missing.add(RENEWAL)


def good_renewal(person: Person, environ: dict[str, str]) -> None:
    """A fresh token each time, which is refused as well."""


@pytest.mark.parametrize(
    ("world", "token_only", "asked", "counts"),
    [
        (good_renewal, False, 2, (0, 0, 1)),
        (good_renewal, True, 2, (0, 0, 1)),
        (same_token, False, 2, (1, 1, 1)),
        (same_token, True, 1, (0, 0, 1)),
        (same_sign_in, False, 1, (1, 1, 1)),
        (no_renewal, False, 2, (1, 1, 1)),
        (no_renewal, True, 1, (0, 0, 1)),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_refusals_are_counted_not_values(
    person: Person,
    method: str,
    world: Callable[[Person, dict[str, str]], None],
    token_only: bool,
    asked: int,
    counts: tuple[int, int, int],
) -> None:
    """One renewal, then exit 4: else a server that refuses for another reason locks the account."""
    person.login()
    environ = ready(person) if token_only else {}
    world(person, environ)
    path = "Credential/Search" if method == "GET" else "OuMapping"
    person.site.faults.add(Fault(action="status", status=401, path=path))
    before = person.counts()
    schedule = ["schedule", "--credential", CREDENTIAL, HOSTS[0]]

    ended = person(*(["credentials"] if method == "GET" else schedule), env=environ).expect(4)
    assert len(person.site.requests(path)) == asked
    first, second, renewal = person.counts()
    assert (first - before[0], second - before[1], renewal - before[2]) == counts
    assert "sbpam login" in ended.err or "SBPAM_TOKEN" in ended.err


def test_threads_renew_once(person: Person) -> None:
    """All tokens die under four POSTs at once: one sign-in serves them all."""
    person.login()
    person.site.faults.add(Fault(action="revoke", method="POST", path="OuMapping", nth=2))
    schedule = ["schedule", "--credential", CREDENTIAL, "--batch-size", "1", *HOSTS]
    person(*schedule).expect(0)
    assert sorted(person.site.scheduled()) == HOSTS
    assert person.counts()[0] == 2


def test_an_old_token_that_cannot_be_renewed_serves_reads_to_its_end(person: Person) -> None:
    person.site.world.missing.add(RENEWAL)
    environ = ready(person)
    person.site.clock.move(890)
    assert person("credentials", env=environ).code == 0
    person.site.clock.move(11)
    person("credentials", env=environ).expect(
        4, "the token has expired, and it cannot be renewed", "SBPAM_TOKEN"
    )


def test_a_token_that_ends_while_a_person_looks_on_is_asked_for(person: Person) -> None:
    world, where = person.site.world, person.url.removeprefix("https://")
    world.missing.add(RENEWAL)
    world.token_life_s, world.scan_duration_s, world.even = 20.0, 60.0, True
    environ = ready(person)
    world.token_life_s = 900.0
    line = ["schedule", "--wait", "--credential", CREDENTIAL, HOSTS[0]]
    ended = person(*line, env=environ, terminal=True, answers=[ready(person)["SBPAM_TOKEN"]])
    assert ended.expect(0).asked == [f"Token for {where} (session ended): "]


def test_a_token_as_it_is_pasted(person: Person) -> None:
    environ = ready(person)
    for form in ("{}", "Bearer {}", "  {}\r\n"):
        pasted = {"SBPAM_TOKEN": form.format(environ["SBPAM_TOKEN"])}
        assert person("credentials", env=environ | pasted).code == 0
        sent = person.site.world.log[-1].request.header("Authorization").partition(" ")[2]
        assert sent in person.site.world.tokens
