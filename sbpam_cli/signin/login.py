"""Signing in for good: a profile that remembers the server, a keyring that keeps the secrets."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sbpam_cli.errors import InputError, OptionError, UsageError
from sbpam_cli.models import METHODS, Method, Profile, Talk, Token
from sbpam_cli.settings.keyring import Vault
from sbpam_cli.settings.profiles import (
    ConnectionOptions,
    Target,
    load_profiles,
    resolve_target,
    save_profile,
)
from sbpam_cli.settings.secrets import (
    SECRET_NAMES,
    Found,
    SecretName,
    Secrets,
    given_by_environment,
    open_to_others,
    read_secret,
    read_secret_file,
)
from sbpam_cli.signin.application import client_key
from sbpam_cli.signin.session import make_session, open_client, present_certificate
from sbpam_cli.signin.trusting import settle_trust

if TYPE_CHECKING:
    from sbpam_cli.output.context import Context
    from sbpam_cli.signin.session import Session
    from sbpam_cli.system.services import Services

_BELONGING: dict[Method, set[SecretName]] = {
    "password": {"password", "totp-secret"},
    "application": {"api-key"},
    "token": {"token"},
}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LoginOptions:
    """What `login` was asked to do.

    files: the file that holds a secret. stdin: the secrets that stdin brings, one at most.
    ask_totp: ask a person for the TOTP secret. store, store_password: what the keyring gets.
    """

    connection: ConnectionOptions
    method: Method | None = None
    code: str | None = field(default=None, repr=False)
    files: Mapping[SecretName, str] = field(default_factory=dict)
    stdin: tuple[SecretName, ...] = ()
    ask_totp: bool = False
    store: bool = True
    store_password: bool = True


def run_login(ctx: "Context", options: LoginOptions) -> None:
    """Signs in; nothing is written before that succeeded. Raises SbpamError."""
    services, talk = ctx.services, ctx.console
    target = _choose_target(services, options)
    ctx.outcome.server, ctx.outcome.profile = target.origin, target.profile
    can_ask = ctx.can_ask
    vault = Vault(services, talk, attended=can_ask, choose=True)
    given = _read_given(services, options, target, vault, talk)
    if can_ask:
        target = _named(services, target)
    # What is stored may be what no longer works: signing in anew asks anew.
    secrets = Secrets(services, target._replace(stored=False), vault, talk, given)
    certificate = present_certificate(ctx, target, secrets)
    if can_ask:
        target = settle_trust(ctx, target, certificate)
    client = open_client(ctx, target, certificate=certificate)
    session = make_session(ctx, target, secrets, client, certificate, code=options.code or None)
    token = session.sign_in()
    previous = load_profiles(services).get(target.profile)
    save_profile(services, _profile_of(target))
    talk.note(_welcome(target, token))
    _store(ctx, vault, target, previous, _worth_keeping(options, session, token))


def _named(services: "Services", target: Target) -> Target:
    """The target with its user, asked for where nothing says it."""
    from sbpam_cli.signin.password import ask_line

    if target.username is not None or target.method == "token":
        return target
    question = (
        "Application name: " if target.method == "application" else "User name (DOMAIN\\user): "
    )
    return target._replace(username=ask_line(services, question))


def _choose_target(services: "Services", options: LoginOptions) -> Target:
    target = resolve_target(services, options.connection, new_profile=True)
    if target.origin is None:
        raise UsageError(
            "which server?", hint=f"sbpam login --profile {target.profile} --server HOST"
        )
    brought: set[SecretName] = {*options.files, *options.stdin}
    if options.ask_totp or options.code:
        brought.add("totp-secret")
    if options.connection.client_cert or options.connection.client_key:
        brought.add("api-key")
    method = options.method or _fitting(brought) or target.method
    if not brought <= _BELONGING[method]:
        raise OptionError(f"these options do not go together with the method {method}")
    if method == "token" and not (brought or given_by_environment(services, "token")):
        raise OptionError(
            "the method token needs a token", hint="use --token-file F or --token-stdin"
        )
    if method == "application" and target.client_cert is None:
        raise OptionError(
            "the method application needs a client certificate",
            hint="use --client-cert F, with --client-key F where the key is in a file of its own",
        )
    given = options.connection
    if given.ca_bundle or given.fingerprint or given.insecure:
        # Whom to trust is said anew, as a whole.
        ca, pin = target.sources.get("ca_bundle"), target.sources.get("fingerprint")
        target = target._replace(
            ca_bundle=target.ca_bundle if ca != "profile" else None,
            fingerprint=target.fingerprint if pin != "profile" else None,
        )
    return target._replace(method=method)


def _fitting(brought: set[SecretName]) -> Method | None:
    """The method that the options speak of."""
    for method in METHODS:
        if brought & _BELONGING[method]:
            return method
    return None


def _read_given(
    services: "Services", options: LoginOptions, target: Target, vault: Vault, talk: Talk
) -> dict[SecretName, Found]:
    """What the options bring; the TOTP secret of the same user stays in force without them."""
    if len(options.stdin) > 1 or (set(options.stdin) & set(options.files)):
        raise OptionError("one secret is given twice, or stdin is to bring two")
    given: dict[SecretName, Found] = {}
    for name, text in options.files.items():
        source = f"--{name}-file"
        if warning := open_to_others(Path(text)):
            talk.warn(warning)
        given[name] = Found(read_secret_file(Path(text), source, InputError), source)
    for name in options.stdin:
        source = f"--{name}-stdin"
        given[name] = Found(read_secret(services.stdin.read(), source, InputError), source)
    if target.method != "password":
        return given
    if options.ask_totp:
        given["totp-secret"] = _ask_totp_secret(services, options)
    elif "totp-secret" not in given and not given_by_environment(services, "totp-secret"):
        stored = Secrets(services, target, vault, talk).stored("totp-secret")
        if stored is not None:
            given["totp-secret"] = stored
    if "totp-secret" in given:
        from sbpam_cli.signin.totp import code_maker

        code_maker(given["totp-secret"].value)
    return given


def _ask_totp_secret(services: "Services", options: LoginOptions) -> Found:
    from sbpam_cli.signin.password import ask_secret

    if not services.can_ask(no_input=options.connection.no_input):
        raise OptionError("--totp asks, and nobody is there", hint="use --totp-secret-file F")
    return Found(ask_secret(services, "TOTP secret: "), "--totp")


def _profile_of(target: Target) -> Profile:
    def absolute(path: str | None) -> str | None:
        return None if path is None else str(Path(path).absolute())

    presents = target.method == "application"
    by_variable = target.sources.get("credential") == "SBPAM_CREDENTIAL"
    return Profile(
        name=target.profile,
        server=target.origin,
        method=target.method,
        username=target.username if target.method != "token" else None,
        credential=None if by_variable else target.credential,
        ca_bundle=absolute(target.ca_bundle),
        fingerprint=target.fingerprint,
        insecure=target.insecure,
        client_cert=absolute(target.client_cert) if presents else None,
        client_key=absolute(client_key(target)) if presents else None,
    )


def _worth_keeping(
    options: LoginOptions, session: "Session", token: Token
) -> dict[SecretName, str]:
    if not options.store:
        return {}
    wanted: dict[SecretName, str] = {"token": token.value}
    return wanted | (session.accepted() if options.store_password else {})


def _store(
    ctx: "Context",
    vault: Vault,
    target: Target,
    previous: Profile | None,
    wanted: Mapping[SecretName, str],
) -> None:
    """Leaves exactly `wanted` in the keyring for this profile; says what it did not keep."""
    profile, origin = target.profile, target.server
    lost = [name for name, value in wanted.items() if not vault.set(profile, origin, name, value)]
    if previous is not None and previous.server not in (None, origin):
        vault.delete_all(profile, [str(previous.server)])
    if previous is not None and previous.server == origin:
        for name in SECRET_NAMES:
            if name not in wanted:
                vault.delete(profile, origin, name)
    if not lost:
        return
    if len(lost) == len(wanted):
        ctx.outcome.partial = True
        ctx.console.warn(
            "signed in, but the keyring kept nothing: give each command its secrets by"
            " SBPAM_PASSWORD_FILE, SBPAM_TOKEN and the like, or by systemd's LoadCredential="
        )
    else:
        ctx.console.warn(f"the keyring did not keep: {', '.join(lost)}")


def _welcome(target: Target, token: Token) -> str:
    who = f" as {target.username}" if target.method != "token" and target.username else ""
    until = ""
    if token.expires_at is not None:
        from datetime import UTC, datetime

        end = datetime.fromtimestamp(token.expires_at, UTC)
        until = f"; the token is good until {end:%Y-%m-%dT%H:%M:%SZ}"
    return f"signed in to {target.origin}{who} (profile {target.profile}){until}"
