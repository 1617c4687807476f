"""Scheduled by a real cron: nobody there, nothing in the environment, the mail all there is."""

import re
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.cron_daemon import Job, need_cron, run_jobs
from support.keyrings import silent_bus
from support.pages import blocks
from support.process import RealSite, real_site
from support.programs import SBPAM

from sbpam_cli.sandbox.http import Request, Response

NEVER_IN_A_MAIL = re.compile(r"password for|code \(|api key of|passphrase of|\x1b|traceback", re.I)
"""Questions, what only a terminal understands, and what only a programmer does."""


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[RealSite]:
    need_cron()
    with real_site(tmp_path / "home") as machine:
        machine.server.context.verify_mode = ssl.CERT_REQUIRED
        machine.environ = machine.application_environ()
        yield machine


def rows(mail: str) -> list[list[str]]:
    return [line.split("\t") for line in mail.splitlines() if "\t" in line]


def talk(mail: str) -> list[str]:
    return [line for line in mail.splitlines() if "\t" not in line]


def test_a_keyring_that_hangs_costs_three_seconds(machine: RealSite, tmp_path: Path) -> None:
    """As somebody set it up on a terminal: a profile, whose keyring cron's jobs cannot reach."""
    home = {"HOME": str(machine.folder)}
    login = ["--method", "application", "--no-store"]
    assert machine.run("login", *login, environ=home | machine.environ).code == 0
    plain = machine.write_list(["a.corp.example", "b.corp.example"])
    hanging = machine.write_list(["c.corp.example", "d.corp.example"])
    schedule = f"{SBPAM} schedule --credential {machine.environ['SBPAM_CREDENTIAL']}"
    settings = home | {"SBPAM_API_KEY_FILE": machine.environ["SBPAM_API_KEY_FILE"]}

    with silent_bus() as address:
        bus = {"DBUS_SESSION_BUS_ADDRESS": address}
        ended = run_jobs(
            tmp_path / "cron",
            [
                Job("plain", f"{schedule} {plain}", settings),
                Job("hanging", f"{schedule} {hanging}", settings | bus),
            ],
        )

    assert [ended[name].code for name in ("plain", "hanging")] == [0, 0], ended
    assert ended["hanging"].seconds - ended["plain"].seconds < 5
    assert set(ended["plain"].environ) == {"JOB", *settings, "SHELL", "PATH", "LOGNAME"}
    mails = [ended[name].mail or "" for name in ("plain", "hanging")]
    hosts = [[row[0] for row in rows(mail)] for mail in mails]
    assert hosts == [["a.corp.example", "b.corp.example"], ["c.corp.example", "d.corp.example"]]
    keyrings = ["there is none on this machine", "it did not answer within 3 seconds"]
    for mail, keyring in zip(mails, keyrings, strict=True):
        absent, run = talk(mail)
        assert absent.startswith(f"sbpam: warning: continuing without the keyring: {keyring};")
        assert re.fullmatch(rf"run \S+: 2 hosts in 1 batch to {re.escape(machine.server.url)}", run)
        assert not NEVER_IN_A_MAIL.search(mail)
    assert sorted(machine.scheduled()) == sorted(hosts[0] + hosts[1])


