"""A server that one is signed in to, and the command's token: found, made, renewed, kept."""

import os
import threading
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TYPE_CHECKING

from sbpam_cli.errors import Interrupted, SbpamError, ServerError, SignInError, UsageError
from sbpam_cli.models import Token
from sbpam_cli.nps.certificates import ClientCertificate
from sbpam_cli.nps.client import NpsClient
from sbpam_cli.nps.decoding import WireError
from sbpam_cli.nps.failures import RefusedError
from sbpam_cli.nps.replies import make_token
from sbpam_cli.nps.tls import TlsSettings, build_context
from sbpam_cli.nps.transport import Transport
from sbpam_cli.output.context import Context
from sbpam_cli.settings.keyring import Vault
from sbpam_cli.settings.profiles import Target, resolve_target
from sbpam_cli.settings.secrets import KEYRING, Found, Secrets, typed_secret
from sbpam_cli.signin.application import ApplicationSignIn, open_certificate
from sbpam_cli.signin.password import PasswordSignIn
from sbpam_cli.system.locks import take_turn
from sbpam_cli.system.signals import Interruption

if TYPE_CHECKING:
    from sbpam_cli.journal.records import Run

_RENEW_BEFORE_S = 60.0
_RENEW_BEFORE_SHARE = 0.2


class Site:
    """A server that one is signed in to, at the latest when its first call is made.

    secrets: by default what environment and keyring have. before: a site of this command,
    whose secrets, certificate and token serve on, so that nobody is asked twice; else an
    application's certificate is opened here, so that nobody is asked for its passphrase later.
    stop: ends waiting with Interrupted. Raises SignInError for a certificate that cannot be used.
    """

    def __init__(
        self,
        ctx: Context,
        target: Target,
        secrets: Secrets | None = None,
        *,
        before: "Site | None" = None,
        stop: threading.Event | None = None,
        connections: int = 10,
    ) -> None:
        self.ctx = ctx
        self.target = target
        self.secrets: Secrets = before.secrets if before else secrets or open_secrets(ctx, target)
        self.certificate: ClientCertificate | None = before.certificate if before else None
        if before is None and target.method == "application":
            self.certificate = open_certificate(ctx, target, self.secrets)
        if target.insecure:
            ctx.console.warn(
                f"TLS is not verified: anybody in between can read what goes to {target.server}"
            )
        tls, talk = self._tls_settings(), ctx.console
        context = build_context(tls) if self.certificate is not None else None
        transport = Transport(ctx.services, target.server, tls, talk, context, connections)
        self.transport, self.client = transport, NpsClient(transport, stop)
        self.session: Session = Session(self, before.session if before else None)
        self.client.tokens = self.session

    def _tls_settings(self) -> TlsSettings:
        """How its certificate is judged; `SSL_CERT_FILE` and `_DIR` as httpx has them."""
        target = self.target
        file, folder = target.ca_bundle, None
        if not (file or target.fingerprint or target.insecure):
            file, folder = self._existing("SSL_CERT_FILE"), self._existing("SSL_CERT_DIR")
        return TlsSettings(file, folder, target.fingerprint, target.insecure, self.certificate)

    def _existing(self, variable: str) -> str | None:
        path = self.ctx.services.env(variable)
        if path is not None and not os.path.exists(path):
            hint = f"correct {variable}, or unset it"
            raise UsageError(f"{variable} names {path}, which does not exist", hint=hint)
        return path


