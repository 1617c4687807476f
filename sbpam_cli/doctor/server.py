"""What of a run's needs is between here and the server, in the order in which a run meets it."""

from contextlib import suppress
from functools import cached_property
from urllib.parse import urlsplit

from sbpam_cli.doctor.checks import Check, Result, judge_end
from sbpam_cli.errors import SignInError
from sbpam_cli.models import Token
from sbpam_cli.nps.certificates import read_certificate
from sbpam_cli.nps.proxies import choose_proxy
from sbpam_cli.nps.tls import fingerprint_of
from sbpam_cli.output.context import Context
from sbpam_cli.settings.environment import given_by_environment
from sbpam_cli.settings.profiles import Target
from sbpam_cli.settings.secrets import Secrets
from sbpam_cli.signin.login import look_at_certificate
from sbpam_cli.signin.session import Site, token_in
from sbpam_cli.wording import duration_words

_CONNECT_S = 5.0
_SKEW_TOLD_S = 2.0
_SKEW_BREAKS_S = 300.0
"""What Windows' own sign-in allows; beyond it certificates and tokens seem expired too."""


class ServerChecks:
    """The checks of one target, as the client of a run would meet it.

    unattended: signs in afresh. Otherwise a session that a person has is enough, and a
    sign-in that may want a code is not tried: what is refused there counts as an attempt.
    """

    def __init__(self, ctx: Context, target: Target, secrets: Secrets, *, unattended: bool) -> None:
        self._ctx = ctx
        self._services = ctx.services
        self._secrets = secrets
        self._unattended = unattended
        self._is_person = not unattended and target.method == "password"
        self._session = self._find_session() if self._is_person else None
        # With its token alone nothing signs in, whatever the server says to it.
        self._target = target if self._session is None else target._replace(method="token")

    def all(self) -> list[Check]:
        return [
            Check("connection", self._check_connection),
            Check("server", self._check_server, "connection"),
            Check("certificate", self._check_certificate, "server"),
            Check("clock", self._check_clock, "server"),
            Check("sign-in", self._check_sign_in, "server"),
            Check("role", self._check_role, "sign-in"),
        ]

    @cached_property
    def _site(self) -> Site:
        return Site(self._ctx, self._target, self._secrets)

    def _check_connection(self) -> Result:
        proxy = choose_proxy(self._services.environ, self._target.server)
        peer = urlsplit(proxy or self._target.server)
        host, port = peer.hostname or "", peer.port or (80 if peer.scheme == "http" else 443)
        # Never the user and the password that may stand before the host.
        where = f"{'the proxy ' if proxy else ''}{host} port {port}"
        clock = self._services.clock
        started = clock.monotonic()
        try:
            self._services.network().connect_tcp(host, port, timeout=_CONNECT_S).close()
        except Exception as error:  # httpcore's own, which only nps knows
            words = str(error) or type(error).__name__
            remedy = "check the name, the port, this machine's resolver, and the firewall"
            return False, f"{where} cannot be reached: {words}", remedy
        return True, f"{where} answers in {(clock.monotonic() - started) * 1000:.0f} ms", None

    def _check_server(self) -> Result:
        """The harmless read, over a connection whose certificate is judged."""
        version = self._site.client.version() or "tells no version"
        if self._target.insecure:
            return True, f"{version}; its certificate is not verified", "pin it: --fingerprint"
        kind = "trusted" if self._target.fingerprint is None else "the pinned one"
        return True, f"{version}; its certificate is {kind}", None

    def _check_certificate(self) -> Result:
        target = self._target
        der = look_at_certificate(self._site) or b""
        try:
            known = read_certificate(der)
        except ValueError:
            return None, "its end cannot be read", None
        ok, end = judge_end(known.expires_at, self._services.clock.now())
        detail = f"{known.name or 'no name'}, {end}, fingerprint {fingerprint_of(der)}"
        if ok:
            return True, detail, None
        remedy = "the server's administrator renews it"
        if target.fingerprint is not None:
            remedy += "; then pin the new one: `sbpam login --fingerprint`"
        return target.insecure, detail, remedy

    def _check_clock(self) -> Result:
        offset_s = self._site.client.clock_offset_s
        if not offset_s:
            return None, "the server does not tell its time", None
        if abs(offset_s) < _SKEW_TOLD_S:
            return True, "agrees with the server's", None
        side = "behind" if offset_s > 0 else "ahead of"
        detail = f"ours is {duration_words(abs(offset_s))} {side} the server's"
        remedy = "set this machine's clock, or the server's (NTP)"
        return abs(offset_s) <= _SKEW_BREAKS_S, detail, remedy

    def _find_session(self) -> Token | None:
        """What `sbpam login` stored, if it is still good by this machine's clock."""
        now = self._services.clock.now()
        with suppress(SignInError):
            if (found := self._secrets.stored("token")) is not None:
                token = token_in(found)
                return token if (token.expires_at or now + 1) > now else None
        return None

    def _check_sign_in(self) -> Result:
        """Afresh, as a cron job must once what is stored has expired; keeps nothing."""
        if self._session is not None:
            try:
                self._site.session.sign_in()
            except SignInError as error:
                error.hint = "run `sbpam login`"
                raise
            return True, f"the stored session works, {self._end_of(self._session)[1]}", None
        if self._is_person and self._secrets.find("totp-secret") is None:
            # Who has a password and no second factor is signed in by the next command.
            ok = None if self._secrets.find("password") else False
            detail = "no session is stored, and signing in may take a code from a person"
            return ok, detail, "run `sbpam login`; for cron: `sbpam doctor --unattended`"
        token = self._site.session.sign_in()
        if self._target.method != "token":
            return True, f"works unattended as {self._target.username}", None
        ok, end = self._end_of(token)
        # Who hands over a token each time renews it; a stored one just ends.
        if ok or not self._unattended or given_by_environment(self._services, "token"):
            return True, f"the token works, {end}", None
        remedy = "for unattended runs use the method application, or password with TOTP secret"
        return False, f"the token {end}", remedy

    def _end_of(self, token: Token) -> tuple[bool, str]:
        if token.expires_at is None:
            return True, "and does not tell when it expires"
        return judge_end(token.expires_at, self._site.client.server_time())

    def _check_role(self) -> Result:
        self._site.client.check_role()
        return True, "scans can be read", None
