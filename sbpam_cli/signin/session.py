"""The token of a command: found, made, renewed in good time, and kept for the next one."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING

from sbpam_cli.errors import Interrupted, SbpamError, SignInError
from sbpam_cli.models import Token
from sbpam_cli.nps.replies import WireError, make_token
from sbpam_cli.settings.secrets import KEYRING
from sbpam_cli.system.locks import take_turn

if TYPE_CHECKING:
    from sbpam_cli.models import Talk
    from sbpam_cli.settings.keyring import Vault
    from sbpam_cli.settings.profiles import Target
    from sbpam_cli.settings.secrets import Found, SecretName, Secrets
    from sbpam_cli.signin.api import SignInApi
    from sbpam_cli.signin.application import ApplicationSignIn
    from sbpam_cli.signin.password import PasswordSignIn
    from sbpam_cli.system.services import Services

_RENEW_BEFORE_S = 60.0
_RENEW_BEFORE_SHARE = 0.2
_TURN_WITHIN_S = 10.0


def token_in(found: "Found") -> Token:
    """The token that a source holds. Raises SignInError where it cannot be one."""
    try:
        return make_token(found.value, None)
    except WireError:
        raise SignInError(
            f"what {found.source} holds is not a token",
            hint="a token is one line of printable ASCII, as `eyJ...`",
        ) from None


class Session:
    """Tokens for one target. Threads may share it; they sign in and renew once.

    no_input: never asks. code: for step 2 of the first sign-in.
    pause: how to wait, for the next TOTP code or another process; the clock's sleep by default.
    application: how the method `application` signs in; None for the other methods.
    """

    def __init__(
        self,
        services: "Services",
        target: "Target",
        secrets: "Secrets",
        vault: "Vault",
        api: "SignInApi",
        talk: "Talk",
        *,
        no_input: bool = False,
        code: str | None = None,
        pause: Callable[[float], None] | None = None,
        application: "ApplicationSignIn | None" = None,
    ) -> None:
        self._services = services
        self._target = target
        self._secrets = secrets
        self._vault = vault
        self._api = api
        self._talk = talk
        self._code = code
        self._application = application
        self._may_ask = services.can_ask(no_input=no_input)
        self._lock = threading.Lock()
        self._current: Token | None = None
        self._keep = target.stored
        self._failure: SbpamError | None = None
        self._pause = pause or services.clock.sleep

    @cached_property
    def _flow(self) -> "ApplicationSignIn | PasswordSignIn":
        """Loaded where a sign-in is needed: mostly a stored token serves."""
        if self._application is not None:
            return self._application
        from sbpam_cli.signin.password import PasswordSignIn

        return PasswordSignIn(
            self._services,
            self._target,
            self._secrets,
            self._api,
            self._talk,
            self._pause,
            self._code,
        )

    def needs_renewal(self, token: Token) -> bool:
        """Whether less than min(60 s, 20% of its life) is left, by the server's clock."""
        if token.expires_at is None:
            return False
        left_s = token.expires_at - self._api.server_time()
        if token.received_at is None:
            return left_s <= _RENEW_BEFORE_S
        life_s = token.expires_at - token.received_at
        return left_s <= min(_RENEW_BEFORE_S, _RENEW_BEFORE_SHARE * life_s)

    def token(self, *, lasting: bool = False) -> Token:
        """The token to use now. Raises SignInError, the same one in every thread.

        lasting: one that `needs_renewal` is not good enough, even if it is all there is.
        """
        with self._lock:
            current = self._current or self._found_token()
            if current is None:
                current = self._first_token()
            elif self.needs_renewal(current):
                current = self._renewed(current, must=lasting)
            self._current = current
            return current

    def renew(self, refused: Token) -> Token:
        """A token to use instead of one that the server refused with 401.

        Where another thread has renewed it meanwhile, the current one.
        """
        with self._lock:
            if self._current is None or self._current.value == refused.value:
                self._current = self._renewed(refused, must=True)
            return self._current

    def sign_in(self) -> Token:
        """Signs in afresh, whatever is stored (`login`); keeps nothing."""
        with self._lock:
            self._keep = False
            if self._target.method == "token":
                self._current = self._confirmed(self._given_token())
            else:
                self._current = self._sign_in(may_ask=self._may_ask)
            return self._current

    def accepted(self) -> "dict[SecretName, str]":
        """The secrets that the last sign-in was accepted with, for `login` to keep."""
        return {} if self._target.method == "token" else self._flow.accepted()

    def _found_token(self) -> Token | None:
        return self._given_token() if self._target.method == "token" else self._stored_token()

    def _first_token(self) -> Token:
        with self._turn() as waited:
            if waited and (stored := self._stored_token()) is not None:
                return stored
            return self._kept(self._sign_in(may_ask=self._may_ask))

    def _turn(self) -> AbstractContextManager[bool]:
        """Against other processes that would renew the same stored token; bounded."""
        if not self._keep:
            return nullcontext(False)
        what = f"{self._target.profile} {self._target.origin}"
        return take_turn(self._services, what, within_s=_TURN_WITHIN_S, pause=self._pause)

    def _stored_token(self) -> Token | None:
        """What the keyring has, as long as it is good."""
        if (found := self._secrets.stored("token")) is None:
            return None
        try:
            token = token_in(found)
        except SignInError:
            return None
        return None if self._is_over(token, 0.0) else token

    def _given_token(self) -> Token:
        found = self._secrets.find("token")
        if found is None:
            raise SignInError(
                "there is no token",
                hint="set SBPAM_TOKEN or SBPAM_TOKEN_FILE, or run `sbpam login --token-file F`",
            )
        token = token_in(found)
        self._keep = self._keep and found.source == KEYRING
        return token

    def _is_over(self, token: Token, tolerance_s: float) -> bool:
        return (
            token.expires_at is not None
            and token.expires_at + tolerance_s <= self._api.server_time()
        )

    def _renewed(self, token: Token, *, must: bool) -> Token:
        """A fresh token; unless it `must` be, one that merely grows old serves to its end."""
        with self._turn():
            if (stored := self._renewed_elsewhere(token)) is not None:
                return stored
            over = self._is_over(token, 0.0)
            refusal: SbpamError | None = None
            # A token that is all there is is shown to the server even so: clocks differ,
            # and why it is refused is the server's to say.
            if not over or self._target.method == "token":
                try:
                    return self._kept(self._api.fresh_token(token))
                except Interrupted:
                    raise
                except SbpamError as error:
                    refusal = error
            try:
                return self._kept(self._sign_in_unattended(over=over))
            except SignInError as error:
                if not must and not over:
                    return token
                if error.reason is None and isinstance(refusal, SignInError):
                    error.reason, error.trace_id = refusal.reason, refusal.trace_id
                raise

    def _renewed_elsewhere(self, token: Token) -> Token | None:
        """What another process has stored meanwhile."""
        stored = self._stored_token() if self._keep else None
        if stored is None or stored.value == token.value or self.needs_renewal(stored):
            return None
        return stored

    def _sign_in_unattended(self, *, over: bool) -> Token:
        if self._target.method == "token":
            why = "has expired" if over else "is refused by the server"
            raise SignInError(f"the token {why}, and it cannot be renewed", hint=self._remedy())
        if self._flow.by_person:
            raise SignInError(
                "the token has expired, and a new one needs a code from a person",
                hint="run `sbpam login`; with a TOTP secret (--totp-secret-file,"
                " SBPAM_TOTP_SECRET) sbpam renews by itself",
            )
        return self._sign_in(may_ask=False)

    def _sign_in(self, *, may_ask: bool) -> Token:
        if self._failure is not None:
            raise self._failure
        try:
            return self._flow.sign_in(may_ask=may_ask)
        except SignInError as error:
            # Once more would be a second failed attempt, and enough of those lock an account.
            self._failure = error
            raise

    def _confirmed(self, token: Token) -> Token:
        """The token, or a fresh one, after the server took it; as it is where it cannot say."""
        try:
            return self._api.fresh_token(token)
        except (SignInError, Interrupted):
            raise
        except SbpamError as error:
            if error.code == "unreachable":
                raise
            return token

    def _kept(self, token: Token) -> Token:
        target = self._target
        if self._keep and target.origin is not None:
            self._vault.set(target.profile, target.origin, "token", token.value)
        return token

    def _remedy(self) -> str:
        source = self._target.sources.get("token", "SBPAM_TOKEN")
        return (
            f"put a fresh one into {source}"
            if not self._target.stored
            else f"run `sbpam login --profile {self._target.profile}`,"
            " or put a fresh one into SBPAM_TOKEN"
        )
