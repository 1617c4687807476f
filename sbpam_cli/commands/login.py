"""`sbpam login`: signs in, keeps what the next commands need, remembers the server."""

from typing import Annotated, Any

import typer

from sbpam_cli.commands.app import Common, with_common
from sbpam_cli.models import Method
from sbpam_cli.settings.environment import SECRET_NAMES, SecretName
from sbpam_cli.settings.profiles import ConnectionOptions


def _text(words: str, metavar: str | None = None) -> Any:
    return typer.Option(help=words, metavar=metavar, show_default=False)


@with_common
def login(
    ctx: typer.Context,
    common: Common,
    method: Annotated[
        Method | None,
        _text("password, application or token; without it, what the other options fit.", "METHOD"),
    ] = None,
    username: Annotated[
        str | None, _text("The user, DOMAIN\\user, or the application (SBPAM_USERNAME).", "NAME")
    ] = None,
    password_file: Annotated[str | None, _text("A file with the password.", "FILE")] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="The password comes from stdin.")
    ] = False,
    code: Annotated[str | None, _text("The MFA code, or a word such as push.", "CODE")] = None,
    totp_secret_file: Annotated[
        str | None, _text("A file with the TOTP secret, to make codes from now on.", "FILE")
    ] = None,
    totp: Annotated[
        bool, typer.Option("--totp", help="Ask for the TOTP secret, to make codes from now on.")
    ] = False,
    client_cert: Annotated[
        str | None,
        _text("The application's certificate, PEM or PKCS#12 (SBPAM_CLIENT_CERT).", "FILE"),
    ] = None,
    client_key: Annotated[
        str | None, _text("Its private key, if in a file of its own (SBPAM_CLIENT_KEY).", "FILE")
    ] = None,
    api_key_file: Annotated[
        str | None, _text("A file with the application's API key.", "FILE")
    ] = None,
    api_key_stdin: Annotated[
        bool, typer.Option("--api-key-stdin", help="The API key comes from stdin.")
    ] = False,
    token_file: Annotated[str | None, _text("A file with a ready token.", "FILE")] = None,
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="A ready token comes from stdin.")
    ] = False,
    credential: Annotated[
        str | None, _text("The service account that `schedule` is to use by default.", "ID|NAME")
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Do not verify TLS, for this profile only.")
    ] = False,
    no_store: Annotated[
        bool,
        typer.Option("--no-store", help="Keep nothing in the keyring; the profile is written."),
    ] = False,
    no_store_password: Annotated[
        bool, typer.Option("--no-store-password", help="Keep only the token in the keyring.")
    ] = False,
) -> int:
    """Signs in, keeps the secrets in the keyring and the server in a profile."""
    from sbpam_cli.commands.present import present
    from sbpam_cli.output.columns import LOGIN
    from sbpam_cli.signin.login import LoginOptions, run_login

    files: dict[SecretName, str | None] = {
        "password": password_file,
        "totp-secret": totp_secret_file,
        "api-key": api_key_file,
        "token": token_file,
    }
    stdin = {"password": password_stdin, "api-key": api_key_stdin, "token": token_stdin}
    options = LoginOptions(
        connection=ConnectionOptions(
            profile=common.profile,
            server=common.server,
            username=username,
            credential=credential,
            ca_bundle=common.ca_bundle,
            fingerprint=common.fingerprint,
            client_cert=client_cert,
            client_key=client_key,
            insecure=insecure,
            no_input=common.no_input,
        ),
        method=method,
        code=code,
        files={name: path for name, path in files.items() if path},
        stdin=tuple(name for name in SECRET_NAMES if stdin.get(name)),
        ask_totp=totp,
        store=not no_store,
        store_password=not no_store_password,
    )
    return present(
        ctx.obj,
        common,
        "login",
        LOGIN,
        lambda context: run_login(context, options),
    )
