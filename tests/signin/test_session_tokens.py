"""The token of a command: where it comes from, when it is renewed, what is never repeated."""

import base64
import io
import json
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from support.clock import MovedClock
from support.keyrings import MemoryKeyring
from support.site import Answers

from sbpam_cli.errors import ServerError, SignInError, UnreachableError
from sbpam_cli.models import Token
from sbpam_cli.nps.client import RefusedError
from sbpam_cli.nps.replies import make_token
from sbpam_cli.outcome import Outcome
from sbpam_cli.output.context import Context
from sbpam_cli.settings.keyring import Vault
from sbpam_cli.settings.profiles import Target
from sbpam_cli.settings.secrets import Secrets
from sbpam_cli.signin.session import Session
from sbpam_cli.signin.totp import code_maker
from sbpam_cli.system.locks import take_turn
from sbpam_cli.system.services import Services

ORIGIN = "https://nps:6500"
JOE = "CORP\\joe"
SECRET = "JBSWY3DPEHPK3PXP"
ALONE = {"SBPAM_PASSWORD": "pw"}
WITH_TOTP = ALONE | {"SBPAM_TOTP_SECRET": SECRET}


def _refuse(words: str) -> RefusedError:
    return RefusedError("the server refused the sign-in", status=401, reason=words, trace_id="t1")


class _Server:
    """Signs joe in, strictly; `asked` has each call. Tokens live 900 s."""

    def __init__(self, clock: MovedClock) -> None:
        self.clock = clock
        self.asked: list[tuple[str, ...]] = []
        self.good_code: Callable[[str], bool] = lambda code: code == "0"
        self.renews = True
        self.life_s = 900.0
        self.used_codes: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()
        self._owing: str | None = None
        self._count = 0
        self.good: set[str] = set()

    def token(self) -> Token:
        now = self.clock.now()
        self._count += 1
        claims = {"exp": now + self.life_s, "iat": now, "n": self._count}
        payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
        return make_token(f"e.{payload}.s", now)

    def _grant(self) -> Token:
        token = self.token()
        self.good.add(token.value)
        return token

    def sign_in(self, login: str, password: str) -> Token:
        self.asked.append(("sign_in", login, password))
        self.gate.wait()
        if (login, password) != (JOE, "pw"):
            raise _refuse("wrong password")
        token = self.token()
        self._owing = token.value
        return token

    def second_step(self, token: Token, code: str) -> Token:
        self.asked.append(("second_step", code))
        if token.value != self._owing:
            raise _refuse("no such step 1")
        if not self.good_code(code) or code in self.used_codes:
            raise _refuse("wrong code")
        self._owing = None
        if code.isdecimal() and len(code) == 6:
            self.used_codes.add(code)
        return self._grant()

    def application_token(self, login: str, api_key: str, serial: str) -> Token:
        raise AssertionError

    def fresh_token(self, token: Token) -> Token:
        self.asked.append(("fresh_token",))
        self.gate.wait()
        if not self.renews:
            raise ServerError("no such call")
        if token.value not in self.good:
            raise _refuse("not a good token")
        return self._grant()

    def server_time(self) -> float:
        return self.clock.now()

    def steps(self) -> list[str]:
        return [name for name, *_ in self.asked]


class _KeyringClock(MovedClock):
    """What another thread does is waited for in real time."""

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        return event.wait(30)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class _TerminalInput(io.BytesIO):
    def isatty(self) -> bool:
        return True


