"""Whom the program trusts, with real certificates on a real socket."""

import hashlib
import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
import trustme
from support.listeners import Stranger
from support.site import Ended, Program, Site

HOST = "127.0.0.1"


class Server(Stranger):
    """A TLS server that must never be spoken to, and who issued its certificate."""

    def __init__(self, context: ssl.SSLContext, ca: trustme.CA, leaf: trustme.LeafCert) -> None:
        super().__init__(context)
        self.ca, self.leaf = ca, leaf


Listen = Callable[..., Server]


def fingerprint_of(pem: trustme.Blob) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.bytes().decode())).hexdigest()


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Makes servers; `names` are those of the certificate, `change` is given the context."""
    made: list[Server] = []

    def make(
        *names: str,
        change: Callable[[ssl.SSLContext], None] = lambda _: None,
        begins: datetime | None = None,
        ends: datetime | None = None,
    ) -> Server:
        ca = trustme.CA()
        leaf = ca.issue_cert(*(names or (HOST,)), not_before=begins, not_after=ends)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        leaf.configure_cert(context)
        change(context)
        made.append(Server(context, ca, leaf))
        return made[-1]

    yield make
    for server in made:
        said = server.all_bytes()
        server.close()
        assert said == b""


def ask(program: Program, url: str, *options: str, **env: str) -> Ended:
    signed_in = {"SBPAM_SERVER": url, "SBPAM_TOKEN": "a.b.c"}
    return program("status", "--all", *options, env={**signed_in, **env})


def ca_file(listener: Server, folder: Path) -> str:
    path = folder / "ca.pem"
    listener.ca.cert_pem.write_to_path(str(path))
    return str(path)


def test_an_unknown_ca_is_not_trusted(program: Program, listen: Listen) -> None:
    listener = listen()
    ask(program, listener.url).expect(
        6, f"the certificate of {listener.url} is not trusted", "--ca-bundle", "--fingerprint"
    )


def test_a_ca_bundle_is_trusted_and_our_variable_wins(site: Site, tmp_path: Path) -> None:
    bundle, wrong = site.environ.pop("SBPAM_CA_BUNDLE"), str(tmp_path / "other.pem")
    trustme.CA().cert_pem.write_to_path(wrong)
    for env in ({}, {"SBPAM_CA_BUNDLE": wrong, "SSL_CERT_FILE": bundle}):
        site.run("status", "--all", env=env).expect(6)
    assert site.requests() == []
    assert site.run("status", "--all", "--ca-bundle", bundle).code == 0
    for env in ({"SBPAM_CA_BUNDLE": bundle, "SSL_CERT_FILE": wrong}, {"SSL_CERT_FILE": bundle}):
        assert site.run("status", "--all", env=env).code == 0


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the folder")
def test_a_folder_of_cas_is_trusted(site: Site, tmp_path: Path) -> None:
    folder = str(tmp_path)
    (tmp_path / "ca.pem").write_bytes(Path(site.environ.pop("SBPAM_CA_BUNDLE")).read_bytes())
    subprocess.run(["openssl", "rehash", folder], check=True, capture_output=True)
    assert site.run("status", "--all", env={"SSL_CERT_DIR": folder}).code == 0
    assert site.run("status", "--all", "--ca-bundle", folder).code == 0


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_an_unusable_ca_file_is_a_usage_error(
    program: Program, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    ask(program, f"https://{HOST}:1", "--ca-bundle", str(path)).expect(2, str(path))


def test_another_host_name_is_refused(program: Program, listen: Listen, tmp_path: Path) -> None:
    listener = listen("nps.corp.example")
    ask(program, listener.url, "--ca-bundle", ca_file(listener, tmp_path)).expect(
        6, "mismatch", "the name that the certificate is for"
    )


@pytest.mark.parametrize(
    ("valid", "reason"),
    [
        ({"begins": datetime(2020, 1, 1), "ends": datetime(2020, 2, 1)}, "expired"),
        ({"begins": datetime(2090, 1, 1), "ends": datetime(2090, 2, 1)}, "not yet valid"),
    ],
)
def test_a_certificate_out_of_its_time(
    program: Program,
    listen: Listen,
    tmp_path: Path,
    valid: dict[str, datetime],
    reason: str,
) -> None:
    """Its CA is known: naming that once more would help nobody."""
    listener = listen(**valid)
    ended = ask(program, listener.url, "--ca-bundle", ca_file(listener, tmp_path)).expect(6)
    what, why, next_step = ended.err.splitlines()
    assert "is not trusted" in what
    assert reason in why
    assert "clock" in next_step
    assert "new certificate" in next_step
    assert "--ca-bundle" not in next_step


@pytest.mark.skipif(shutil.which("openssl") is None, reason="cryptography signs with SHA-1 no more")
@pytest.mark.parametrize("how", ["rsa:1024 -sha256", "rsa:2048 -sha1"])
def test_a_weak_certificate_is_not_mended_by_naming_its_ca(
    program: Program, listen: Listen, tmp_path: Path, how: str
) -> None:
    ca = "req -x509 -newkey rsa:2048 -nodes -subj /CN=ca -keyout ca.key -out ca.pem"
    leaf = f"req -x509 -CA ca.pem -CAkey ca.key -newkey {how} -nodes -subj /CN=x"
    leaf += f" -addext subjectAltName=IP:{HOST} -keyout leaf.key -out leaf.pem"
    for line in (ca, leaf):
        subprocess.run(["openssl", *line.split()], cwd=tmp_path, check=True, capture_output=True)

    def weaken(context: ssl.SSLContext) -> None:
        # Its other certificate is no RSA.
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("aRSA:@SECLEVEL=0")
        context.load_cert_chain(tmp_path / "leaf.pem", tmp_path / "leaf.key")

    listener = listen(change=weaken)
    ended = ask(program, listener.url, "--ca-bundle", str(tmp_path / "ca.pem")).expect(
        6, "too weak", "needs a new certificate: RSA of 2,048 bits or more, signed with SHA-256"
    )
    assert "--ca-bundle" not in ended.err


def test_a_wrong_fingerprint_gets_no_byte(program: Program, listen: Listen, tmp_path: Path) -> None:
    listener = listen()
    trusted = ca_file(listener, tmp_path)
    ask(program, listener.url, "--ca-bundle", trusted, "--fingerprint", "0" * 64).expect(
        6,
        "another certificate than the pinned one",
        fingerprint_of(listener.leaf.cert_chain_pems[0]),
    )


def test_the_pin_is_of_the_leaf_alone(program: Program, listen: Listen) -> None:
    listener = listen()
    pin = fingerprint_of(listener.ca.cert_pem)
    assert ask(program, listener.url, "--fingerprint", pin).code == 6


def test_an_insecure_profile_says_so_at_every_use(site: Site) -> None:
    del site.environ["SBPAM_CA_BUNDLE"]
    site.write_config(f'[profiles.default]\nserver = "{site.server.url}"\ninsecure = true\n')
    for _ in range(2):
        site.run("status", "--all").expect(0, "TLS is not verified")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_tls_is_refused(program: Program, listen: Listen, tmp_path: Path) -> None:
    def old(context: ssl.SSLContext) -> None:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1

    listener = listen(change=old)
    trusted = ca_file(listener, tmp_path)
    ask(program, listener.url, "--ca-bundle", trusted).expect(6, "no TLS connection")


def test_a_port_without_tls(program: Program) -> None:
    plain = Stranger()
    ask(program, f"https://{HOST}:{plain.port}").expect(6, "HTTPS port")
    plain.close()