def test_the_mail_of_a_failed_run_says_what_to_do(machine: RealSite, tmp_path: Path) -> None:
    """The guide's crontab as it stands there: as it should be, and with what goes wrong."""
    [(_, crontab)], [(_, example)] = blocks("cron"), blocks("mail")
    *settings, line = machine_of(machine, crontab).strip().splitlines()
    env = dict(setting.split("=", 1) for setting in settings) | {"HOME": str(machine.folder)}
    env["SBPAM_CA_BUNDLE"] = machine.server.ca_file
    command = line.split(None, 5)[5]
    assert f"{machine.folder}/hosts.csv" in command
    for name in ("good", "refused", "down"):
        (machine.folder / name).mkdir()
        (machine.folder / name / "hosts.csv").write_text(f"DNSHostName\n{name}.corp.example\n")
    wrong = machine.secret_file("wrong", "wrong-api-key-geheim")
    changes = {
        "good": {},
        "refused": {"SBPAM_API_KEY_FILE": wrong},
        "down": {"SBPAM_SERVER": "https://127.0.0.1:9"},
    }
    ended = run_jobs(
        tmp_path / "cron",
        [
            *(
                Job(
                    name,
                    command.replace(f"{machine.folder}/", f"{machine.folder}/{name}/"),
                    env | more,
                )
                for name, more in changes.items()
            ),
            Job("doctor", f"{SBPAM} doctor", env | changes["refused"]),
        ],
    )

    assert {name: job.code for name, job in ended.items()} == {
        "good": 0,
        "refused": 4,
        "down": 6,
        "doctor": 3,
    }
    assert ended["good"].mail is None
    kept = {name: (machine.folder / name / "last-run.tsv").read_text() for name in changes}
    statuses = {name: [row[:2] for row in rows(text)] for name, text in kept.items()}
    assert statuses == {
        "good": [["good.corp.example", "Queued"]],
        "refused": [],
        "down": [],
    }
    refused, down = ended["refused"].mail or "", ended["down"].mail or ""
    example = example.split("\n\n", 1)[1]
    assert like_the_example(machine, refused) == like_the_example(machine, example)
    what, why, next_step = down.splitlines()
    assert what == "sbpam: no answer from https://127.0.0.1:9"
    assert "refused" in why
    assert next_step.startswith("  → check the address, the network and the proxy")
    findings = {row[0]: row for row in rows(ended["doctor"].mail or "")}
    assert [name for name, row in findings.items() if row[1] == "false"] == ["sign-in"]
    assert "The application or its key is not known." in findings["sign-in"][2]
    assert not any(
        NEVER_IN_A_MAIL.search(job.mail or "") or "geheim" in (job.mail or "")
        for job in ended.values()
    )
    assert machine.scheduled() == ["good.corp.example"]


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


def like_the_example(machine: RealSite, mail: str) -> str:
    """Without what differs from run to run."""
    mail = re.sub(r"\b00-[0-9a-f]{32}-[0-9a-f]{16}-00\b", "TRACE-ID", mail)
    return re.sub(r"serial number [0-9A-F]+", "serial number SERIAL", mail)


@pytest.fixture
def totp_machine(tmp_path: Path) -> Iterator[RealSite]:
    """Its clock is 20 seconds into a code's half minute, so that the next one is not far."""
    ahead_s = (20 - time.time()) % 30
    with real_site(tmp_path / "home", ahead_s=ahead_s) as machine:
        assert machine.world.refuse_replay
        yield machine


@pytest.mark.slow
@pytest.mark.parametrize("overtaking", [False, True])
def test_two_jobs_that_start_together_both_get_in_with_totp(
    totp_machine: RealSite, tmp_path: Path, overtaking: bool
) -> None:
    """overtaking: the code of the process that came second arrives first."""
    need_cron()
    machine = totp_machine
    if overtaking:
        let_the_second_code_pass(machine)
    user = machine.world.person("totp")
    env = machine.password_environ(user) | {"HOME": str(machine.folder)}
    names = ("one.corp.example", "two.corp.example")
    jobs = [Job(name, f"{SBPAM} schedule {machine.write_list([name])}", env) for name in names]

    ended = run_jobs(tmp_path / "cron", jobs)

    assert [job.code for job in ended.values()] == [0, 0], ended
    assert sorted(machine.scheduled()) == sorted(names)
    mails = [job.mail or "" for job in ended.values()]
    assert sum("the next one comes in" in mail for mail in mails) >= 1
    codes = machine.bodies("/signin2fa")
    assert (len(codes), len(set(codes))) == (3, 2)
    assert not user.locked


def let_the_second_code_pass(machine: RealSite) -> None:
    """Holds the first code that arrives until the second one was answered."""
    handle, passed, arrivals = machine.server.app.handle, threading.Event(), iter(range(99))

    def overtaken(request: Request) -> Response:
        if "signin2fa" not in request.target:
            return handle(request)
        number = next(arrivals)
        if number == 0:
            passed.wait(10)
        reply = handle(request)
        if number == 1:
            passed.set()
        return reply

    machine.server.app.handle = overtaken  # type: ignore[method-assign]
