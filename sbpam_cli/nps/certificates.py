"""Certificates: what a server's says of itself, and the one that an application presents."""

import os
import stat
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sbpam_cli.errors import SbpamError, SignInError
from sbpam_cli.system.files import read_limited

if TYPE_CHECKING:
    import ssl

_LONGEST_FILE = 1 << 20
_PFX_VERSION = b"\x02\x01\x03"
"""Stands in the first octets of every PKCS#12 file (RFC 7292: `version INTEGER {v3(3)}`)."""


class CertificateFacts(NamedTuple):
    """serial: upper-case hexadecimal of the DER octets, a leading `00` included, as
    Windows prints it. expires_at: epoch seconds. name: the subject's common one,
    else the first alternative one; may be empty.
    """

    serial: str
    expires_at: float
    name: str


def read_certificate(content: bytes, *, pem: bool = False) -> CertificateFacts:
    """DER, or the first one of PEM. Raises ValueError for what is no certificate."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    load = x509.load_pem_x509_certificate if pem else x509.load_der_x509_certificate
    # These are no ValueErrors.
    odd = (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
    # Some that servers show break a rule of RFC 5280, and cryptography warns on stderr.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = load(content)
        except x509.InvalidVersion as error:
            raise ValueError(str(error)) from None
        names = [str(n.value) for n in found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        with suppress(*odd, ValueError):
            others = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            names += others.get_values_for_type(x509.DNSName)
        number = found.serial_number
    return CertificateFacts(
        number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True).hex().upper(),
        found.not_valid_after_utc.timestamp(),
        names[0] if names else "",
    )


@dataclass(frozen=True, slots=True, eq=False)
class ClientCertificate:
    """A certificate whose key can be loaded into a TLS context.

    serial, expires_at: as in CertificateFacts.
    open_to_others: the key's file, if it is somebody else's and all can read it.
    passphrase: called if the key needs one, so that OpenSSL never asks by itself.
    """

    cert_path: Path
    key_path: Path
    serial: str
    expires_at: float
    open_to_others: Path | None
    passphrase: Callable[[], str] = field(repr=False)
    _pem: bytes | None = field(default=None, repr=False)

    def load_into(self, context: "ssl.SSLContext") -> None:
        """Has `context` present it, also if asked late (TLS 1.3: IIS may). Raises SignInError."""
        import ssl

        asked = []

        def answer() -> str:
            asked.append(True)
            return self.passphrase()

        try:
            with nullcontext() if self._pem is None else _on_disk(self._pem) as path:
                context.load_cert_chain(path or self.cert_path, path or self.key_path, answer)
        except (ssl.SSLError, ValueError) as error:
            reason = getattr(error, "reason", None)
            message = f"{self.key_path} holds no usable private key"
            hint = "name the key's file with --client-key or SBPAM_CLIENT_KEY"
            if reason == "KEY_VALUES_MISMATCH":
                others, reason = f"another certificate than {self.cert_path}", None
                message = f"the key in {self.key_path} belongs to {others}"
                hint = "name the two that belong together; the application's own certificate first"
            elif asked and self._pem is None:
                # OpenSSL takes 1,023 bytes; what is longer is a ValueError.
                raise _wrong_passphrase(self.key_path) from None
            raise SignInError(message, reason=reason, hint=hint) from None
        context.post_handshake_auth = True


def read_client_certificate(
    cert: str, key: str | None, passphrase: Callable[[], str], error: type[SbpamError] = SignInError
) -> ClientCertificate:
    """The certificate in the file `cert`; its key in `key`, else in the same file.

    Raises `error` for files that cannot be used, SignInError for a passphrase that does not fit.
    """
    from secrets import token_hex

    cert_path, key_path, anew = Path(cert), Path(key or cert), ""
    content, pem = _read(cert_path, error), None
    if b"-----BEGIN " not in content and _PFX_VERSION in content[:12]:
        key_path, anew = cert_path, token_hex(32)
        content = pem = _open_pkcs12(cert_path, content, passphrase, anew, error)
    if key_path != cert_path:
        _read(key_path, error)
    try:
        # The first one, which is the one that OpenSSL presents.
        known = read_certificate(content, pem=True)
    except ValueError:
        hint = "it must be PEM (-----BEGIN CERTIFICATE-----) or PKCS#12 (.pfx, .p12)"
        raise error(f"{cert_path} holds no certificate", hint=hint) from None
    others, fits = _judge_mode(key_path), (lambda: anew) if anew else passphrase
    return ClientCertificate(cert_path, key_path, known.serial, known.expires_at, others, fits, pem)


def _read(path: Path, error: type[SbpamError]) -> bytes:
    try:
        return read_limited(path, _LONGEST_FILE)
    except OSError as failure:
        hint = "client certificate and key must be readable for the user who runs sbpam"
        raise error(f"{path} cannot be read", reason=failure.strerror, hint=hint) from None


def _judge_mode(path: Path) -> Path | None:
    """As OpenSSH has it: one's own key must be one's own alone. Raises SignInError.

    What somebody else put there (a secret mounted into a container) cannot be
    narrowed by the caller: it is returned if all can read it.
    """
    if os.name != "posix":
        return None
    status = path.stat()
    if status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) & 0o077:
        reason = f"its mode is {stat.S_IMODE(status.st_mode):04o}"
        hint = f"chmod 600 {path} (Kubernetes: defaultMode: 0400)"
        message = f"other users can read the private key in {path}"
        raise SignInError(message, reason=reason, hint=hint)
    return path if status.st_uid != os.geteuid() and status.st_mode & stat.S_IROTH else None


def _wrong_passphrase(path: Path) -> SignInError:
    variable = "SBPAM_CLIENT_KEY_PASSWORD"
    hint = f"set {variable} or {variable}_FILE, or run `sbpam login`"
    return SignInError(f"the passphrase of the private key in {path} does not fit", hint=hint)


def _open_pkcs12(
    path: Path, content: bytes, passphrase: Callable[[], str], anew: str, error: type[SbpamError]
) -> bytes:
    """Certificate, key and chain as PEM; the key's passphrase is `anew` from now on."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.serialization.pkcs12 import load_key_and_certificates

    for password in (lambda: None, lambda: b"", lambda: passphrase().encode()):
        try:
            key, certificate, chain = load_key_and_certificates(content, password())
            break
        except ValueError:
            # Its own words differ between versions; there is only one remedy.
            continue
        except UnsupportedAlgorithm as failure:
            message = f"{path} is encrypted in a way that is not supported here"
            hint = "make it PEM with `openssl pkcs12 -legacy`"
            raise SignInError(message, reason=str(failure), hint=hint) from None
    else:
        raise _wrong_passphrase(path)
    if key is None or certificate is None:
        hint = "export it with its private key"
        raise error(f"{path} lacks the certificate or its private key", hint=hint)
    encryption = form.BestAvailableEncryption(anew.encode())
    parts = [one.public_bytes(form.Encoding.PEM) for one in (certificate, *chain)]
    parts.append(key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, encryption))
    return b"".join(parts)


@contextmanager
def _on_disk(pem: bytes) -> Iterator[str]:
    """OpenSSL's Python binding reads files only: an encrypted one of mode 0600, gone at once."""
    import tempfile

    name = None
    try:
        try:
            descriptor, name = tempfile.mkstemp(prefix="sbpam-", suffix=".pem")
            with open(descriptor, "wb") as file:
                file.write(pem)
        except OSError as error:
            message = "the PKCS#12 key cannot be handed to OpenSSL, which reads files only"
            hint = "make the folder for temporary files (TMPDIR) writable, or use PEM files"
            raise SignInError(message, reason=error.strerror, hint=hint) from None
        yield name
    finally:
        if name is not None:
            # A virus scanner may hold it open; nobody else ever has its passphrase.
            with suppress(OSError):
                os.unlink(name)
