"""Signing in for good: a profile that remembers the server, a keyring that keeps the secrets."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sbpam_cli.errors import InputError, OptionError, UsageError
from sbpam_cli.models import METHODS, Method, Profile, Token
from sbpam_cli.nps.certificates import read_certificate
from sbpam_cli.nps.tls import UntrustedError, build_context, fingerprint_of
from sbpam_cli.nps.transport import NoReplyError, Outgoing
from sbpam_cli.output.context import Context
from sbpam_cli.settings.addresses import parse_server, short_name
from sbpam_cli.settings.environment import SecretName, given_by_environment
from sbpam_cli.settings.keyring import Vault
from sbpam_cli.settings.profiles import (
    PATHS,
    Target,
    change_profile,
    load_profiles,
    path_to_keep,
    require_writable_profiles,
    resolve_target,
)
from sbpam_cli.settings.secrets import (
    LONGEST_SECRET,
    Found,
    Secrets,
    decode_secret,
    open_to_others,
    read_secret_file,
    typed_secret,
)
from sbpam_cli.signin.application import client_key
from sbpam_cli.signin.password import clean_code
from sbpam_cli.signin.session import Site, open_secrets
from sbpam_cli.signin.totp import code_maker
from sbpam_cli.wording import utc

_BELONGING: dict[Method, set[SecretName]] = {
    "password": {"password", "totp-secret"},
    "application": {"api-key"},
    "token": {"token"},
}
_TRUST = "Is it the server's own? Trust exactly this certificate of {} from now on?"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LoginOptions:
    """What `login` was asked to do.

    files: the file that holds a secret. stdin: the secrets that stdin brings, one at most.
    ask_totp: ask a person for the TOTP secret. store, store_password: what the keyring gets.
    print_token: that is all; neither profile nor keyring hears of it.
    """

    method: Method | None = None
    code: str | None = field(default=None, repr=False)
    files: Mapping[SecretName, str] = field(default_factory=dict)
    stdin: tuple[SecretName, ...] = ()
    ask_totp: bool = False
    store: bool = True
    store_password: bool = True
    print_token: bool = False


def run_login(ctx: Context, options: LoginOptions) -> None:
    """Signs in; nothing is written before that succeeded. Raises SbpamError."""
    services = ctx.services
    code = clean_code(options.code, "--code") if options.code else None
    if not options.print_token:
        # Before a person has typed a password, and a code that is good once.
        require_writable_profiles(services)
    target = _choose_target(ctx, options)
    ctx.outcome.server, ctx.outcome.profile = target.origin, target.profile
    stored = open_secrets(ctx, target)
    given = _read_given(ctx, options, target, stored)
    if ctx.can_ask:
        target = _ask_for_missing(ctx, options, target, given)
    if "totp-secret" in given:
        code_maker(given["totp-secret"].value)
    # What is stored may be what no longer works: signing in anew asks anew.
    fresh = target._replace(stored=False)
    site = Site(ctx, fresh, replace(stored, target=fresh, known=given))
    if ctx.can_ask:
        site = _settle_trust(site)
        target = target._replace(fingerprint=site.target.fingerprint)
    token = site.session.sign_in(code)
    if options.print_token:
        ctx.printer.write_alone([token.value], token.value)
        return
    previous = load_profiles(services).get(target.profile)
    change_profile(services, target.profile, lambda old: _profile_of(target, old))
    ctx.console.note(_welcome(target, token))
    wanted: dict[SecretName, str] = {"token": token.value} if options.store else {}
    if options.store and options.store_password:
        wanted |= site.secrets.used()
    if previous is not None:
        stored.vault.delete_all(target.profile, {target.server, previous.server or target.server})
    _store(ctx, stored.vault, target, wanted)


def _choose_target(ctx: Context, options: LoginOptions) -> Target:
    given, services = ctx.connection, ctx.services
    target = resolve_target(services, given, new_profile=True)
    if target.origin is None:
        if not ctx.can_ask:
            hint = f"sbpam login --profile {target.profile} --server HOST"
            raise UsageError("which server?", hint=hint)
        server = parse_server(ctx.ask("Server (HOST, HOST:PORT or https://...): "), "the server")
        target = resolve_target(services, given._replace(server=server), new_profile=True)
    brought: set[SecretName] = {*options.files, *options.stdin}
    if options.ask_totp or options.code:
        brought.add("totp-secret")
    if given.client_cert or given.client_key:
        brought.add("api-key")
    fitting = [method for method in METHODS if brought & _BELONGING[method]]
    method = options.method or (fitting[0] if fitting else target.method)
    if not brought <= _BELONGING[method]:
        raise OptionError(f"these options do not go together with the method {method}")
    in_environment = given_by_environment(services, "token")
    if method == "token" and not (brought or in_environment or ctx.can_ask):
        hint = "use --token-file F or --token-stdin"
        raise OptionError("the method token needs a token", hint=hint)
    if method == "application" and target.client_cert is None:
        if not ctx.can_ask:
            hint = "use --client-cert F, with --client-key F if the key is in a file of its own"
            raise OptionError("the method application needs a client certificate", hint=hint)
        where = f"Client certificate for {target.whom} (its file): "
        target = target._replace(client_cert=ctx.ask(where))
    changes: dict[str, Any] = {
        key: path_to_keep(path) for key in PATHS if (path := getattr(target, key))
    }
    if given.ca_bundle or given.fingerprint or given.insecure:
        # Options say anew, as a whole, whom to trust.
        trusted = ("ca_bundle", "fingerprint")
        changes |= {key: None for key in trusted if target.sources.get(key) == "profile"}
    return target._replace(method=method, insecure=given.insecure, **changes)


def _read_given(
    ctx: Context, options: LoginOptions, target: Target, stored: Secrets
) -> dict[SecretName, Found]:
    """What the options bring; the TOTP secret of the same user stays in force without them."""
    services = ctx.services
    if len(options.stdin) > 1 or (set(options.stdin) & set(options.files)):
        raise OptionError("one secret is given twice, or stdin is to bring two")
    given: dict[SecretName, Found] = {}
    for name, text in options.files.items():
        source, path = f"--{name}-file", Path(text.rstrip("\r\n"))
        if warning := open_to_others(path):
            ctx.console.warn(warning)
        given[name] = Found(read_secret_file(path, source, InputError), source)
    for name in options.stdin:
        source = f"--{name}-stdin"
        content = services.stdin.read(LONGEST_SECRET + 1)
        given[name] = Found(decode_secret(content, source, InputError), source)
    if target.method != "password":
        return given
    if options.ask_totp and not ctx.can_ask:
        raise OptionError("--totp asks, and nobody is there", hint="use --totp-secret-file F")
    brought = "totp-secret" in given or given_by_environment(services, "totp-secret")
    if not (options.ask_totp or brought) and (found := stored.stored("totp-secret")) is not None:
        given["totp-secret"] = found
    return given


def _ask_for_missing(
    ctx: Context, options: LoginOptions, target: Target, given: dict[SecretName, Found]
) -> Target:
    """Who signs in; secrets that no sign-in asks for go to `given`."""
    if target.method == "token":
        if not (given or given_by_environment(ctx.services, "token")):
            given["token"] = typed_secret(ctx.ask_secret, f"Token for {target.whom}")
    elif target.username is None:
        application = target.method == "application"
        who = "Application's name" if application else "User name (DOMAIN\\user)"
        target = target._replace(username=ctx.ask(f"{who} at {target.whom}: "))
    if options.ask_totp:
        given["totp-secret"] = typed_secret(ctx.ask_secret, f"TOTP secret for {target.whom}")
    return target


def _settle_trust(site: Site) -> Site:
    """A site that trusts the server's certificate, if a person does.

    Nobody is asked if the settings say whom to trust. The sign-in then takes
    that very certificate and no other. Raises UntrustedError for a no.
    """
    ctx, target = site.ctx, site.target
    if target.insecure or target.fingerprint is not None or target.ca_bundle is not None:
        return site
    try:
        site.client.version()
    except UntrustedError as error:
        der = look_at_certificate(site)
        if der is None:
            raise
        ctx.console.warn(f"{error.message}: {error.reason}")
        ctx.console.note(f"it shows {_describe(der)}")
        ctx.console.note(f"SHA-256 fingerprint {fingerprint_of(der)}")
        if not ctx.confirm(_TRUST.format(short_name(target.server))):
            raise
        target = target._replace(fingerprint=fingerprint_of(der))
        return Site(ctx, target, before=site)
    return site


def look_at_certificate(site: Site) -> bytes | None:
    """The server's certificate (DER), whoever it is; nothing but the handshake is sent."""
    seen: list[bytes] = []
    context = build_context(site.transport.settings, seen.append)
    with suppress(NoReplyError):
        replace(site.transport, context=context).send(Outgoing("/api/v1/Version", total_s=30.0))
    return seen[-1] if seen else None


