"""The HTTPS server itself: certificates, connections, how it starts and ends."""

import hashlib
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from sbpam_cli.errors import UnreachableError
from sbpam_cli.sandbox.rehearsal import Rehearsal, serve_forever
from sbpam_cli.sandbox.serve import SandboxServer
from sbpam_cli.sandbox.world import World

pytestmark = pytest.mark.enable_socket


@pytest.fixture
def world() -> World:
    return World(now=time.time)


def port_of(server: SandboxServer) -> int:
    return int(server.url.rpartition(":")[2])


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "::1"])
def test_the_certificate_is_good_for_every_loopback_name(world: World, name: str) -> None:
    with SandboxServer(world) as server:
        context = ssl.create_default_context(cafile=server.ca_file)
        with (
            socket.create_connection(("127.0.0.1", port_of(server))) as raw,
            context.wrap_socket(raw, server_hostname=name) as tls,
        ):
            leaf = tls.getpeercert(binary_form=True)
    assert leaf is not None
    assert hashlib.sha256(leaf).hexdigest() == server.fingerprint


def test_tls_below_1_2_is_refused(world: World) -> None:
    with SandboxServer(world) as server:
        assert server.context.minimum_version is ssl.TLSVersion.TLSv1_2
        context = ssl.create_default_context(cafile=server.ca_file)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with httpx.Client(base_url=server.url, verify=context, trust_env=False) as client:
            assert client.get("/api/v1/Health").status_code == 200


def test_nothing_is_left_behind(world: World) -> None:
    with SandboxServer(world) as server:
        folder = Path(server.ca_file).parent
        cert_path, key_path, _ = server.issue_client_certificate("sbpam-app")
        assert {Path(cert_path).parent, Path(key_path).parent} == {folder}
        if os.name == "posix":
            assert folder.stat().st_mode & 0o777 == 0o700
            assert Path(key_path).stat().st_mode & 0o777 == 0o600
    assert not folder.exists()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port_of(server)))


def test_a_certificate_from_elsewhere_can_be_served(world: World, tmp_path: Path) -> None:
    trustme = pytest.importorskip("trustme")
    leaf = trustme.CA().issue_cert("127.0.0.1")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    leaf.cert_chain_pems[0].write_to_path(chain)
    leaf.private_key_pem.write_to_path(key)
    with SandboxServer(world, tls_files=(str(chain), str(key))) as server:
        der = ssl.PEM_cert_to_DER_cert(chain.read_text())
        assert server.fingerprint == hashlib.sha256(der).hexdigest()
        assert not server.issues_certificates
        reply = httpx.get(f"{server.url}/api/v1/Health", verify=False, trust_env=False)
    assert reply.text == "Healthy"


def test_a_taken_port_is_said(world: World) -> None:
    with SandboxServer(world) as first:
        port = port_of(first)
        with (
            pytest.raises(UnreachableError, match=str(port)) as caught,
            SandboxServer(world, port=port),
        ):
            pass
    assert caught.value.hint


def test_without_the_extra_the_remedy_is_named() -> None:
    script = (
        "import sys, time; sys.modules['trustme'] = None\n"
        "from sbpam_cli.errors import UsageError\n"
        "from sbpam_cli.sandbox.serve import SandboxServer\n"
        "from sbpam_cli.sandbox.world import World\n"
        "try: SandboxServer(World(now=time.time)).__enter__()\n"
        "except UsageError as error: print(error.hint)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True
    )
    assert "sbpam-cli[sandbox]" in done.stdout, done.stderr


def test_importing_the_sandbox_loads_nothing_heavy() -> None:
    script = (
        "import sys; import sbpam_cli.sandbox.rehearsal\n"
        "print(*{'ssl', 'json', 'trustme', 'cryptography', 'http.server', 'httpx'}"
        " & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_connections_are_kept_and_fifty_work_at_once(world: World) -> None:
    together = threading.Barrier(50)

    with SandboxServer(world) as server:
        context = ssl.create_default_context(cafile=server.ca_file)

        def talk(_: int) -> list[int]:
            with httpx.Client(base_url=server.url, verify=context, trust_env=False) as client:
                client.get("/api/v1/Health")
                together.wait(timeout=30)
                return [client.get("/api/v1/Health").status_code for _ in range(3)]

        with ThreadPoolExecutor(50) as pool:
            answers = list(pool.map(talk, range(50)))
        assert answers == [[200, 200, 200]] * 50
        assert len(server.world.log) == 200


def test_a_body_of_megabytes_is_read_whole(world: World) -> None:
    with SandboxServer(world) as server:
        context = ssl.create_default_context(cafile=server.ca_file)
        with httpx.Client(base_url=server.url, verify=context, trust_env=False) as client:
            statuses = [
                client.post("/signinBody", content=b" " * size).status_code
                for size in (28 * 1024 * 1024, 28 * 1024 * 1024 + 1)
            ]
    assert statuses == [415, 413]


def test_a_post_without_length_is_refused(world: World) -> None:
    with SandboxServer(world) as server:
        context = ssl.create_default_context(cafile=server.ca_file)
        with httpx.Client(base_url=server.url, verify=context, trust_env=False) as client:
            reply = client.post("/signinBody", content=iter([b"{}"]))
    assert reply.status_code == 411


def test_a_rehearsal_says_all_that_one_needs_and_ends_when_told(world: World) -> None:
    stop = threading.Event()
    told: list[Rehearsal] = []

    def announce(rehearsal: Rehearsal) -> None:
        told.append(rehearsal)
        context = ssl.create_default_context(cafile=rehearsal.environment["SBPAM_CA_BUNDLE"])
        url = rehearsal.environment["SBPAM_SERVER"]
        body = {
            "Login": rehearsal.environment["SBPAM_USERNAME"],
            "Password": rehearsal.environment["SBPAM_PASSWORD"],
        }
        assert httpx.post(f"{url}/signinBody", json=body, verify=context).status_code == 200
        application = rehearsal.application_environment
        context.load_cert_chain(application["SBPAM_CLIENT_CERT"], application["SBPAM_CLIENT_KEY"])
        serial = Path(application["SBPAM_CLIENT_CERT"]).stem
        body = {
            "login": application["SBPAM_USERNAME"],
            "password": application["SBPAM_API_KEY"],
            "certificateSerialNumber": serial,
        }
        path = "/WebAppApi/api/v1/AppUserToken"
        assert httpx.post(f"{url}{path}", json=body, verify=context).status_code == 200
        stop.set()

    serve_forever(SandboxServer(world), announce, stop)
    (rehearsal,) = told
    assert rehearsal.environment["SBPAM_CREDENTIAL"] in dict(rehearsal.credentials).values()
    assert not Path(rehearsal.ca_file).exists()
    shown = repr(rehearsal)
    for user in rehearsal.users:
        assert user.password not in shown
