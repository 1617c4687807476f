"""The recipes of README and guides do what they say: run against a sandbox, in a home of their own.

A comment before a block says what is done with it: `run` (a shell), `cron` (by a real cron:
tests/signin/test_unattended.py), `unit NAME` (systemd), `powershell` (its foreign part
by sample output), `openssl` and `doctor` (a shell, one after the other), `windows` (what is
sbpam's own of it), `dockerfile` (read by a podman that is not one).
"""

import os
import re
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from support.certificates import application_environ, write
from support.faults import StagedWorld
from support.pages import blocks
from support.process import RealSite
from support.programs import BIN, copy_checkout, find_program, run
from support.site import CREDENTIAL, served

from sbpam_cli.sandbox.people import sample_hosts

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


# No container: the program with what one would give it, and nothing else.
PODMAN = r"""
import os, re, shutil, sys
from pathlib import Path

action, *words = sys.argv[1:]
secrets = Path(".secrets")
if action == "secret":
    name, file = words[1:]
    (secrets / name).unlink(missing_ok=True)
    shutil.copy(file, secrets / name)
if action == "run":
    dockerfile = Path("Dockerfile").read_text()
    environ = dict(re.findall(r"^ENV (\w+)=(.*)$", dockerfile, re.M))
    environ |= {"SBPAM_CA_BUNDLE": os.environ["SBPAM_CA_BUNDLE"]}
    [entry] = re.findall(r'^ENTRYPOINT \["(.+)"\]$', dockerfile, re.M)
    mounts, mounted = {}, set()
    while words[0].startswith("--"):
        option = words.pop(0)
        if option in ("--rm", "--read-only"):
            continue
        value = words.pop(0)
        if option == "--volume":
            source, target = value.split(":")[:2]
            mounts[target] = str(Path(source).absolute())
        elif option == "--env":
            name, _, text = value.partition("=")
            environ[name] = text
        else:
            mounted.add(value.split(",")[0])
    for path in secrets.iterdir():
        if path.name not in mounted:
            path.unlink()
    environ["SBPAM_STATE_HOME"] = mounts[environ["SBPAM_STATE_HOME"]]
    assert words.pop(0) == "sbpam"
    program = Path(sys.executable).with_name(entry)
    os.execve(program, [entry, *(mounts.get(word, word) for word in words)], environ)
"""


