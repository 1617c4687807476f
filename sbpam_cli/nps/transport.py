"""One origin, one pool of connections: requests out, whole replies back.

The only module that touches httpx. HTTP/1.1 only, no redirects, no retries,
no cookies but those a caller hands in: whatever is repeated is repeated by
somebody who knows whether it may be.
"""

import re
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from sbpam_cli.errors import UsageError
from sbpam_cli.nps import server_words
from sbpam_cli.nps.deadlines import DeadlineNetwork
from sbpam_cli.nps.proxies import choose_proxy
from sbpam_cli.nps.tls import TlsSettings, build_context, explain_tls

if TYPE_CHECKING:
    import ssl

    import httpx

    from sbpam_cli.errors import UnreachableError
    from sbpam_cli.models import Talk
    from sbpam_cli.system.services import Services

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 60.0
_KEEPALIVE_S = 5.0
_COPIED_BYTES = 1 << 20


class NoReplyError(Exception):
    """A request without a usable answer.

    sent: whether its first byte may have left (httpcore's own word for it;
    exceptions alone do not tell).
    reason: why, for a person. tls: set where the handshake failed.
    """

    def __init__(self, reason: str, *, sent: bool, tls: "UnreachableError | None" = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent
        self.tls = tls


@dataclass(frozen=True, slots=True, eq=False)
class Reply:
    """A whole HTTP answer. Header names are lower-case; the body is decoded from gzip.

    content: read-only; a large one is a bytearray.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes = field(repr=False)
    cookies: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def is_web_page(self) -> bool:
        return server_words.is_web_page(self.headers.get("content-type", ""), self.content)

    def problem(self) -> tuple[str | None, str | None]:
        """The server's words (without any secret of the request) and its trace id."""
        return server_words.read_problem(
            self.headers.get("content-type", ""), self.content, self.hide
        )

    def hide(self, text: str) -> str:
        """`text` without the secrets that the request carried: servers echo what they get."""
        return hide_secrets(text, self.secrets)


def hide_secrets(text: str, secrets: Iterable[str]) -> str:
    """`***` in place of each secret, also as JSON, a URL or a web page spells it."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = re.sub("".join(map(_spellings, secret)), "***", text)
    return text


def _spellings(char: str) -> str:
    """A pattern of what may stand for a character in a server's echo."""
    if char.isascii() and (char.isalnum() or char in "-._~"):
        return re.escape(char)
    utf16 = char.encode("utf-16-be", "surrogatepass").hex()
    units = "".join(rf"\\\\*u{utf16[n : n + 4]}" for n in range(0, len(utf16), 4))
    percent = "".join(f"%{byte:02x}" for byte in char.encode("utf-8", "surrogatepass"))
    entities = rf"&(?:#0*{ord(char)}|#x0*{ord(char):x}|{_ENTITIES.get(char, '(?!)')});"
    plus = r"|\+" if char == " " else ""
    return rf"(?:\\*{re.escape(char)}|(?i:{units}|{percent}|{entities}){plus})"


_ENTITIES = {'"': "quot", "'": "apos", "&": "amp", "<": "lt", ">": "gt"}


def _load_httpx() -> Any:
    # With click in the environment httpx imports its own command line: click,
    # rich and pygments, 70 ms. None here makes that import fail, as httpx expects.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
    import httpx

    return httpx


class Transport:
    """Sends requests to one origin. Used by several threads at once."""

    def __init__(
        self,
        services: "Services",
        origin: str,
        settings: TlsSettings,
        talk: "Talk",
        *,
        context: "ssl.SSLContext | None" = None,
        connections: int = 10,
    ) -> None:
        self.origin = origin
        self._services = services
        self._settings = settings
        self._talk = talk
        self._context = context
        self._connections = connections
        self._network = DeadlineNetwork(services.network(), services.clock)
        self._lock = threading.Lock()
        self._opened: httpx.Client | None = None

    def _client(self) -> "httpx.Client":
        """The one client, made by whoever needs it first."""
        with self._lock:
            if self._opened is None:
                self._opened = self._open()
            return self._opened

    def _open(self) -> "httpx.Client":
        library = _load_httpx()
        from http.cookiejar import CookieJar, DefaultCookiePolicy

        limits = library.Limits(
            max_connections=self._connections,
            max_keepalive_connections=self._connections,
            keepalive_expiry=_KEEPALIVE_S,
        )
        context = self._context or build_context(self._settings)
        try:
            transport = library.HTTPTransport(
                verify=context, trust_env=False, limits=limits, proxy=self._proxy()
            )
        except (ValueError, library.InvalidURL, ImportError):
            # Its URL may hold a password: it is not repeated.
            raise UsageError(
                "the proxy in HTTPS_PROXY or ALL_PROXY cannot be used",
                hint="write it like http://HOST:PORT or http://USER:PASSWORD@HOST:PORT",
            ) from None
        # httpx has no setting for httpcore's back end; a test holds these names.
        transport._pool._network_backend = self._network
        client: httpx.Client = library.Client(
            transport=transport,
            trust_env=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )
        # Threads may still be in a request when the command is over: whoever lets go last closes.
        weakref.finalize(self, client.close).atexit = False
        return client

    def _proxy(self) -> "httpx.Proxy | None":
        url = choose_proxy(self._services.environ, self.origin)
        if url is None:
            return None
        proxy: httpx.Proxy = _load_httpx().Proxy(url)
        if proxy.url.scheme == "https":
            # The server's pin and the server's exceptions say nothing about the proxy.
            proxy.ssl_context = build_context(
                TlsSettings(self._settings.ca_bundle, self._settings.ca_folder)
            )
        return proxy

    def send(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        token: str | None = None,
        cookies: Mapping[str, str] | None = None,
        secrets: tuple[str, ...] = (),
        total_s: float,
        connect_s: float = CONNECT_TIMEOUT_S,
        read_s: float = READ_TIMEOUT_S,
        attempt: int = 1,
        consume: Callable[[Iterator[bytes]], None] | None = None,
    ) -> Reply:
        """Sends one request and reads its whole answer within `total_s`.

        path: from the root, query included; only its part before `?` is shown
        by `--verbose`. body: JSON. cookies: sent, and nowhere else. consume:
        takes the body of a success in pieces as they come, and `content` is
        empty then. Raises NoReplyError, and what `consume` raises.
        """
        httpx = _load_httpx()
        headers = {"Accept": "application/json", "User-Agent": _user_agent()}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
            secrets = (*secrets, token)
        if cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
            secrets = (*secrets, *cookies.values())
        sent = False

        def watch(event: str, info: Mapping[str, Any]) -> None:
            nonlocal sent
            if event == "http11.send_request_headers.started":
                sent = sent or info["request"].method == method.encode()

        clock = self._services.clock
        started = clock.monotonic()
        reply: Reply | None = None
        failure: NoReplyError | None = None
        try:
            client = self._client()
            with self._network.deadline(total_s):
                request = client.build_request(
                    method,
                    self.origin + path,
                    content=body,
                    # Bytes, because a server's cookie may be anything.
                    headers=[(name.encode(), text.encode()) for name, text in headers.items()],
                    timeout=httpx.Timeout(read_s, connect=connect_s, pool=total_s),
                    extensions={"trace": watch},
                )
                response = client.send(request, stream=True)
                try:
                    content = b""
                    if consume is not None and _is_data(response):
                        consume(response.iter_bytes())
                    else:
                        content = _whole_body(response)
                finally:
                    response.close()
            reply = Reply(
                status=response.status_code,
                headers={name.lower(): value for name, value in response.headers.items()},
                content=content,
                cookies=_set_cookies(response.headers.get_list("set-cookie")),
                secrets=secrets,
            )
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as error:
            reason = hide_secrets(_explain(error), secrets)
            failure = NoReplyError(reason, sent=sent, tls=explain_tls(error, self.origin))
            raise failure from None
        finally:
            self._trace(method, path, reply, failure, clock.monotonic() - started, attempt)
        return reply

    def close(self) -> None:
        """Closes the connections. Not with threads still in a request."""
        if self._opened is not None:
            self._opened.close()

    def _trace(
        self,
        method: str,
        path: str,
        reply: Reply | None,
        failure: NoReplyError | None,
        seconds: float,
        attempt: int,
    ) -> None:
        outcome = f"no answer: {failure.reason}" if failure else "given up"
        trace = None
        if reply is not None:
            outcome = str(reply.status)
            trace = reply.problem()[1] if reply.status >= 400 else None
        self._talk.trace(
            f"{method} {path.partition('?')[0]} {outcome} {seconds * 1000:.0f} ms"
            + (f" attempt {attempt}" if attempt > 1 else "")
            + (f" trace id {trace}" if trace else "")
        )


def _whole_body(response: "httpx.Response") -> bytes:
    """The body; a large one in the buffer it was read into, not as a second copy."""
    buffer = bytearray()
    for piece in response.iter_bytes():
        buffer += piece
    return cast("bytes", buffer) if len(buffer) > _COPIED_BYTES else bytes(buffer)


def _is_data(response: "httpx.Response") -> bool:
    content_type = response.headers.get("content-type", "")
    return response.is_success and "html" not in content_type.lower()


def _user_agent() -> str:
    from sbpam_cli import __version__

    return f"sbpam/{__version__}"


def _set_cookies(values: list[str]) -> dict[str, str]:
    """The cookies a reply sets, name to value; attributes don't matter within one origin."""
    found = {}
    for value in values:
        name, equals, rest = value.partition(";")[0].partition("=")
        if equals and name.strip():
            found[name.strip()] = rest.strip()
    return found


def _explain(error: BaseException) -> str:
    """An httpx error in words; never its request, which carries the token."""
    httpx = _load_httpx()
    if isinstance(error, httpx.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    if isinstance(error, httpx.ProxyError):
        return f"the proxy refused: {error}"
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return "the address cannot be used"
    if isinstance(error, httpx.LocalProtocolError):
        # Its words repeat the header that is wrong.
        return "the request cannot be written"
    return str(error) or type(error).__name__
