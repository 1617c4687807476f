"""Signing in with user name, password and, where there is one, a second factor."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sbpam_cli.errors import SignInError
from sbpam_cli.models import Token
from sbpam_cli.nps.client import RefusedError
from sbpam_cli.signin.totp import STEP_S, UsedSteps, code_maker

if TYPE_CHECKING:
    from sbpam_cli.models import Talk
    from sbpam_cli.settings.profiles import Target
    from sbpam_cli.settings.secrets import SecretName, Secrets
    from sbpam_cli.signin.api import SignInApi
    from sbpam_cli.system.services import Services

NO_CODE = "0"
"""What a user without a second factor sends: "if MFA is off, just type 0" [vendor]."""
_CHECK_TOTP = "check the TOTP secret and the server's clock: a wrong code is often a wrong clock"


@dataclass(slots=True, eq=False, repr=False)
class PasswordSignIn:
    """One user's way in. Each step is sent once; a refusal is final, the TOTP case aside.

    password: what the last sign-in was accepted with, for `login` to keep.
    code: given by the caller, for the first sign-in only.
    by_person: the last code came from a person, so it cannot be repeated without one.
    """

    services: "Services"
    target: "Target"
    secrets: "Secrets"
    api: "SignInApi"
    talk: "Talk"
    pause: Callable[[float], None]
    code: str | None = None
    password: str | None = None
    by_person: bool = False
    _source: str | None = None

    def sign_in(self, *, may_ask: bool) -> Token:
        """A token. Raises SignInError where something is missing or refused."""
        username = self._username(may_ask)
        password = self._password(username, may_ask)
        maker = self._code_maker()
        first = self._first_step(username, password)
        code, self.code = self.code, None
        if code is not None:
            self.by_person = code != NO_CODE
            token = self._second_step(first, code)
        elif maker is not None:
            token = self._with_totp(first, username, password, maker)
        elif may_ask:
            answer = _ask(self.services.ask().line, "MFA code (Enter if none): ").strip()
            self.by_person = answer not in ("", NO_CODE)
            token = self._second_step(first, answer or NO_CODE)
        else:
            token = self._without_code(first)
        self.password = password
        return token

    def accepted(self) -> "dict[SecretName, str]":
        """The secrets that the last sign-in was accepted with."""
        values: dict[SecretName, str] = {}
        if self.password is not None:
            values["password"] = self.password
        if (totp := self.secrets.find("totp-secret")) is not None:
            values["totp-secret"] = totp.value
        return values

    def _username(self, may_ask: bool) -> str:
        if self.target.username is not None:
            return self.target.username
        raise SignInError(
            "no user name is known",
            hint="set SBPAM_USERNAME, or run `sbpam login`"
            if not may_ask
            else "use `sbpam login --username 'DOMAIN\\user'`",
        )

    def _password(self, username: str, may_ask: bool) -> str:
        if self.password is not None:
            return self.password
        found = self.secrets.find("password")
        if found is not None:
            self._source = found.source
            return found.value
        if not may_ask:
            raise SignInError(
                f"there is no password for {username}",
                reason="neither the environment nor the keyring has one, and nobody can be asked",
                hint="set SBPAM_PASSWORD or SBPAM_PASSWORD_FILE, or run `sbpam login`",
            )
        return ask_secret(self.services, f"Password for {username} at {self.target.server}: ")

    def _code_maker(self) -> Callable[[int], str] | None:
        if self.code is not None:
            return None
        found = self.secrets.find("totp-secret")
        return code_maker(found.value) if found is not None else None

    def _first_step(self, username: str, password: str) -> Token:
        try:
            return self.api.sign_in(username, password)
        except RefusedError as error:
            where = f" (the password came from {self._source})" if self._source else ""
            error.hint = error.hint or (
                f"check user name and password{where}; it is not tried again by itself,"
                " because failed attempts lock accounts"
            )
            raise

    def _second_step(self, first: Token, code: str) -> Token:
        try:
            return self.api.second_step(first, code)
        except RefusedError as error:
            error.hint = error.hint or "sign in again with a new code; check the clocks"
            raise

    def _without_code(self, first: Token) -> Token:
        try:
            return self.api.second_step(first, NO_CODE)
        except RefusedError as error:
            raise RefusedError(
                "the server wants a second factor, and nobody can be asked for a code",
                status=error.status,
                reason=error.reason,
                hint="set SBPAM_TOTP_SECRET or SBPAM_TOTP_SECRET_FILE,"
                " or run `sbpam login` with --totp-secret-file, --totp or --code",
                trace_id=error.trace_id,
            ) from error

    def _with_totp(
        self, first: Token, username: str, password: str, maker: Callable[[int], str]
    ) -> Token:
        used = UsedSteps(self.services, self.target.server, username)
        step = int(self.api.server_time()) // STEP_S
        fresh = used.claim(step)
        self.by_person = False
        try:
            return self.api.second_step(first, maker(step))
        except RefusedError as error:
            if fresh and not used.is_shared(step):
                error.hint = error.hint or _CHECK_TOTP
                raise
        wait_s = max(0.0, (step + 1) * STEP_S - self.api.server_time())
        self.talk.note(
            f"the code of this half minute was used before; the next one comes in {wait_s:.0f} s"
        )
        self.pause(wait_s)
        used.claim(step + 1)
        if first.expires_at is not None and first.expires_at <= self.api.server_time():
            # The password was right a moment ago: no failed attempt comes of it.
            first = self._first_step(username, password)
        try:
            return self.api.second_step(first, maker(step + 1))
        except RefusedError as error:
            error.hint = error.hint or _CHECK_TOTP
            raise


def ask_secret(services: "Services", text: str) -> str:
    """Asks a person without echo. Raises SignInError where nothing was typed."""
    answer = _ask(services.ask().secret, text)
    if not answer:
        raise SignInError("nothing was typed", hint="run it again")
    return answer


def ask_line(services: "Services", text: str) -> str:
    """Asks a person for a line. Raises SignInError where nothing was typed."""
    answer = _ask(services.ask().line, text).strip()
    if not answer:
        raise SignInError("nothing was typed", hint="run it again")
    return answer


def _ask(question: Callable[[str], str], text: str) -> str:
    try:
        return question(text)
    except EOFError:
        raise SignInError("the terminal was closed while asking", hint="run it again") from None
