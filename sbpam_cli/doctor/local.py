"""What of a run's needs is on this machine: settings, folders, journal, keyring, secrets."""

import locale
import os
import stat
import sys
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

from sbpam_cli.doctor.checks import Check, Result, judge_end
from sbpam_cli.errors import LockedError
from sbpam_cli.models import Method
from sbpam_cli.output.context import Context
from sbpam_cli.settings.environment import SECRETS_OF, SecretName, given_by_environment, variable_of
from sbpam_cli.settings.profiles import Target
from sbpam_cli.settings.secrets import Secrets, explain_absence, open_to_others
from sbpam_cli.system.filesystems import filesystem_type, is_network, is_passing
from sbpam_cli.system.locks import hold_lock
from sbpam_cli.system.services import Services
from sbpam_cli.wording import counted

_NEEDED: dict[Method, SecretName] = {
    "password": "password",
    "application": "api-key",
    "token": "token",
}


def state_checks(services: Services) -> list[Check]:
    """What cron changes; the state folder, and what is in it."""
    folder = services.state_folder()
    return [
        Check("environment", partial(_environment, services)),
        Check("state folder", partial(_state_folder, services, folder)),
        Check("journal", partial(_journal, services, folder / "journal.sqlite3"), "state folder"),
    ]


def secret_checks(
    ctx: Context, target: Target, secrets: Secrets, *, unattended: bool
) -> list[Check]:
    """The keyring, each secret that the sign-in method can use, an application's certificate.

    A person has a session, or types the password.
    """
    required = _NEEDED[target.method] if unattended or target.method != "password" else None
    checks = [Check("keyring", partial(_keyring, ctx.services, target, secrets))]
    for name in SECRETS_OF[target.method]:
        work = partial(_secret, ctx.services, name, secrets, name == required)
        checks.append(Check(f"secret {name}", work))
    if target.method == "application":
        work = partial(_client_certificate, ctx, target, secrets)
        checks.append(Check("client certificate", work))
    return checks


def check_settings(services: Services, target: Target) -> Result:
    """The settings in force, and where each comes from. Raises SignInError without a server."""
    stored = "" if target.stored else " (nothing stored applies to this server and user)"
    parts = [f"{target.profile}{stored} in {services.config_folder()}"]
    for name, source in {"server": "", **target.sources}.items():
        parts.append(f"{name} {getattr(target, name)} ({source})")
    return True, "; ".join(parts), None


def _environment(services: Services) -> Result:
    """What cron, systemd and containers set otherwise than a terminal."""
    names = ["HOME", "PATH", "LANG", "LC_ALL", "DBUS_SESSION_BUS_ADDRESS"]
    if os.name == "nt":
        names = ["USERPROFILE", "LOCALAPPDATA", "PATH", "SSH_CONNECTION"]
    parts = [
        f"user {f'id {os.geteuid()}' if os.name == 'posix' else os.getlogin()}",
        f"Python {sys.version.split()[0]} on {sys.platform}",
        "on a terminal" if services.stdin_is_terminal() else "no terminal",
        f"text in {locale.getpreferredencoding(False)}",
        *(f"{name} {services.env(name) or 'unset'}" for name in names),
    ]
    remedy = None
    if os.name == "posix" and services.env("HOME") is None:
        remedy = "set HOME, or SBPAM_CONFIG_HOME and SBPAM_STATE_HOME, to what the terminal has"
    return True, "; ".join(parts), remedy


def _mode(path: Path) -> str:
    """` (0600)`; nothing on Windows, whose modes say nothing."""
    return f" ({stat.S_IMODE(path.stat().st_mode):04o})" if os.name == "posix" else ""


def _state_folder(services: Services, folder: Path) -> Result:
    found = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not (found.is_dir() and os.access(found, os.W_OK | os.X_OK)):
        remedy = "make it writable for this user, or set SBPAM_STATE_HOME"
        return False, f"{folder}: {found}{_mode(found)} cannot be written", remedy
    state = " does not exist yet, a run makes it"
    if found == folder:
        # No list has this digest, so no run is held up; another doctor's lock proves as much.
        with suppress(LockedError), hold_lock(services, "doctor", ""):
            state = f"{_mode(folder)}, can be locked"
    kind = filesystem_type(found.resolve())
    detail = f"{folder}{state}, on {kind or 'an unknown file system'}"
    if is_passing(kind):
        detail += ": what it holds may end with the container or the next start"
        return True, detail, "put SBPAM_STATE_HOME on a disk or volume that stays"
    if is_network(kind):
        return True, f"{detail}, over the network", "a local folder in SBPAM_STATE_HOME is safer"
    return True, detail, None


def _journal(services: Services, path: Path) -> Result:
    from sbpam_cli.journal.journal import Journal

    if not path.exists():
        return True, "none yet, the first run makes it", None
    with closing(Journal(services)) as journal:
        word = journal.check()
        if word == "ok":
            # Every value is checked as it is read.
            journal.runs()
            counts = journal.counts()
    if word != "ok":
        remedy = f"save its rows with `sqlite3 {path} .recover`, then move it away:"
        remedy += " it may name hosts in doubt"
        return False, f"the journal {path} is damaged: {word}", remedy
    detail = f"{path}{_mode(path)}, {path.stat().st_size / 1e6:,.1f} MB"
    left = sorted(run for run, count in counts.items() if count.unknown or count.open)
    if not left:
        return True, f"{detail}, no unfinished run", None
    newest, count = left[-1], counts[left[-1]]
    detail += f", {counted(len(left), 'unfinished run')}, the newest {newest}"
    detail += f" ({count.unknown:,} in doubt, {count.open:,} not scheduled)"
    return True, detail, f"`sbpam resume {newest}`"


def _keyring(services: Services, target: Target, secrets: Secrets) -> Result:
    vault, needed = secrets.vault, _NEEDED[target.method]
    vault.get(target.profile, target.server, "token")
    if vault.absent_because is None:
        return True, f"{vault.backend} answers", None
    detail = ": ".join(filter(None, (vault.backend, vault.absent_because)))
    if not target.stored or given_by_environment(services, needed) is not None:
        return True, f"{detail} (not needed)", None
    remedy = f"{vault.remedy}, or " if vault.remedy else ""
    return False, detail, f"{remedy}give the secret with {variable_of(needed)}_FILE"


def _secret(services: Services, name: SecretName, secrets: Secrets, needed: bool) -> Result:
    found, variable = secrets.find(name), variable_of(name)
    if found is None and not needed:
        return True, "none; not everybody needs one", None
    if found is None:
        remedy = f"set {variable} or {variable}_FILE, or run `sbpam login`"
        absent = explain_absence(services)
        return False, absent or "none in the environment or the keyring", remedy
    if found.source != f"{variable}_FILE":
        return True, f"from {found.source}", None
    path = Path(services.env(found.source) or "")
    return True, f"from {found.source}: {path}{_mode(path)}", open_to_others(path)


def _client_certificate(ctx: Context, target: Target, secrets: Secrets) -> Result:
    from sbpam_cli.signin.application import open_certificate

    certificate = open_certificate(ctx, target, secrets)
    ok, end = judge_end(certificate.expires_at, ctx.services.clock.now())
    remedy = None
    if not ok:
        remedy = "have a new one made, and register it with the application on the server"
    elif certificate.open_to_others is not None:
        remedy = f"all users can read {certificate.open_to_others}: mount it with mode 0400"
    return ok, f"{certificate.cert_path}, serial number {certificate.serial}, {end}", remedy