class Session:
    """Tokens for one target. Threads may share it; they sign in and renew once."""

    def __init__(self, site: Site, before: "Session | None" = None) -> None:
        self._site = site
        self._target = site.target
        self._lock = threading.Lock()
        self._current: Token | None = before._current if before else None
        self._untimed: Token | None = before._untimed if before else None
        self._keep = site.target.stored
        self._failure: SbpamError | None = None
        self._why = "not signed in"
        self._flow: PasswordSignIn | ApplicationSignIn
        self._flow = PasswordSignIn(site.ctx, site.secrets, site.client)
        if site.certificate is not None:
            self._flow = ApplicationSignIn(site.ctx, site.secrets, site.client, site.certificate)

    def needs_renewal(self, token: Token) -> bool:
        """Whether less than min(60 s, 20% of its life) is left, by the server's clock."""
        if token.expires_at is None:
            return False
        life_s = token.expires_at - (token.received_at or 0.0)
        left_s = token.expires_at - self._site.client.server_time()
        return left_s <= min(_RENEW_BEFORE_S, _RENEW_BEFORE_SHARE * life_s)

    def token(self, *, lasting: bool = False) -> Token:
        """The token to use now. Raises SignInError, the same one in every thread.

        lasting: one that `needs_renewal` is not good enough, even if it is all there is.
        """
        with self._lock:
            by_token = self._target.method == "token"
            found = self._current or (self._given_token() if by_token else self._stored_token())
            if found is None:
                self._current = self._first_token()
            elif found is not self._untimed and self.needs_renewal(found):
                self._current = self._renewed(found, must=lasting)
            else:
                self._current = found
            # Too old when it was made: the clocks differ, and each call would sign in.
            if self._current is not found and self.needs_renewal(self._current):
                self._untimed = self._current
            return self._current

    def renew(self, refused: Token) -> Token:
        """A token in place of one that got a 401: the current one if another thread renewed it."""
        with self._lock:
            if self._current is None or self._current.value == refused.value:
                self._current = self._renewed(refused, must=True)
            return self._current

    def sign_in(self, code: str | None = None) -> Token:
        """Signs in afresh, whatever is stored (`login`); keeps nothing. code: for step 2."""
        with self._lock:
            self._keep, self._why = False, ""
            if self._target.method == "token":
                self._current = token = self._given_token()
                # The server takes it, or refuses it; without the call it cannot say.
                with suppress(ServerError):
                    self._current = self._site.client.fresh_token(token)
            else:
                self._flow.code = code
                self._current = self._sign_in(may_ask=self._site.ctx.can_ask)
            return self._current

    def ask_again(self) -> None:
        """A session that ended goes on with what a person types.

        Raises SignInError, also for a secret that the server refused: it is not sent again.
        """
        with self._lock:
            if isinstance(self._failure, RefusedError):
                raise self._failure
            self._failure, self._untimed, self._why = None, None, "session ended"
            if self._target.method == "token":
                question = f"Token for {self._target.whom} ({self._why})"
                token = token_in(typed_secret(self._site.ctx.ask_secret, question))
            else:
                token = self._sign_in(may_ask=True)
            self._current = self._kept(token)

    def _first_token(self) -> Token:
        with self._turn() as waited:
            if waited and (stored := self._stored_token()) is not None:
                return stored
            return self._kept(self._sign_in(may_ask=self._site.ctx.can_ask))

    def _turn(self) -> AbstractContextManager[bool]:
        """Against other processes that would renew the same stored token; bounded."""
        if not self._keep:
            return nullcontext(False)
        what = f"{self._target.profile} {self._target.origin}"
        return take_turn(self._site.ctx.services, what, self._site.client.pause)

    def _stored_token(self) -> Token | None:
        """What the keyring has, as long as it is good."""
        found = self._site.secrets.stored("token")
        self._why = self._why if found is None else "session ended"
        with suppress(SignInError):
            if found is not None and not self._is_over(token := token_in(found)):
                return token
        return None

    def _given_token(self) -> Token:
        found = self._site.secrets.find("token")
        if found is None:
            hint = "set SBPAM_TOKEN or SBPAM_TOKEN_FILE, or run `sbpam login --token-file F`"
            raise SignInError("there is no token", hint=hint)
        token = token_in(found)
        self._keep = self._keep and found.source == KEYRING
        return token

    def _is_over(self, token: Token) -> bool:
        return token.expires_at is not None and token.expires_at <= self._site.client.server_time()

    def _renewed(self, old: Token, *, must: bool) -> Token:
        """A fresh token; unless it `must` be, one that merely grows old serves to its end."""
        with self._turn():
            stored = self._stored_token() if self._keep else None
            if stored and stored.value != old.value and not self.needs_renewal(stored):
                return stored
            over = self._is_over(old)
            refusal: SbpamError | None = None
            # A token that is all there is is sent even so: clocks differ, and the server says why.
            if not over or self._target.method == "token":
                try:
                    return self._kept(self._site.client.fresh_token(old), old)
                except Interrupted:
                    raise
                except SbpamError as error:
                    refusal = error
            try:
                return self._kept(self._sign_in_unattended(over=over), old)
            except SignInError as error:
                if not must and not over:
                    return old
                if error.reason is None and isinstance(refusal, SignInError):
                    error.reason, error.trace_id = refusal.reason, refusal.trace_id
                raise

    def _sign_in_unattended(self, *, over: bool) -> Token:
        if self._target.method == "token":
            why = "has expired" if over else "is refused by the server"
            stored = f"run `{self._target.login}`, or "
            hint = f"{stored if self._target.stored else ''}put a fresh one into SBPAM_TOKEN"
            raise SignInError(f"the token {why}, and it cannot be renewed", hint=hint)
        if self._flow.by_person:
            why = "the token has expired, and a new one needs a code from a person"
            alone = (
                "with a TOTP secret (--totp-secret-file, SBPAM_TOTP_SECRET) sbpam renews by itself"
            )
            hint = f"run `{self._target.login}`; {alone}"
            raise SignInError(why, hint=hint)
        return self._sign_in(may_ask=False)

    def _sign_in(self, *, may_ask: bool) -> Token:
        if self._failure is not None:
            raise self._failure
        try:
            return self._flow.sign_in(may_ask=may_ask, why=self._why)
        except SignInError as error:
            # Once more would be a second failed attempt, and enough of those lock an account.
            self._failure = error
            raise

    def _kept(self, token: Token, old: Token | None = None) -> Token:
        """The fresh token, stored. Raises SignInError if it is the old one."""
        if old is not None and token.value == old.value:
            hint = f"run `{self._target.login}` later"
            raise SignInError("the server gives back the token that it refuses", hint=hint)
        if self._keep:
            target = self._target
            self._site.secrets.vault.set(target.profile, target.server, "token", token.value)
        return token


