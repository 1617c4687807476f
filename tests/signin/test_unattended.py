"""Environments that hold next to nothing: containers, systemd, CI, cron, no terminal."""

import os
import re
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.cron import need_cron, run_by_cron
from support.pages import blocks
from support.process import RealSite, real_site
from support.programs import SBPAM, find_program, skip

HOST = "web01.corp.example"
NEVER_IN_A_MAIL = re.compile(
    r"password for|code \(|api key of|passphrase of|\x1b|traceback|geheim", re.IGNORECASE
)
"""Questions, what only a terminal understands, what only a programmer does, and a secret."""
_READ_ONLY = """\
set -e
[ -z "$1" ] || mount --bind "$1" "$1"
mount -o remount,bind,ro /
shift
exec "$@"
"""


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[RealSite]:
    with real_site(tmp_path / "home", scans_take_s=0.2) as machine:
        machine.server.context.verify_mode = ssl.CERT_REQUIRED
        machine.environ = machine.application_environ()
        yield machine


def read_only(but: Path | None) -> list[str]:
    """A command that runs another one where nothing but this folder can be written."""
    unshare = find_program("unshare")
    namespace = [unshare, "--mount", "--propagation", "private"]
    probe = subprocess.run([*namespace, "true"], capture_output=True, check=False)
    if os.geteuid() != 0 or probe.returncode != 0:
        skip("a read-only file system needs root, and namespaces")
    return [*namespace, "sh", "-c", _READ_ONLY, "sh", str(but or "")]


def test_a_container_with_a_volume(machine: RealSite, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir(mode=0o755)
    environ = machine.environ | {"SBPAM_STATE_HOME": str(volume)}
    hosts = machine.write_list([HOST])

    ended = machine.run("schedule", "-q", hosts, environ=environ, before=read_only(volume))

    assert (ended.code, ended.err) == (0, "")
    assert [row[0] for row in ended.rows()] == machine.scheduled() == [HOST]
    assert (volume / "journal.sqlite3").is_file()
    assert volume.stat().st_mode & 0o777 == 0o755
    again = machine.run("runs", environ={"SBPAM_STATE_HOME": str(volume)})
    assert [row[1:5:2] for row in again.rows()] == [["finished", "1"]]


@pytest.mark.parametrize("home", ["unset", "read-only"])
def test_a_container_without_a_folder_for_the_journal(machine: RealSite, home: str) -> None:
    environ = machine.environ | ({"HOME": str(machine.folder)} if home != "unset" else {})
    hosts = machine.write_list([HOST])

    ended = machine.run("schedule", "-q", hosts, environ=environ, before=read_only(None)).expect(6)
    what, why, next_step = ended.err.splitlines()
    assert "/.local/state/sbpam" in what
    assert what.endswith(" cannot be used")
    assert why == "  Read-only file system"
    assert "SBPAM_STATE_HOME" in next_step
    assert ended.out == ""
    assert machine.scheduled() == []


def test_the_mail_of_a_failed_run_says_what_to_do(machine: RealSite, tmp_path: Path) -> None:
    """The guide's crontab as it stands there: as it should be, and with what goes wrong."""
    need_cron()
    [(_, crontab)], [(_, example)] = blocks("cron"), blocks("mail")
    *settings, line = machine_of(machine, crontab).strip().splitlines()
    env = dict(setting.split("=", 1) for setting in settings) | {"HOME": str(machine.folder)}
    env["SBPAM_CA_BUNDLE"] = machine.server.ca_file
    command = line.split(None, 5)[5]
    (machine.folder / "hosts.csv").write_text(f"DNSHostName\n{HOST}\n")
    kept = machine.folder / "last-run.tsv"

    code, mail = run_by_cron(tmp_path / "good", command, env)
    assert (code, mail) == (0, "")
    assert [line.split("\t")[:2] for line in kept.read_text().splitlines()] == [[HOST, "Complete"]]

    wrong = {"SBPAM_API_KEY_FILE": machine.secret_file("wrong", "wrong-api-key-geheim")}
    code, mail = run_by_cron(tmp_path / "refused", command, env | wrong)
    assert (code, kept.read_text()) == (4, "")
    assert like_the_example(mail) == like_the_example(example.split("\n\n", 1)[1])
    mails = [mail]

    code, mail = run_by_cron(
        tmp_path / "down", command, env | {"SBPAM_SERVER": "https://127.0.0.1:9"}
    )
    what, why, next_step = mail.splitlines()
    assert (code, what) == (6, "sbpam: no answer from https://127.0.0.1:9")
    assert "refused" in why
    assert next_step.startswith("  → check the address, the network and the proxy")
    mails.append(mail)

    code, mail = run_by_cron(tmp_path / "doctor", f"{SBPAM} doctor", env | wrong)
    failed = [row.split("\t") for row in mail.splitlines() if "\tfalse\t" in row]
    assert (code, [row[0] for row in failed]) == (3, ["sign-in"])
    assert "The application or its key is not known." in failed[0][2]
    assert not NEVER_IN_A_MAIL.search("".join([*mails, mail]))
    assert machine.scheduled() == [HOST]


def machine_of(machine: RealSite, recipe: str) -> str:
    """A recipe with this machine's names for those of the example."""
    secrets = machine.folder / ".secrets"
    secrets.mkdir(mode=0o700)
    for name, variables in (
        ("nps-api-key", ["SBPAM_API_KEY_FILE"]),
        ("sbpam-app.pem", ["SBPAM_CLIENT_CERT", "SBPAM_CLIENT_KEY"]),
    ):
        (secrets / name).touch(mode=0o600)
        parts = (Path(machine.environ[variable]).read_bytes() for variable in variables)
        (secrets / name).write_bytes(b"".join(parts))
    for old, new in (
        ("https://nps.example.com:6500", machine.server.url),
        ("/home/scan/.local/bin/sbpam", SBPAM),
        ("/home/scan/", f"{machine.folder}/"),
    ):
        recipe = recipe.replace(old, new)
    return recipe


def like_the_example(mail: str) -> str:
    """Without what differs from run to run."""
    mail = re.sub(r"\b00-[0-9a-f]{32}-[0-9a-f]{16}-00\b", "TRACE-ID", mail)
    return re.sub(r"serial number [0-9A-F]+", "serial number SERIAL", mail)
