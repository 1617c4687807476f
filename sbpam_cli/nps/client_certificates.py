"""The client certificate that an application presents in TLS: PEM files, or PKCS#12."""

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbpam_cli.errors import SbpamError, SignInError
from sbpam_cli.nps.certificates import first_pem_certificate, read_certificate

if TYPE_CHECKING:
    import ssl

_LONGEST_FILE = 1 << 20
_PFX_VERSION = b"\x02\x01\x03"
"""Stands in the first octets of every PKCS#12 file (RFC 7292: `version INTEGER {v3(3)}`)."""
_SAY_IT = "set SBPAM_CLIENT_KEY_PASSWORD or SBPAM_CLIENT_KEY_PASSWORD_FILE, or run `sbpam login`"


@dataclass(frozen=True, slots=True, eq=False)
class ClientCertificate:
    """A certificate whose key can be loaded into a TLS context.

    serial: upper-case hexadecimal of its DER octets. expires_at: epoch seconds.
    open_to_others: the key's file, where it is somebody else's and all can read it.
    passphrase: called where the key needs one, so that OpenSSL never asks by itself.
    """

    cert_path: Path
    key_path: Path
    serial: str
    expires_at: float
    open_to_others: Path | None
    passphrase: Callable[[], str] = field(repr=False)
    _bundle: "tuple[bytes, str] | None" = field(default=None, repr=False)

    def load_into(self, context: "ssl.SSLContext") -> None:
        """Makes `context` present it, also where a server asks late (TLS 1.3: IIS may).

        Raises SignInError for a key that cannot be used.
        """
        if self._bundle is not None:
            _load_bundle(context, *self._bundle)
        else:
            _load(context, self.cert_path, self.key_path, self.passphrase)
        context.post_handshake_auth = True


def read_client_certificate(
    cert: str,
    key: str | None,
    passphrase: Callable[[], str],
    new_passphrase: Callable[[], str],
    error: type[SbpamError] = SignInError,
) -> ClientCertificate:
    """The certificate in the file `cert`; its key in `key`, else in the same file.

    passphrase: called where the key has one. new_passphrase: random text, for a
    PKCS#12 key's short way over the disk. Raises `error` for files that cannot
    be used, SignInError for a passphrase that does not fit.
    """
    cert_path, key_path = Path(cert), Path(key or cert)
    content = _read(cert_path, error)
    bundle = None
    if b"-----BEGIN " not in content and _PFX_VERSION in content[:12]:
        key_path = cert_path
        der, pem = _open_pkcs12(cert_path, content, passphrase, anew := new_passphrase(), error)
        bundle = pem, anew
    else:
        der = first_pem_certificate(content) or b""
    if key_path != cert_path:
        _read(key_path, error)
    try:
        known = read_certificate(der)
    except ValueError:
        raise error(
            f"{cert_path} holds no certificate",
            hint="it must be PEM (-----BEGIN CERTIFICATE-----) or PKCS#12 (.pfx, .p12)",
        ) from None
    return ClientCertificate(
        cert_path,
        key_path,
        known.serial,
        known.expires_at,
        _judge_mode(key_path),
        passphrase,
        bundle,
    )


def _read(path: Path, error: type[SbpamError]) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LONGEST_FILE)
    except OSError as failure:
        raise error(
            f"{path} cannot be read",
            reason=failure.strerror,
            hint="client certificate and key must be readable for the user who runs sbpam",
        ) from None


def _judge_mode(path: Path) -> Path | None:
    """As OpenSSH has it: one's own key must be one's own alone. Raises SignInError.

    What somebody else put there (a secret mounted into a container) cannot be
    narrowed by the caller: it is answered where all can read it.
    """
    if os.name != "posix":
        return None
    status = path.stat()
    if status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) & 0o077:
        raise SignInError(
            f"other users can read the private key in {path}",
            reason=f"its mode is {stat.S_IMODE(status.st_mode):04o}",
            hint=f"chmod 600 {path} (Kubernetes: defaultMode: 0400)",
        )
    return path if status.st_uid != os.geteuid() and status.st_mode & stat.S_IROTH else None


def _load(
    context: "ssl.SSLContext", cert_path: Path, key_path: Path, passphrase: Callable[[], str]
) -> None:
    import ssl

    asked = False

    def answer() -> str:
        nonlocal asked
        asked = True
        return passphrase()

    try:
        context.load_cert_chain(cert_path, key_path, password=answer)
    except ssl.SSLError as error:
        if asked:
            raise _wrong_passphrase(key_path) from None
        if error.reason == "KEY_VALUES_MISMATCH":
            raise SignInError(
                f"the key in {key_path} belongs to another certificate than {cert_path}",
                hint="name the two that belong together; the application's own certificate first",
            ) from None
        raise SignInError(
            f"{key_path} holds no usable private key",
            reason=error.reason,
            hint="name the key's file with --client-key or SBPAM_CLIENT_KEY",
        ) from None
    except ValueError:
        # OpenSSL takes 1,023 bytes.
        raise _wrong_passphrase(key_path) from None


def _wrong_passphrase(path: Path) -> SignInError:
    return SignInError(f"the passphrase of the private key in {path} does not fit", hint=_SAY_IT)


def _open_pkcs12(
    path: Path,
    content: bytes,
    passphrase: Callable[[], str],
    new_passphrase: str,
    error: type[SbpamError],
) -> tuple[bytes, bytes]:
    """The certificate's DER; key and chain as PEM, the key encrypted under `new_passphrase`."""
    try:
        from cryptography.hazmat.primitives.serialization import (
            BestAvailableEncryption,
            Encoding,
            PrivateFormat,
        )
    except ImportError:
        raise error(
            f"{path} is PKCS#12, and that needs the package cryptography",
            hint="pip install 'sbpam-cli[pkcs12]', or make it PEM with `openssl pkcs12`",
        ) from None

    key, certificate, chain = _decrypt_pkcs12(path, content, passphrase)
    if key is None or certificate is None:
        raise error(
            f"{path} lacks the certificate or its private key",
            hint="export it with its private key",
        )
    encrypted = key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(new_passphrase.encode())
    )
    pem = b"".join(one.public_bytes(Encoding.PEM) for one in (certificate, *chain))
    return certificate.public_bytes(Encoding.DER), encrypted + pem


def _decrypt_pkcs12(path: Path, content: bytes, passphrase: Callable[[], str]) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization.pkcs12 import load_key_and_certificates

    try:
        for password in (lambda: None, lambda: b"", lambda: passphrase().encode()):
            # Its own words differ between versions; there is only one remedy.
            with suppress(ValueError):
                return load_key_and_certificates(content, password())
    except UnsupportedAlgorithm as failure:
        raise SignInError(
            f"{path} is encrypted in a way that is not supported here",
            reason=str(failure),
            hint="make it PEM with `openssl pkcs12 -legacy`",
        ) from None
    raise _wrong_passphrase(path)


def _load_bundle(context: "ssl.SSLContext", pem: bytes, passphrase: str) -> None:
    """OpenSSL's Python binding reads files only: an encrypted one of mode 0600, gone at once."""
    import tempfile

    try:
        descriptor, name = tempfile.mkstemp(prefix="sbpam-", suffix=".pem")
        try:
            with open(descriptor, "wb") as file:
                file.write(pem)
            _load(context, Path(name), Path(name), lambda: passphrase)
        finally:
            os.unlink(name)
    except OSError as error:
        raise SignInError(
            "the PKCS#12 key cannot be handed to OpenSSL, which reads files only",
            reason=error.strerror,
            hint="make the folder for temporary files (TMPDIR) writable, or use PEM files",
        ) from None