class Office(RealSite):
    """A site whose home has the lists that recipes name, and programs that are not here."""

    def here(self, text: str) -> str:
        """A recipe with the names of this office for those of the example."""
        changes = {
            "https://nps.example.com:6500": self.server.url,
            "CORP\\\\svc-scan": self.world.person("totp").login.replace("\\", "\\\\"),
            "CORP\\svc-scan": self.world.person("totp").login,
            "/run/secrets/": f"{self.folder}/.secrets/",
            "/home/scan/.local/bin/": f"{BIN}/",
            "/home/scan/": f"{self.folder}/",
            "/etc/sbpam/": f"{self.folder}/",
            '& "C:\\Program Files\\sbpam\\Scripts\\sbpam.exe"': f"{BIN}/sbpam",
            '"C:\\Program Files\\sbpam\\Scripts\\sbpam.exe"': f"{BIN}/sbpam",
            "C:\\sbpam-scan\\": f"{self.folder}/",
            "/opt/sbpam/bin/": f"{BIN}/",
        }
        for old, new in changes.items():
            text = text.replace(old, new)
        return text

    def sh(
        self, script: str, shell: str = "bash", environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """To its end, which must be a good one."""
        environ = self.environ if environ is None else environ
        done = run([shell, "-c", script], environ, cwd=self.folder, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    world = StagedWorld(seed=1, now=time.time, scan_duration_s=0.3, failing_share=0.0)
    with served(Office(tmp_path), world) as office:
        person = world.person("none")
        office.environ = office.where() | {
            "PATH": f"{tmp_path}/bin:{BIN}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            "SBPAM_USERNAME": person.login,
            "SBPAM_PASSWORD": person.password,
        }
        _furnish(office, application_environ(office.server, tmp_path))
        yield office


def _furnish(office: Office, application: Mapping[str, str]) -> None:
    home, scanner = office.folder, office.world.person("totp")
    (home / "hosts.txt").write_text("\n".join(HOSTS))
    office.world.units["OU=Servers,DC=corp,DC=example"] = HOSTS
    model = office.world.resources[0] | {"lastScan": None}
    office.world.resources = [model | {"dnsHostName": name} for name in HOSTS]
    (home / "hosts.csv").write_text("Name;DNSHostName\n" + "\n".join(f"x;{h}" for h in HOSTS))
    (home / ".secrets").mkdir(mode=0o700)
    for name, value in (
        (".secrets/nps-password", scanner.password),
        (".secrets/nps-totp-secret", scanner.totp_secret),
        ("nps-api-key", application["SBPAM_API_KEY"]),
        (".secrets/nps-api-key", application["SBPAM_API_KEY"]),
        ("sbpam-app.pem", pem := _pem(application)),
        (".secrets/sbpam-app.pem", pem),
    ):
        write(home / name, f"{value}\n".encode())
    (home / "bin").mkdir()
    (home / "ldif").write_text(LDAPSEARCH_OUTPUT)
    write(home / "bin" / "ldapsearch", f"#!/bin/sh\ncat {home}/ldif\n".encode(), 0o755)
    write(home / "bin" / "podman", f"#!{sys.executable}\n{PODMAN}".encode(), 0o755)
    (home / "Dockerfile").write_text(blocks("dockerfile")[0][1])


def _pem(application: Mapping[str, str]) -> str:
    """Certificate and key in one."""
    parts = (application[f"SBPAM_CLIENT_{part}"] for part in ("CERT", "KEY"))
    return "".join(Path(part).read_text() for part in parts)


@pytest.mark.parametrize("number", range(len(blocks("run"))))
def test_shell_recipes_run(number: int, office: Office) -> None:
    find_program("bash")
    find_program("jq")
    _, script = blocks("run")[number]

    brings = set(re.findall(r"^export (SBPAM_\w+?)(?:_FILE)?=", script, re.M))
    environ = {name: value for name, value in office.environ.items() if name not in brings}

    office.sh("set -euo pipefail\n" + office.here(script), environ=environ)

    assert sorted(office.scheduled()) == sorted(HOSTS)


def test_the_csv_of_powershell_is_read(office: Office) -> None:
    [(_, script)] = blocks("powershell")
    foreign, own = re.split(r"\n(?=sbpam )", script)
    assert "Export-Csv hosts.csv -Encoding Unicode" in foreign
    (office.folder / "hosts.csv").write_bytes(
        EXPORT_CSV_OUTPUT.replace("\n", "\r\n").encode("utf-16")
    )

    office.sh(own)

    assert sorted(office.scheduled()) == sorted(HOSTS)


def test_the_certificate_that_openssl_makes_signs_in(office: Office) -> None:
    find_program("openssl")
    (_, request), (_, alone) = blocks("openssl")
    [(_, doctor)] = blocks("doctor")
    folder = office.folder / "made"
    folder.mkdir()

    office.sh(f"set -e; cd made; {request}")
    made = office.sh(f"set -e; cd made; {alone}")

    assert "BEGIN CERTIFICATE REQUEST" in (folder / "sbpam-app.csr").read_text()
    application = office.world.user("sbpam-app")
    assert application is not None
    application.certificate_serial = made.stdout.strip().removeprefix("serial=")
    office.server.context.load_verify_locations(folder / "sbpam-app.crt")
    office.server.context.verify_mode = ssl.CERT_REQUIRED
    (folder / "sbpam-app.pem").replace(office.folder / ".secrets" / "sbpam-app.pem")
    bare = {name: office.environ[name] for name in ("PATH", "HOME", "SBPAM_CA_BUNDLE")}
    bare["SBPAM_CREDENTIAL"] = CREDENTIAL

    done = office.sh(office.here(doctor), environ=bare)

    findings = {line.split("\t")[0]: line.split("\t")[1:] for line in done.stdout.splitlines()}
    assert done.stderr == "Nothing that stops a run was found.\n"
    assert findings["sign-in"][0] == "true"
    assert application.certificate_serial in findings["client certificate"][1]


def test_what_windows_would_run_of_sbpam(office: Office) -> None:
    _, _, login, task = (office.here(script.replace("`\n", "")) for _, script in blocks("windows"))
    convert = "openssl pkcs12 -export -in sbpam-app.pem -out sbpam-app.pfx -passout pass:geheim"
    office.sh(convert)
    signed_in, doctor = login.splitlines()
    [run] = re.findall(r"^\$run = '(.+)'$", task, re.M)
    secrets = {
        "SBPAM_API_KEY_FILE": str(office.folder / "nps-api-key"),
        "SBPAM_CLIENT_KEY_PASSWORD": "geheim",
    }
    bare = {name: office.environ[name] for name in ("PATH", "HOME", "SBPAM_CA_BUNDLE")} | secrets
    server = office.server.url.removeprefix("https://")

    office.sh(signed_in.replace("nps.example.com", server) + " --no-store", environ=bare)
    office.sh(doctor, environ=bare)
    office.sh(run, environ=bare)

    rows = (office.folder / "last-run.tsv").read_text().splitlines()
    assert [row.split("\t")[0] for row in rows] == HOSTS


@pytest.fixture
def units(office: Office) -> Path:
    folder = office.folder / "units"
    folder.mkdir()
    for name, unit in blocks("unit"):
        (folder / name).write_text(office.here(unit).replace("User=sbpam", "User=root"))
    return folder


def test_the_units_are_sound(units: Path) -> None:
    analyze = find_program("systemd-analyze")
    names = sorted(path.name for path in units.iterdir())

    verify: list[str | Path] = [analyze, "verify", "--man=no", *(units / name for name in names)]
    done = run(verify, {"PATH": os.environ["PATH"], "SYSTEMD_UNIT_PATH": f"{units}:"})

    assert names == ["sbpam-schedule.service", "sbpam-schedule.timer"]
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if str(units) in line] == []


def test_the_service_signs_in_with_the_credentials_of_systemd(units: Path, office: Office) -> None:
    text = (units / "sbpam-schedule.service").read_text()
    folder = office.folder / "credentials"
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
            name: value.replace("%S", str(office.folder / "state")).replace("%d", str(folder))
            for name, value in settings.items()
        },
    }
    [command] = re.findall(r"^ExecStart=(.+)$", text, re.M)

    office.sh(command, "sh", environ)

    assert sorted(office.scheduled()) == sorted(HOSTS)
    assert (office.folder / "state" / "sbpam" / "journal.sqlite3").is_file()


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

    done = run(["bash", "-c", command], environ, cwd=checkout, timeout=600)

    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()[-24:]]
    assert [row[0] for row in rows] == sample_hosts()
    assert {row[1] for row in rows} == {"Complete", "Failed"}
    assert {path.name for path in checkout.iterdir()} - before == {".venv"}
    assert not home.exists()
