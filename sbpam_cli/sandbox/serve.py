"""The sandbox over HTTPS on a socket, with certificates of its own."""

import contextlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sbpam_cli.sandbox.http import Request, listen
from sbpam_cli.sandbox.people import EXAMPLE_CREDENTIAL_ID
from sbpam_cli.sandbox.routes import App, Intercept
from sbpam_cli.sandbox.world import World

if TYPE_CHECKING:
    import ssl


class SandboxServer:
    """Serves a world over HTTPS on a loopback port while its `with` block runs.

    Within the block: `url`, `ca_file`, `fingerprint` (SHA-256 of the certificate, hexadecimal),
    `authority` (trustme's CA). The private folder with the certificates goes with the block.
    Raises UnreachableError if the port cannot be had.
    """

    def __init__(self, world: World, intercept: Intercept | None = None, *, port: int = 0) -> None:
        self.world = world
        self.app = App(world, intercept)
        self.url = self.ca_file = self.fingerprint = ""
        self.authority: Any = None
        self._port = port
        self._stopping = threading.Event()

    def __enter__(self) -> Self:
        import ssl
        import tempfile

        with contextlib.ExitStack() as stack:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="sbpam-sandbox-"))
            self.certify(self.context, Path(folder))
            listener = stack.enter_context(listen(self._port, self.context, self._respond))
            self.url = f"https://127.0.0.1:{listener.server_address[1]}"
            thread = threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(listener.shutdown)
            stack.callback(self._stopping.set)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def certify(self, context: "ssl.SSLContext", folder: Path) -> None:
        import hashlib
        import ssl

        import trustme

        self.authority = trustme.CA()
        self.ca_file = str(folder / "ca.pem")
        self.authority.cert_pem.write_to_path(self.ca_file)
        leaf = self.authority.issue_cert("127.0.0.1", "localhost")
        leaf.configure_cert(context)
        self.authority.configure_trust(context)
        context.verify_mode = ssl.CERT_OPTIONAL
        pem = leaf.cert_chain_pems[0].bytes().decode()
        self.fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()

    def environment(self) -> dict[str, str]:
        """Variables that point `sbpam` at it, signed in as the user with TOTP."""
        person = next(user for user in self.world.users if user.mfa == "totp")
        return {
            "SBPAM_SERVER": self.url,
            "SBPAM_CA_BUNDLE": self.ca_file,
            "SBPAM_CREDENTIAL": EXAMPLE_CREDENTIAL_ID,
            "SBPAM_USERNAME": person.login,
            "SBPAM_PASSWORD": person.password,
            "SBPAM_TOTP_SECRET": person.totp_secret,
        }

    def _respond(self, handler: Any, request: Request) -> None:
        response = self.app.handle(request)
        if self._stopping.is_set():
            handler.close_connection = True
        else:
            response.send(handler)
