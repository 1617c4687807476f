"""What of a run's needs lies between here and the server, in the order in which a run meets it."""

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, cast
from urllib.parse import urlsplit

from sbpam_cli.doctor.checks import SOON_S, Check, Finding, say_expiry, say_span
from sbpam_cli.errors import SbpamError
from sbpam_cli.models import Token
from sbpam_cli.nps.certificates import read_certificate
from sbpam_cli.nps.client import NotFoundError, NpsClient
from sbpam_cli.nps.proxies import choose_proxy
from sbpam_cli.nps.tls import fingerprint_of
from sbpam_cli.settings.environment import KEYRING, given_by_environment
from sbpam_cli.signin.session import Site, open_site

if TYPE_CHECKING:
    import httpcore

    from sbpam_cli.output.context import Context
    from sbpam_cli.settings.profiles import Target

_CONNECT_S = 5.0
_SKEW_SAID_S = 2.0
_SKEW_BREAKS_S = 300.0
"""What Windows' own sign-in allows; beyond it certificates and tokens seem expired too."""


class ServerChecks:
    """The checks of one target, on the connection that a run would use. `all` has the order."""

    NAMES: ClassVar[tuple[str, ...]] = (
        *("proxy", "dns", "tcp", "tls", "certificate", "version", "clock", "health"),
        *("sign-in", "token", "role"),
    )

    def __init__(self, ctx: "Context", target: "Target") -> None:
        services = ctx.services
        self._ctx = ctx
        self._services = services
        self._target = target
        self._host = urlsplit(target.server).hostname or ""
        self._proxy_url = choose_proxy(services.environ, target.server)
        self._network = _WatchedNetwork(services.network())
        # By its shape a back end; its class can only be derived from where httpcore is loaded.
        network = cast("httpcore.NetworkBackend", self._network)
        self._watched = replace(
            ctx, services=replace(services, network=lambda: network), no_input=True
        )
        self._opened: Site | None = None
        self._token: Token | None = None

    def all(self) -> list[Check]:
        """Every check in order."""
        blocks = {
            "proxy": "no proxy",
            "dns": "no address",
            "tcp": "no connection",
            "tls": "no TLS connection",
            "version": "the server does not answer",
            "sign-in": "not signed in",
        }
        # A TOTP code that was used before costs up to half a minute.
        limits_s = {"tls": 30.0, "version": 30.0, "sign-in": 75.0, "role": 30.0}
        return [
            Check(
                name,
                getattr(self, f"_check_{name.replace('-', '_')}"),
                limits_s.get(name, 10.0),
                blocks.get(name),
            )
            for name in self.NAMES
        ]

    def _client(self) -> NpsClient:
        return self._site().client

    def _site(self) -> Site:
        if self._opened is None:
            self._opened = open_site(self._watched, self._target)
        return self._opened

    def _certificate(self) -> Any:
        """OpenSSL's side of the newest handshake with the server, None where there was none.

        Directly it is the inner object, whose methods take no names of arguments.
        """
        return self._network.handshakes.get(self._host)

    def _check_proxy(self) -> Finding:
        environ = self._services.environ
        names = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
        variable = next((name for name in names if environ.get(name)), None)
        if self._proxy_url is None:
            why = f": NO_PROXY excepts it from {variable}" if variable is not None else ""
            return Finding("proxy", True, f"none for this server{why}")
        try:
            parts = urlsplit(self._proxy_url)
            # Never the user and the password that may stand before it.
            where = f"{parts.scheme}://{parts.hostname}:{parts.port or _port_of(parts.scheme)}"
            # A password with a bare slash would end up in port and path.
            if not parts.hostname or "@" in parts.path + parts.query + parts.fragment:
                raise ValueError(where)
        except ValueError:
            return Finding(
                "proxy",
                False,
                f"{variable or 'the system'} names a proxy that cannot be used",
                "write it like http://HOST:PORT or http://USER:PASSWORD@HOST:PORT",
            )
        user = ", with a user" if parts.username else ""
        return Finding("proxy", True, f"{where} ({variable or 'the system setting'}{user})")

    def _peer(self) -> tuple[str, int]:
        """Whom the connection goes to: the proxy, or the server itself."""
        parts = urlsplit(self._proxy_url or self._target.server)
        return parts.hostname or "", parts.port or _port_of(parts.scheme)

    def _check_dns(self) -> Finding:
        import socket

        host, port = self._peer()
        clock = self._services.clock
        started = clock.monotonic()
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            words = getattr(error, "strerror", None) or str(error)
            remedy = "check the name, and this machine's (or container's) resolver"
            return Finding("dns", False, f"{host} has no address: {words}", remedy)
        addresses = ", ".join(dict.fromkeys(str(entry[4][0]) for entry in found))
        took_ms = (clock.monotonic() - started) * 1000
        return Finding("dns", True, f"{host} is {addresses}, found in {took_ms:.0f} ms")

    def _check_tcp(self) -> Finding:
        host, port = self._peer()
        clock = self._services.clock
        started = clock.monotonic()
        try:
            stream = self._services.network().connect_tcp(host, port, timeout=_CONNECT_S)
        except Exception as error:  # httpcore's own, which only nps knows
            words = str(error) or type(error).__name__
            remedy = "check the port, the firewall, and that the server runs"
            return Finding("tcp", False, f"{host} port {port} cannot be reached: {words}", remedy)
        took_ms = (clock.monotonic() - started) * 1000
        stream.close()
        return Finding("tcp", True, f"{host} port {port} answers in {took_ms:.0f} ms")

    def _check_tls(self) -> Finding:
        try:
            self._client().probe()
        except SbpamError as error:
            # What came after the handshake is the next checks' business.
            if self._certificate() is None:
                _improve_hint(error)
                raise
        handshake = self._certificate()
        cipher = (handshake.cipher() or ("",))[0]
        trust, remedy = self._trust()
        return Finding("tls", True, f"{handshake.version()}, {cipher}, {trust}", remedy)

    def _trust(self) -> tuple[str, str | None]:
        """Whom the connection trusts, and what would be better."""
        target, services = self._target, self._services
        if target.fingerprint is not None:
            return "the certificate is the pinned one", None
        if target.insecure:
            pin = fingerprint_of(self._certificate().getpeercert(True))
            return (
                "not verified at all",
                f"pin the certificate, if it is right: --fingerprint {pin}",
            )
        given = target.ca_bundle or services.env("SSL_CERT_FILE") or services.env("SSL_CERT_DIR")
        if given is not None:
            return f"the chain leads to the CA certificates in {given}", None
        return "the chain leads to the operating system's trust store", None

    def _check_certificate(self) -> Finding:
        handshake = self._certificate()
        # Python tells the issuer of a certificate only where it verified it.
        issuer = dict(pair for parts in handshake.getpeercert().get("issuer", ()) for pair in parts)
        name = issuer.get("commonName") or issuer.get("organizationName")
        try:
            known = read_certificate(handshake.getpeercert(True))
        except ValueError:
            return Finding("certificate", None, "until when it is good cannot be read")
        left_s = known.expires_at - self._services.clock.now()
        who = f"{known.common_name or self._host}{f', issued by {name}' if name else ''}"
        ok = left_s > SOON_S
        remedy = "the server's administrator renews it"
        if self._target.fingerprint is not None:
            remedy += "; then pin the new one: `sbpam login --fingerprint`"
        return Finding(
            "certificate",
            ok or self._target.insecure,
            f"{who}, {say_expiry(known.expires_at, left_s)}",
            None if ok else remedy,
        )

    def _check_clock(self) -> Finding:
        offset_s = self._client().clock_offset_s
        if not offset_s:
            return Finding("clock", None, "the server does not tell its time")
        off_s = abs(offset_s)
        if off_s < _SKEW_SAID_S:
            return Finding("clock", True, "agrees with the server's")
        where = "behind" if offset_s > 0 else "ahead of"
        detail = f"ours is {say_span(off_s)} {where} the server's"
        ok = off_s <= _SKEW_BREAKS_S
        return Finding("clock", ok, detail, "set this machine's clock, or the server's (NTP)")

    def _check_version(self) -> Finding:
        version = self._client().version()
        return Finding("version", True, version or "the server answers, but tells no version")

    def _check_health(self) -> Finding:
        reply = self._client().health()
        if reply.status in (404, 405):
            return Finding("health", None, "the server has no such call")
        words, trace_id = reply.problem()
        ok = 200 <= reply.status < 300 and not reply.is_web_page
        parts = (words or "nothing", not ok and f"HTTP {reply.status}", trace_id)
        detail = ", ".join(part for part in parts if part)
        return Finding("health", ok, detail, None if ok else "look at the server's own health page")

    def _check_sign_in(self) -> Finding:
        """Afresh, as a cron job must once what is stored has expired; keeps nothing."""
        self._token = self._site().session.sign_in()
        who = self._target.username if self._target.method != "token" else None
        return Finding("sign-in", True, f"works unattended{f' as {who}' if who else ''}")

    def _check_token(self) -> Finding:
        token, services = self._token, self._services
        if token is None or token.expires_at is None:
            return Finding("token", True, "does not tell when it expires")
        left_s = token.expires_at - self._client().server_time()
        detail = say_expiry(token.expires_at, left_s)
        if self._target.method != "token":
            return Finding("token", True, f"{detail}; commands renew it by themselves")
        source = given_by_environment(services, "token") or KEYRING
        remedy = "for unattended runs use the method application, or password with TOTP secret"
        # Who hands over a token each time renews it; a stored one just ends.
        ok = source != KEYRING or left_s > SOON_S
        return Finding("token", ok, f"{detail}; nothing here makes a new one", remedy)

    def _check_role(self) -> Finding:
        """Reads a job that does not exist: only an account with the role is told so."""
        import uuid

        unknown = uuid.UUID(int=self._services.random.getrandbits(128), version=4)
        with suppress(NotFoundError):
            self._client().job(str(unknown))
        return Finding("role", True, "scans can be read")