class _World:
    """Sessions against one server, keyring and state folder; each as a command would make it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = _KeyringClock()
        self.server = _Server(self.clock)
        self.keyring = MemoryKeyring()
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)

    warn = trace = note

    def session(
        self,
        environ: dict[str, str] | None = None,
        *,
        answers: list[str] | None = None,
        code: str | None = None,
        **target: Any,
    ) -> Session:
        person = answers is not None
        services = Services(
            _TerminalInput() if person else io.BytesIO(),
            io.StringIO(),
            _Terminal() if person else io.StringIO(),
            {"SBPAM_STATE_HOME": str(self.folder / "state"), **(environ or {})},
            clock=self.clock,
            prompt=Answers(answers or []),
            keyring=lambda: self.keyring,
        )
        settings: dict[str, Any] = {"profile": "p", "origin": ORIGIN, "method": "password"}
        chosen = Target(**(settings | {"username": JOE, "stored": True} | target))
        vault = Vault(services, self, attended=person)
        secrets = Secrets(services, chosen, vault, self)
        ctx = Context(services, cast("Any", self), cast("Any", None), Outcome())
        self.services = services
        site = SimpleNamespace(
            ctx=ctx,
            target=chosen,
            secrets=secrets,
            client=self.server,
            certificate=None,
            pause=self.clock.sleep,
        )
        session = Session(cast("Any", site))
        session.code = code
        return session

    @property
    def kept_token(self) -> str | None:
        return self.keyring.kept.get(f"p {ORIGIN} token")

    @kept_token.setter
    def kept_token(self, value: str) -> None:
        self.keyring.kept[f"p {ORIGIN} token"] = value


@pytest.fixture
def world(tmp_path: Path) -> _World:
    return _World(tmp_path)


# Which code goes out


def test_without_a_second_factor_the_code_is_zero(world: _World) -> None:
    world.session(ALONE).token()
    assert world.server.asked == [("sign_in", JOE, "pw"), ("second_step", "0")]


def test_a_given_code_goes_out_as_it_is(world: _World) -> None:
    world.server.good_code = lambda code: code == "012345"
    world.session(WITH_TOTP, code="012345").token()
    assert world.server.asked[-1] == ("second_step", "012345")


@pytest.mark.parametrize(("typed", "sent"), [("push", "push"), ("", "0"), (" 123456 ", "123456")])
def test_a_person_is_asked_for_what_is_missing(world: _World, typed: str, sent: str) -> None:
    world.server.good_code = lambda code: code == sent
    world.session(answers=["pw", typed]).token()
    assert world.server.asked == [("sign_in", JOE, "pw"), ("second_step", sent)]


def test_the_totp_code_is_made_by_the_servers_clock(world: _World) -> None:
    right = code_maker(SECRET)(int(world.clock.now() + 3600) // 30)
    world.server.server_time = lambda: world.clock.now() + 3600  # type: ignore[method-assign]
    world.server.good_code = lambda code: code == right
    world.session(WITH_TOTP).token()
    assert world.server.steps() == ["sign_in", "second_step"]


def test_a_used_step_waits_for_the_next_code_once(world: _World) -> None:
    world.server.good_code = lambda code: len(code) == 6
    world.session(WITH_TOTP, stored=False).token()
    before = world.clock.now()
    world.session(WITH_TOTP, stored=False).token()
    codes = [call[1] for call in world.server.asked if call[0] == "second_step"]
    assert codes[0] == codes[1] != codes[2]
    assert codes[2] == code_maker(SECRET)(int(before) // 30 + 1)
    assert 0 < world.clock.now() - before <= 30
    assert "used before" in world.said[0]


def test_a_first_step_that_is_over_while_waiting_is_done_again(world: _World) -> None:
    world.server.life_s = 5.0
    world.session(WITH_TOTP, stored=False)
    world.server.good_code = lambda code: len(code) == 6
    world.clock.move(-(world.clock.now() % 30))
    world.session(WITH_TOTP, stored=False).token()
    world.session(WITH_TOTP, stored=False).token()
    step = ["sign_in", "second_step"]
    assert world.server.steps() == step * 3


def test_a_fresh_code_that_is_refused_is_final(world: _World) -> None:
    world.server.good_code = lambda code: False
    with pytest.raises(SignInError) as caught:
        world.session(WITH_TOTP).token()
    assert world.server.steps() == ["sign_in", "second_step"]
    assert (caught.value.reason, caught.value.trace_id) == ("wrong code", "t1")
    assert "clock" in (caught.value.hint or "")


def test_a_used_step_gets_no_third_try(world: _World) -> None:
    world.server.good_code = lambda code: len(code) == 6
    world.session(WITH_TOTP, stored=False).token()
    world.server.good_code = lambda code: False
    with pytest.raises(SignInError):
        world.session(WITH_TOTP, stored=False).token()
    assert world.server.steps() == ["sign_in", "second_step"] * 2 + ["second_step"]


def test_nobody_to_ask_for_a_code_is_said_with_the_variable(world: _World) -> None:
    world.server.good_code = lambda code: code == "push"
    with pytest.raises(SignInError) as caught:
        world.session(ALONE).token()
    assert "SBPAM_TOTP_SECRET" in (caught.value.hint or "")
    assert caught.value.trace_id == "t1"
    assert world.server.steps() == ["sign_in", "second_step", "fresh_token"]


def test_a_broken_totp_secret_is_found_before_anything_is_sent(world: _World) -> None:
    with pytest.raises(SignInError, match="not base32"):
        world.session(ALONE | {"SBPAM_TOTP_SECRET": "not!base32"}).token()
    assert world.server.asked == []


# What is missing


@pytest.mark.parametrize(
    ("environ", "target", "named"),
    [
        ({}, {}, "SBPAM_PASSWORD_FILE"),
        (ALONE, {"username": None}, "SBPAM_USERNAME"),
        ({}, {"method": "token"}, "SBPAM_TOKEN"),
        ({"SBPAM_TOKEN": "two words"}, {"method": "token"}, "one line"),
    ],
)
def test_what_is_missing_is_named_before_a_request(
    world: _World, environ: dict[str, str], target: dict[str, Any], named: str
) -> None:
    with pytest.raises(SignInError) as caught:
        world.session(environ, **target).token()
    assert named in (caught.value.hint or "")
    assert "two words" not in f"{caught.value.message}{caught.value.hint}"
    assert world.server.asked == []


@pytest.mark.parametrize("over_s", [1, 3600])
def test_an_expired_token_is_shown_once_and_the_server_says_why(
    world: _World, over_s: float
) -> None:
    token = world.server.token().value
    world.clock.move(900 + over_s)
    with pytest.raises(SignInError, match="token has expired") as caught:
        world.session({"SBPAM_TOKEN": token}, method="token").token()
    assert world.server.asked == [("fresh_token",)]
    assert "SBPAM_TOKEN" in (caught.value.hint or "")


def test_what_may_be_only_clock_skew_is_for_the_server_to_say(world: _World) -> None:
    token = world.server.token()
    world.clock.move(899)
    assert world.session({"SBPAM_TOKEN": token.value}, method="token").token().value == token.value


# A refusal is final


def test_a_refused_password_is_never_sent_again(world: _World) -> None:
    session = world.session({"SBPAM_PASSWORD": "wrong"})
    errors = []
    for _ in range(3):
        with pytest.raises(SignInError) as caught:
            session.token()
        errors.append(caught.value)
    with pytest.raises(SignInError) as caught:
        session.renew(Token("x"))
    assert {*errors, caught.value} == {errors[0]}
    assert (errors[0].reason, errors[0].trace_id) == ("wrong password", "t1")
    assert "SBPAM_PASSWORD" in (errors[0].hint or "")
    assert world.server.steps().count("sign_in") == 1


def test_threads_sign_in_and_renew_once(world: _World) -> None:
    session = world.session(ALONE)
    world.server.gate.clear()
    tokens = _in_threads(world, 8, session.token)
    assert len({token.value for token in tokens}) == 1
    world.server.gate.clear()
    renewed = _in_threads(world, 8, lambda: session.renew(tokens[0]))
    assert len({token.value for token in renewed}) == 1
    assert renewed[0].value != tokens[0].value
    assert world.server.steps() == ["sign_in", "second_step", "fresh_token"]


def _in_threads(world: _World, count: int, call: Callable[[], Token]) -> list[Token]:
    found: list[Token] = []
    threads = [threading.Thread(target=lambda: found.append(call())) for _ in range(count)]
    for thread in threads:
        thread.start()
    world.server.gate.set()
    for thread in threads:
        thread.join()
    return found


# What is stored


def test_a_stored_token_serves_the_next_command(world: _World) -> None:
    token = world.session(ALONE).token()
    assert world.kept_token == token.value
    assert world.session({}).token().value == token.value
    assert world.server.steps() == ["sign_in", "second_step"]


def test_nothing_is_stored_where_no_profile_is(world: _World) -> None:
    world.session(ALONE, stored=False).token()
    assert world.keyring.kept == {}


def test_a_token_from_the_environment_is_not_stored_even_renewed(world: _World) -> None:
    token = world.server._grant()
    world.clock.move(899)
    session = world.session({"SBPAM_TOKEN": token.value}, method="token")
    assert session.token().value != token.value
    assert world.keyring.kept == {}


@pytest.mark.parametrize(
    ("life_s", "left_s", "renews"),
    [(900, 61, False), (900, 60, True), (20, 5, False), (20, 4, True), (900, -5, False)],
)
def test_a_stored_token_is_renewed_in_good_time(
    world: _World, life_s: float, left_s: float, renews: bool
) -> None:
    world.server.life_s = life_s
    old = world.server._grant()
    world.kept_token = old.value
    world.clock.move(life_s - left_s)
    token = world.session(ALONE).token()
    if left_s < 0:
        assert world.server.steps() == ["sign_in", "second_step"]
    else:
        assert world.server.steps() == (["fresh_token"] if renews else [])
        assert (token.value != old.value) is renews
    assert world.kept_token == token.value


def test_garbage_in_the_keyring_is_no_token(world: _World) -> None:
    world.kept_token = "not a token"
    assert world.session(ALONE).token().value in world.server.good


# Renewal


def test_where_the_renewal_call_is_missing_it_signs_in_again(world: _World) -> None:
    world.server.renews = False
    session = world.session(ALONE)
    first = session.token()
    second = session.renew(first)
    assert second.value != first.value
    assert session.renew(first) is second
    step = ["sign_in", "second_step"]
    assert world.server.steps() == [*step, "fresh_token", *step]
    assert world.kept_token == second.value


def test_a_persons_code_cannot_be_repeated(world: _World) -> None:
    world.server.renews = False
    world.server.good_code = lambda code: code == "push"
    session = world.session(answers=["pw", "push"])
    first = session.token()
    with pytest.raises(SignInError) as caught:
        session.renew(first)
    assert "SBPAM_TOTP_SECRET" in (caught.value.hint or "")
    assert world.server.steps() == ["sign_in", "second_step", "fresh_token"]


def test_a_typed_password_serves_a_renewal_without_a_person(world: _World) -> None:
    world.server.renews = False
    session = world.session(answers=["pw", ""])
    session.renew(session.token())
    assert world.server.steps().count("sign_in") == 2


def test_a_ready_token_ends_where_it_cannot_be_renewed(world: _World) -> None:
    world.server.renews = False
    token = world.server._grant()
    session = world.session({"SBPAM_TOKEN": token.value}, method="token")
    with pytest.raises(SignInError) as caught:
        session.renew(session.token())
    assert "SBPAM_TOKEN" in (caught.value.hint or "")


def test_an_old_token_that_cannot_be_renewed_serves_to_its_end(world: _World) -> None:
    world.server.renews = False
    token = world.server._grant()
    world.clock.move(890)
    session = world.session({"SBPAM_TOKEN": token.value}, method="token")
    assert session.token().value == session.token().value == token.value
    world.clock.move(10)
    with pytest.raises(SignInError):
        session.token()


def test_an_old_token_is_not_good_enough_where_it_must_last(world: _World) -> None:
    world.server.renews = False
    token = world.server._grant()
    session = world.session({"SBPAM_TOKEN": token.value}, method="token")
    world.clock.move(839)
    assert session.token(lasting=True).value == token.value
    world.clock.move(1)
    with pytest.raises(SignInError, match="cannot be renewed"):
        session.token(lasting=True)
    world.server.renews = True
    assert session.token(lasting=True).value != token.value


class _Waiting(_KeyringClock):
    """`while_waiting` is called at each wait for another process."""

    def __init__(self) -> None:
        super().__init__()
        self.while_waiting: Callable[[], object] = lambda: None

    def sleep(self, seconds: float) -> None:
        self.move(seconds)
        self.while_waiting()


@pytest.mark.parametrize("life", ["old", "over"])
def test_what_another_process_renews_is_waited_for(world: _World, life: str) -> None:
    world.clock = world.server.clock = clock = _Waiting()
    if life == "old":
        world.kept_token = world.server._grant().value
        clock.move(850)
    session = world.session(ALONE)
    services = world.services
    turn = take_turn(services, f"p {ORIGIN}", within_s=0.0, pause=clock.sleep)
    turn.__enter__()
    fresh = world.server._grant()

    def renew_elsewhere() -> None:
        world.kept_token = fresh.value
        turn.__exit__(None, None, None)

    clock.while_waiting = renew_elsewhere
    assert session.token().value == fresh.value
    assert world.server.asked == []


def test_a_process_that_hangs_is_waited_for_ten_seconds(world: _World) -> None:
    session = world.session(ALONE)
    with take_turn(world.services, f"p {ORIGIN}", within_s=0.0, pause=world.clock.sleep):
        before = world.clock.now()
        assert session.token().value in world.server.good
        assert 10 <= world.clock.now() - before < 11


def test_without_a_state_folder_it_renews_all_the_same(world: _World) -> None:
    (world.folder / "state").write_text("a file")
    assert world.session(ALONE).token().value in world.server.good


def test_what_another_process_stored_is_used_first(world: _World) -> None:
    session = world.session(ALONE)
    first = session.token()
    other = world.server._grant()
    world.kept_token = other.value
    assert session.renew(first).value == other.value
    assert world.server.steps() == ["sign_in", "second_step"]


def test_a_lost_connection_is_no_refusal(world: _World) -> None:
    session = world.session(ALONE)
    real = world.server.sign_in

    def fail(login: str, password: str) -> Token:
        raise UnreachableError("no route")

    world.server.sign_in = fail  # type: ignore[method-assign]
    with pytest.raises(UnreachableError):
        session.token()
    world.server.sign_in = real  # type: ignore[method-assign]
    assert session.token().value in world.server.good


def test_a_token_without_an_expiry_is_never_renewed_by_the_clock() -> None:
    session = _World(Path()).session(ALONE)
    assert not session.needs_renewal(Token("opaque"))


def test_nothing_shows_a_secret(world: _World) -> None:
    session = world.session({"SBPAM_PASSWORD": "geheim"}, code="geheim")
    shown = f"{session!r}{session._flow!r}"
    assert "geheim" not in shown
