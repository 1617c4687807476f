"""Signing in with user name, password and, if there is one, a second factor."""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from sbpam_cli.errors import InputError, ServerError, SignInError
from sbpam_cli.models import Token
from sbpam_cli.nps.client import NpsClient
from sbpam_cli.nps.failures import RefusedError
from sbpam_cli.output.context import Context
from sbpam_cli.settings.secrets import Found, Secrets, explain_absence
from sbpam_cli.signin.totp import STEP_S, UsedSteps, code_maker

NO_CODE = "0"
"""What a user without a second factor sends: "if MFA is off, just type 0" [vendor]."""
_LONGEST_CODE = 200
_CHECK_TOTP = "check the TOTP secret and the server's clock: a wrong code is often a wrong clock"
_LOCKED = (
    "wait before you try again: five failed attempts lock an account for five minutes,"
    " and each further one adds five"
)


@dataclass(eq=False, repr=False)
class PasswordSignIn:
    """One user's way in. Each step is sent once; a refusal is final, but for what is said here.

    code: given by the caller, for the first sign-in only.
    by_person: the last code came from a person, so it cannot be repeated without one.
    """

    ctx: Context
    secrets: Secrets
    client: NpsClient
    code: str | None = None
    by_person = False

    def sign_in(self, *, may_ask: bool, why: str = "") -> Token:
        """A token. Raises SignInError. why: what a person is asked for, in a word or two."""
        username, whom = self.secrets.target.username, self.secrets.target.whom
        if username is None:
            # A token in there would have needed none.
            reason = explain_absence(self.ctx.services)
            hint = "set SBPAM_USERNAME, or run `sbpam login`"
            raise SignInError("no user name is known", reason=reason, hint=hint)
        ask = self.ctx.ask_secret if may_ask else None
        password = self.secrets.require("password", f"{whom} ({why})" if why else whom, ask)
        code, self.code = self.code, None
        totp = self.secrets.find("totp-secret") if code is None else None
        maker = code_maker(totp.value) if totp is not None else None
        first = self._first_step(username, password)
        if maker is not None:
            return self._with_totp(first, username, password, maker)
        if code is None and may_ask:
            question = f"MFA code for {whom} ({why}{'; ' if why else ''}Enter if none): "
            code = clean_code(self.ctx.ask(question, optional=True), "the code") or None
        self.by_person = code not in (None, NO_CODE)
        return self._without_code(first) if code is None else self._second_step(first, code)

    def _first_step(self, username: str, password: Found) -> Token:
        try:
            return self.client.sign_in(username, password.value)
        except RefusedError as error:
            where = f" (the password came from {password.source})" if password.source else ""
            error.hint = _locked(error) or (
                f"check user name and password{where}; it is not tried again by itself, because"
                " failed attempts lock accounts. An account that signs in with SAML or OIDC has"
                " no password here: use an application account"
            )
            raise

    def _second_step(self, first: Token, code: str, hint: str | None = None) -> Token:
        try:
            try:
                return self.client.second_step(first, code)
            except RefusedError as error:
                # No failed attempt, a body that was not parsed: the vendor's samples send a number.
                if error.status != 400 or not _NUMBER.fullmatch(code):
                    raise
                return self.client.second_step(first, int(code))
        except RefusedError as error:
            error.hint = _locked(error) or hint or "sign in again with a new code; check the clocks"
            raise

    def _without_code(self, first: Token) -> Token:
        try:
            return self.client.second_step(first, NO_CODE)
        except RefusedError as error:
            if error.status in (400, 401, 404):
                # With MFA off, the token of step 1 may be good already.
                with suppress(RefusedError, ServerError):
                    return self.client.fresh_token(first)
            error.message = "the server wants a second factor, and no code was given"
            error.hint = _locked(error) or (
                "set SBPAM_TOTP_SECRET or SBPAM_TOTP_SECRET_FILE,"
                " or run `sbpam login` with --totp-secret-file, --totp or --code"
            )
            raise

    def _with_totp(
        self, first: Token, username: str, password: Found, maker: Callable[[int], str]
    ) -> Token:
        used = UsedSteps(self.ctx.services, self.secrets.target.server, username)
        step = int(self.client.server_time()) // STEP_S
        fresh = used.claim(step)
        self.by_person = False
        try:
            return self._second_step(first, maker(step), _CHECK_TOTP)
        except RefusedError:
            if fresh and not used.is_shared(step):
                raise
        wait_s = max(0.0, (step + 1) * STEP_S - self.client.server_time())
        self.ctx.console.note(
            f"the code of this half minute was used before; the next one comes in {wait_s:.0f} s"
        )
        self.client.pause(wait_s)
        used.claim(step + 1)
        if first.expires_at is not None and first.expires_at <= self.client.server_time():
            # The password was right a moment ago: no failed attempt comes of it.
            first = self._first_step(username, password)
        return self._second_step(first, maker(step + 1), _CHECK_TOTP)


_NUMBER = re.compile(r"[1-9][0-9]{0,19}|0", re.ASCII)
"""Digits that are a JSON number too."""


def clean_code(text: str, source: str) -> str:
    """An MFA code as it is sent: digits without the spaces and hyphens that group them.

    Words (`push`) stay as they are. Raises InputError for what can be no code.
    """
    code = text.strip()
    digits = re.sub(r"[ \u00a0\u2007\u202f\u2010-\u2015-]", "", code)
    code = digits if digits.isascii() and digits.isdecimal() else code
    if not code.isprintable() or len(code) > _LONGEST_CODE:
        hint = "a code is a line of digits, or a word such as push"
        raise InputError(f"{source} cannot be a code", hint=hint)
    return code


def _locked(error: RefusedError) -> str | None:
    """What to do if the server's words are of a locked account."""
    return _LOCKED if re.search(r"\block(ed|out)", error.reason or "", re.IGNORECASE) else None
