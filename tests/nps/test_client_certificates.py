"""What is read from a client certificate, which keys are used, and what is left on the disk."""

import os
import ssl
import stat
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import NoEncryption
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates
from hypothesis import given
from hypothesis import strategies as st
from support.certificates import Issued, issue, write

from sbpam_cli.errors import SbpamError, SignInError
from sbpam_cli.nps.certificates import ClientCertificate, read_certificate, read_client_certificate
from sbpam_cli.nps.tls import TlsSettings, build_context

TLS_1_2 = ssl.TLSVersion.TLSv1_2
POSIX = pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")


@pytest.fixture(scope="module")
def issued() -> Issued:
    return issue()


class _Passphrase:
    """Gives a passphrase; `asked`: how often."""

    def __init__(self, value: str | None) -> None:
        self.value = value
        self.asked = 0

    def __call__(self) -> str:
        self.asked += 1
        if self.value is None:
            raise SignInError("nobody knows the passphrase")
        return self.value


def _read(cert: str, key: str | None = None, passphrase: Any = None) -> ClientCertificate:
    return read_client_certificate(cert, key, passphrase or _Passphrase(None))


def _context(
    before: Callable[[Path], None] = lambda _: None, after: Callable[[Path], None] = lambda _: None
) -> ssl.SSLContext:
    """before, after: are given the file that is loaded."""

    class Context(ssl.SSLContext):
        def load_cert_chain(self, certfile: Any, keyfile: Any = None, password: Any = None) -> None:
            before(Path(certfile))
            super().load_cert_chain(certfile, keyfile, password)
            after(Path(certfile))

    return Context(ssl.PROTOCOL_TLS_CLIENT)


@given(
    serial=st.integers(min_value=1, max_value=2**159 - 1),
    # Until 2049 a certificate has the short form of a time, later the long one.
    expires=st.datetimes(datetime(2021, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)),
    name=st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=16),
)
def test_what_was_put_in_is_read(serial: int, expires: datetime, name: str) -> None:
    expires = expires.replace(microsecond=0)
    known = read_certificate(issue(serial=serial, expires=expires, name=name).der)
    assert int(known.serial, 16) == serial
    assert (known.expires_at, known.name) == (expires.timestamp(), name)


def test_without_a_common_name_the_first_alternative_one_is_shown() -> None:
    pem = trustme.CA().issue_cert("10.0.0.1", "nps.corp.example", "nps").cert_chain_pems[0]
    assert read_certificate(ssl.PEM_cert_to_DER_cert(pem.bytes().decode())).name == (
        "nps.corp.example"
    )


@given(st.binary(max_size=400), st.integers(0, 400), st.integers(0, 255))
def test_no_octets_are_more_than_a_value_error(junk: bytes, at: int, value: int) -> None:
    broken = bytearray(_WHOLE)
    broken[at % len(broken)] = value
    for octets in (junk, bytes(broken), _WHOLE[:at]):
        with suppress(ValueError):
            read_certificate(octets)


_WHOLE = issue().der


def test_a_certificate_that_breaks_the_rules_is_no_bug() -> None:
    pem = trustme.CA().issue_cert("nps.corp.example").cert_chain_pems[0].bytes().decode()
    der = ssl.PEM_cert_to_DER_cert(pem)
    with pytest.raises(ValueError, match="version"):
        read_certificate(der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x01"))
    # Alternative names twice: key usage gets the number of theirs.
    assert read_certificate(der.replace(b"\x55\x1d\x0f", b"\x55\x1d\x11")).name == ""


def test_the_first_certificate_of_a_file_counts(issued: Issued, tmp_path: Path) -> None:
    other = issue(serial=7)
    for before in (b"", b"Bag Attributes\n  friendlyName: M\xfcller\n", issued.key_pem()):
        path = write(tmp_path / "several.pem", before + issued.cert_pem + other.cert_pem)
        assert _read(path).serial == "1234ABCD"


@pytest.mark.parametrize("form", ["pem", "pkcs12"])
@pytest.mark.parametrize("given", ["wrong", "x" * 1100, None])
def test_a_passphrase_that_does_not_fit(
    issued: Issued, tmp_path: Path, form: str, given: str | None
) -> None:
    """OpenSSL itself never asks: with stdin at a terminal that would hang a job for ever."""
    cert, key = issued.files(tmp_path, "right")
    if form == "pkcs12":
        cert, key = write(tmp_path / "a.p12", issued.pkcs12("right")), ""
    with pytest.raises(SignInError) as caught:
        _read(cert, key or None, _Passphrase(given)).load_into(_context())
    if given is None:
        assert caught.value.message == "nobody knows the passphrase"
    else:
        assert "does not fit" in caught.value.message
        assert "SBPAM_CLIENT_KEY_PASSWORD" in (caught.value.hint or "")
        assert given not in f"{caught.value.message}{caught.value.reason}{caught.value.hint}"


@POSIX
def test_a_pkcs12_key_is_on_the_disk_only_encrypted_private_and_for_a_moment(
    issued: Issued, tmp_path: Path
) -> None:
    passphrase = _Passphrase("geheim ü")
    known = _read(write(tmp_path / "a.p12", issued.pkcs12("geheim ü")), None, passphrase)
    assert passphrase.asked == 1
    seen: list[tuple[Path, int, bytes]] = []

    def look(path: Path) -> None:
        seen.append((path, stat.S_IMODE(path.stat().st_mode), path.read_bytes()))

    known.load_into(_context(look))
    [(path, mode, content)] = seen
    assert mode == 0o600
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in content
    assert issued.key_pem().splitlines()[1] not in content
    assert not path.exists()


def test_a_pkcs12_file_that_fails_to_load_leaves_nothing(
    issued: Issued, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = _read(write(tmp_path / "a.p12", issued.pkcs12()))
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))

    def interrupt(path: Path) -> None:
        assert list(folder.iterdir()) == [path]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        known.load_into(_context(interrupt))
    assert list(folder.iterdir()) == []


