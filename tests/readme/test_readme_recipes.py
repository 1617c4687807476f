"""The README's recipes do what they say: run against a sandbox, in a home of their own.

A comment before a block says what is done with it: `run` (a shell), `cron`,
`unit NAME` (systemd), `powershell` (its foreign part by sample output).
"""

import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from programs import BIN, copy_checkout, find_program
from regenerate import README
from staging import CREDENTIAL

from sbpam_cli.sandbox.directory import User, sample_hosts
from sbpam_cli.sandbox.rehearsal import describe
from sbpam_cli.sandbox.serve import SandboxServer
from sbpam_cli.sandbox.world import World

HOSTS = ["web01.corp.example", "web02.corp.example", "file01.corp.example"]

LDAPSEARCH_OUTPUT = """\
dn: CN=WEB01,OU=Servers,DC=corp,DC=example
dNSHostName: WEB01.corp.example

dn: CN=WEB02,OU=Servers,DC=corp,DC=example
dNSHostName:: d2ViMDIuY29ycC5leGFtcGxl

dn: CN=FILE01,OU=Servers,DC=corp,DC=example
dNSHostName: file01.cor
 p.example

# refldap://ForestDnsZones.corp.example/DC=ForestDnsZones,DC=corp,DC=example
"""

EXPORT_CSV_OUTPUT = """\
#TYPE Microsoft.ActiveDirectory.Management.ADComputer
"DistinguishedName","DNSHostName","Enabled","Name","ObjectClass","SamAccountName"
"CN=WEB01,OU=Servers,DC=corp,DC=example","WEB01.corp.example","True","WEB01","computer","WEB01$"
"CN=WEB02,OU=Servers,DC=corp,DC=example","web02.corp.example","True","WEB02","computer","WEB02$"
"CN=NEW,OU=Servers,DC=corp,DC=example",,"True","NEW","computer","NEW$"
"CN=FILE01,OU=Servers,DC=corp,DC=example","file01.corp.example","True","FILE01","computer","F1$"
"""


def blocks(mark: str) -> list[tuple[str, str]]:
    """What follows the mark in its comment, and the block, in the README's order."""
    text = README.read_text(encoding="utf-8")
    found = re.findall(rf"<!-- {mark} ?([^>]*?) ?-->\n```\w+\n(.*?)```", text, re.DOTALL)
    assert found, f"no block is marked {mark}"
    return found


