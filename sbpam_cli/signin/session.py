"""The token of a command: found, made, renewed in good time, and kept for the next one."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from sbpam_cli.errors import Interrupted, SbpamError, SignInError
from sbpam_cli.models import Token
from sbpam_cli.nps.client import NpsClient
from sbpam_cli.nps.replies import WireError, make_token
from sbpam_cli.nps.tls import TlsSettings, build_context
from sbpam_cli.nps.transport import NoReplyError, Transport
from sbpam_cli.settings.keyring import Vault
from sbpam_cli.settings.profiles import Target
from sbpam_cli.settings.secrets import KEYRING, Secrets
from sbpam_cli.system.locks import take_turn
from sbpam_cli.system.signals import Interruption

if TYPE_CHECKING:
    from sbpam_cli.nps.client_certificates import ClientCertificate
    from sbpam_cli.output.context import Context
    from sbpam_cli.settings.secrets import Found, SecretName
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

    code: for step 2 of the first sign-in.
    pause: how to wait, for the next TOTP code or another process; the clock's sleep by default.
    application: how the method `application` signs in; None for the other methods.
    """

    def __init__(
        self,
        ctx: "Context",
        target: "Target",
        secrets: "Secrets",
        api: "SignInApi",
        *,
        code: str | None = None,
        pause: Callable[[float], None] | None = None,
        application: "ApplicationSignIn | None" = None,
    ) -> None:
        self._services = ctx.services
        self._target = target
        self._secrets = secrets
        self._api = api
        self._talk = ctx.console
        self._code = code
        self._application = application
        self._may_ask = ctx.can_ask
        self._lock = threading.Lock()
        self._current: Token | None = None
        self._keep = target.stored
        self._failure: SbpamError | None = None
        self._pause = pause or ctx.services.clock.sleep

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
            self._secrets.vault.set(target.profile, target.origin, "token", token.value)
        return token

    def _remedy(self) -> str:
        source = self._target.sources.get("token", "SBPAM_TOKEN")
        return (
            f"put a fresh one into {source}"
            if not self._target.stored
            else f"run `sbpam login --profile {self._target.profile}`,"
            " or put a fresh one into SBPAM_TOKEN"
        )


class Site(NamedTuple):
    """A server that one is signed in to, at the latest when its first call is made."""

    client: NpsClient
    session: Session
    target: Target


def tls_settings(
    services: "Services", target: Target, certificate: "ClientCertificate | None" = None
) -> TlsSettings:
    """How the target's certificate is judged; `SSL_CERT_FILE` and `_DIR` as httpx has them."""
    if target.ca_bundle is not None:
        return TlsSettings(
            ca_bundle=target.ca_bundle,
            fingerprint=target.fingerprint,
            insecure=target.insecure,
            client=certificate,
        )
    return TlsSettings(
        ca_bundle=services.env("SSL_CERT_FILE"),
        ca_folder=services.env("SSL_CERT_DIR"),
        fingerprint=target.fingerprint,
        insecure=target.insecure,
        client=certificate,
    )


def open_client(
    ctx: "Context",
    target: Target,
    *,
    certificate: "ClientCertificate | None" = None,
    stop: threading.Event | None = None,
    connections: int = 10,
) -> NpsClient:
    """A client of the target's server, not signed in; nothing is sent yet.

    certificate: presented to the server. Raises SignInError where its key cannot be used.
    """
    origin = target.server
    if target.insecure:
        ctx.console.warn(f"TLS is not verified: anybody in between can read what goes to {origin}")
    settings = tls_settings(ctx.services, target, certificate)
    # A key may need its passphrase from a person: here, and not in some thread later.
    context = build_context(settings) if certificate is not None else None
    transport = Transport(
        ctx.services, origin, settings, ctx.console, context=context, connections=connections
    )
    return NpsClient(ctx.services, transport, stop=stop)


def look_at_certificate(
    ctx: "Context", target: Target, certificate: "ClientCertificate | None"
) -> bytes | None:
    """The server's certificate (DER), whoever it is; nothing but the handshake is sent."""
    seen: list[bytes] = []
    settings = tls_settings(ctx.services, target, certificate)
    context = build_context(settings, seen.append)
    transport = Transport(ctx.services, target.server, settings, ctx.console, context=context)
    try:
        transport.send("GET", "/api/v1/Version", total_s=30.0)
    except NoReplyError:
        pass
    finally:
        transport.close()
    return seen[-1] if seen else None


def open_site(
    ctx: "Context",
    target: Target,
    *,
    stop: threading.Event | None = None,
    connections: int = 10,
) -> Site:
    """A server whose calls sign in as the target says, when the first token is needed.

    Raises SignInError for a client certificate that cannot be used.
    """
    vault = Vault(ctx.services, ctx.console, attended=ctx.can_ask)
    secrets = Secrets(ctx.services, target, vault, ctx.console)
    certificate = present_certificate(ctx, target, secrets)
    client = open_client(ctx, target, certificate=certificate, stop=stop, connections=connections)
    pause = _pause(ctx.services, stop) if stop is not None else None
    return Site(
        client, make_session(ctx, target, secrets, client, certificate, pause=pause), target
    )


def present_certificate(
    ctx: "Context", target: Target, secrets: Secrets
) -> "ClientCertificate | None":
    """An application's client certificate; None if the method needs none."""
    if target.method != "application":
        return None
    from sbpam_cli.signin.application import KeyPassphrase, open_certificate

    passphrase = KeyPassphrase(ctx.services, target, secrets, may_ask=ctx.can_ask)
    return open_certificate(ctx.services, target, passphrase, ctx.console)


def make_session(
    ctx: "Context",
    target: Target,
    secrets: Secrets,
    client: NpsClient,
    certificate: "ClientCertificate | None",
    *,
    code: str | None = None,
    pause: Callable[[float], None] | None = None,
) -> Session:
    """The session that the client's calls are signed in with; code: for step 2 of the first."""
    application = None
    if certificate is not None:
        from sbpam_cli.signin.application import ApplicationSignIn

        application = ApplicationSignIn(ctx.services, target, secrets, client, certificate)
    session = Session(ctx, target, secrets, client, code=code, pause=pause, application=application)
    client.use(session)
    return session


def _pause(services: "Services", stop: threading.Event) -> Callable[[float], None]:
    def pause(seconds: float) -> None:
        if services.clock.wait(stop, seconds):
            raise Interrupted("interrupted", signal_number=2)

    return pause


def sign_in(ctx: "Context", target: Target, interruption: Interruption, *, parallel: int) -> Site:
    """A site that is signed in and proved by a harmless read on the same client.

    The read comes first: under TLS 1.3 a refused client certificate shows only
    after the first request was written.
    """
    site = open_site(ctx, target, stop=interruption.event, connections=parallel + 2)
    site.client.version()
    site.session.token()
    return site
