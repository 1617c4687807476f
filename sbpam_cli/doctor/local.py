"""What of a run's needs lies on this machine: folders, journal, lock, keyring, secrets."""

import os
import stat
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from sbpam_cli.doctor.checks import SOON_S, Check, Finding, say_expiry
from sbpam_cli.errors import JournalError, LockedError
from sbpam_cli.models import Method, Talk
from sbpam_cli.settings.environment import (
    KEYRING,
    SECRETS_OF,
    SecretName,
    given_by_environment,
    variable_of,
)
from sbpam_cli.settings.keyring import Vault
from sbpam_cli.settings.secrets import Secrets, open_to_others
from sbpam_cli.system.filesystems import filesystem_type, is_network, is_passing

if TYPE_CHECKING:
    from sbpam_cli.output.console import Console
    from sbpam_cli.output.context import Context
    from sbpam_cli.settings.profiles import Target
    from sbpam_cli.system.services import Services

_NEEDED: dict[Method, SecretName] = {
    "password": "password",
    "application": "api-key",
    "token": "token",
}
_WITHOUT: dict[SecretName, str] = {
    "token": "none kept; each command signs in",
    "totp-secret": "none; fine where the account has no second factor",
    "client-key-password": "none; fine where the key has no passphrase",
}
_QUICK_CHECK_S = 5.0
_RUNS_NAMED = 5


def folder_checks(services: "Services") -> tuple[list[Check], list[Check]]:
    """The checks of the config folder, and those of the state folder with what is in it."""
    config, state = services.config_folder(), services.state_folder()
    return (
        [Check("config folder", lambda: _config_folder(config))],
        [
            Check("state folder", lambda: _state_folder(services, state), blocks="no state folder"),
            Check("lock", lambda: _lock(services, state)),
            Check(
                "journal",
                lambda: _journal(services, state / "journal.sqlite3"),
                limit_s=40.0,
                blocks="the journal cannot be used",
            ),
            Check("unfinished runs", lambda: _unfinished_runs(services, state / "journal.sqlite3")),
        ],
    )


def secret_checks(ctx: "Context", target: "Target", talk: Talk) -> list[Check]:
    """The keyring's check, then one for each secret that the sign-in method can use."""
    # Not attended: an unlock dialog would be a prompt, and cron would not see it.
    services = ctx.services
    vault = Vault(services, talk, attended=False)
    secrets = Secrets(services, target, vault, talk)

    def secret_check(name: SecretName) -> Check:
        return Check(f"secret {name}", partial(_secret, services, target, secrets, name))

    checks = [
        Check("keyring", lambda: _keyring(services, target, vault)),
        *map(secret_check, SECRETS_OF[target.method]),
    ]
    if target.method == "application":
        unasked = replace(ctx, console=cast("Console", talk), no_input=True)
        work = partial(_client_certificate, unasked, target, secrets)
        checks.append(Check("client certificate", work))
    return checks


def _mode(path: Path) -> str:
    """` (0600)`; nothing on Windows, whose modes say nothing."""
    return f" ({stat.S_IMODE(path.stat().st_mode):04o})" if os.name == "posix" else ""


def _config_folder(folder: Path) -> Finding:
    file = folder / "config.toml"
    if not file.exists():
        return Finding("config folder", True, f"{folder} holds no profile yet")
    detail = f"{folder}{_mode(folder)}, {file.name}{_mode(file)}{_disk(folder)[0]}"
    return Finding("config folder", True, detail)


def _state_folder(services: "Services", folder: Path) -> Finding:
    from sbpam_cli.system.files import private_folder

    name, refused = "state folder", "make it writable for this user, or set SBPAM_STATE_HOME"
    if not folder.exists():
        above = next(parent for parent in folder.parents if parent.exists())
        if not (above.is_dir() and os.access(above, os.W_OK | os.X_OK)):
            return Finding(name, False, f"{folder} cannot be made in {above}", refused)
        words, remedy = _disk(above)
        return Finding(name, True, f"{folder} does not exist yet, a run makes it{words}", remedy)
    mode = _mode(folder)
    private_folder(services, folder)
    if not os.access(folder, os.W_OK | os.X_OK):
        return Finding(name, False, f"{folder}{mode} cannot be written", refused)
    words, remedy = _disk(folder)
    return Finding(name, True, f"{folder}{mode}{words}", remedy)


def _disk(folder: Path) -> tuple[str, str | None]:
    """The file system as words, and what would be better for a journal."""
    kind = filesystem_type(folder.resolve())
    if is_passing(kind):
        return (
            f", on {kind}: what it holds may end with the container or the next start",
            "put SBPAM_STATE_HOME on a disk or volume that stays",
        )
    if is_network(kind):
        return f", on {kind}, over the network", "a local folder in SBPAM_STATE_HOME is safer"
    return (f", on {kind}" if kind is not None else ""), None


