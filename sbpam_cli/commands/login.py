"""`sbpam login`: signs in, keeps what the next commands need, remembers the server."""

from typing import Annotated

from sbpam_cli.commands.options import Common, Credential, flag, option, with_common
from sbpam_cli.models import Method

_APPLICATION = {"rich_help_panel": "An application"}
_KEPT = {"rich_help_panel": "What is kept"}


@with_common
def login(
    common: Common,
    method: Annotated[
        Method | None,
        option("password, application or token; default: what the other options fit.", "METHOD"),
    ] = None,
    username: Annotated[
        str | None, option("The user, DOMAIN\\user, or the application (SBPAM_USERNAME).", "NAME")
    ] = None,
    password_file: Annotated[str | None, option("A file with the password.", "FILE")] = None,
    password_stdin: Annotated[
        bool, flag("The password comes from stdin.", "--password-stdin")
    ] = False,
    code: Annotated[str | None, option("The MFA code, or a word such as push.", "CODE")] = None,
    totp_secret_file: Annotated[
        str | None, option("A file with the TOTP secret, to make codes from now on.", "FILE")
    ] = None,
    totp: Annotated[
        bool, flag("Ask for the TOTP secret, to make codes from now on.", "--totp")
    ] = False,
    token_file: Annotated[str | None, option("A file with a ready token.", "FILE")] = None,
    token_stdin: Annotated[bool, flag("A ready token comes from stdin.", "--token-stdin")] = False,
    credential: Credential = None,
    client_cert: Annotated[
        str | None,
        option(
            "Its certificate, PEM or PKCS#12 (SBPAM_CLIENT_CERT).",
            "FILE",
            **_APPLICATION,
        ),
    ] = None,
    client_key: Annotated[
        str | None,
        option(
            "Its private key, if in a file of its own (SBPAM_CLIENT_KEY).",
            "FILE",
            **_APPLICATION,
        ),
    ] = None,
    api_key_file: Annotated[
        str | None, option("A file with its API key.", "FILE", **_APPLICATION)
    ] = None,
    api_key_stdin: Annotated[
        bool, flag("The API key comes from stdin.", "--api-key-stdin", **_APPLICATION)
    ] = False,
    insecure: Annotated[
        bool, flag("Do not verify TLS, for this profile only.", "--insecure", **_KEPT)
    ] = False,
    no_store: Annotated[
        bool,
        flag("Keep nothing in the keyring; the profile is written.", "--no-store", **_KEPT),
    ] = False,
    no_store_password: Annotated[
        bool, flag("Keep only the token in the keyring.", "--no-store-password", **_KEPT)
    ] = False,
) -> int:
    """Signs in, keeps the secrets in the keyring and the server in a profile.

    On a terminal, what is missing is asked for.

    Examples:
      sbpam login --server nps.example.com
      sbpam login --profile nightly --username "CORP\\svc-scan" \\
          --password-file password.txt --totp-secret-file totp.txt
      sbpam login --username sbpam-app --client-cert app.pem --api-key-file key.txt
    """
    from sbpam_cli.commands.present import present
    from sbpam_cli.output.columns import LOGIN
    from sbpam_cli.settings.environment import SecretName
    from sbpam_cli.signin.login import LoginOptions, run_login

    files: dict[SecretName, str | None] = {
        "password": password_file,
        "totp-secret": totp_secret_file,
        "api-key": api_key_file,
        "token": token_file,
    }
    stdin: dict[SecretName, bool] = {
        "password": password_stdin,
        "api-key": api_key_stdin,
        "token": token_stdin,
    }
    options = LoginOptions(
        connection=common.connection(
            username=username,
            credential=credential,
            client_cert=client_cert,
            client_key=client_key,
            insecure=insecure,
        ),
        method=method,
        code=code,
        files={name: path for name, path in files.items() if path},
        stdin=tuple(name for name, given in stdin.items() if given),
        ask_totp=totp,
        store=not no_store,
        store_password=not no_store_password,
    )
    return present(common, "login", LOGIN, lambda ctx: run_login(ctx, options))
