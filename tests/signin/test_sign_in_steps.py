"""What each step of a sign-in sends, and how often: failed attempts lock accounts."""

import base64
import re
from dataclasses import replace
from typing import Any

import pytest
from support.faults import Fault
from support.person import DEMO, NOMFA, NOMFA_PASSWORD, PUSH, RENEWAL, Person
from support.tables import crossed

from sbpam_cli.signin.totp import code_maker

SECOND_STEP = "in2fa"


def alone(person: Person, login: str = NOMFA) -> dict[str, str]:
    """An environment that names server, user and password."""
    user = {"SBPAM_USERNAME": login, "SBPAM_PASSWORD": person.user(login).password}
    return person.where() | user


def with_totp(person: Person) -> dict[str, str]:
    return alone(person, DEMO) | {"SBPAM_TOTP_SECRET": person.user(DEMO).totp_secret}


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("", b'"0"'),
        ("0", b'"0"'),
        ("push", b'"push"'),
        ("012345", b'"012345"'),
        (" 123456 ", b'"123456"'),
        ("012 345", b'"012345"'),
        ("012-345", b'"012345"'),
        ("012\u00a0345", b'"012345"'),
        ("012\u2011345\r", b'"012345"'),
        ("push now", b'"push now"'),
    ],
)
def test_digits_lose_what_groups_them_words_stay(person: Person, typed: str, sent: bytes) -> None:
    person.login("--code", typed)
    assert person.site.bodies(SECOND_STEP)[0] == sent
    person.login(terminal=True, answers=[NOMFA_PASSWORD, typed])
    assert person.site.bodies(SECOND_STEP)[-1] == sent


@pytest.mark.parametrize("code", ["12\x0034", "caf\udce9", "1" * 201, "12\n34"])
def test_what_can_be_no_code_is_refused_before_a_request(person: Person, code: str) -> None:
    assert person.login("--code", code).code == 2
    assert person.login(terminal=True, answers=[NOMFA_PASSWORD, code]).code == 2
    assert person.site.bodies(SECOND_STEP) == []


@pytest.mark.parametrize(
    ("code", "status", "sent"),
    [
        ("123456", 400, [b'"123456"', b"123456"]),
        ("0", 400, [b'"0"', b"0"]),
        ("012345", 400, [b'"012345"']),
        ("push", 400, [b'"push"']),
        ("1" * 30, 400, [b'"' + b"1" * 30 + b'"']),
        ("123456", 401, [b'"123456"']),
        ("123456", 403, [b'"123456"']),
    ],
)
def test_only_a_body_that_was_not_parsed_is_sent_once_more_bare(
    person: Person, code: str, status: int, sent: list[bytes]
) -> None:
    person.site.faults.add(Fault(action="status", status=status, path=SECOND_STEP))
    person.login("--code", code).expect(4)
    assert person.site.bodies(SECOND_STEP) == sent
    assert person.counts()[0] == 1


@pytest.mark.parametrize(
    ("status", "there", "mfa"), crossed([400, 401, 404, 403, 500], [False, True], [True, False])
)
def test_without_a_code_the_token_of_step_1_may_be_good(
    person: Person, status: int, there: bool, mfa: bool
) -> None:
    """With MFA off, a server may refuse the code 0. there: somebody, who presses Enter."""
    second_steps, asks = 1 + (status == 404), status in (400, 401, 404)
    person.site.faults.add(Fault(action="status", status=status, path=SECOND_STEP))
    login = DEMO if mfa else NOMFA
    how: dict[str, Any] = {"terminal": True, "answers": [""]} if there else {}
    ended = person("credentials", env=alone(person, login), **how)
    assert person.counts() == (1, second_steps, int(asks))
    if asks and not mfa:
        ended.expect(0)
    elif status == 500:
        ended.expect(6)
    else:
        ended.expect(4, "no code was given", "SBPAM_TOTP_SECRET")


def test_the_code_is_made_by_the_servers_clock(person: Person) -> None:
    clock = person.site.clock
    person.site.world.now = lambda: clock.now() + 3600
    assert person("credentials", env=with_totp(person)).code == 0
    assert person.counts() == (1, 1, 0)


@pytest.mark.parametrize("life_s", [900.0, 5.0])
def test_a_used_code_waits_for_the_next_one_once(person: Person, life_s: float) -> None:
    """If the token of step 1 is over by then, step 1 is done again."""
    person.site.world.token_life_s = life_s
    clock = person.site.clock
    clock.move(30 - clock.now() % 30)
    person("credentials", env=with_totp(person))
    before = clock.now()
    person("credentials", env=with_totp(person)).expect(0, "used before")
    assert 0 < clock.now() - before <= 30
    first, again, fresh = person.site.bodies(SECOND_STEP)
    assert first == again
    make_code = code_maker(person.user(DEMO).totp_secret)
    assert fresh.decode() == f'"{make_code(int(clock.now()) // 30)}"'
    assert len(person.site.bodies("signinBody")) == (2 if life_s > 30 else 3)


