"""Requests, responses, and the listener that carries them over TLS."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from sbpam_cli.errors import UnreachableError

if TYPE_CHECKING:
    import socketserver
    import ssl

Headers = tuple[tuple[str, str], ...]

_HANDSHAKE_TIMEOUT_S = 10.0
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Request:
    """target: path and query as sent; peer_certificate_serial: hexadecimal, of a verified one."""

    method: str
    target: str
    headers: Headers = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    peer_certificate_serial: str | None = None

    def header(self, name: str) -> str:
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), "")


@dataclass(frozen=True, slots=True)
class Response:
    """headers: without Content-Length."""

    status: int
    headers: Headers = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)

    def send(self, handler: Any) -> None:
        self.send_head(handler)
        handler.wfile.write(self.body)

    def send_head(self, handler: Any) -> None:
        handler.send_response_only(self.status)
        for name, value in (*self.headers, ("Content-Length", str(len(self.body)))):
            handler.send_header(name, value)
        handler.end_headers()


@dataclass(eq=False)
class Refused(Exception):
    """Ends the handling of a request with `response`."""

    response: Response


@dataclass(frozen=True, slots=True)
class Call:
    """A request on its way through; its methods raise Refused for what the server refuses.

    argument: what stands in the path's variable part. caller: the log-on name.
    """

    request: Request
    trace_id: str
    argument: str = ""
    caller: str = ""

    def refuse(self, status: int, detail: str = "", **errors: str) -> Refused:
        """ASP.NET's ProblemDetails; errors: a text for each field that is wrong."""
        title = "One or more validation errors occurred." if errors else HTTPStatus(status).phrase
        problem: dict[str, Any] = {"title": title, "status": status, "traceId": self.trace_id}
        if detail:
            problem["detail"] = detail
        if errors:
            problem["errors"] = {name: [text] for name, text in errors.items()}
        content_type = ("Content-Type", "application/problem+json; charset=utf-8")
        return Refused(Response(status, (content_type,), encode(problem)))

    def json(self) -> Any:
        content_type = self.request.header("Content-Type").partition(";")[0].strip().lower()
        if content_type != "application/json":
            raise self.refuse(415, f"The media type {content_type!r} is not supported.")
        try:
            return json.loads(self.request.body.decode())
        except (ValueError, RecursionError) as error:
            raise self.refuse(400, body=f"Not valid JSON: {error}") from error

    def texts(self, *names: str) -> list[str]:
        """These members of the body, spelt exactly so and each a string."""
        body = self.json()
        values = [body.get(name) for name in names] if isinstance(body, dict) else []
        texts = [value for value in values if isinstance(value, str)]
        if len(texts) < len(names):
            raise self.refuse(400, **{name: f"The {name} field is required." for name in names})
        return texts

    def uuid(self, name: str) -> str:
        """The path's variable part, in lower case."""
        if _UUID.fullmatch(self.argument) is None:
            raise self.refuse(400, **{name: f"'{self.argument}' is not valid."})
        return self.argument.lower()

    def query(self, name: str, default: str) -> str:
        """A parameter; names are of any case, as in ASP.NET."""
        query = parse_qs(urlsplit(self.request.target).query, keep_blank_values=True)
        return {key.lower(): values[0] for key, values in query.items()}.get(name.lower(), default)


def encode(value: Any) -> bytes:
    """JSON as the server writes it: compact, UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def json_response(value: Any, headers: Headers = ()) -> Response:
    content_type = ("Content-Type", "application/json; charset=utf-8")
    return Response(200, (content_type, *headers), encode(value))


def listen(
    port: int,
    context: "ssl.SSLContext",
    respond: Callable[[Any, Request], None],
) -> "socketserver.ThreadingTCPServer":
    """A listener on loopback; `respond(handler, request)` sends the response to each request.

    Raises UnreachableError if the port cannot be had.
    """
    import os
    import socketserver
    from http.server import BaseHTTPRequestHandler

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            self.request.settimeout(_HANDSHAKE_TIMEOUT_S)
            self.request = context.wrap_socket(self.request, server_side=True)
            self.request.settimeout(None)
            super().setup()

        def finish(self) -> None:
            with self.request:
                super().finish()

        def take(self) -> None:
            length = self.headers.get("Content-Length", "" if self.command == "POST" else "0")
            if not (length.isascii() and length.isdecimal()):
                self.close_connection = True
                Response(411).send(self)
                return
            certificate = self.request.getpeercert() or {}
            request = Request(
                method=self.command,
                target=self.path,
                headers=tuple(self.headers.items()),
                body=self.rfile.read(int(length)),
                peer_certificate_serial=certificate.get("serialNumber"),
            )
            respond(self, request)

        do_GET = do_POST = do_PUT = do_DELETE = take  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    class Listener(socketserver.ThreadingTCPServer):
        # On Windows the option would let two servers share a port.
        allow_reuse_address = os.name == "posix"
        daemon_threads = True
        block_on_close = False
        request_queue_size = 128

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that went away is its own business."""

    try:
        return Listener(("127.0.0.1", port), Handler)
    except OSError as error:
        raise UnreachableError(
            f"the sandbox cannot listen on port {port}",
            reason=str(error),
            hint="choose another --port, or 0 for a free one",
        ) from error
