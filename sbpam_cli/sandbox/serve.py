"""The sandbox over HTTPS on a socket, with certificates of its own."""

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from sbpam_cli.errors import UnreachableError, UsageError
from sbpam_cli.sandbox.faults import Faults
from sbpam_cli.sandbox.http import Reply, Request
from sbpam_cli.sandbox.routes import App
from sbpam_cli.sandbox.world import World

if TYPE_CHECKING:
    import socket
    import socketserver
    import ssl

_HANDSHAKE_TIMEOUT_S = 10.0


class SandboxServer:
    """Serves a world over HTTPS (TLS 1.2 or later, HTTP/1.1) while its `with` block runs.

    sleep: waits for latency and slow replies; by default a wait that closing cuts short.
    tls_files: certificate chain and key (PEM) to serve instead of ones made here; then
        `ca_file` is the chain, and no client certificates can be issued.
    Attributes within the block: `url`, `ca_file`, `fingerprint` (SHA-256 of the
    certificate, hexadecimal). The private folder with the certificates goes with the block.
    Raises UsageError when the extra that makes certificates is not installed,
    UnreachableError when the port cannot be had.
    """

    def __init__(
        self,
        world: World,
        faults: Faults | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        client_cert_mode: Literal["optional", "none"] = "optional",
        latency_s: float = 0.0,
        tls_files: tuple[str, str] | None = None,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self.world = world
        self.faults = faults or Faults()
        self.app = App(world, self.faults)
        self.latency_s = latency_s
        self.stopping = threading.Event()
        self.connections: set[socket.socket] = set()
        self.url = self.ca_file = self.fingerprint = ""
        self._address = (host, port)
        self._client_cert_mode = client_cert_mode
        self._tls_files = tls_files
        self._sleep = sleep or self.stopping.wait
        self._ca: Any = None

    def __enter__(self) -> Self:
        import tempfile

        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="sbpam-sandbox-"))
            self._folder = Path(folder)
            self.context = self._make_context()
            listener = stack.enter_context(_listen(self, self._address))
            host, port = self._address[0], listener.server_address[1]
            self.url = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
            thread = threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(self._hang_up)
            stack.callback(listener.shutdown)
            stack.callback(self.stopping.set)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _hang_up(self) -> None:
        import socket

        for connection in list(self.connections):
            # The plain shutdown: TLS would wait for the client's farewell.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def _make_context(self) -> "ssl.SSLContext":
        import hashlib
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self._tls_files is not None:
            self.ca_file = self._tls_files[0]
            context.load_cert_chain(*self._tls_files)
            chain = Path(self.ca_file).read_text()
        else:
            self._ca = _certificate_authority()
            self.ca_file = str(self._folder / "ca.pem")
            self._ca.cert_pem.write_to_path(self.ca_file)
            leaf = self._ca.issue_cert("127.0.0.1", "localhost", "::1")
            leaf.configure_cert(context)
            chain = leaf.cert_chain_pems[0].bytes().decode()
            if self._client_cert_mode == "optional":
                self._ca.configure_trust(context)
                context.verify_mode = ssl.CERT_OPTIONAL
        end = "-----END CERTIFICATE-----"
        leaf_pem = chain[: chain.index(end)] + end
        self.fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(leaf_pem)).hexdigest()
        return context

    @property
    def issues_certificates(self) -> bool:
        return self._ca is not None and self._client_cert_mode == "optional"

    def issue_client_certificate(self, common_name: str) -> tuple[str, str, str]:
        """Files of certificate and key, and the serial number as Windows prints it.

        The application of that name is known by this certificate from then on.
        """
        from cryptography import x509

        issued = self._ca.issue_cert(common_name=common_name)
        pem = issued.cert_chain_pems[0].bytes()
        number = x509.load_pem_x509_certificate(pem).serial_number
        serial = number.to_bytes((number.bit_length() + 7) // 8, "big").hex().upper()
        cert_path, key_path = self._folder / f"{serial}.crt", self._folder / f"{serial}.key"
        key_path.touch(mode=0o600)
        cert_path.write_bytes(pem)
        key_path.write_bytes(issued.private_key_pem.bytes())
        user = self.world.user(common_name)
        if user is not None and user.application:
            user.certificate_serial = serial
        return str(cert_path), str(key_path), serial

    def give(self, handler: Any, reply: Reply) -> None:
        """Sends the reply the way its behaviour says."""
        how = reply.behaviour
        self._pause(self.latency_s + how.delay_s)
        while how.ending == "hang" and not (
            self.faults.released.is_set() or self.stopping.is_set()
        ):
            self.faults.released.wait(0.05)
        if how.ending != "reply":
            handler.close_connection = how.ending != "hang"
        if how.ending in ("reset", "close") or self.stopping.is_set():
            handler.close_connection = True
            _end(handler.connection, reset=how.ending == "reset")
            return
        handler.send_response_only(reply.status)
        for name, value in (*reply.headers, ("Content-Length", str(len(reply.body)))):
            handler.send_header(name, value)
        handler.end_headers()
        body = b"" if handler.command == "HEAD" else reply.body
        if how.ending == "truncate":
            body = body[: how.keep_bytes]
        step = 1 if how.drip_s else max(len(body), 1)
        for start in range(0, len(body), step):
            self._pause(how.drip_s)
            if self.stopping.is_set():
                handler.close_connection = True
                return
            handler.wfile.write(body[start : start + step])

    def _pause(self, seconds: float) -> None:
        if seconds > 0:
            self._sleep(seconds)


def _certificate_authority() -> Any:
    try:
        import trustme
    except ImportError as error:
        raise UsageError(
            "the sandbox cannot make its certificates",
            reason=str(error),
            hint="install it with: pip install 'sbpam-cli[sandbox]'",
        ) from error
    return trustme.CA()


def _end(connection: Any, *, reset: bool) -> None:
    import socket
    import struct

    if reset:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return
    with contextlib.suppress(OSError, ValueError):
        connection.settimeout(0.0)
        connection.unwrap()


def _listen(server: SandboxServer, address: tuple[str, int]) -> "socketserver.ThreadingTCPServer":
    import os
    import socket
    import socketserver

    handler = _handler_class(server)

    class Listener(socketserver.ThreadingTCPServer):
        address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        # On Windows the option would let two servers share a port.
        allow_reuse_address = os.name == "posix"
        daemon_threads = True
        block_on_close = False
        request_queue_size = 128

        def finish_request(self, request: Any, client_address: Any) -> None:
            request.settimeout(_HANDSHAKE_TIMEOUT_S)
            with server.context.wrap_socket(request, server_side=True) as tls:
                tls.settimeout(None)
                server.connections.add(tls)
                try:
                    handler(tls, client_address, self)
                finally:
                    server.connections.discard(tls)

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that went away is its own business."""

    try:
        return Listener(address, handler)
    except OSError as error:
        raise UnreachableError(
            f"the sandbox cannot listen on {address[0]} port {address[1]}",
            reason=str(error),
            hint="choose another --port, or 0 for a free one",
        ) from error


def _handler_class(server: SandboxServer) -> Any:
    from http.server import BaseHTTPRequestHandler

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def answer(self) -> None:
            length = self.headers.get("Content-Length", "" if self.command == "POST" else "0")
            if not (length.isascii() and length.isdecimal()):
                self.close_connection = True
                server.give(self, Reply(411))
                return
            connection: Any = self.connection
            certificate = connection.getpeercert() or {}
            request = Request(
                method=self.command,
                target=self.path,
                headers=tuple(self.headers.items()),
                body=self.rfile.read(int(length)),
                peer_certificate_serial=certificate.get("serialNumber"),
                peer_address=self.client_address[0],
            )
            server.give(self, server.app.handle(request))

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    return Handler
