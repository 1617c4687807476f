"""One origin, one pool of connections: requests out, whole replies back.

HTTP/1.1 only, no redirects, no retries, no cookies but those a caller hands in:
whatever is repeated is repeated by somebody who knows whether it may be.
"""

import re
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

from sbpam_cli import __version__
from sbpam_cli.errors import UnreachableError
from sbpam_cli.models import Talk
from sbpam_cli.nps.deadlines import DeadlineNetwork
from sbpam_cli.nps.failures import Reply, hide_secrets
from sbpam_cli.nps.proxies import choose_proxy, explain_refusal, proxy_name
from sbpam_cli.nps.tls import TlsSettings, build_context, explain_tls
from sbpam_cli.system.services import Services
from sbpam_cli.system.threads import interruptible

if TYPE_CHECKING:
    import ssl

    import httpx

# With click in the environment httpx imports its own command line: click, rich
# and pygments, 70 ms. None here makes that import fail, as httpx expects.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 60.0
TOTAL_S = 120.0
_KEEPALIVE_S = 5.0
_LONGEST_ERROR = 1 << 20


@dataclass(eq=False)
class NoReplyError(Exception):
    """A request without a usable answer.

    reason: for a person. sent: whether its first byte may have left, by httpcore's own word;
    exceptions alone do not tell. peer: the server, or the proxy, that gave none. final: what
    another try would end with too.
    """

    reason: str
    _: KW_ONLY
    sent: bool
    peer: str = ""
    final: UnreachableError | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Outgoing:
    """A request.

    path: with its query, of which `--verbose` shows nothing. body: a JSON value. secret: what
    no message may repeat. repeat: whether another try may be made: of what may help, of what
    surely did not leave, or of nothing. total_s: for the whole of it. attempt: the number of
    this try. largest: bytes of a success's body, decompressed; an error's is cut off.
    consume: takes the body of a success in pieces as they come, and `content` is empty then.
    acts: it may change something: the hint if nobody knows whether it did.
    """

    path: str
    _: KW_ONLY
    method: str = "GET"
    body: object = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    cookies: Mapping[str, str] = field(default_factory=dict, repr=False)
    secret: str = field(default="", repr=False)
    repeat: Literal["reads", "unsent", "never"] = "reads"
    total_s: float = TOTAL_S
    connect_s: float = CONNECT_TIMEOUT_S
    read_s: float = READ_TIMEOUT_S
    attempt: int = 1
    largest: int = 64 << 20
    consume: Callable[[Iterator[bytes]], None] | None = None
    acts: str = ""

    def headers(self) -> list[tuple[bytes, bytes]]:
        found = {"Accept": "application/json", "User-Agent": f"sbpam/{__version__}"}
        if self.token is not None:
            found["Authorization"] = f"Bearer {self.token}"
        if self.cookies:
            found["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        # Bytes, because a server's cookie may be anything.
        return [(name.encode(), text.encode()) for name, text in found.items()]

    def all_secrets(self) -> tuple[str, ...]:
        """What no message may repeat; one of two letters would hide them everywhere."""
        found = (self.secret, self.token or "", *self.cookies.values())
        return tuple(value for value in found if len(value) > 2)


@dataclass(eq=False, repr=False)
class Transport:
    """Sends requests to one origin. Used by several threads at once.

    context: by default what `settings` make, when the first request is sent.
    """

    services: Services
    origin: str
    settings: TlsSettings
    talk: Talk
    context: "ssl.SSLContext | None" = None
    connections: int = 10

    def __post_init__(self) -> None:
        self._network = DeadlineNetwork(self.services)
        self._lock = threading.Lock()
        self._opened: httpx.Client | None = None
        self._proxy: str | None = None

    def _client(self) -> "httpx.Client":
        with self._lock:
            if self._opened is None:
                self._opened = self._open()
                # Whoever lets go last closes it: threads may be in a request at the command's end.
                weakref.finalize(self, self._opened.close).atexit = False
            return self._opened

    def _open(self) -> "httpx.Client":
        from http.cookiejar import CookieJar, DefaultCookiePolicy

        import httpx

        proxy = None
        if (url := choose_proxy(self.services.environ, self.origin)) is not None:
            proxy, self._proxy = httpx.Proxy(url), proxy_name(url)
            if url.lower().startswith("https:"):
                # The server's pin, exceptions and client certificate are not the proxy's.
                trusted = TlsSettings(self.settings.ca_bundle, self.settings.ca_folder)
                proxy.ssl_context = build_context(trusted)
        context = self.context or build_context(self.settings)
        limits = httpx.Limits(
            max_connections=self.connections,
            max_keepalive_connections=self.connections,
            keepalive_expiry=_KEEPALIVE_S,
        )
        transport = httpx.HTTPTransport(context, trust_env=False, limits=limits, proxy=proxy)
        # httpx has no setting for httpcore's back end; a test holds these names.
        transport._pool._network_backend = self._network  # type: ignore[assignment]
        cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        return httpx.Client(transport=transport, trust_env=False, cookies=cookies)

    def send(self, out: Outgoing) -> Reply:
        """Raises NoReplyError, UsageError for a useless proxy, and what `out.consume` raises."""
        return interruptible(lambda: self._exchange(out))

    def _exchange(self, out: Outgoing) -> Reply:
        import httpx

        clock, secrets = self.services.clock, out.all_secrets()
        started, progress = clock.monotonic(), _Progress(out.method.encode())
        outcome, trace_id = "given up", None
        try:
            client = self._client()
            with self._network.deadline(out.total_s):
                asked = client.stream(
                    out.method,
                    self.origin + out.path,
                    json=out.body,
                    headers=out.headers(),
                    timeout=httpx.Timeout(out.read_s, connect=out.connect_s, pool=out.total_s),
                    extensions={"trace": progress.see},
                )
                with asked as response:
                    content, kind = b"", response.headers.get("content-type", "")
                    is_data = response.is_success and "html" not in kind.lower()
                    if out.consume is not None and is_data:
                        out.consume(response.iter_bytes())
                    else:
                        content = _whole_body(response, out.largest)
            # It refers back, and would keep the request's body until garbage is looked for.
            del response.stream
            headers = response.headers
            cookies = _set_cookies(headers.get_list("set-cookie"))
            reply = Reply(response.status_code, headers, content, cookies, secrets)
            outcome = str(reply.status)
            trace_id = reply.problem()[1] if reply.status >= 400 else None
            return reply
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as error:
            failure = self._no_reply(error, progress, secrets)
            outcome = f"no answer: {failure.reason}"
            raise failure from None
        finally:
            took_ms = (clock.monotonic() - started) * 1000
            self.talk.trace(
                f"{out.method} {out.path.partition('?')[0]} {outcome} {took_ms:.0f} ms"
                + (f" attempt {out.attempt}" if out.attempt > 1 else "")
                + (f" trace id {trace_id}" if trace_id else "")
            )

    def _no_reply(
        self, error: Exception, progress: "_Progress", secrets: tuple[str, ...]
    ) -> NoReplyError:
        """Who failed, and why: what a proxy may have done is not called the server's fault."""
        peer = self.origin
        if self._proxy is not None:
            peer = self._proxy if progress.at_proxy else f"{peer} through {self._proxy}"
        reason = hide_secrets(_explain(error), secrets)
        final = explain_tls(error, peer) or explain_refusal(str(error), peer)
        if isinstance(error, _TooLargeError):
            hint = "is this the address of the NPS server? The console shows what it has"
            final = UnreachableError(f"no usable answer from {peer}", reason=reason, hint=hint)
        return NoReplyError(reason, sent=progress.sent, peer=peer, final=final)


@dataclass
class _Progress:
    """How far a request has come, by httpcore's trace."""

    method: bytes
    sent: bool = False
    at_proxy: bool = False

    def see(self, event: str, info: Mapping[str, Any]) -> None:
        if event == "connection.connect_tcp.started":
            self.at_proxy = True
        elif event == "proxy.start_tls.started":
            self.at_proxy = False
        elif event == "http11.send_request_headers.started":
            self.sent = self.sent or info["request"].method == self.method


class _TooLargeError(OSError):
    """The body of a success is larger than it may be."""


def _whole_body(response: "httpx.Response", largest: int) -> bytes:
    """The body, in the buffer it was read into: a large one has no second copy."""
    buffer, most = bytearray(), largest if response.is_success else _LONGEST_ERROR
    for piece in response.iter_bytes():
        buffer += piece
        if len(buffer) > most:
            if response.is_success:
                raise _TooLargeError(f"the reply is larger than {largest >> 20} MiB")
            del buffer[most:]
            break
    return cast("bytes", buffer)


def _set_cookies(values: list[str]) -> dict[str, str]:
    """Name to value; attributes don't matter within one origin."""
    found = {}
    for value in values:
        name, equals, rest = value.partition(";")[0].partition("=")
        if equals and name.strip():
            found[name.strip()] = rest.strip()
    return found


def _explain(error: BaseException) -> str:
    """An httpx error in words; never its request, which carries the token."""
    import httpx

    words = {
        httpx.ConnectTimeout: "no connection in time",
        httpx.TimeoutException: "no answer in time",
        httpx.ProxyError: f"the proxy refused: {error}",
        # Its own words repeat the header that is wrong.
        httpx.LocalProtocolError: "the request cannot be written",
    }
    for kind, said in words.items():
        if isinstance(error, kind):
            return said
    return re.sub(r"\[(Errno|WinError) -?\d+\] ", "", str(error)) or type(error).__name__