@dataclass
class Office:
    """A sandbox, a home with the lists that recipes name, and programs that are not here."""

    home: Path
    server: SandboxServer
    world: World
    environ: dict[str, str]

    def user(self, mfa: str) -> User:
        return next(u for u in self.world.users if u.mfa == mfa and not u.application)

    def here(self, text: str) -> str:
        """A recipe with the names of this office for those of the example."""
        changes = {
            "https://nps.example.com:6500": self.server.url,
            "CORP\\\\svc-scan": self.user("totp").login.replace("\\", "\\\\"),
            "CORP\\svc-scan": self.user("totp").login,
            "/run/secrets/": f"{self.home}/.secrets/",
            "/home/scan/.local/bin/": f"{BIN}/",
            "/home/scan/": f"{self.home}/",
            "/etc/sbpam/": f"{self.home}/",
            "/opt/sbpam/bin/": f"{BIN}/",
        }
        for old, new in changes.items():
            text = text.replace(old, new)
        return text

    def sh(
        self, script: str, shell: str = "bash", environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [shell, "-c", script],
            cwd=self.home,
            env=dict(self.environ if environ is None else environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
        )

    def scheduled(self) -> list[str]:
        return sorted(name for names in self.world.scheduled.values() for name in names)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    world = World(seed=1, now=time.time, scan_duration_s=0.3, failing_share=0.0)
    with SandboxServer(world) as server:
        office = Office(tmp_path, server, world, {})
        person = office.user("none")
        office.environ = {
            "PATH": f"{tmp_path}/bin:{BIN}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            "SBPAM_SERVER": server.url,
            "SBPAM_CA_BUNDLE": describe(server).environment["SBPAM_CA_BUNDLE"],
            "SBPAM_CREDENTIAL": CREDENTIAL,
            "SBPAM_USERNAME": person.login,
            "SBPAM_PASSWORD": person.password,
        }
        _furnish(office)
        yield office


def _furnish(office: Office) -> None:
    home, scanner = office.home, office.user("totp")
    (home / "hosts.txt").write_text("\n".join(HOSTS))
    (home / "hosts.csv").write_text("Name;DNSHostName\n" + "\n".join(f"x;{h}" for h in HOSTS))
    (home / ".secrets").mkdir(mode=0o700)
    for name, value in (
        (".secrets/nps-password", scanner.password),
        (".secrets/nps-totp-secret", scanner.totp_secret),
        ("password", scanner.password),
        ("totp-secret", scanner.totp_secret),
    ):
        (home / name).write_text(value + "\n")
        (home / name).chmod(0o600)
    (home / "bin").mkdir()
    (home / "ldif").write_text(LDAPSEARCH_OUTPUT)
    (home / "bin" / "ldapsearch").write_text(f"#!/bin/sh\ncat {home}/ldif\n")
    (home / "bin" / "ldapsearch").chmod(0o755)


@pytest.mark.parametrize("number", range(len(blocks("run"))))
def test_shell_recipes_run(number: int, office: Office) -> None:
    find_program("bash")
    find_program("jq")
    _, script = blocks("run")[number]

    brings = set(re.findall(r"^export (SBPAM_\w+?)(?:_FILE)?=", script, re.M))
    environ = {name: value for name, value in office.environ.items() if name not in brings}

    done = office.sh("set -euo pipefail\n" + office.here(script), environ=environ)

    assert done.returncode == 0, done.stdout + done.stderr
    assert office.scheduled() == sorted(HOSTS)


def test_the_csv_of_powershell_is_read(office: Office) -> None:
    [(_, script)] = blocks("powershell")
    foreign, own = re.split(r"\n(?=sbpam )", script)
    assert "Export-Csv hosts.csv -Encoding Unicode" in foreign
    (office.home / "hosts.csv").write_bytes(
        EXPORT_CSV_OUTPUT.replace("\n", "\r\n").encode("utf-16")
    )

    done = office.sh(own)

    assert done.returncode == 0, done.stderr
    assert office.scheduled() == sorted(HOSTS)


def test_the_crontab_runs_in_its_bare_environment(office: Office) -> None:
    [(_, crontab)] = blocks("cron")
    *settings, line = office.here(crontab).strip().splitlines()
    bare = {
        "HOME": str(office.home),
        "LOGNAME": "scan",
        "SHELL": "/bin/sh",
        "PATH": "/usr/bin:/bin",
        "SBPAM_CA_BUNDLE": office.environ["SBPAM_CA_BUNDLE"],
        **dict(setting.split("=", 1) for setting in settings),
    }
    *when, command = line.split(None, 5)

    done = office.sh(command, "sh", bare)

    assert when == ["15", "2", "*", "*", "*"]
    assert "%" not in command, "a percent sign ends a command of cron's"
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    rows = (office.home / "last-run.tsv").read_text().splitlines()
    assert [row.split("\t")[0] for row in rows] == HOSTS


@pytest.fixture
def units(office: Office) -> Path:
    folder = office.home / "units"
    folder.mkdir()
    for name, unit in blocks("unit"):
        (folder / name).write_text(office.here(unit).replace("User=sbpam", "User=root"))
    return folder


def test_the_units_are_sound(units: Path) -> None:
    analyze = find_program("systemd-analyze")
    names = sorted(path.name for path in units.iterdir())

    done = subprocess.run(
        [analyze, "verify", "--man=no", *(units / name for name in names)],
        env={"PATH": os.environ["PATH"], "SYSTEMD_UNIT_PATH": f"{units}:"},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )

    assert names == ["sbpam-schedule.service", "sbpam-schedule.timer"]
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if str(units) in line] == []


def test_the_service_signs_in_with_the_credentials_of_systemd(units: Path, office: Office) -> None:
    text = (units / "sbpam-schedule.service").read_text()
    folder = office.home / "credentials"
    folder.mkdir(mode=0o700)
    for name, path in re.findall(r"^LoadCredential=(.+):(.+)$", text, re.M):
        (folder / name).write_bytes(Path(path).read_bytes())
        (folder / name).chmod(0o400)
    settings = dict(re.findall(r'^Environment="?(\w+)=(.*?)"?$', text, re.M))
    environ = {
        "PATH": "/usr/bin:/bin",
        "CREDENTIALS_DIRECTORY": str(folder),
        "SBPAM_CA_BUNDLE": office.environ["SBPAM_CA_BUNDLE"],
        **{
            name: value.replace("%S", str(office.home / "state")).replace("\\\\", "\\")
            for name, value in settings.items()
        },
    }
    [command] = re.findall(r"^ExecStart=(.+)$", text, re.M)

    done = office.sh(command, "sh", environ)

    assert done.returncode == 0, done.stderr
    assert office.scheduled() == sorted(HOSTS)
    assert (office.home / "state" / "sbpam" / "journal.sqlite3").is_file()


@pytest.mark.slow
def test_the_first_command_ends_with_the_table(tmp_path: Path) -> None:
    [(_, command)] = blocks("first command")
    checkout = copy_checkout(tmp_path / "checkout")
    before = {path.name for path in checkout.iterdir()}
    home = tmp_path / "state"
    environ = {
        **os.environ,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "SBPAM_CONFIG_HOME": str(home),
        "SBPAM_STATE_HOME": str(home),
    }

    done = subprocess.run(
        ["bash", "-c", command],
        cwd=checkout,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=600,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()[-24:]]
    assert [row[0] for row in rows] == sample_hosts()
    assert {row[1] for row in rows} == {"Complete", "Failed"}
    assert {path.name for path in checkout.iterdir()} - before == {".venv"}
    assert not home.exists()
