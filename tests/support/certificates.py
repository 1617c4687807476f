"""Client certificates that tests make: with the number, end, passphrase and form they need."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates
from cryptography.x509.oid import NameOID

from sbpam_cli.sandbox.routes import Intercept
from sbpam_cli.sandbox.serve import SandboxServer
from sbpam_cli.sandbox.world import World

APPLICATION, API_KEY = "sbpam-app", "Sandbox-Api-Key-1"
FAR = datetime(2049, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Issued:
    """A certificate with its key, and its CA."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    ca: x509.Certificate | None = None

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def cert_pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def key_pem(self, passphrase: str | None = None) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, _encryption(passphrase))

    def pkcs12(self, passphrase: str | None = None) -> bytes:
        authorities, secrecy = [self.ca] if self.ca else None, _encryption(passphrase)
        return serialize_key_and_certificates(
            b"app", self.key, self.certificate, authorities, secrecy
        )

    def files(self, folder: Path, passphrase: str | None = None) -> tuple[str, str]:
        """Certificate and key apart, as PEM; the key's mode is 0600."""
        key = write(folder / "app.key", self.key_pem(passphrase))
        return write(folder / "app.crt", self.cert_pem), key


def write(path: Path, content: bytes, mode: int = 0o600) -> str:
    path.write_bytes(content)
    path.chmod(mode)
    return str(path)


def issue(
    server: SandboxServer | None = None,
    *,
    serial: int = 0x1234ABCD,
    name: str = APPLICATION,
    expires: datetime = FAR,
) -> Issued:
    """By the sandbox's CA, whose application then has this very certificate; else self-signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    ca, ca_key, issuer = None, cast("Any", key), subject
    if server is not None:
        authority = server.authority
        ca = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
        ca_key = load_pem_private_key(authority.private_key_pem.bytes(), None)
        issuer = ca.subject
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), serial)
    builder = builder.not_valid_before(datetime(2020, 1, 1, tzinfo=UTC)).not_valid_after(expires)
    issued = Issued(builder.sign(ca_key, SHA256()), key, ca)
    user = server.world.user(name) if server is not None else None
    if user is not None:
        octets = serial.bit_length() // 8 + 1
        user.certificate_serial = serial.to_bytes(octets, "big").hex().upper()
    return issued


def application_environ(
    server: SandboxServer, folder: Path, passphrase: str | None = None, **certificate: Any
) -> dict[str, str]:
    """Variables with which the sandbox's application signs in; certificate: as for `issue`."""
    cert, key = issue(server, **certificate).files(folder, passphrase)
    return {
        "SBPAM_USERNAME": APPLICATION,
        "SBPAM_API_KEY": API_KEY,
        "SBPAM_CLIENT_CERT": cert,
        "SBPAM_CLIENT_KEY": key,
    }


class CertifiedServer(SandboxServer):
    """Shows a certificate that a test made, and asks for none.

    files: the chain and its key, PEM.
    """

    def __init__(
        self, world: World, intercept: Intercept | None, *files: str, port: int = 0
    ) -> None:
        super().__init__(world, intercept, port=port)
        self._files = files

    def certify(self, context: ssl.SSLContext, folder: Path) -> None:
        self.ca_file = self._files[0]
        context.load_cert_chain(*self._files)
        shown = x509.load_pem_x509_certificate(Path(self.ca_file).read_bytes())
        self.fingerprint = shown.fingerprint(SHA256()).hex()


def _encryption(passphrase: str | None) -> KeySerializationEncryption:
    return BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