def _describe(der: bytes) -> str:
    try:
        known = read_certificate(der)
    except ValueError:
        return "a certificate that cannot be read"
    return f"a certificate for {known.name or 'no name'}, good until {utc(known.expires_at)[:10]}"


def _profile_of(target: Target, previous: Profile) -> Profile:
    presents = target.method == "application"
    by_variable = target.sources.get("credential") == "SBPAM_CREDENTIAL"
    return Profile(
        name=target.profile,
        server=target.origin,
        method=target.method,
        username=target.username if target.method != "token" else None,
        credential=None if by_variable else target.credential,
        ca_bundle=target.ca_bundle,
        fingerprint=target.fingerprint,
        insecure=target.insecure,
        client_cert=target.client_cert if presents else None,
        client_key=client_key(target) if presents else None,
        output=previous.output,
    )


def _store(ctx: Context, vault: Vault, target: Target, wanted: dict[SecretName, str]) -> None:
    """Puts `wanted` into the keyring for this profile; warns of what it did not keep."""
    profile, origin = target.profile, target.server
    lost = [name for name, value in wanted.items() if not vault.set(profile, origin, name, value)]
    if lost and len(lost) == len(wanted):
        ctx.outcome.partial = True
        remedy = f"{vault.remedy}, or " if vault.remedy else ""
        ctx.console.warn(
            f"signed in, but the keyring kept nothing: {remedy}give"
            " each command its secrets by SBPAM_PASSWORD_FILE, SBPAM_TOKEN (which"
            " `sbpam login --print-token` prints) and the like, or by systemd's LoadCredential="
        )
    elif lost:
        ctx.console.warn(f"the keyring did not keep: {', '.join(lost)}")


def _welcome(target: Target, token: Token) -> str:
    who = f" as {target.username}" if target.method != "token" and target.username else ""
    until = f"; the token is good until {utc(token.expires_at)}" if token.expires_at else ""
    return f"signed in to {target.origin}{who} (profile {target.profile}){until}"