def _lock(services: "Services", folder: Path) -> Finding:
    from sbpam_cli.system.locks import hold_lock

    if not folder.exists():
        return Finding("lock", None, "not tried: the state folder does not exist yet")
    try:
        # No list has this digest, so no run is held up.
        with hold_lock(services, "doctor", ""):
            return Finding("lock", True, "can be taken and given back")
    except LockedError:
        return Finding("lock", True, "works: another `sbpam doctor` holds its own just now")


def _journal(services: "Services", path: Path) -> Finding:
    from sbpam_cli.journal.schema import open_database

    if not path.exists():
        return Finding("journal", True, "none yet, the first run makes it")
    mode, clock = _mode(path), services.clock
    connection, _ = open_database(services)
    with closing(connection):
        until = clock.monotonic() + _QUICK_CHECK_S
        connection.set_progress_handler(lambda: clock.monotonic() > until, 10_000)
        try:
            [(word,)] = connection.execute("PRAGMA quick_check(1)").fetchall()
        except Exception as error:  # sqlite3's own, which only storage knows
            word = str(error)
            if "interrupt" in word:
                word = "ok as far as it came in 5 seconds"
    if not word.startswith("ok"):
        raise JournalError(
            f"the journal {path} is damaged",
            reason=word,
            hint=f"save its rows with `sqlite3 {path} .recover`, then move it away:"
            " it may name hosts in doubt",
        )
    size = f"{path.stat().st_size / 1e6:,.1f} MB"
    return Finding("journal", True, f"{path}{mode}, {size}, quick check {word}")


def _unfinished_runs(services: "Services", path: Path) -> Finding:
    from sbpam_cli.journal.journal import open_journal

    if not path.exists():
        return Finding("unfinished runs", True, "none")
    journal = open_journal(services)
    try:
        counts = journal.counts()
        left = [
            f"{run.run_id} ({count.unknown:,} in doubt, {count.open:,} not scheduled)"
            for run in journal.runs()
            if (count := counts.get(run.run_id)) is not None and (count.unknown or count.open)
        ]
    finally:
        journal.close()
    if not left:
        return Finding("unfinished runs", True, "none")
    more = f" and {len(left) - _RUNS_NAMED:,} older" if len(left) > _RUNS_NAMED else ""
    newest = left[0].partition(" ")[0]
    return Finding(
        "unfinished runs", True, ", ".join(left[:_RUNS_NAMED]) + more, f"`sbpam resume {newest}`"
    )


def _keyring(services: "Services", target: "Target", vault: Vault) -> Finding:
    started = services.clock.monotonic()
    vault.get(target.profile, target.origin or "https://doctor.invalid", "token")
    took_ms = (services.clock.monotonic() - started) * 1000
    name = vault.backend
    given = given_by_environment(services, _NEEDED[target.method]) is not None
    needed = target.stored and not given
    why_not = "the environment gives the secrets" if given else "no stored profile applies"
    aside = "" if needed else f" (not needed: {why_not})"
    if vault.absent_because is None:
        return Finding("keyring", True, f"{name} answers in {took_ms:.0f} ms{aside}")
    detail = f"{name}: {vault.absent_because}" if name else vault.absent_because
    variable = variable_of(_NEEDED[target.method])
    unlock = "unlock it, or " if "locked" in detail or "answer" in detail else ""
    remedy = f"{unlock}give the secret with {variable}_FILE" if needed else None
    return Finding("keyring", not needed, detail + aside, remedy)


def _secret(services: "Services", target: "Target", secrets: Secrets, name: SecretName) -> Finding:
    check = f"secret {name}"
    found = secrets.find(name)
    if found is None:
        if name != _NEEDED[target.method]:
            return Finding(check, True, _WITHOUT[name])
        variable = variable_of(name)
        remedy = f"set {variable} or {variable}_FILE, or run `sbpam login`"
        return Finding(check, False, "none in the environment or the keyring", remedy)
    if found.source in (KEYRING, variable_of(name)):
        return Finding(check, True, f"from {found.source}")
    path = _file_of(services, name)
    warning = open_to_others(path, 0o044 if found.source.endswith("_FILE") else 0o004)
    return Finding(check, True, f"from {found.source}: {path}{_mode(path)}", warning)


def _client_certificate(ctx: "Context", target: "Target", secrets: Secrets) -> Finding:
    from sbpam_cli.signin.application import open_certificate

    certificate = open_certificate(ctx, target, secrets)
    left_s = certificate.expires_at - ctx.services.clock.now()
    ends = say_expiry(certificate.expires_at, left_s)
    detail = f"{certificate.cert_path}, serial number {certificate.serial}, {ends}"
    remedy = None
    if left_s <= SOON_S:
        remedy = "have a new one made, and register it with the application on the server"
    elif certificate.open_to_others is not None:
        remedy = f"all users can read {certificate.open_to_others}: mount it with mode 0400"
    return Finding("client certificate", left_s > SOON_S, detail, remedy)


def _file_of(services: "Services", name: SecretName) -> Path:
    given = services.env(f"{variable_of(name)}_FILE")
    folder = services.env("CREDENTIALS_DIRECTORY") or ""
    return Path(given) if given is not None else Path(folder, f"sbpam-{name}")
