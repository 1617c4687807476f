"""Whom the program trusts: TLS contexts.

The operating system's trust store by default, as companies run it; a CA
bundle; one pinned certificate; or, said each time, nothing at all.
"""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sbpam_cli.errors import UnreachableError, UsageError
from sbpam_cli.system.files import read_limited

if TYPE_CHECKING:
    import ssl

    from sbpam_cli.nps.certificates import ClientCertificate


_LONGEST_BUNDLE = 1 << 24


class UntrustedError(UnreachableError):
    """The server's certificate is none that the settings trust."""


class TlsSettings(NamedTuple):
    """How a server's certificate is judged. Paths as given; `fingerprint` 64 hex digits.

    client: what is presented to the server in return; a proxy never sees it.
    """

    ca_bundle: str | None = None
    ca_folder: str | None = None
    fingerprint: str | None = None
    insecure: bool = False
    client: "ClientCertificate | None" = None


def build_context(
    settings: TlsSettings, seen: Callable[[bytes], None] | None = None
) -> "ssl.SSLContext":
    """A client context, TLS 1.2 at least.

    seen: gets the server's certificate (DER) instead of trusting it: each handshake then fails.
    Raises UsageError for an unusable CA file, SignInError for an unusable client certificate.
    """
    import ssl

    judged_here = seen is not None or settings.fingerprint is not None
    if judged_here or settings.insecure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if judged_here:
            _judge_here(context, settings.fingerprint, seen)
    elif settings.ca_bundle is not None or settings.ca_folder is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _load(context, settings)
    else:
        import truststore

        context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Python 3.13 turns this on; many a company's CA has no key usage extension.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if settings.client is not None:
        settings.client.load_into(context)
    return context


def _load(context: "ssl.SSLContext", settings: TlsSettings) -> None:
    file, folder = settings.ca_bundle, settings.ca_folder
    if file is not None and Path(file).is_dir():
        file, folder = None, file
    try:
        if file is not None and Path(file).is_fifo():
            # OpenSSL would wait without end for somebody to write to it.
            found = read_limited(Path(file), _LONGEST_BUNDLE)
            context.load_verify_locations(cadata=found.decode("ascii", "ignore"))
        else:
            context.load_verify_locations(cafile=file, capath=folder)
    except OSError as error:
        message = f"the CA certificates in {file or folder} cannot be used"
        hint = "name a PEM file or a folder made by `openssl rehash` with --ca-bundle"
        raise UsageError(message, reason=error.strerror or str(error), hint=hint) from error


def fingerprint_of(der: bytes) -> str:
    """SHA-256, 64 lower-case hexadecimal digits."""
    return hashlib.sha256(der).hexdigest()


def _judge_here(
    context: "ssl.SSLContext", pinned: str | None, seen: Callable[[bytes], None] | None
) -> None:
    """Has the certificate alone judged, before a byte of the application goes out."""
    import ssl

    def look(peer: Any) -> None:
        der = peer.getpeercert(binary_form=True) or b""
        if seen is not None:
            seen(der)
            raise ssl.SSLCertVerificationError("only its certificate was looked at")
        if (found := fingerprint_of(der)) != pinned:
            words = f"the server's certificate has the fingerprint {found}, not the pinned one"
            raise ssl.SSLCertVerificationError(words)

    class CheckedSocket(ssl.SSLSocket):
        def do_handshake(self, block: bool = False) -> None:
            super().do_handshake(block)
            look(self)

    class CheckedObject(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            look(self)

    context.sslsocket_class = CheckedSocket
    context.sslobject_class = CheckedObject


_REMEDIES = {
    # Not valid yet, expired (OpenSSL, Windows, macOS).
    (9, 10, 0x800B0101, -67819, -67818): (
        "check this machine's clock; if it is right, the server needs a new certificate"
    ),
    # For another host, mail or IP address.
    (62, 63, 64, 0x800B010F, -67602): (
        "use the name that the certificate is for, or pin it with --fingerprint"
    ),
    # A key in the chain is too short, or a signature too weak (SHA-1).
    (66, 67, 68): (
        "the server, or its CA, needs a new certificate: RSA of 2,048 bits or more,"
        " signed with SHA-256"
    ),
}
_WEAK_WORDS = re.compile("TOO_(SMALL|WEAK|SHORT)|PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL")
_CLIENT_ALERT = re.compile("ALERT_(UNKNOWN_CA|(BAD|UNSUPPORTED)_CERTIFICATE|CERTIFICATE_)")
"""What a server says of a certificate that it was shown, or was not."""


def explain_tls(error: BaseException, peer: str) -> UnreachableError | None:
    """What a failed handshake with `peer` means and what helps; None if it was none."""
    import ssl

    # An end without a farewell is the network's doing, also within TLS.
    ends = ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError
    cause: BaseException | None = error
    for _ in range(10):
        if cause is None or (isinstance(cause, ssl.SSLError) and not isinstance(cause, ends)):
            break
        cause = cause.__cause__ or cause.__context__
    if not isinstance(cause, ssl.SSLError):
        return None
    said = (getattr(cause, name, None) for name in ("verify_message", "reason"))
    words = next(filter(None, said), str(cause))
    if "fingerprint" in str(cause):
        again = "sign in again with `sbpam login --fingerprint`"
        hint = f"if it was renewed, {again}; if not, somebody may be in between"
        message = f"{peer} shows another certificate than the pinned one"
        return UnreachableError(message, reason=str(cause.args[-1]), hint=hint)
    if isinstance(cause, ssl.SSLCertVerificationError):
        code = getattr(cause, "verify_code", 0)
        found = (remedy for codes, remedy in _REMEDIES.items() if code in codes)
        hint = next(found, "name its CA with --ca-bundle, or pin it with --fingerprint")
        message = f"the certificate of {peer} is not trusted"
        return UntrustedError(message, reason=words, hint=hint)
    if _CLIENT_ALERT.search(str(cause)):
        own = "is it the application's own, not expired, and its CA known to the server?"
        hint = f"{own} Only the method application presents one"
        message = f"{peer} does not take the client certificate"
        return UnreachableError(message, reason=words, hint=hint)
    hint = "is it the HTTPS port of the server? `--verbose` shows the requests"
    if _WEAK_WORDS.search(words):
        hint = "its TLS is too old or too weak: it needs TLS 1.2 and keys of 2,048 bits"
    return UnreachableError(f"no TLS connection to {peer}", reason=words, hint=hint)