def token_in(found: Found) -> Token:
    """The token that a source holds. Raises SignInError if it cannot be one."""
    try:
        return make_token(found.value, None)
    except WireError:
        hint = "a token is one line of printable ASCII, as `eyJ...`"
        raise SignInError(f"what {found.source} holds is not a token", hint=hint) from None


def open_secrets(ctx: Context, target: Target) -> Secrets:
    """What environment and keyring have for the target."""
    vault = Vault(ctx.services, ctx.console, attended=ctx.can_ask)
    return Secrets(ctx.services, target, vault, ctx.console)


def names_server(ctx: Context) -> bool:
    """Whether an option or a variable says which server is meant."""
    given = (ctx.connection.profile, ctx.connection.server)
    return any(given) or any(map(ctx.services.env, ("SBPAM_PROFILE", "SBPAM_SERVER")))


def find_target(ctx: Context, run: "Run | None" = None) -> Target:
    """The server that the command is about, which `outcome` names from now on: a run's own.

    Raises UsageError if an option or a variable names another than the run's.
    """
    options = ctx.connection
    if run is not None and not names_server(ctx):
        options = options._replace(profile=run.profile, server=run.server)
    target = resolve_target(ctx.services, options)
    if run is not None and target.origin != run.server:
        elsewhere = f"run {run.run_id} is on {run.server}, not on {target.origin}"
        raise UsageError(elsewhere, hint="leave the server out: a run knows its own")
    ctx.outcome.server, ctx.outcome.profile = target.origin, target.profile
    return target


def sign_in(
    ctx: Context,
    target: Target,
    interruption: Interruption,
    *,
    parallel: int,
    before: Site | None = None,
) -> Site:
    """A site that is signed in, after a harmless read on the same client.

    Under TLS 1.3 a refused client certificate shows only once a request was written.
    """
    site = Site(ctx, target, before=before, stop=interruption.event, connections=parallel + 2)
    site.client.version()
    site.session.token()
    return site