@pytest.mark.parametrize("used", [False, True])
def test_a_fresh_code_that_is_refused_is_final(person: Person, used: bool) -> None:
    if used:
        assert person("credentials", env=with_totp(person)).code == 0
    environ = with_totp(person)
    person.user(DEMO).totp_secret = base64.b32encode(b"another secret").decode()
    person("credentials", env=environ).expect(4, "The code is not valid", "clock")
    assert person.counts() == ((2, 3, 0) if used else (1, 1, 0))


@pytest.mark.parametrize(
    ("lacking", "words", "hint"),
    [
        ({"SBPAM_PASSWORD": ""}, "no password for", "SBPAM_PASSWORD_FILE"),
        (
            {"SBPAM_PASSWORD": "", "CREDENTIALS_DIRECTORY": "/no/such"},
            "$CREDENTIALS_DIRECTORY cannot be entered: /no/such",
            "SBPAM_PASSWORD_FILE",
        ),
        ({"SBPAM_USERNAME": ""}, "no user name", "SBPAM_USERNAME"),
        ({"SBPAM_USERNAME": DEMO, "SBPAM_TOTP_SECRET": "not!base32"}, "TOTP secret", "A-Z"),
        (
            {"SBPAM_USERNAME": "", "CREDENTIALS_DIRECTORY": "/no/such"},
            "$CREDENTIALS_DIRECTORY cannot be entered: /no/such",
            "SBPAM_USERNAME",
        ),
        ({"SBPAM_TOKEN": "two words"}, "SBPAM_TOKEN holds is not a token", "one line"),
        ({"SBPAM_PASSWORD": "geheim\nx"}, "SBPAM_PASSWORD holds characters", "one line"),
        ({"SBPAM_PASSWORD": "geheim\udce9"}, "SBPAM_PASSWORD holds characters", "UTF-8"),
        ({"SBPAM_USERNAME": "jo\udce9"}, "SBPAM_USERNAME: 'jo\\udce9' holds", "encoding"),
        ({"SBPAM_SERVER": "xn--a"}, "SBPAM_SERVER: 'xn--a' is not HOST", ""),
        ({"SBPAM_CA_BUNDLE": "/no/such.pem"}, "/no/such.pem cannot be used", "--ca-bundle"),
        (
            {"SBPAM_CA_BUNDLE": "", "SSL_CERT_FILE": "/no/such.pem"},
            "SSL_CERT_FILE names /no/such.pem, which does not exist",
            "unset it",
        ),
    ],
)
def test_what_is_missing_or_cannot_be_right_is_named_before_a_request(
    person: Person, lacking: dict[str, str], words: str, hint: str
) -> None:
    ended = person("credentials", env=alone(person) | lacking)
    assert ended.code in (2, 4)
    assert words in ended.err
    assert hint in ended.err
    assert "geheim" not in ended.err
    assert "two words" not in ended.err
    assert person.site.requests() == []


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_what_windows_leaves_at_a_lines_end_is_trimmed(person: Person, end: str) -> None:
    environ = {name: f"{value}{end}" for name, value in with_totp(person).items()}
    assert person("credentials", env=environ).code == 0
    arguments = [
        *("--server", f"{person.url}{end}", "--username", f"{NOMFA}{end}"),
        *("--ca-bundle", f"{person.site.server.ca_file}{end}", "--password-stdin"),
    ]
    person("login", *arguments, stdin=f"{NOMFA_PASSWORD}{end}".encode()).expect(0)
    assert person.site.bodies("signinBody")[-1].endswith(b'"Password":"Sandbox-Nomfa-1"}')
    assert person.site.profiles()["default"]["username"] == NOMFA


def test_a_cookie_of_one_letter_hides_no_words(person: Person) -> None:
    def one_letter(request: Any, answer: Any) -> Any:
        response = person.site.faults(request, answer)
        return replace(response, headers=(*response.headers, ("Set-Cookie", "short=e; Path=/")))

    person.site.server.app.intercept = one_letter
    ended = person.login("--code", "999999", user=DEMO)
    assert "The sign-in session is not known" in ended.err
    sent = person.site.world.log[-1].request.header("Cookie")
    assert "short=e" in sent


def test_a_word_may_need_a_person(person: Person) -> None:
    """A code that somebody typed cannot be made again: they are asked where they are."""
    world = person.site.world
    world.token_life_s, world.scan_duration_s = 60.0, 150.0
    world.missing.add(RENEWAL)
    schedule = ["schedule", "--wait", "--credential", "9c711ab3-8fc1-4d66-88d4-08f85117f32e"]
    line, where = [*schedule, "web01.corp.example"], person.url.removeprefix("https://")
    how: dict[str, Any] = {"terminal": True, "env": alone(person, PUSH)}
    ended = person(*line, answers=["push"] * 9, **how).expect(0)
    assert ended.asked[:2] == [
        f"MFA code for {PUSH} at {where} ({why}; Enter if none): "
        for why in ("not signed in", "session ended")
    ]
    assert person.counts()[:2] == (len(ended.asked), len(ended.asked))
    ended = person(*line, "--new-run", answers=["push"], **how)
    assert (ended.code, len(ended.asked)) == (4, 2)
    words = " ".join(ended.err.split())
    assert f"run `sbpam login --server {person.url}`" in words
    assert re.search(r"then `sbpam status \S+ --watch` goes on", words)