class _WatchedNetwork:
    """Wraps an `httpcore.NetworkBackend`; `handshakes`: the newest TLS object by server name."""

    def __init__(self, inner: "httpcore.NetworkBackend") -> None:
        self._inner = inner
        self.handshakes: dict[str, Any] = {}

    def connect_tcp(self, *place: Any, **how: Any) -> "_WatchedStream":
        return _WatchedStream(self._inner.connect_tcp(*place, **how), self.handshakes)

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class _WatchedStream:
    def __init__(self, inner: "httpcore.NetworkStream", handshakes: dict[str, Any]) -> None:
        self._inner = inner
        self._handshakes = handshakes

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> "_WatchedStream":
        inner = self._inner.start_tls(ssl_context, server_hostname, timeout)
        self._handshakes[server_hostname or ""] = inner.get_extra_info("ssl_object")
        return _WatchedStream(inner, self._handshakes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _improve_hint(error: SbpamError) -> None:
    reason = (error.reason or "").lower()
    if "expired" in reason:
        error.hint = (
            "the server's administrator renews it; where it is good elsewhere, set this clock"
        )
    elif "proxy" in reason:
        error.hint = "check the proxy, and the user and password for it in HTTPS_PROXY"


def _port_of(scheme: str) -> int:
    return {"http": 80, "socks5": 1080, "socks5h": 1080}.get(scheme, 443)