def test_a_pkcs12_file_whose_copy_is_gone_already_serves(issued: Issued, tmp_path: Path) -> None:
    _read(write(tmp_path / "a.p12", issued.pkcs12())).load_into(_context(after=Path.unlink))


def _certificate_alone(issued: Issued) -> bytes:
    return serialize_key_and_certificates(None, None, None, [issued.certificate], NoEncryption())


@pytest.mark.parametrize(
    ("cert", "key", "words"),
    [
        (None, None, "cannot be read"),
        (lambda _: b"hello", None, "holds no certificate"),
        (lambda issued: issued.der, None, "holds no certificate"),
        (lambda issued: issued.cert_pem.replace(b"M", b"!"), None, "holds no certificate"),
        (lambda issued: issued.cert_pem, None, "holds no usable private key"),
        (lambda issued: issued.cert_pem, "nothing", "cannot be read"),
        (lambda issued: issued.cert_pem, "other", "belongs to another certificate"),
        (_certificate_alone, None, "lacks the certificate or its private key"),
    ],
)
def test_files_that_cannot_be_used(
    tmp_path: Path, issued: Issued, cert: Any, key: str | None, words: str
) -> None:
    write(tmp_path / "other", issue().key_pem())
    if cert is not None:
        write(tmp_path / "cert", cert(issued))
    files = str(tmp_path / "cert"), key and str(tmp_path / key)
    with pytest.raises(SbpamError, match=words) as caught:
        _read(*files).load_into(_context())
    assert str(tmp_path) in caught.value.message
    assert caught.value.hint


def test_a_pkcs12_key_that_openssl_does_not_take_is_no_matter_of_the_folder(
    issued: Issued, tmp_path: Path
) -> None:
    def refuse(_: Path) -> None:
        raise ssl.SSLError(1, "[SSL: EE_KEY_TOO_SMALL] ee key too small")

    with pytest.raises(SignInError, match="holds no usable private key"):
        _read(write(tmp_path / "a.p12", issued.pkcs12())).load_into(_context(refuse))


@POSIX
@pytest.mark.parametrize("form", ["apart", "together", "pkcs12"])
def test_a_key_that_others_can_read_is_refused(issued: Issued, tmp_path: Path, form: str) -> None:
    cert, key = issued.files(tmp_path)
    Path(cert).chmod(0o644)
    if form == "together":
        cert = key = write(tmp_path / "both.pem", issued.key_pem() + issued.cert_pem)
    elif form == "pkcs12":
        cert = key = write(tmp_path / "a.p12", issued.pkcs12())
    for mode in (0o640, 0o604, 0o660):
        Path(key).chmod(mode)
        with pytest.raises(SignInError) as caught:
            _read(cert, key if form == "apart" else None)
        assert f"chmod 600 {key}" in (caught.value.hint or "")
    Path(key).chmod(0o400)
    assert _read(cert, key if form == "apart" else None).open_to_others is None


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize(("mode", "said"), [(0o644, True), (0o640, False), (0o400, False)])
def test_a_key_that_somebody_else_mounted_is_only_said(
    issued: Issued, tmp_path: Path, mode: int, said: bool
) -> None:
    cert, key = issued.files(tmp_path)
    Path(key).chmod(mode)
    os.chown(key, 65534, 65534)
    known = _read(cert, key)
    known.load_into(_context())
    assert known.open_to_others == (Path(key) if said else None)


def test_every_way_to_trust_presents_it_when_asked_late(issued: Issued, tmp_path: Path) -> None:
    known = _read(*issued.files(tmp_path))
    bundle = write(tmp_path / "ca.pem", issued.cert_pem)
    ways: list[dict[str, Any]] = [{}, {"fingerprint": "ab" * 32}, {"insecure": True}]
    for settings in (*ways, {"ca_bundle": bundle}):
        context = build_context(TlsSettings(**settings, client=known))
        assert (context.post_handshake_auth, context.minimum_version) == (True, TLS_1_2)
        assert not build_context(TlsSettings(**settings)).post_handshake_auth
